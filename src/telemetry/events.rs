//! What happened, told once: each event is its metrics and its log line together.
//! Never reads the clock of the system, and never waits for a log to be written.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::labels::{Blame, Door, RefreshOutcome};
use super::metrics::{Ended, Metrics, Series};
use super::{AccessLog, line};
use crate::clock::Clock;

/// One finished request: one log line and its metrics together. Borrowed; nothing in it is secret.
#[derive(Clone, Copy, Debug)]
pub struct RequestEvent<'a> {
    /// The listener it came in by.
    pub door: Door,
    /// The request's name, as in `X-Request-Id`.
    pub request_id: &'a str,
    /// The method as sent.
    pub method: &'a str,
    /// The path without the query, which may hold secrets.
    pub path: &'a str,
    /// The status that was answered.
    pub status: u16,
    /// [`OK`](super::metrics::OK), or the stable rejection or reason code (`expired`, `upstream_down`, …). It is a
    /// metric label too, so it is static: text that a caller sent does not fit.
    pub reason: &'static str,
    /// The reason for which enforcing would have refused it; empty if it would not. A metric label too.
    pub would_reject: &'static str,
    /// Whose fault the answer is.
    pub blame: Blame,
    /// The upstream's or integration's name; empty if none was found.
    pub target: &'a str,
    /// The path of the rule that decided; empty if none did.
    pub rule: &'a str,
    /// The verified token's workspace; empty without one, as are the next three.
    pub workspace: &'a str,
    /// The customer that the token speaks for.
    pub customer: &'a str,
    /// The id of the key that verified it.
    pub kid: &'a str,
    /// The algorithm that verified it.
    pub algorithm: &'a str,
    /// The connection that an outbound call used.
    pub connection: &'a str,
    /// Who connected; none on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Who asked, where a trusted proxy says so; else the peer.
    pub client: Option<IpAddr>,
    /// From the request's head to the answer's head.
    pub duration: Duration,
    /// From the forwarded request to the upstream's response head; none if it was not asked or did not answer.
    pub upstream: Option<Duration>,
    /// Whether the call was sent twice.
    pub replayed: bool,
    /// Whether credentials were refreshed on the way.
    pub refreshed: bool,
    /// The error chain, already rendered by `report`; empty if none.
    pub detail: &'a str,
    /// The counters of the upstream; none if the request found none, or goes elsewhere.
    pub series: Option<&'a Series>,
}

/// Shared by all rooms through an `Arc`.
pub struct Telemetry {
    /// All metric handles.
    pub metrics: Metrics,
    /// Where request lines go.
    pub access_log: AccessLog,
    clock: Arc<dyn Clock>,
}

impl Telemetry {
    /// Registers the metrics and takes the log; `clock` dates its lines.
    #[must_use]
    pub fn new(access_log: AccessLog, clock: Arc<dyn Clock>) -> Arc<Self> {
        let metrics = Metrics::new(access_log.lost());
        metrics.started_at(clock.now());
        Arc::new(Self { metrics, access_log, clock })
    }

    /// Records a finished request: one log line, counters, histogram.
    pub fn request(&self, event: &RequestEvent<'_>) {
        let RequestEvent { reason, workspace, method, status, duration, .. } = *event;
        let ended = Ended { reason, workspace, method, status, duration };
        self.metrics.request(event.door, event.series, &ended);
        if !event.would_reject.is_empty() {
            self.metrics.would_reject(event.would_reject);
        }
        if self.access_log.is_off() {
            return;
        }
        thread_local!(static LINE: RefCell<String> = const { RefCell::new(String::new()) });
        LINE.with_borrow_mut(|line| {
            line.clear();
            line::write(line, self.clock.now(), event);
            self.access_log.write(line);
        });
    }

    /// Records a refresh: its counter, and a diagnostic line that names the connection.
    pub fn refresh(
        &self,
        integration: &str,
        connection: &str,
        outcome: RefreshOutcome,
        duration: Duration,
        detail: &str,
    ) {
        self.metrics.refresh(outcome);
        let (outcome_text, duration_ms) = (outcome.as_str(), duration.as_millis());
        if outcome == RefreshOutcome::Refreshed {
            tracing::info!(integration, connection, outcome = outcome_text, duration_ms, "refresh");
        } else {
            tracing::warn!(integration, connection, outcome = outcome_text, duration_ms, detail, "refresh");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::line::tests::event;
    use super::*;
    use crate::clock::{ManualClock, Timestamp};

    #[test]
    fn a_request_is_one_line_dated_by_the_clock_and_one_count() {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(0)));
        let telemetry = Telemetry::new(AccessLog::to_buffer(buffer.clone()), clock.clone());
        telemetry.request(&event("/first", ""));
        clock.advance(Duration::from_secs(1));
        telemetry.request(&event("/second", ""));
        let written = String::from_utf8(buffer.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> =
            written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{written}");
        assert_eq!((&lines[0]["path"], &lines[1]["path"]), (&"/first".into(), &"/second".into()));
        assert_eq!(lines[1]["time"], "1970-01-01T00:00:01.000Z");
        assert!(telemetry.metrics.render().contains(r#"reason="expired",workspace=""} 2"#));
    }

    #[test]
    fn with_the_log_off_requests_are_still_counted() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(0)));
        let telemetry = Telemetry::new(AccessLog::off(), clock);
        telemetry.request(&event("/", ""));
        assert!(telemetry.metrics.render().contains(r#"reason="expired",workspace=""} 1"#));
    }
}
