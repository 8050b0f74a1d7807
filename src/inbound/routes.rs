//! Which API a request is for, and which of its rules decides.
//! Never looks at a token or at any header but Host.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Uri};

use super::cors::{Cors, CorsConfig};
use super::forward::own_host;
use super::identity::{Identity, Property};
use super::limits::{Limits, LimitsConfig};
use super::managed;
use super::pattern::{Pattern, below, plain};
use super::rejection::Rejection;
use super::rules::{Rule, RuleConfig};
use crate::http::pool::{Origin, Protocol};
use crate::http::tls::ClientTls;
use crate::names::UpstreamName;
use crate::telemetry::ServerAddress;
use crate::telemetry::labels::Door;
use crate::telemetry::metrics::{Metrics, Series};
use crate::token::Policy;

/// What becomes of a request that the rules do not admit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is forwarded without an identity, and what would have been answered is logged and counted.
    Observe,
}

/// One API behind the listener.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    /// Its name: the stem of its file.
    pub name: UpstreamName,
    /// Whether its rules decide, or are only watched.
    pub mode: Mode,
    /// Where it listens.
    pub origin: Origin,
    /// How it is spoken to over TLS.
    pub tls: ClientTls,
    /// Whether the caller's Host goes on; else the upstream's own is written.
    pub preserve_host: bool,
    /// Taken off the front of the path, by whole segments, before the rules see it.
    pub strip_prefix: Option<String>,
    /// Put in front of the path, after the strip and before the rules.
    pub add_prefix: Option<String>,
    /// The hosts it serves, exactly; empty: any.
    pub hosts: Vec<String>,
    /// The paths it serves as callers send them: this one and below.
    pub path_prefix: String,
    /// The headers that may hold a token, in order.
    pub token_headers: Vec<HeaderName>,
    /// What is asked of a token beyond its signature.
    pub policy: Policy,
    /// Empty: [`RuleConfig::everything_verified`].
    pub rules: Vec<RuleConfig>,
    /// The headers that tell it who asks, each with what it says.
    pub identity: Vec<(HeaderName, Property)>,
    /// Whether it gets the token headers too.
    pub forward_token: bool,
    /// What is spoken with it.
    pub protocol: Protocol,
    /// The protocols that a request may switch to, in lower case.
    pub upgrades: Vec<String>,
    /// How browsers of other origins are dealt with; none: a preflight is a request like any other.
    pub cors: Option<CorsConfig>,
    /// How much it takes.
    pub limits: LimitsConfig,
    /// Whether a tunnel ends with the token that opened it.
    pub closes_on_expiry: bool,
    /// How long a tunnel may be silent; none: for ever.
    pub upgrade_idle_timeout: Option<Duration>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long its response head may take.
    pub response_head_timeout: Duration,
    /// How long it may pause within a response's body.
    pub body_idle_timeout: Duration,
    /// How long a connection to it is kept unused; below its own, or requests meet closing connections.
    pub pool_idle_timeout: Duration,
}

/// Routes ready to use; shared by the workers.
pub struct Routes {
    upstreams: Vec<Upstream>,
    /// In order of precedence: the first that matches wins.
    matches: Vec<Match>,
}

/// One host of an upstream, or any, with everything below its prefix.
#[derive(Debug)]
struct Match {
    host: Option<String>,
    paths: Pattern,
    upstream: usize,
}

/// An API with its rules ready to use.
pub(super) struct Upstream {
    /// Its place among all: which of a worker's pools is its own.
    pub(super) index: usize,
    pub(super) config: UpstreamConfig,
    pub(super) identity: Identity,
    /// Its own name for Host; none where the caller's goes on.
    pub(super) own_host: Option<HeaderValue>,
    pub(super) cors: Option<Cors>,
    pub(super) limits: Limits,
    /// What a record of a request keeps of it.
    pub(super) seen: Arc<Seen>,
    rules: Vec<Rule>,
}

/// How an upstream is counted, and where it listens.
pub(super) struct Seen {
    pub(super) series: Arc<Series>,
    pub(super) address: ServerAddress,
}

impl Seen {
    fn new(series: Arc<Series>, origin: &Origin) -> Self {
        let address = match origin {
            Origin::Tcp { host, port, .. } => ServerAddress::new(host, Some(*port)),
            Origin::Unix(path) => ServerAddress::new(&path.to_string_lossy(), None),
        };
        Self { series, address }
    }
}

