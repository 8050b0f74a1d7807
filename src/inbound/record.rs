//! What is known of a request so far, so that each ends in exactly one event.
//! Never holds a token or what its fields say.

use std::net::IpAddr;
use std::time::Instant;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, StatusCode};

use super::cors::Reply;
use super::limits::Places;
use super::rejection::Rejection;
use super::routes::Upstream;
use super::rules::Rule;
use crate::http::listener::Arrival;
use crate::names::KeyId;
use crate::report::report;
use crate::telemetry::labels::{Blame, Door};
use crate::telemetry::metrics::{Active, OK};
use crate::telemetry::{RequestEvent, Telemetry};
use crate::token::Verified;

/// How a request ended if its caller left before the answer: nginx's status for it, never sent.
const CLIENT_GONE: (&str, u16) = ("client_gone", 499);

/// One request in progress. Its event is recorded when the answer is known, or when it is dropped because the caller
/// left.
pub(super) struct Record<'r> {
    telemetry: &'r Telemetry,
    arrival: Arrival,
    id: HeaderValue,
    method: Method,
    target: Option<PathAndQuery>,
    upstream: Option<&'r Upstream>,
    rule: &'r str,
    verified: Option<Verified>,
    would_reject: &'static str,
    /// Who asked, by the word of a trusted proxy.
    pub(super) client: Option<IpAddr>,
    places: Option<Places>,
    /// What the answer says to browsers.
    pub(super) cors: Option<Reply>,
    forwarded_at: Option<Instant>,
    answered: bool,
    _active: Active,
}

impl<'r> Record<'r> {
    pub(super) fn begin(telemetry: &'r Telemetry, id: HeaderValue, head: &Parts, arrival: Arrival) -> Self {
        Self {
            telemetry,
            arrival,
            id,
            method: head.method.clone(),
            target: head.uri.path_and_query().cloned(),
            upstream: None,
            rule: "",
            verified: None,
            would_reject: "",
            client: None,
            places: None,
            cors: None,
            forwarded_at: None,
            answered: false,
            _active: telemetry.metrics.active(Door::Inbound),
        }
    }

    pub(super) fn request_id(&self) -> &HeaderValue {
        &self.id
    }

    pub(super) fn arrival(&self) -> Arrival {
        self.arrival
    }

    pub(super) fn routed(&mut self, upstream: &'r Upstream) {
        self.upstream = Some(upstream);
    }

    pub(super) fn ruled(&mut self, rule: &'r Rule) {
        self.rule = rule.pattern.as_str();
    }

    /// A token was verified, whatever the rule says to it.
    pub(super) fn verified(&mut self, verified: &Verified) {
        self.verified = Some(verified.clone());
    }

    /// The rules refused it, and it is forwarded because they are only watched.
    pub(super) fn would_reject(&mut self, reason: &'static str) {
        self.would_reject = reason;
    }

    /// The places that it takes until it is over.
    pub(super) fn hold(&mut self, places: Places) {
        self.places = Some(places);
    }

    /// From here on the upstream's time counts.
    pub(super) fn forwarding(&mut self) {
        self.forwarded_at = Some(Instant::now());
    }

    pub(super) fn passed(&mut self, status: StatusCode) {
        self.answered = true;
        self.send(OK, status.as_u16(), Blame::None, "");
    }

    pub(super) fn rejected(&mut self, rejection: &Rejection) {
        self.answered = true;
        let detail = report(rejection).to_string();
        self.send(rejection.reason(), rejection.status().as_u16(), rejection.blame(), &detail);
    }

    fn send(&self, reason: &'static str, status: u16, blame: Blame, detail: &str) {
        let claims = self.verified.as_ref().map(Verified::claims);
        let now = Instant::now();
        self.telemetry.request(&RequestEvent {
            door: Door::Inbound,
            request_id: self.id.to_str().unwrap_or_default(),
            method: self.method.as_str(),
            path: self.target.as_ref().map_or("", PathAndQuery::path),
            status,
            reason,
            would_reject: self.would_reject,
            blame,
            target: self.upstream.map_or("", |upstream| upstream.config.name.as_str()),
            rule: self.rule,
            workspace: claims.map_or("", |claims| claims.workspace.as_str()),
            customer: claims.and_then(|claims| claims.id.as_ref()).map_or("", |id| id.as_str()),
            kid: self.verified.as_ref().and_then(Verified::kid).map_or("", KeyId::as_str),
            algorithm: self.verified.as_ref().map_or("", |verified| verified.algorithm().as_str()),
            connection: "",
            peer: self.arrival.peer,
            client: self.client,
            duration: now.duration_since(self.arrival.at),
            upstream: self.forwarded_at.filter(|_| reason == OK).map(|at| now.duration_since(at)),
            replayed: false,
            refreshed: false,
            detail,
            series: self.upstream.map(|upstream| &*upstream.series),
        });
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let (reason, status) = CLIENT_GONE;
            self.send(reason, status, Blame::Caller, "");
        }
    }
}
