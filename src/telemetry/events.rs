//! skeleton
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use super::labels::{Blame, Door, RefreshOutcome};
use super::AccessLog;

/// One finished request: one log line and its metrics together. Borrowed; nothing in it is secret.
pub struct RequestEvent<'a> {
    pub door: Door,
    pub request_id: &'a str,
    pub method: &'a str,
    /// without the query, which may hold secrets
    pub path: &'a str,
    pub status: u16,
    /// `ok`, or the stable rejection / reason code (`expired`, `bad_signature`, `upstream_down`, …)
    pub reason: &'a str,
    pub blame: Blame,
    /// upstream or integration name; empty if none was found
    pub target: &'a str,
    pub rule: &'a str,
    pub workspace: &'a str,
    pub customer: &'a str,
    pub kid: &'a str,
    pub algorithm: &'a str,
    pub connection: &'a str,
    pub peer: Option<SocketAddr>,
    pub duration: Duration,
    /// time until the upstream's response head
    pub upstream: Option<Duration>,
    pub replayed: bool,
    pub refreshed: bool,
    /// the error chain, already rendered by `report`; empty if none
    pub detail: &'a str,
}

/// Shared by all rooms; cheap to clone through Arc.
pub struct Telemetry { pub metrics: super::metrics::Metrics, pub access_log: AccessLog }
impl Telemetry {
    pub fn new(_access_log: AccessLog) -> Arc<Self> { unimplemented!() }
    /// one log line, counters, histogram
    pub fn request(&self, _event: &RequestEvent<'_>) { unimplemented!() }
    pub fn refresh(&self, _integration: &str, _connection: &str, _outcome: RefreshOutcome, _duration: Duration, _detail: &str) { unimplemented!() }
}