/// Where a request goes: an upstream and the rule that decides.
#[derive(Clone, Copy)]
pub struct Route<'r> {
    pub(super) upstream: &'r Upstream,
    pub(super) rule: &'r Rule,
}

impl Routes {
    /// Takes all upstreams. Two that would serve the same host and prefix are an error, as is an identity header that
    /// could not be ours alone.
    pub fn new(upstreams: Vec<UpstreamConfig>) -> Result<Self, String> {
        let mut matches = Vec::new();
        for (upstream, config) in upstreams.iter().enumerate() {
            managed::check(config)?;
            let paths = Pattern::new(&format!("{}/*", config.path_prefix.trim_end_matches('/')));
            let entry = |host| Match { host, paths: paths.clone(), upstream };
            if config.hosts.is_empty() {
                matches.push(entry(None));
            }
            matches.extend(config.hosts.iter().map(|host| entry(Some(name(host).to_ascii_lowercase()))));
        }
        matches.sort_by(|a, b| precedence(a).cmp(&precedence(b)));
        if let Some([first, second]) = matches.array_windows().find(|[a, b]| precedence(a) == precedence(b)) {
            let title =
                |entry: &Match| upstreams.get(entry.upstream).map_or("", |config| config.name.as_str());
            let host = first.host.as_deref().unwrap_or("any host");
            return Err(format!(
                "upstreams `{}` and `{}` both serve {host} with the path prefix `{}`",
                title(first),
                title(second),
                first.paths.as_str().trim_end_matches('*')
            ));
        }
        let upstreams = upstreams.into_iter().enumerate().map(|(index, config)| Upstream::new(index, config));
        Ok(Self { upstreams: upstreams.collect(), matches })
    }

    /// Goes on with the counts of the routes before, by the upstreams' names.
    pub(super) fn inherit(&mut self, before: &Self) {
        for upstream in &mut self.upstreams {
            let same = before.upstreams.iter().find(|other| other.config.name == upstream.config.name);
            if let Some(same) = same {
                upstream.limits.inherit(&same.limits);
            }
        }
    }

    /// Counts what goes to each upstream where `metrics` shows it.
    pub(super) fn counted_by(&mut self, metrics: &Metrics) {
        for upstream in &mut self.upstreams {
            let series = metrics.upstream(upstream.config.name.as_str());
            upstream.seen = Arc::new(Seen::new(series, &upstream.config.origin));
        }
    }

    /// The upstream and rule for a request line. `host` may have a port or a dot at its end, which do not count.
    ///
    /// # Errors
    ///
    /// No upstream, no rule, another method, or a path that a laxer reader would bring to another upstream or rule.
    pub fn find(&self, host: &str, method: &Method, path: &str) -> Result<Route<'_>, Rejection> {
        let upstream = self.upstream(host, path)?;
        upstream.route(method, upstream.forwarded_path(path).as_deref().unwrap_or(path))
    }

    /// The upstream for a host and the path as the caller sent it.
    pub(super) fn upstream(&self, host: &str, path: &str) -> Result<&Upstream, Rejection> {
        let host = name(host);
        however_read(path, |matches| self.serving(host, matches))
    }

    /// All upstreams, in the order of [`Upstream::index`].
    pub(super) fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    fn serving(&self, host: &str, path_matches: &dyn Fn(&Pattern) -> bool) -> Result<&Upstream, Rejection> {
        let found = self.matches.iter().find(|entry| {
            let host_is_served = entry.host.as_ref().is_none_or(|served| served.eq_ignore_ascii_case(host));
            host_is_served && path_matches(&entry.paths)
        });
        found.and_then(|entry| self.upstreams.get(entry.upstream)).ok_or(Rejection::NoUpstream)
    }
}

impl Upstream {
    /// Whether a request may switch to this protocol.
    pub(super) fn upgrades_to(&self, protocol: &str) -> bool {
        self.config.upgrades.iter().any(|allowed| allowed.eq_ignore_ascii_case(protocol))
    }

    fn new(index: usize, mut config: UpstreamConfig) -> Self {
        let mut rules = std::mem::take(&mut config.rules);
        if rules.is_empty() {
            rules.push(RuleConfig::everything_verified());
        }
        let identity = Identity::new(&config.identity);
        let own_host = (!config.preserve_host).then(|| own_host(&config.origin));
        let cors = config.cors.as_ref().map(Cors::new);
        let series = Arc::new(Series::detached(Door::Inbound, config.name.as_str()));
        let seen = Arc::new(Seen::new(series, &config.origin));
        let rules = rules.into_iter().map(Rule::new).collect();
        let limits = Limits::new(config.limits.clone());
        Self { index, config, identity, own_host, cors, limits, seen, rules }
    }

