//! Listeners: their addresses, TLS files and limits, and that no two want the same address.
//! Knows nothing of what is served on them.

use http::StatusCode;

use crate::config::Listeners;
use crate::config::path::KeyPath;
use crate::config::raw::{self, OneOrMany, Text};
use crate::config::resolve::Resolver;
use crate::http::listener::{self, Address, Limits};
use crate::http::tls::{KeyPair, ServerTls};
use crate::outbound::{self, statuses::Statuses};

impl Resolver<'_> {
    pub(super) fn listeners(&mut self, raw: &raw::Listeners) -> Listeners {
        let path = KeyPath::of(&["listeners"]);
        let inbound = self.inbound(raw.inbound.as_ref(), &path.key("inbound"));
        let outbound = raw.outbound.as_ref().and_then(|raw| {
            let address = self.address(&raw.address, &path.key("outbound"))?;
            Some(listener::Config { address, tls: None, limits: Limits::default() })
        });
        let browsers = raw.connect.as_ref().and_then(|one| self.public(one, &path.key("connect")));
        let health = raw.health.as_ref().and_then(|raw| {
            let address = self.address(&raw.address, &path.key("health"))?;
            Some(listener::Config { address, tls: None, limits: Limits::default() })
        });
        let admin = raw.admin.as_ref().and_then(|raw| self.admin(raw, &path.key("admin")));
        let mut taken: Vec<(KeyPath, &Address)> =
            inbound.iter().map(|(path, one)| (path.clone(), &one.address)).collect();
        taken.extend(outbound.iter().map(|one| (path.key("outbound"), &one.address)));
        taken.extend(browsers.iter().map(|one| (path.key("connect"), &one.address)));
        taken.extend(health.iter().map(|one| (path.key("health"), &one.address)));
        taken.extend(admin.iter().map(|one| (path.key("admin"), &one.address)));
        self.refuse_same_addresses(&taken);
        let inbound = inbound.into_iter().map(|(_, one)| one).collect();
        Listeners { inbound, outbound, connect: browsers, health, admin }
    }

    fn inbound(
        &mut self,
        raw: Option<&OneOrMany<raw::Inbound>>,
        path: &KeyPath,
    ) -> Vec<(KeyPath, listener::Config)> {
        let typed: Vec<(KeyPath, &raw::Inbound)> = match raw {
            None => Vec::new(),
            Some(OneOrMany::One(one)) => vec![(path.clone(), one)],
            Some(OneOrMany::Many(many)) => self.places.items(path, many),
        };
        let resolve = |(path, one): (KeyPath, &raw::Inbound)| {
            let listener = self.public(one, &path)?;
            Some((path, listener))
        };
        typed.into_iter().filter_map(resolve).collect()
    }

    /// A listener that anybody may reach.
    fn public(&mut self, one: &raw::Inbound, path: &KeyPath) -> Option<listener::Config> {
        let address = self.address(&one.address, path);
        let tls = one.tls.as_ref().map(|tls| self.server_tls(tls, &path.key("tls")));
        Some(listener::Config { address: address?, tls, limits: limits(&one.limits) })
    }

    /// Whoever reaches it may stop the process, so only this machine may.
    fn admin(&mut self, raw: &raw::Admin, path: &KeyPath) -> Option<listener::Config> {
        let address = self.address(&raw.address, path)?;
        if !is_local(&address) {
            let problem = "the admin listener would be open to other machines";
            self.error(&path.key("address"), problem, "listen on 127.0.0.1, [::1] or unix:/path");
            return None;
        }
        Some(listener::Config { address, tls: None, limits: Limits::default() })
    }

    /// Whom the outbound listener believes.
    pub(super) fn callers(&mut self, raw: &raw::Outbound) -> outbound::Config {
        let path = KeyPath::of(&["listeners", "outbound"]);
        let service_secret =
            raw.service_secret.as_ref().and_then(|secret| self.secret(secret, &path.key("serviceSecret")));
        let open = raw.address.parse().is_ok_and(|address| !is_local(&address));
        if raw.trust_caller && open {
            let problem = "`trustCaller` would believe anybody who can reach this address";
            let cure = "listen on 127.0.0.1 or on unix:/path, or use `serviceSecret` instead";
            self.error(&path.key("trustCaller"), problem, cure);
        }
        outbound::Config { trust_caller: raw.trust_caller, service_secret }
    }

    /// What the outbound listener answers where credentials cannot be used.
    pub(super) fn statuses(&mut self, raw: &raw::Statuses) -> Statuses {
        let path = KeyPath::of(&["listeners", "outbound", "statuses"]);
        let typed = [
            ("disconnected", "disconnected", raw.disconnected),
            ("needs_reconnect", "needsReconnect", raw.needs_reconnect),
            ("not_refreshable", "notRefreshable", raw.not_refreshable),
            ("rejected_while_fresh", "rejectedWhileFresh", raw.rejected_while_fresh),
            ("outcome_unknown", "outcomeUnknown", raw.outcome_unknown),
            ("provider_down", "providerDown", raw.provider_down),
            ("throttled_until", "throttledUntil", raw.throttled_until),
            ("misconfigured_app", "misconfiguredApp", raw.misconfigured_app),
        ];
        let chosen = typed.into_iter().filter_map(|(code, key, typed)| {
            let status = typed?;
            let path = path.key(key);
            if matches!(status, 401 | 407) {
                let problem = format!("`{path}` says {status}, as if the caller's own token were refused");
                self.error(&path, problem, "write another status, such as 424");
            } else if !(400..600).contains(&status) {
                self.error(
                    &path,
                    format!("`{path}` is no failure: {status}"),
                    "write a status from 400 to 599",
                );
            }
            Some((code, StatusCode::from_u16(status).ok()?))
        });
        Statuses::new(chosen.collect())
    }

    fn address(&mut self, typed: &str, listener: &KeyPath) -> Option<Address> {
        let path = listener.key("address");
        match typed.parse::<Address>() {
            Ok(address) => Some(address),
            Err(problem) => {
                let problem = format!("`{path}` is not an address: {problem}");
                self.error(&path, problem, "write IP:PORT, like 127.0.0.1:8080 or [::]:8080, or unix:/path");
                None
            }
        }
    }

    fn server_tls(&mut self, raw: &raw::ServerTls, path: &KeyPath) -> ServerTls {
        let mut pairs = Vec::new();
        match (&raw.certificate, &raw.key) {
            (Some(certificate), Some(key)) => pairs.extend(self.key_pair(certificate, key, path)),
            (None, None) if !raw.certificates.is_empty() => {}
            _ => {
                let problem = format!("`{path}` does not name both `certificate` and `key`");
                self.error(path, problem, "name the PEM files of both, or list `certificates`");
            }
        }
        for (path, pair) in self.places.items(&path.key("certificates"), &raw.certificates) {
            pairs.extend(self.key_pair(&pair.certificate, &pair.key, &path));
        }
        let client_ca =
            raw.client_ca.as_ref().and_then(|ca| self.existing_file(&ca.0, &path.key("clientCa")));
        ServerTls { pairs, client_ca }
    }

    fn key_pair(&mut self, certificate: &Text, key: &Text, path: &KeyPath) -> Option<KeyPair> {
        let certificate = self.existing_file(&certificate.0, &path.key("certificate"));
        let key = self.existing_file(&key.0, &path.key("key"))?;
        self.warn_if_world_readable(&key, &path.key("key"));
        Some(KeyPair { certificate: certificate?, key })
    }

    fn refuse_same_addresses(&mut self, taken: &[(KeyPath, &Address)]) {
        for (index, (path, address)) in taken.iter().enumerate() {
            let earlier = taken.iter().take(index).find(|(_, other)| clash(address, other));
            if let Some((other, _)) = earlier {
                let problem = format!("`{path}` wants the same address as `{other}`");
                self.error(&path.key("address"), problem, "give each listener its own address or port");
            }
        }
    }
}

fn limits(raw: &raw::Limits) -> Limits {
    Limits {
        handshake: raw.handshake.0,
        request_head: raw.request_head.0,
        keep_alive: raw.keep_alive.0,
        stream_idle: raw.stream_idle.0,
        body_idle: raw.body_idle.0,
        min_body_rate: raw.min_body_rate,
        max_head_bytes: raw.max_head_bytes,
        max_headers: raw.max_headers,
        max_connections: raw.max_connections,
        max_connection_age: raw.max_connection_age.map(|age| age.0),
        max_streams: raw.max_streams,
    }
}

fn is_local(address: &Address) -> bool {
    match address {
        Address::Tcp(address) => address.ip().is_loopback(),
        Address::Unix(_) => true,
    }
}

/// The same socket, or the same port where one of them takes every address. Port 0 is always a free one.
fn clash(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Tcp(one), Address::Tcp(other)) => {
            let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
            one.port() != 0 && one.port() == other.port() && same_ip
        }
        (Address::Unix(one), Address::Unix(other)) => one == other,
        _ => false,
    }
}
