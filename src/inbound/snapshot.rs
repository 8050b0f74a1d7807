//! What a request is decided by: the routes and keys of one configuration, and a worker's connections to its upstreams.
//! Never changes: a reload makes the next one, and a request in flight keeps the one it began with.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderName;

use super::GateConfig;
use super::forwarded::TrustedProxies;
use super::limits::{Overload, Shedding};
use super::routes::{Routes, Upstream, UpstreamConfig};
use crate::http::pool::{Origin, Pool, Settings};
use crate::http::tls::{self, ClientTls, TlsError};
use crate::telemetry::Telemetry;
use crate::token::Verifier;

/// Unused connections that a worker keeps to one upstream.
const MAX_IDLE: usize = 1024;

/// One configuration of the inbound side, ready to use and shared by all workers.
pub struct Snapshot {
    /// Where requests go, and by which rules.
    pub routes: Routes,
    /// Whose tokens count.
    pub verifier: Arc<Verifier>,
    /// Counts configurations from 1; equal generations are the same snapshot.
    pub generation: u64,
    /// Whose word counts about the way a request took.
    pub(super) trusted: TrustedProxies,
    /// How many requests may be on their way at once.
    pub(super) shedding: Shedding,
    /// How each upstream is connected to, in the order of the routes' upstreams.
    links: Vec<Arc<Link>>,
    /// Where its upstreams are counted; nowhere in a rehearsal.
    telemetry: Option<Arc<Telemetry>>,
}

/// Why there is no snapshot; the one before goes on.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Upstreams that contradict each other.
    #[error("{0}")]
    Routes(String),
    /// An upstream's certificates or key cannot be used.
    #[error("TLS to the upstream `{upstream}` cannot be set up")]
    Tls {
        /// The upstream's name.
        upstream: String,
        /// What is wrong.
        #[source]
        source: Box<TlsError>,
    },
}

impl Snapshot {
    /// The first one. Certificates are read, nothing is connected.
    ///
    /// # Errors
    /// Upstreams that contradict each other, or certificates that cannot be used.
    pub fn first(upstreams: Vec<UpstreamConfig>, verifier: Arc<Verifier>) -> Result<Self, SnapshotError> {
        Self::after(0, &[], upstreams, verifier)
    }

    /// The one after `self`. Upstreams that are connected to as before keep their connections.
    ///
    /// # Errors
    /// As [`Snapshot::first`]; `self` is as good as before.
    pub fn next(
        &self,
        upstreams: Vec<UpstreamConfig>,
        verifier: Arc<Verifier>,
    ) -> Result<Self, SnapshotError> {
        let mut next = Self::after(self.generation, &self.links, upstreams, verifier)?;
        next.routes.inherit(&self.routes);
        next.shedding = Shedding::new(Overload::default(), Some(&self.shedding));
        Ok(match &self.telemetry {
            Some(telemetry) => next.counted_by(telemetry),
            None => next,
        })
    }

    /// Counts what goes to its upstreams in `telemetry`, and so will all that come after it.
    #[must_use]
    pub fn counted_by(mut self, telemetry: &Arc<Telemetry>) -> Self {
        self.routes.counted_by(&telemetry.metrics);
        Self { telemetry: Some(Arc::clone(telemetry)), ..self }
    }

    /// Takes what concerns requests to all upstreams from `config`, in place of the defaults.
    #[must_use]
    pub fn guarded_by(self, config: GateConfig) -> Self {
        let shedding = Shedding::new(config.overload, Some(&self.shedding));
        Self { trusted: config.trusted_proxies, shedding, ..self }
    }

