//! What the token room counts: verifications remembered and made, and how keys and revocations are kept fresh.
//! Never takes a label from a token: workspaces are those of the configuration.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{LoadOutcome, TokenSource};
use crate::clock::Timestamp;

/// A label whose value is the configuration's.
type Label = (&'static str, String);

/// The handles; cheap to clone, and all clones count together.
#[derive(Clone, Debug, Default)]
pub struct TokenMetrics {
    /// Tokens whose verification was remembered.
    pub cache_hits: Counter,
    /// Tokens that had to be verified from scratch.
    pub cache_misses: Counter,
    /// Tokens that are remembered.
    pub cache_entries: Gauge,
    keys: Family<[Label; 1], Gauge>,
    loads: Family<[Label; 3], Counter>,
    last_success: Family<[Label; 1], Gauge<f64, AtomicU64>>,
}

impl TokenMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let Self { cache_hits, cache_misses, cache_entries, keys, loads, last_success } = self.clone();
        registry.register("sidegate_token_cache_hits", "Tokens verified from memory", cache_hits);
        registry.register("sidegate_token_cache_misses", "Tokens verified from scratch", cache_misses);
        registry.register("sidegate_token_cache_entries", "Verified tokens in memory", cache_entries);
        registry.register("sidegate_workspace_keys", "Keys of a workspace", keys);
        registry.register("sidegate_token_source_reads", "Readings of key sets and revocations", loads);
        let help = "When a workspace's key set was last read and found good";
        registry.register("sidegate_jwks_last_success_timestamp_seconds", help, last_success);
    }

    /// A workspace has this many keys now.
    pub fn keys(&self, workspace: &str, keys: usize) {
        self.keys.get_or_create(&[of(workspace)]).set(i64::try_from(keys).unwrap_or(i64::MAX));
    }

    /// A key set or a list of revocations was read, or could not be.
    pub fn loaded(&self, source: TokenSource, workspace: &str, outcome: LoadOutcome) {
        let labels =
            [("source", source.as_str().into()), of(workspace), ("outcome", outcome.as_str().into())];
        self.loads.get_or_create(&labels).inc();
    }

    /// How often readings ended so.
    #[cfg(test)]
    pub(crate) fn reads(&self, source: &'static str, workspace: &str, outcome: &'static str) -> u64 {
        self.loads
            .get_or_create(&[("source", source.into()), of(workspace), ("outcome", outcome.into())])
            .get()
    }

    /// A workspace's key set was read and found good.
    pub fn key_set_read(&self, workspace: &str, now: Timestamp) {
        self.last_success.get_or_create(&[of(workspace)]).set(now.as_secs_f64());
    }
}

fn of(workspace: &str) -> Label {
    ("workspace", workspace.to_owned())
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn keys_and_their_readings_are_counted_by_workspace() {
        let (metrics, mut registry) = (TokenMetrics::default(), Registry::default());
        metrics.register(&mut registry);
        metrics.keys("acme", 3);
        metrics.loaded(TokenSource::Jwks, "acme", LoadOutcome::Changed);
        metrics.loaded(TokenSource::Revoked, "a\"\n}", LoadOutcome::Refused);
        metrics.key_set_read("acme", Timestamp::from_millis(1_500));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            r#"sidegate_workspace_keys{workspace="acme"} 3"#,
            r#"sidegate_token_source_reads_total{source="jwks",workspace="acme",outcome="changed"} 1"#,
            r#"sidegate_token_source_reads_total{source="revoked",workspace="a\"\n}",outcome="refused"} 1"#,
            r#"sidegate_jwks_last_success_timestamp_seconds{workspace="acme"} 1.5"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
