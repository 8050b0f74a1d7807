//! What is counted for one upstream: its requests by reason and workspace, and how long they took.
//! Never takes a label that is not from a closed set; what finds no room is counted under `_OTHER`.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;

use super::durations::Durations;
use super::table::Table;
use crate::telemetry::labels::{Door, MethodLabel, OTHER, UpstreamFault};

/// The most pairs of a reason and a workspace that are counted apart for one upstream.
const MAX_DECISIONS: usize = 2_048;
/// More than there are reasons: each finds room once more, for all further workspaces together.
const REASONS: usize = 256;
/// The most pairs of a method and a status. An upstream chooses its statuses freely.
const MAX_OUTCOMES: usize = 256;

/// The counters of one upstream, or of a whole listener. Made when routes are built, and shown as long as anybody holds
/// them: with the last snapshot that routes to an upstream its series go.
pub struct Series {
    door: Door,
    upstream: String,
    decisions: Table<(&'static str, Box<str>), Counter>,
    server: Table<Outcome, Durations>,
    client: Table<Outcome, Durations>,
    faults: [Counter; UpstreamFault::ALL.len()],
}

/// The method and the status of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outcome {
    method: MethodLabel,
    status: u16,
}

impl Series {
    /// Counters that no page shows, until [`Metrics`](super::Metrics) gives others.
    #[must_use]
    pub fn detached(door: Door, upstream: &str) -> Self {
        Self {
            door,
            upstream: upstream.to_owned(),
            decisions: Table::new(),
            server: Table::new(),
            client: Table::new(),
            faults: Default::default(),
        }
    }

    /// The upstream's name; empty for a whole listener.
    #[must_use]
    pub fn upstream(&self) -> &str {
        &self.upstream
    }

    /// Counts a decision. `workspace` is that of a verified token, and so one of the configuration; or empty.
    pub(super) fn decided(&self, reason: &'static str, workspace: &str) {
        let overflow = || self.decision(reason, OTHER, MAX_DECISIONS + REASONS);
        if let Some(counter) = self.decision(reason, workspace, MAX_DECISIONS).or_else(overflow) {
            counter.inc();
        }
    }

    /// Counts a whole request.
    pub(super) fn served(&self, method: MethodLabel, status: u16, duration: Duration) {
        observe(&self.server, Outcome { method, status }, duration);
    }

    /// Counts an upstream's answer.
    pub fn upstream_answered(&self, method: &str, status: u16, duration: Duration) {
        observe(&self.client, Outcome { method: MethodLabel::of(method), status }, duration);
    }

    /// Counts an upstream's failure.
    pub fn upstream_failed(&self, fault: UpstreamFault) {
        if let Some(counter) = self.faults.get(fault as usize) {
            counter.inc();
        }
    }

    fn decision(&self, reason: &'static str, workspace: &str, most: usize) -> Option<&Counter> {
        let hash = text_hash(reason).wrapping_mul(31).wrapping_add(text_hash(workspace));
        let is_it = |(known, of): &(&'static str, Box<str>)| *known == reason && **of == *workspace;
        self.decisions.entry(most, hash, is_it, || (reason, workspace.into()))
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Series").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

fn observe(table: &Table<Outcome, Durations>, outcome: Outcome, duration: Duration) {
    let entry = |outcome: Outcome, most| {
        let hash = usize::from(outcome.status).wrapping_add(outcome.method as usize * 7);
        table.entry(most, hash, |known| *known == outcome, || outcome)
    };
    let overflow = Outcome { method: MethodLabel::Other, status: 0 };
    if let Some(durations) = entry(outcome, MAX_OUTCOMES).or_else(|| entry(overflow, MAX_OUTCOMES + 1)) {
        durations.observe(duration);
    }
}

/// Spreads words; nobody but the operator chooses them, so it need not withstand anyone.
fn text_hash(text: &str) -> usize {
    let bytes = text.as_bytes();
    let at = |place: usize| bytes.get(place).copied().map_or(0, usize::from);
    bytes.len() + at(0) * 3 + at(bytes.len() / 2) * 5 + at(bytes.len().wrapping_sub(1)) * 11
}

/// All series that somebody holds.
#[derive(Clone, Debug, Default)]
pub(super) struct AllSeries(Arc<Mutex<Vec<Weak<Series>>>>);

impl AllSeries {
    /// The series of an upstream: those of the last snapshot if it had them, so that counts go on across a reload.
    pub(super) fn of(&self, door: Door, upstream: &str) -> Arc<Series> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|series| series.strong_count() > 0);
        let known = all.iter().filter_map(Weak::upgrade);
        let same = |series: &Arc<Series>| series.door == door && series.upstream == upstream;
        if let Some(series) = { known }.find(same) {
            return series;
        }
        let series = Arc::new(Series::detached(door, upstream));
        all.push(Arc::downgrade(&series));
        series
    }

    fn held(&self) -> Vec<Arc<Series>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Collector for AllSeries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let held = self.held();
        let help = "Requests decided, by why and for whom";
        let mut requests = encoder.encode_descriptor("sidegate_requests", help, None, MetricType::Counter)?;
        for series in &held {
            for ((reason, workspace), count) in series.decisions.iter() {
                let labels = [
                    ("door", series.door.as_str()),
                    ("upstream", series.upstream.as_str()),
                    ("reason", reason),
                    ("workspace", workspace),
                ];
                count.encode(requests.encode_family(&labels)?)?;
            }
        }
        let help = "From a request's head to the end of its answer";
        let name = "http_server_request_duration_seconds";
        durations(&mut encoder, name, help, &held, |series| &series.server)?;
        let help = "From the forwarded request to the head of the upstream's answer";
        let name = "http_client_request_duration_seconds";
        durations(&mut encoder, name, help, &held, |series| &series.client)?;
        let help = "Requests that an upstream failed";
        let name = "sidegate_upstream_errors";
        let mut faults = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for series in held.iter().filter(|series| !series.upstream.is_empty()) {
            for (kind, count) in UpstreamFault::ALL.iter().zip(&series.faults) {
                let labels = [("upstream", series.upstream.as_str()), ("kind", kind.as_str())];
                count.encode(faults.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn durations(
    encoder: &mut DescriptorEncoder<'_>,
    name: &'static str,
    help: &'static str,
    held: &[Arc<Series>],
    table: impl Fn(&Series) -> &Table<Outcome, Durations>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for series in held {
        for (outcome, durations) in table(series).iter() {
            let status = match outcome.status {
                0 => OTHER.to_owned(),
                status => status.to_string(),
            };
            let labels = [
                ("http_request_method", outcome.method.as_str()),
                ("http_response_status_code", &status),
                ("door", series.door.as_str()),
                ("upstream", &series.upstream),
            ];
            durations.encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
