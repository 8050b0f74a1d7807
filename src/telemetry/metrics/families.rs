//! What single rooms count, as structs of handles that they are given when they are built.
//! Never looked at on a request's way: each handle is held by whoever counts.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::durations::Durations;
use crate::clock::Timestamp;
use crate::telemetry::labels::LoadOutcome;

pub(super) type Labels<const N: usize> = [(&'static str, &'static str); N];

/// A label whose values are names of the configuration.
type Named = [(&'static str, String); 1];

/// Every algorithm that a token may be signed with.
const ALGORITHMS: [&str; 12] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
    "ES512",
];

/// What the verifier counts.
#[derive(Clone, Debug, Default)]
pub struct TokenMetrics {
    /// Tokens whose verification was remembered.
    pub cache_hits: Counter,
    /// Tokens that had to be verified from scratch.
    pub cache_misses: Counter,
    /// Tokens that are remembered now.
    pub cache_entries: Gauge,
    keys: Family<Named, Gauge>,
    jwks_fetches: Family<[(&'static str, String); 2], Counter>,
    jwks_last_success: Family<Named, Gauge<f64, AtomicU64>>,
    revoked_reads: Family<[(&'static str, String); 2], Counter>,
    verifications: Arc<[Durations; ALGORITHMS.len()]>,
}

impl TokenMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let it = Self::default();
        let help = "Tokens verified from memory";
        registry.register("sidegate_token_cache_hits", help, it.cache_hits.clone());
        let help = "Tokens verified from scratch";
        registry.register("sidegate_token_cache_misses", help, it.cache_misses.clone());
        registry.register("sidegate_token_cache_entries", "Tokens remembered", it.cache_entries.clone());
        registry.register("sidegate_keys", "Usable keys of a workspace", it.keys.clone());
        registry.register("sidegate_jwks_fetches", "Readings of a key set", it.jwks_fetches.clone());
        let help = "When a key set was last read and found good, in seconds since 1970";
        registry.register("sidegate_jwks_last_success_timestamp_seconds", help, it.jwks_last_success.clone());
        registry.register(
            "sidegate_revoked_reads",
            "Readings of a list of revocations",
            it.revoked_reads.clone(),
        );
        registry.register_collector(Box::new(Verifications(Arc::clone(&it.verifications))));
        it
    }

    /// Counts how long the signature of one token took.
    pub fn verified(&self, algorithm: &str, took: Duration) {
        let place = ALGORITHMS.iter().position(|known| *known == algorithm);
        if let Some(durations) = place.and_then(|place| self.verifications.get(place)) {
            durations.observe(took);
        }
    }

    /// Sets how many usable keys a configured workspace has.
    pub fn keys(&self, workspace: &str, keys: usize) {
        self.keys
            .get_or_create(&[("workspace", workspace.into())])
            .set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// Forgets a workspace that is configured no more.
    pub fn forget(&self, workspace: &str) {
        self.keys.remove(&[("workspace", workspace.into())]);
        self.jwks_last_success.remove(&[("workspace", workspace.into())]);
        for outcome in LoadOutcome::ALL {
            self.jwks_fetches.remove(&reading(workspace, outcome));
            self.revoked_reads.remove(&reading(workspace, outcome));
        }
    }

    /// Counts a reading of a workspace's key set, from its URL or file.
    pub fn jwks_fetched(&self, workspace: &str, outcome: LoadOutcome, now: Timestamp) {
        self.jwks_fetches.get_or_create(&reading(workspace, outcome)).inc();
        if matches!(outcome, LoadOutcome::Changed | LoadOutcome::Unchanged) {
            self.jwks_last_success.get_or_create(&[("workspace", workspace.into())]).set(now.as_secs_f64());
        }
    }

    /// Counts a reading of a workspace's list of revocations.
    pub fn revoked_read(&self, workspace: &str, outcome: LoadOutcome) {
        self.revoked_reads.get_or_create(&reading(workspace, outcome)).inc();
    }

    /// How often a list of revocations was read so.
    #[cfg(test)]
    pub(crate) fn revoked_reads(&self, workspace: &str, outcome: LoadOutcome) -> u64 {
        self.revoked_reads.get_or_create(&reading(workspace, outcome)).get()
    }
}

fn reading(workspace: &str, outcome: LoadOutcome) -> [(&'static str, String); 2] {
    [("workspace", workspace.into()), ("outcome", outcome.as_str().into())]
}

/// The page's side of [`TokenMetrics::verified`].
#[derive(Debug)]
struct Verifications(Arc<[Durations; ALGORITHMS.len()]>);

impl prometheus_client::collector::Collector for Verifications {
    fn encode(&self, mut encoder: prometheus_client::encoding::DescriptorEncoder<'_>) -> std::fmt::Result {
        use prometheus_client::encoding::EncodeMetric as _;
        let (name, help) = ("sidegate_token_verify_duration_seconds", "Time to verify a token from scratch");
        let mut family =
            encoder.encode_descriptor(name, help, None, prometheus_client::metrics::MetricType::Histogram)?;
        for (algorithm, durations) in ALGORITHMS.iter().zip(self.0.iter()) {
            if durations.is_used() {
                durations.encode(family.encode_family(&[("algorithm", *algorithm)])?)?;
            }
        }
        Ok(())
    }
}

/// What the process tells of itself.
#[derive(Clone, Debug, Default)]
pub struct LifeMetrics {
    /// The generation of the configuration that is served; 1 at the start.
    pub config_generation: Gauge,
    /// When a configuration was last taken, in seconds since 1970; the start counts.
    pub config_taken_at: Gauge<f64, AtomicU64>,
    /// Reloads that were taken.
    pub reloads_applied: Counter,
    /// Reloads that were refused, the old configuration staying in force.
    pub reloads_refused: Counter,
    /// 1 from the first signal on.
    pub draining: Gauge,
}

impl LifeMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let reloads = Family::<Labels<1>, Counter>::default();
        let outcome = |outcome| reloads.get_or_create_owned(&[("outcome", outcome)]);
        let it = Self {
            reloads_applied: outcome("applied"),
            reloads_refused: outcome("refused"),
            ..Self::default()
        };
        let help = "Generation of the configuration in force";
        registry.register("sidegate_config_generation", help, it.config_generation.clone());
        let at = "When a configuration was last taken, in seconds since 1970";
        registry.register("sidegate_config_last_success_timestamp_seconds", at, it.config_taken_at.clone());
        registry.register("sidegate_config_reloads", "Attempts to reload the configuration", reloads);
        registry.register("sidegate_draining", "1 while stopping", it.draining.clone());
        it
    }
}

/// What is counted of new tokens that the store did not take and that were to be kept in a file.
#[derive(Clone, Debug)]
pub struct SpillMetrics {
    /// They were written into one.
    pub written: Counter,
    /// They could not be.
    pub failed: Counter,
    /// Another flight has stored what was in one.
    pub stored: Counter,
    /// A file was of no use, and was given another name.
    pub set_aside: Counter,
}

impl SpillMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let files = Family::<Labels<1>, Counter>::default();
        let outcome = |outcome| files.get_or_create_owned(&[("outcome", outcome)]);
        let it = Self {
            written: outcome("written"),
            failed: outcome("failed"),
            stored: outcome("stored"),
            set_aside: outcome("set_aside"),
        };
        registry.register("sidegate_spills", "Files of tokens that the store did not take", files);
        it
    }
}

/// What is counted of the store's sealing keys.
#[derive(Clone, Debug, Default)]
pub struct SealingMetrics {
    outdated: Gauge,
    resealed: Counter,
    failed: Counter,
}

impl SealingMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let rows = Family::<Labels<1>, Counter>::default();
        let outcome = |outcome| rows.get_or_create_owned(&[("outcome", outcome)]);
        let it =
            Self { outdated: Gauge::default(), resealed: outcome("resealed"), failed: outcome("failed") };
        let help = "Rows of the store that are not sealed with the first key";
        registry.register("sidegate_sealed_rows_outdated", help, it.outdated.clone());
        registry.register("sidegate_rotated_rows", "Rows that a rotation of sealing keys came to", rows);
        it
    }

    /// Sets how many rows a rotation would find.
    pub fn outdated(&self, rows: u64) {
        self.outdated.set(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    /// Counts rows that a rotation has sealed anew, and others that it could not open.
    pub fn resealed(&self, rows: u64, failed: u64) {
        self.outdated.dec_by(i64::try_from(rows).unwrap_or(i64::MAX));
        self.resealed.inc_by(rows);
        self.failed.inc_by(failed);
    }
}

/// What a listener counts of its connections.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    open: Gauge,
    accepted: Counter,
    handshakes_failed: Counter,
    malformed: Counter,
}