    fn after(
        generation: u64,
        before: &[Arc<Link>],
        upstreams: Vec<UpstreamConfig>,
        verifier: Arc<Verifier>,
    ) -> Result<Self, SnapshotError> {
        let routes = Routes::new(upstreams).map_err(SnapshotError::Routes)?;
        let link = |upstream: &Upstream| {
            let name = &upstream.config.name;
            Link::of(&upstream.config, before)
                .map_err(|source| SnapshotError::Tls { upstream: name.to_string(), source: Box::new(source) })
        };
        let links = routes.upstreams().iter().map(link).collect::<Result<_, _>>()?;
        let (trusted, shedding) = (TrustedProxies::default(), Shedding::default());
        Ok(Self { routes, verifier, generation: generation + 1, trusted, shedding, links, telemetry: None })
    }
}

/// How an upstream is connected to.
struct Link {
    origin: Origin,
    settings: Settings,
    /// What the settings' `tls` was made from.
    certificates: Certificates,
}

impl Link {
    /// The link of before that is the same in everything, or a new one.
    fn of(config: &UpstreamConfig, before: &[Arc<Self>]) -> Result<Arc<Self>, TlsError> {
        let certificates = Certificates::read(&config.tls);
        let same = before.iter().find(|link| link.certificates == certificates && link.is_tls());
        let tls = match (&config.origin, same) {
            (Origin::Tcp { tls: true, .. }, Some(link)) => link.settings.tls.clone(),
            (Origin::Tcp { tls: true, .. }, None) => Some(tls::client(&config.tls)?),
            _ => None,
        };
        let settings = Settings {
            protocol: config.protocol,
            connect_timeout: config.connect_timeout,
            response_head_timeout: config.response_head_timeout,
            body_idle_timeout: config.body_idle_timeout,
            idle_timeout: config.pool_idle_timeout,
            max_idle: MAX_IDLE,
            tls,
            server_name: config.tls.server_name.as_deref().map(Into::into),
            egress: None,
            private: private_names(config),
        };
        let kept = before
            .iter()
            .find(|link| link.origin == config.origin && same_settings(&link.settings, &settings));
        Ok(match kept {
            Some(link) => Arc::clone(link),
            None => Arc::new(Self { origin: config.origin.clone(), settings, certificates }),
        })
    }

    fn is_tls(&self) -> bool {
        self.settings.tls.is_some()
    }
}

/// What a trailer must not be called: it could pass for an identity, or for a token.
fn private_names(config: &UpstreamConfig) -> Arc<[HeaderName]> {
    config.identity.iter().map(|(name, _)| name).chain(&config.token_headers).cloned().collect()
}

/// Whether connections made with `one` serve for `other`. Taken apart, so that a new setting cannot be forgotten here.
fn same_settings(one: &Settings, other: &Settings) -> bool {
    let Settings {
        protocol,
        connect_timeout,
        response_head_timeout,
        body_idle_timeout,
        idle_timeout,
        max_idle,
        tls,
        server_name,
        egress,
        private,
    } = one;
    *protocol == other.protocol
        && *connect_timeout == other.connect_timeout
        && *response_head_timeout == other.response_head_timeout
        && *body_idle_timeout == other.body_idle_timeout
        && *idle_timeout == other.idle_timeout
        && *max_idle == other.max_idle
        && tls.as_ref().map(Arc::as_ptr) == other.tls.as_ref().map(Arc::as_ptr)
        && *server_name == other.server_name
        && *egress == other.egress
        && *private == other.private
}

/// The certificate files of an upstream and what was in them: a renewed certificate needs new connections.
#[derive(PartialEq, Eq)]
struct Certificates {
    paths: [Option<PathBuf>; 3],
    contents: [Option<Vec<u8>>; 3],
}

impl Certificates {
    fn read(tls: &ClientTls) -> Self {
        let paths = [&tls.ca, &tls.certificate, &tls.key].map(Clone::clone);
        let digest_of = |path: &Option<PathBuf>| {
            let content = fs::read(path.as_ref()?).ok()?;
            Some(digest(&SHA256, &content).as_ref().to_vec())
        };
        let contents = [&paths[0], &paths[1], &paths[2]].map(digest_of);
        Self { paths, contents }
    }
}

