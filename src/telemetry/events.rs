//! What happened, told once: each event is its metrics and its log line together.
//! Never reads the clock of the system, and never waits for a log to be written.

use std::cell::RefCell;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::AccessLog;
use super::labels::{Blame, Door, End, RefreshOutcome};
use super::line::{self, ServerAddress, Stamp};
use super::metrics::{Ended, Metrics, OK, Series};
use crate::clock::Clock;

/// One finished request: one log line and its metrics together. Borrowed; nothing in it is secret.
#[derive(Clone, Copy)]
pub struct RequestEvent<'a> {
    /// The listener it came in by.
    pub door: Door,
    /// The request's name, as in `X-Request-Id`.
    pub request_id: &'a str,
    /// The method as sent.
    pub method: &'a str,
    /// The path without the query, which may hold secrets.
    pub path: &'a str,
    /// `http/1.1` or `h2`; empty if it does not matter.
    pub protocol: &'static str,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The trace that it belongs to (W3C trace context); empty if none.
    pub trace_id: &'a str,
    /// The status that was answered.
    pub status: u16,
    /// [`OK`], or the stable rejection or reason code (`expired`, `upstream_down`, …). It is a
    /// metric label too, so it is static: text that a caller sent does not fit.
    pub reason: &'static str,
    /// The reason for which enforcing would have refused it; empty if it would not. A metric label too.
    pub would_reject: &'static str,
    /// Whose fault the answer is.
    pub blame: Blame,
    /// The upstream's or integration's name; empty if none was found.
    pub target: &'a str,
    /// Where that listens; none if nothing was sent there.
    pub server: Option<&'a ServerAddress>,
    /// The path of the rule that decided; empty if none did.
    pub rule: &'a str,
    /// The verified token's workspace; empty without one, as are the next four.
    pub workspace: &'a str,
    /// The customer that the token speaks for.
    pub customer: &'a str,
    /// The id of the key that verified it.
    pub kid: &'a str,
    /// The algorithm that verified it.
    pub algorithm: &'a str,
    /// Stands for its `jti`; empty if it has none.
    pub jti_hash: &'a str,
    /// The connection that an outbound call used.
    pub connection: &'a str,
    /// Who connected; none on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Who asked, where a trusted proxy says so; else the peer.
    pub client: Option<IpAddr>,
    /// From the request's head to the end of its answer; on the outbound listener, to the answer's head.
    pub duration: Duration,
    /// From the request's head to the decision to forward it; none if it was not.
    pub auth: Option<Duration>,
    /// From the forwarded request to the upstream's response head; none if it was not asked or did not answer.
    pub upstream: Option<Duration>,
    /// Bytes of the request's body that came, without their framing.
    pub received: u64,
    /// Bytes of the answer's body that were handed over, without their framing.
    pub sent: u64,
    /// Who ended the answer.
    pub end: End,
    /// Whether the call was sent twice.
    pub replayed: bool,
    /// Whether credentials were refreshed on the way.
    pub refreshed: bool,
    /// The error chain as `report` displays it; none if nothing went wrong.
    pub detail: Option<&'a dyn Display>,
    /// The counters of the upstream; none if the request found none, or goes elsewhere.
    pub series: Option<&'a Series>,
}

impl RequestEvent<'_> {
    /// An event of which nothing else is known.
    #[must_use]
    pub const fn new(door: Door, reason: &'static str, status: u16, blame: Blame) -> Self {
        Self {
            door,
            request_id: "",
            method: "",
            path: "",
            protocol: "",
            tls: false,
            trace_id: "",
            status,
            reason,
            would_reject: "",
            blame,
            target: "",
            server: None,
            rule: "",
            workspace: "",
            customer: "",
            kid: "",
            algorithm: "",
            jti_hash: "",
            connection: "",
            peer: None,
            client: None,
            duration: Duration::ZERO,
            auth: None,
            upstream: None,
            received: 0,
            sent: 0,
            end: End::Complete,
            replayed: false,
            refreshed: false,
            detail: None,
            series: None,
        }
    }

    /// Whether nobody needs to look at it: what sampling may leave out.
    fn is_success(&self) -> bool {
        self.reason == OK && self.would_reject.is_empty() && self.status < 400 && self.end == End::Complete
    }
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
        if self.access_log.is_off() || (event.is_success() && !self.access_log.samples()) {
            return;
        }
        thread_local!(static LINE: RefCell<(Stamp, String)> = const { RefCell::new((Stamp::new(), String::new())) });
        LINE.with_borrow_mut(|(stamp, line)| {
            line.clear();
            line::write(line, stamp.of(self.clock.now()), event);
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
        telemetry.request(&event("/first"));
        clock.advance(Duration::from_secs(1));
        telemetry.request(&event("/second"));
        let written = String::from_utf8(buffer.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> =
            written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2, "{written}");
        assert_eq!((&lines[0]["path"], &lines[1]["path"]), (&"/first".into(), &"/second".into()));
        assert_eq!(lines[1]["time"], "1970-01-01T00:00:01.000Z");
        assert!(telemetry.metrics.render().contains(r#"reason="expired",workspace=""} 2"#));
    }

    #[test]
    fn successes_are_sampled_evenly_and_everything_else_is_always_written() {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(0)));
        let telemetry = Telemetry::new(AccessLog::to_buffer(buffer.clone()).sampling(25), clock);
        let success = RequestEvent { status: 200, reason: OK, ..event("/success") };
        let cut = RequestEvent { end: End::UpstreamCut, ..success };
        let failed = RequestEvent { status: 500, ..success };
        for event in [&success, &event("/denied"), &cut, &failed].repeat(8) {
            telemetry.request(event);
        }
        let written = String::from_utf8(buffer.lock().unwrap().clone()).unwrap();
        assert_eq!(written.lines().count(), 8 / 4 + 3 * 8, "{written}");
        assert_eq!(written.matches("/denied").count(), 8);
        assert!(telemetry.metrics.render().contains(r#"reason="ok",workspace=""} 24"#));
    }

    #[test]
    fn with_the_log_off_requests_are_still_counted() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(0)));
        let telemetry = Telemetry::new(AccessLog::off(), clock);
        telemetry.request(&event("/"));
        assert!(telemetry.metrics.render().contains(r#"reason="expired",workspace=""} 1"#));
    }
}