    /// Gives the target the path that rules see and the upstream gets; the query stays.
    pub(super) fn rewrite(&self, target: &mut Uri) {
        if let Some(path) = self.forwarded_path(target.path()) {
            *target = with_path(&path, std::mem::take(target));
        }
    }

    /// The rule that decides about a method and the path that is forwarded.
    pub(super) fn route(&self, method: &Method, path: &str) -> Result<Route<'_>, Rejection> {
        let rule = however_read(path, |matches| self.rule(method, matches))?;
        Ok(Route { upstream: self, rule })
    }

    /// The first rule whose path and method match.
    fn rule(&self, method: &Method, path_matches: &dyn Fn(&Pattern) -> bool) -> Result<&Rule, Rejection> {
        let mut other_methods: Vec<Method> = Vec::new();
        for rule in self.rules.iter().filter(|rule| path_matches(&rule.pattern)) {
            if rule.takes(method) {
                return Ok(rule);
            }
            for method in &rule.methods {
                if !other_methods.contains(method) {
                    other_methods.push(method.clone());
                }
            }
        }
        if other_methods.is_empty() {
            return Err(Rejection::NoRule);
        }
        Err(Rejection::MethodNotAllowed(other_methods))
    }

    /// The path that the upstream gets, if it is another than the caller sent.
    fn forwarded_path(&self, path: &str) -> Option<String> {
        let stripped = self.config.strip_prefix.as_deref().and_then(|prefix| below(prefix, path));
        let added = self.config.add_prefix.as_deref().map(|prefix| prefix.trim_end_matches('/'));
        if stripped.is_none() && added.is_none() {
            return None;
        }
        let forwarded = format!("{}{}", added.unwrap_or_default(), stripped.unwrap_or(path));
        Some(if forwarded.is_empty() { "/".into() } else { forwarded })
    }
}

impl Route<'_> {
    /// What is asked of a token here.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.upstream.config.policy
    }

    /// The upstream's name.
    #[must_use]
    pub fn upstream_name(&self) -> &UpstreamName {
        &self.upstream.config.name
    }

    /// Whether what the rule refuses is forwarded all the same.
    #[must_use]
    pub fn only_observes(&self) -> bool {
        self.upstream.config.mode == Mode::Observe
    }

    /// The path of the rule that decides, as it is configured.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.rule.pattern.as_str()
    }
}

/// The target with another path; the query stays as it was.
fn with_path(path: &str, target: Uri) -> Uri {
    let path_and_query = match target.query() {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    let mut parts = target.into_parts();
    parts.path_and_query =
        Some(path_and_query.expect("a path and query that were parsed stay valid behind another prefix"));
    Uri::from_parts(parts).expect("what made a target makes one with another path")
}

/// An exact host goes before any host, then the longer prefix before the shorter; equal keys are a tie.
fn precedence(entry: &Match) -> (bool, Option<&str>, std::cmp::Reverse<usize>, &str) {
    let prefix = entry.paths.as_str();
    (entry.host.is_none(), entry.host.as_deref(), std::cmp::Reverse(prefix.len()), prefix)
}

/// What is chosen for the path as it was sent, if for the path as the laxest server reads it the choice is the same.
fn however_read<'r, T>(
    path: &str,
    choose: impl Fn(&dyn Fn(&Pattern) -> bool) -> Result<&'r T, Rejection>,
) -> Result<&'r T, Rejection> {
    let chosen = choose(&|pattern| pattern.matches(path))?;
    let plain = plain(path.as_bytes());
    if *plain != *path.as_bytes() {
        let read_laxly = choose(&|pattern| pattern.matches_plain(&plain));
        if !read_laxly.is_ok_and(|other| std::ptr::eq(other, chosen)) {
            return Err(Rejection::AmbiguousPath);
        }
    }
    Ok(chosen)
}

/// `example.com:8080` without its port, `[::1]:8080` likewise, and `example.com.` without the root's dot: the same
/// host to whoever serves it by name.
fn name(host: &str) -> &str {
    let digits = host.bytes().rev().take_while(u8::is_ascii_digit).count();
    let before_digits = host.get(..host.len() - digits).unwrap_or(host);
    let name = before_digits.strip_suffix(':').unwrap_or(host);
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
pub(super) mod tests;
