//! Every metric by name, with its handle resolved before the first request.
//! Never takes a label that is not a closed set: no path, no customer, no text that a caller sent.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{Door, RefreshOutcome, status_class};
use super::tokens::TokenMetrics;

/// The reason of a request that was forwarded and answered.
pub const OK: &str = "ok";

/// The buckets that OpenTelemetry's HTTP semantic conventions advise, in seconds, with two finer ones below.
const DURATION_BUCKETS: [f64; 16] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// All metric handles; their names stand here only and are explained in `docs/metrics.md`.
pub struct Metrics {
    registry: Registry,
    requests: Family<Labels<3>, Counter>,
    inbound: DoorMetrics,
    outbound: DoorMetrics,
    api: DoorMetrics,
    refreshes: Family<Labels<1>, Counter>,
    /// What the token room counts.
    pub tokens: TokenMetrics,
    /// Refreshed tokens that are not yet in the store.
    pub unsaved_tokens: Gauge,
}

/// What one listener counts on every request, without a look-up.
struct DoorMetrics {
    /// Requests that went through, by status class.
    passed: [(&'static str, Counter); 4],
    duration: Histogram,
    active: Gauge,
}

/// One request in progress: counted until dropped.
pub struct Active<'a>(&'a Gauge);

impl Metrics {
    /// Registers everything. `lines_lost` is counted by the access log, which exists before.
    #[must_use]
    pub fn new(lines_lost: &Counter) -> Self {
        let mut registry = Registry::default();
        let requests = Family::default();
        let durations = Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS));
        let active = Family::default();
        let door = |door| DoorMetrics::new(door, &requests, &durations, &active);
        let (inbound, outbound, api) = (door(Door::Inbound), door(Door::Outbound), door(Door::Api));
        let refreshes = Family::<Labels<1>, Counter>::default();
        for outcome in RefreshOutcome::ALL {
            drop(refreshes.get_or_create(&outcome_label(outcome)));
        }
        let (tokens, unsaved) = (TokenMetrics::default(), Gauge::default());

        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("sidegate_build", "The running version", version);
        registry.register("sidegate_requests", "Requests answered", requests.clone());
        registry.register("sidegate_request_duration_seconds", "Time to the response head", durations);
        registry.register("sidegate_active_requests", "Requests waiting for a response head", active);
        tokens.register(&mut registry);
        registry.register("sidegate_refreshes", "Credential refreshes", refreshes.clone());
        registry.register("sidegate_unsaved_tokens", "Refreshed tokens not yet stored", unsaved.clone());
        registry.register("sidegate_access_log_lines_lost", "Access log lines dropped", lines_lost.clone());

        Self { registry, requests, inbound, outbound, api, refreshes, tokens, unsaved_tokens: unsaved }
    }

    /// Counts an answered request. `reason` is [`OK`] or a stable code; being static, it is never a caller's text.
    pub fn request(&self, door: Door, reason: &'static str, status: u16, duration: Duration) {
        let handles = self.door(door);
        handles.duration.observe(duration.as_secs_f64());
        let class = status_class(status);
        match handles.passed.iter().find(|(passed, _)| reason == OK && *passed == class) {
            Some((_, counter)) => counter.inc(),
            None => self.requests.get_or_create(&request_labels(door, reason, class)).inc(),
        };
    }

    /// Counts a request in progress until the returned guard is dropped.
    #[must_use]
    pub fn active(&self, door: Door) -> Active<'_> {
        let gauge = &self.door(door).active;
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

    fn door(&self, door: Door) -> &DoorMetrics {
        match door {
            Door::Inbound => &self.inbound,
            Door::Outbound => &self.outbound,
            Door::Api => &self.api,
        }
    }
}

impl DoorMetrics {
    fn new<C: Fn() -> Histogram + Clone>(
        door: Door,
        requests: &Family<Labels<3>, Counter>,
        durations: &Family<Labels<1>, Histogram, C>,
        active: &Family<Labels<1>, Gauge>,
    ) -> Self {
        let label = [("door", door.as_str())];
        Self {
            passed: ["2xx", "3xx", "4xx", "5xx"]
                .map(|class| (class, requests.get_or_create_owned(&request_labels(door, OK, class)))),
            duration: durations.get_or_create_owned(&label),
            active: active.get_or_create_owned(&label),
        }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn request_labels(door: Door, reason: &'static str, class: &'static str) -> Labels<3> {
    [("door", door.as_str()), ("reason", reason), ("status", class)]
}

fn outcome_label(outcome: RefreshOutcome) -> Labels<1> {
    [("outcome", outcome.as_str())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_by_door_reason_and_status_class() {
        let metrics = Metrics::new(&Counter::default());
        metrics.request(Door::Inbound, OK, 204, Duration::from_millis(3));
        metrics.request(Door::Inbound, "expired", 401, Duration::from_millis(1));
        metrics.request(Door::Inbound, "expired", 401, Duration::from_millis(1));
        let text = metrics.render();
        assert!(
            text.contains(r#"sidegate_requests_total{door="inbound",reason="ok",status="2xx"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"sidegate_requests_total{door="inbound",reason="expired",status="4xx"} 2"#));
        assert!(text.contains(r#"sidegate_requests_total{door="outbound",reason="ok",status="2xx"} 0"#));
        assert!(text.contains(r#"sidegate_request_duration_seconds_count{door="inbound"} 3"#));
    }

    #[test]
    fn a_request_in_progress_is_active_until_its_guard_is_dropped() {
        let metrics = Metrics::new(&Counter::default());
        let guard = metrics.active(Door::Inbound);
        assert!(metrics.render().contains(r#"sidegate_active_requests{door="inbound"} 1"#));
        drop(guard);
        assert!(metrics.render().contains(r#"sidegate_active_requests{door="inbound"} 0"#));
    }

    #[test]
    fn every_refresh_outcome_has_its_series_from_the_start() {
        let metrics = Metrics::new(&Counter::default());
        metrics.refresh(RefreshOutcome::DeadGrant);
        let text = metrics.render();
        for outcome in RefreshOutcome::ALL {
            let count = u8::from(outcome == RefreshOutcome::DeadGrant);
            let line = format!("sidegate_refreshes_total{{outcome=\"{}\"}} {count}", outcome.as_str());
            assert!(text.contains(&line), "{line}");
        }
    }

    #[test]
    fn every_metric_is_explained_in_the_docs() {
        let docs = include_str!("../../docs/metrics.md");
        let text = Metrics::new(&Counter::default()).render();
        let types: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        assert!(types.len() > 8, "{text}");
        for described in types {
            let Some((name, kind)) = described.split_once(' ') else { panic!("{described}") };
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            assert!(docs.contains(&format!("`{name}{suffix}`")), "{name}{suffix} is not in docs/metrics.md");
        }
    }
}
