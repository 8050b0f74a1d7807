//! What is counted of the JavaScript methods of connectors.
//! Never looked at on a request's way: a script takes longer than a look-up.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::families::Labels;

/// What the room that runs scripts counts.
#[derive(Clone, Debug, Default)]
pub struct ScriptMetrics {
    runs: Family<Labels<1>, Counter>,
    /// Worker processes that were started.
    pub workers: Counter,
}

impl ScriptMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let it = Self::default();
        registry.register("sidegate_script_runs", "Runs of JavaScript methods", it.runs.clone());
        let help = "Processes started to run JavaScript methods";
        registry.register("sidegate_script_workers_started", help, it.workers.clone());
        it
    }

    /// Counts a run by how it ended.
    pub fn count(&self, outcome: &'static str) {
        self.runs.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// How often runs ended so.
    #[must_use]
    pub fn counted(&self, outcome: &'static str) -> u64 {
        self.runs.get_or_create(&[("outcome", outcome)]).get()
    }
}
