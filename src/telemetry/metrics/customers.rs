//! What is counted of customers' connections to third parties.
//! Never knows one: only how many there are in each state.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::families::Labels;
use crate::telemetry::labels::ConnectionState;

/// How many connections there are, by state.
#[derive(Clone, Debug, Default)]
pub struct CustomerConnections(Family<Labels<1>, Gauge>);

impl CustomerConnections {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let it = Self::default();
        let help = "Customers' connections to third parties, by state";
        registry.register("sidegate_customer_connections", help, it.0.clone());
        it
    }

    /// What was counted, in the order of [`ConnectionState::ALL`].
    pub fn set(&self, counts: &[u64; ConnectionState::ALL.len()]) {
        for (state, count) in ConnectionState::ALL.into_iter().zip(counts) {
            let gauge = self.0.get_or_create(&[("state", state.as_str())]);
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }
}
