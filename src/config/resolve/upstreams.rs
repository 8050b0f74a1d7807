//! Upstreams: where an API is, which requests are for it, which tokens count and what it is told.
//! Knows nothing of how requests are matched or forwarded.

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderName;
use http::uri::PathAndQuery;

use crate::config::path::KeyPath;
use crate::config::raw::{self, Host, Target, Upstream};
use crate::config::resolve::Resolver;
use crate::document::did_you_mean;
use crate::http::pool::{Origin, Protocol};
use crate::http::tls::ClientTls;
use crate::inbound::identity::Property;
use crate::inbound::{Mode, UpstreamConfig};
use crate::token::Policy;

/// Headers that carry the message itself: an identity in one of them would break it.
const FRAMING: [&str; 8] =
    ["host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"];

const PROPERTIES: [&str; 6] = ["id", "workspace", "name", "fields", "isAdmin", "claims"];

impl Resolver<'_> {
    pub(super) fn upstreams(&mut self, raw: &raw::Sidegate) -> Vec<UpstreamConfig> {
        let upstreams: Vec<UpstreamConfig> =
            raw.upstreams.iter().filter_map(|(name, typed)| self.upstream(name, typed, raw)).collect();
        self.refuse_ties(&upstreams);
        upstreams
    }

    fn upstream(&mut self, name: &str, typed: &Upstream, raw: &raw::Sidegate) -> Option<UpstreamConfig> {
        let path = KeyPath::of(&["upstreams", name]);
        let token = path.key("token");
        self.known_workspaces(&typed.token.workspaces, &token.key("workspaces"), raw);
        let policy = Policy {
            workspaces: typed.token.workspaces.iter().map(|key| key.as_str().into()).collect(),
            leeway: typed.token.leeway.0,
            require_expiry: typed.token.require_expiry,
        };
        let token_headers = self.token_headers(&typed.token.headers, &token.key("headers"));
        let cors = self.cors(&typed.cors, &token_headers, &path.key("cors"));
        let rules = self.rules(&typed.rules, &path.key("rules"));
        let identity = self.identity(typed, &path.key("identity"));
        let hosts = self.hosts(&typed.matching.hosts, &path.key("match").key("hosts"));
        let prefix = &typed.matching.path_prefix;
        self.prefix(prefix, &path.key("match").key("pathPrefix"));
        let place = self.place_of(&typed.upstream, &path.key("upstream"));
        let upgrades = self.upgrades(&typed.upgrades, &path.key("upgrades"));
        let Place { origin, tls, protocol, host, strip_prefix, add_prefix } = place?;
        Some(UpstreamConfig {
            name: name.into(),
            mode: self.mode(typed.mode, &path.key("mode")),
            origin,
            tls,
            protocol,
            upgrades,
            preserve_host: host == Host::Preserve,
            strip_prefix,
            add_prefix,
            hosts,
            path_prefix: prefix.clone(),
            token_headers,
            policy,
            rules,
            identity,
            forward_token: typed.forward_token,
            cors,
            limits: self.limits(&typed.limits, &path.key("limits")),
            connect_timeout: typed.timeouts.connect.0,
            response_head_timeout: typed.timeouts.response_head.0,
            body_idle_timeout: typed.timeouts.body_idle.0,
            pool_idle_timeout: typed.timeouts.pool_idle.0,
            closes_on_expiry: typed.token.on_expiry == raw::OnExpiry::Close,
            upgrade_idle_timeout: Some(typed.timeouts.upgrade_idle.0).filter(|idle| !idle.is_zero()),
        })
    }

    fn mode(&mut self, typed: raw::Mode, path: &KeyPath) -> Mode {
        match typed {
            raw::Mode::Enforce => Mode::Enforce,
            raw::Mode::Observe => {
                let cure =
                    "see `would_reject` in the access log and in sidegate_would_reject_total, then enforce";
                self.warn(path, format!("`{path}` lets through what the rules refuse"), cure);
                Mode::Observe
            }
        }
    }

    fn place_of(&mut self, typed: &raw::Url, path: &KeyPath) -> Option<Place> {
        let Target { url, tls, protocol, host, strip_prefix, add_prefix } = match typed {
            raw::Url::Plain(url) => {
                let origin = self.origin(url, path)?;
                let (tls, host) = (ClientTls::default(), Host::default());
                let protocol = Protocol::default();
                return Some(Place { origin, tls, protocol, host, strip_prefix: None, add_prefix: None });
            }
            raw::Url::Full(target) => &**target,
        };
        let tls = self.client_tls(tls, &path.key("tls"));
        let mut prefix = |typed: &Option<raw::Text>, key| {
            let text = typed.as_ref()?.0.clone();
            self.prefix(&text, &path.key(key));
            Some(text)
        };
        let (strip_prefix, add_prefix) =
            (prefix(strip_prefix, "stripPrefix"), prefix(add_prefix, "addPrefix"));
        let origin = self.origin(url, &path.key("url"))?;
        if !is_tls(&origin) && self.places.exact(&path.key("tls")).is_some() {
            let cure = "write an https:// URL, or remove `tls`";
            self.error(&path.key("tls"), format!("`{path}` has TLS settings for a URL without TLS"), cure);
        }
        let protocol = match protocol {
            raw::Protocol::Http1 => Protocol::Http1,
            raw::Protocol::Http2 => Protocol::Http2,
        };
        Some(Place { origin, tls, protocol, host: *host, strip_prefix, add_prefix })
    }

    fn origin(&mut self, typed: &str, path: &KeyPath) -> Option<Origin> {
        let origin = origin(typed);
        if let Err(problem) = &origin {
            let cure = "write http://HOST:PORT, https://HOST or unix:/path";
            self.error(path, format!("`{path}` {problem}"), cure);
        }
        origin.ok()
    }

    fn client_tls(&mut self, typed: &raw::UpstreamTls, path: &KeyPath) -> ClientTls {
        let mut file = |typed: &Option<raw::Text>, key| -> Option<PathBuf> {
            typed.as_ref().and_then(|typed| self.existing_file(&typed.0, &path.key(key)))
        };
        let (ca, certificate, key) =
            (file(&typed.ca, "ca"), file(&typed.certificate, "certificate"), file(&typed.key, "key"));
        if typed.certificate.is_some() != typed.key.is_some() {
            let cure = "set both `certificate` and `key`, or neither";
            self.error(path, format!("`{path}` has one half of a client certificate"), cure);
        }
        if let Some(key) = &key {
            self.warn_if_world_readable(key, &path.key("key"));
        }
        ClientTls { ca, certificate, key, server_name: typed.server_name.as_ref().map(|name| name.0.clone()) }
    }

    fn token_headers(&mut self, typed: &[String], path: &KeyPath) -> Vec<HeaderName> {
        if typed.is_empty() {
            self.error(path, "no header may hold a token", "list one, or remove the key for the default");
        }
        let headers = self.places.items(path, typed).into_iter();
        headers.filter_map(|(path, name)| self.header(name, &path)).collect()
    }

    /// Protocols by their names in the Upgrade header.
    fn upgrades(&mut self, typed: &[String], path: &KeyPath) -> Vec<String> {
        let mut upgrades = Vec::new();
        for (path, protocol) in self.places.items(path, typed) {
            let protocol = protocol.to_ascii_lowercase();
            // A name is a token, as a header's is.
            if protocol == "h2c" || HeaderName::from_bytes(protocol.as_bytes()).is_err() {
                let cure =
                    "write a protocol as the Upgrade header names it, like websocket; h2c is never one";
                self.error(&path, format!("`{protocol}` is not a protocol to switch to"), cure);
            }
            upgrades.push(protocol);
        }
        upgrades
    }

    fn identity(&mut self, typed: &Upstream, path: &KeyPath) -> Vec<(HeaderName, Property)> {
        let mut identity = Vec::new();
        for (header, value) in &typed.identity {
            let path = path.key(header);
            let name = self.header(header, &path);
            let Some(property) = self.property(value, &path) else { continue };
            identity.extend(name.map(|name| (name, property)));
        }
        identity
    }

    fn property(&mut self, typed: &str, path: &KeyPath) -> Option<Property> {
        match typed {
            "id" => return Some(Property::Id),
            "workspace" => return Some(Property::Workspace),
            "name" => return Some(Property::Name),
            "fields" => return Some(Property::Fields),
            "isAdmin" => return Some(Property::IsAdmin),
            _ => {}
        }
        if let Some(near) =
            did_you_mean(typed, PROPERTIES).filter(|near| !typed.contains('.') && *near != typed)
        {
            self.error(
                path,
                format!("`{typed}` is not a property of a token"),
                format!("did you mean `{near}`?"),
            );
            return None;
        }
        if !self.claim_path(typed, path) {
            return None;
        }
        Some(Property::Claim(typed.to_owned()))
    }

    pub(super) fn header(&mut self, typed: &str, path: &KeyPath) -> Option<HeaderName> {
        match HeaderName::from_bytes(typed.as_bytes()) {
            Ok(name) if !FRAMING.contains(&name.as_str()) => Some(name),
            Ok(name) => {
                self.error(
                    path,
                    format!("the header `{name}` carries the message itself"),
                    "choose another header",
                );
                None
            }
            Err(_) => {
                let cure = "write letters, digits and dashes, like X-Sidegate-Customer";
                self.error(path, format!("`{typed}` is not a header name"), cure);
                None
            }
        }
    }

    fn hosts(&mut self, typed: &[String], path: &KeyPath) -> Vec<String> {
        for (path, host) in self.places.items(path, typed) {
            let parsed = url::Host::parse(host).is_ok_and(|parsed| parsed.to_string() == host.to_lowercase());
            if !parsed {
                let cure = "write the name alone, without scheme, port, path or wildcard";
                self.error(&path, format!("`{host}` is not a host name"), cure);
            }
        }
        typed.iter().map(|host| host.to_lowercase()).collect()
    }

    /// A prefix of paths: begins with a slash, no `*`, no query, no dot segments, nothing that a URL would encode.
    pub(super) fn prefix(&mut self, typed: &str, path: &KeyPath) {
        let dots = typed.split('/').any(|segment| matches!(segment, "." | ".."));
        let is_path = typed.is_ascii() && PathAndQuery::try_from(typed).is_ok();
        if !typed.starts_with('/') || typed.contains(['*', '?', '#', ' ']) || dots || !is_path {
            let cure = "begin with `/` and write whole segments as in a URL, without `*`, `?` or dots";
            self.error(path, format!("`{path}` is not a path prefix"), cure);
        }
    }

    fn refuse_ties(&mut self, upstreams: &[UpstreamConfig]) {
        for (index, one) in upstreams.iter().enumerate() {
            let Some(other) = upstreams.iter().take(index).find(|other| ties(one, other)) else { continue };
            let path = KeyPath::of(&["upstreams", one.name.as_str()]);
            let first = self.places.nearest(&KeyPath::of(&["upstreams", other.name.as_str()]));
            let problem =
                format!("`{path}` matches the same requests as `upstreams.{}` at {first}", other.name);
            self.error(&path, problem, "give one of them other `match.hosts` or another `match.pathPrefix`");
        }
    }
}

