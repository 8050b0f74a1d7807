//! Every metric by name, with its handle resolved before the first request.
//! Never takes a label that is not a closed set: no path, no customer, no text that a caller sent.
//!
//! A room gets its handles when it is built, as a small struct that is cheap to clone ([`TokenMetrics`],
//! [`LifeMetrics`]), or one handle by a name of the configuration ([`Metrics::connections`], [`Metrics::upstream`]).
//! What happens on every request is a handle that is held; what happens rarely may look a label up.

mod customers;
mod durations;
mod families;
mod scripts;
mod series;
mod table;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{Door, MethodLabel, RefreshOutcome};
use crate::clock::Timestamp;
pub use customers::CustomerConnections;
pub use durations::Durations;
pub use families::{ConnectionMetrics, LifeMetrics, Open, SealingMetrics, SpillMetrics, TokenMetrics};
use families::{Connections, Labels};
pub use scripts::ScriptMetrics;
use series::AllSeries;
pub use series::Series;

/// The reason of a request that was forwarded and answered.
pub const OK: &str = "ok";

/// All metric handles; their names stand below this file only and are explained in `docs/metrics.md`.
pub struct Metrics {
    registry: Registry,
    series: AllSeries,
    would_reject: Family<Labels<1>, Counter>,
    inbound: DoorMetrics,
    outbound: DoorMetrics,
    api: DoorMetrics,
    connect: DoorMetrics,
    refreshes: Family<Labels<1>, Counter>,
    connections: Connections,
    process_start: Gauge<f64, std::sync::atomic::AtomicU64>,
    /// What the verifier counts.
    pub tokens: TokenMetrics,
    /// What the process tells of itself.
    pub life: LifeMetrics,
    /// What is counted of the store's sealing keys.
    pub sealing: SealingMetrics,
    /// What is counted of JavaScript methods.
    pub scripts: ScriptMetrics,
    /// How many connections customers have.
    pub customer_connections: CustomerConnections,
    /// Refreshed tokens that are not yet in the store.
    pub unsaved_tokens: Gauge,
    /// What became of writing those into a file.
    pub spills: SpillMetrics,
}

/// What one listener counts on every request.
struct DoorMetrics {
    /// For requests that found no upstream.
    series: Arc<Series>,
    active: Gauge,
}

/// One request in progress: counted until dropped.
#[derive(Debug)]
pub struct Active(Gauge);

impl Metrics {
    /// Registers everything. `lines_lost` is counted by the access log, which exists before.
    #[must_use]
    pub fn new(lines_lost: &Counter) -> Self {
        let mut registry = Registry::default();
        let series = AllSeries::default();
        let would_reject = Family::<Labels<1>, Counter>::default();
        let active = Family::<Labels<1>, Gauge>::default();
        let door = |door: Door| DoorMetrics {
            series: series.of(door, ""),
            active: active.get_or_create_owned(&[("door", door.as_str())]),
        };
        let (inbound, outbound) = (door(Door::Inbound), door(Door::Outbound));
        let (api, connect) = (door(Door::Api), door(Door::Connect));
        let refreshes = Family::<Labels<1>, Counter>::default();
        for outcome in RefreshOutcome::ALL {
            drop(refreshes.get_or_create(&outcome_label(outcome)));
        }
        let unsaved = Gauge::default();
        let process_start = Gauge::default();

        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("sidegate_build", "The running version", version);
        let help = "When the process started, in seconds since 1970";
        registry.register("process_start_time_seconds", help, process_start.clone());
        registry.register_collector(Box::new(series.clone()));
        registry.register("http_server_active_requests", "Requests not yet answered to the end", active);
        registry.register("sidegate_would_reject", "Requests let through by observing", would_reject.clone());
        registry.register("sidegate_refreshes", "Credential refreshes", refreshes.clone());
        registry.register("sidegate_unsaved_tokens", "Refreshed tokens not yet stored", unsaved.clone());
        registry.register("sidegate_access_log_lines_lost", "Access log lines dropped", lines_lost.clone());

        Self {
            series,
            would_reject,
            inbound,
            outbound,
            api,
            connect,
            refreshes,
            connections: Connections::register(&mut registry),
            process_start,
            tokens: TokenMetrics::register(&mut registry),
            life: LifeMetrics::register(&mut registry),
            sealing: SealingMetrics::register(&mut registry),
            scripts: ScriptMetrics::register(&mut registry),
            customer_connections: CustomerConnections::register(&mut registry),
            unsaved_tokens: unsaved,
            spills: SpillMetrics::register(&mut registry),
            registry,
        }
    }

    /// The counters of an upstream, for whoever builds the routes to it. They are shown as long as they are held.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Arc<Series> {
        self.series.of(Door::Inbound, name)
    }

    /// The counters of a listener's connections, by its name.
    #[must_use]
    pub fn connections(&self, listener: &'static str) -> ConnectionMetrics {
        self.connections.of(listener)
    }

    /// Counts a request that was forwarded although enforcing would have refused it for this reason.
    pub fn would_reject(&self, reason: &'static str) {
        self.would_reject.get_or_create(&[("reason", reason)]).inc();
    }

    /// Counts a request in progress until the returned guard is dropped.
    #[must_use]
    pub fn active(&self, door: Door) -> Active {
        let gauge = self.door(door).active.clone();
        gauge.inc();
        Active(gauge)
    }

    /// Counts a refresh.
    pub fn refresh(&self, outcome: RefreshOutcome) {
        self.refreshes.get_or_create(&outcome_label(outcome)).inc();
    }

    /// Everything as OpenMetrics 1.0 text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail; half a page would be better than none if it did.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Counts a request that is over.
    pub(super) fn request(&self, door: Door, series: Option<&Series>, ended: &Ended<'_>) {
        let series = series.unwrap_or(&self.door(door).series);
        series.decided(ended.reason, ended.workspace);
        series.served(MethodLabel::of(ended.method), ended.status, ended.duration);
    }

    pub(super) fn started_at(&self, start: Timestamp) {
        self.process_start.set(start.as_secs_f64());
    }

    fn door(&self, door: Door) -> &DoorMetrics {
        match door {
            Door::Inbound => &self.inbound,
            Door::Outbound => &self.outbound,
            Door::Api => &self.api,
            Door::Connect => &self.connect,
        }
    }
}

/// What is counted of a request that is over.
pub(super) struct Ended<'a> {
    /// [`OK`] or a stable code; being static, it is never a caller's text.
    pub(super) reason: &'static str,
    /// The verified token's, or empty.
    pub(super) workspace: &'a str,
    pub(super) method: &'a str,
    pub(super) status: u16,
    pub(super) duration: Duration,
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn outcome_label(outcome: RefreshOutcome) -> Labels<1> {
    [("outcome", outcome.as_str())]
}

#[cfg(test)]
mod tests;