/// A snapshot as one worker uses it: with that worker's own connections.
pub(super) struct View {
    pub(super) snapshot: Arc<Snapshot>,
    /// A pool for each link.
    pools: Vec<Arc<Pool>>,
}

impl View {
    /// Nothing is connected yet.
    pub(super) fn first(snapshot: Arc<Snapshot>) -> Self {
        Self::with(snapshot, |_| None)
    }

    /// The same worker's view of another snapshot: pools of links that both have go over, with their connections.
    pub(super) fn of(&self, snapshot: Arc<Snapshot>) -> Self {
        Self::with(snapshot, |link| {
            let at = self.snapshot.links.iter().position(|before| Arc::ptr_eq(before, link))?;
            self.pools.get(at).cloned()
        })
    }

    fn with(snapshot: Arc<Snapshot>, kept: impl Fn(&Arc<Link>) -> Option<Arc<Pool>>) -> Self {
        let new = |link: &Link| Arc::new(Pool::new(link.origin.clone(), link.settings.clone()));
        let pools = snapshot.links.iter().map(|link| kept(link).unwrap_or_else(|| new(link))).collect();
        Self { snapshot, pools }
    }

    /// This worker's connections to an upstream of this snapshot.
    pub(super) fn pool(&self, upstream: &Upstream) -> &Pool {
        self.pools.get(upstream.index).expect("there is a pool for each upstream of the routes")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::token::Config;

    fn verifier() -> Arc<Verifier> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(0)));
        let config = Config { workspaces: Vec::new(), cache_entries: 0, ..Config::default() };
        Arc::new(Verifier::new(config, clock).unwrap().0)
    }

    fn upstream(name: &str, port: u16) -> UpstreamConfig {
        UpstreamConfig {
            path_prefix: format!("/{name}"),
            origin: Origin::Tcp { host: "127.0.0.1".into(), port, tls: false },
            ..crate::inbound::routes::tests::upstream(name, &[], "/")
        }
    }

    fn pool<'v>(view: &'v View, path: &str) -> &'v Pool {
        let upstream = view.snapshot.routes.upstream("any", path);
        view.pool(upstream.unwrap_or_else(|_| panic!("{path} has an upstream")))
    }

    #[test]
    fn an_upstream_that_is_connected_to_as_before_keeps_its_pool_wherever_it_stands() {
        let first = Arc::new(Snapshot::first(vec![upstream("a", 1), upstream("b", 2)], verifier()).unwrap());
        let second = vec![upstream("new", 3), upstream("b", 2), upstream("a", 9)];
        let second = Arc::new(first.next(second, verifier()).unwrap());
        assert_eq!((first.generation, second.generation), (1, 2));
        let before = View::first(first);
        let after = before.of(second);
        assert!(std::ptr::eq(pool(&before, "/b"), pool(&after, "/b")));
        assert!(!std::ptr::eq(pool(&before, "/a"), pool(&after, "/a")), "it moved to another port");
    }

    #[test]
    fn another_time_limit_needs_another_pool() {
        let first = Arc::new(Snapshot::first(vec![upstream("a", 1)], verifier()).unwrap());
        let slower = UpstreamConfig { response_head_timeout: Duration::from_secs(99), ..upstream("a", 1) };
        let second = Arc::new(first.next(vec![slower], verifier()).unwrap());
        let before = View::first(first);
        assert!(!std::ptr::eq(pool(&before, "/a"), pool(&before.of(second), "/a")));
    }

    #[test]
    fn upstreams_that_contradict_each_other_make_no_snapshot() {
        let first = Snapshot::first(vec![upstream("a", 1)], verifier()).unwrap();
        let twice = vec![upstream("a", 1), UpstreamConfig { path_prefix: "/a".into(), ..upstream("b", 2) }];
        assert!(matches!(first.next(twice, verifier()), Err(SnapshotError::Routes(_))));
    }
}