struct Place {
    origin: Origin,
    tls: ClientTls,
    protocol: Protocol,
    host: Host,
    strip_prefix: Option<String>,
    add_prefix: Option<String>,
}

fn origin(typed: &str) -> Result<Origin, String> {
    if let Some(socket) = typed.strip_prefix("unix:") {
        let path = PathBuf::from(socket);
        return if path.is_absolute() {
            Ok(Origin::Unix(path.into()))
        } else {
            Err("needs an absolute path after `unix:`".into())
        };
    }
    let url = url::Url::parse(typed).map_err(|error| format!("is not a URL: {error}"))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        other => return Err(format!("has the scheme `{other}`")),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("holds a user name or a password".into());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("goes on after the host; use `addPrefix` for a path".into());
    }
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err("has no host".into());
    };
    Ok(Origin::Tcp { host: Arc::from(host), port, tls })
}

fn is_tls(origin: &Origin) -> bool {
    matches!(origin, Origin::Tcp { tls: true, .. })
}

fn ties(one: &UpstreamConfig, other: &UpstreamConfig) -> bool {
    let same_host = match (one.hosts.is_empty(), other.hosts.is_empty()) {
        (true, true) => true,
        _ => one.hosts.iter().any(|host| other.hosts.contains(host)),
    };
    same_host && one.path_prefix.trim_end_matches('/') == other.path_prefix.trim_end_matches('/')
}