impl ConnectionMetrics {
    /// Counts a connection that was accepted; it is open until what is returned is dropped.
    #[must_use]
    pub fn accepted(&self) -> Open {
        self.accepted.inc();
        self.open.inc();
        Open(self.clone())
    }
}

/// An open connection.
#[derive(Debug)]
pub struct Open(ConnectionMetrics);

impl Open {
    /// Its TLS handshake failed, or took too long.
    pub fn handshake_failed(&self) {
        self.0.handshakes_failed.inc();
    }

    /// What came on it was no request, or one too long to read.
    pub fn malformed(&self) {
        self.0.malformed.inc();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}

/// The connections of all listeners.
pub(super) struct Connections {
    open: Family<Labels<1>, Gauge>,
    accepted: Family<Labels<1>, Counter>,
    handshakes_failed: Family<Labels<1>, Counter>,
    malformed: Family<Labels<1>, Counter>,
}

impl Connections {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let it = Self {
            open: Family::default(),
            accepted: Family::default(),
            handshakes_failed: Family::default(),
            malformed: Family::default(),
        };
        registry.register("sidegate_connections_open", "Connections open", it.open.clone());
        registry.register("sidegate_connections_accepted", "Connections accepted", it.accepted.clone());
        let help = "TLS handshakes that failed";
        registry.register("sidegate_tls_handshakes_failed", help, it.handshakes_failed.clone());
        let help = "What came over HTTP/1.1 and was no request";
        registry.register("sidegate_malformed_requests", help, it.malformed.clone());
        it
    }

    pub(super) fn of(&self, listener: &'static str) -> ConnectionMetrics {
        let label = [("listener", listener)];
        ConnectionMetrics {
            open: self.open.get_or_create_owned(&label),
            accepted: self.accepted.get_or_create_owned(&label),
            handshakes_failed: self.handshakes_failed.get_or_create_owned(&label),
            malformed: self.malformed.get_or_create_owned(&label),
        }
    }
}
