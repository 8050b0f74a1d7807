//! What is known of a request so far, so that each ends in exactly one event.
//! Never holds a token or what its fields say.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Method, Response, StatusCode, Version};
use hyper::body::Body as _;

use super::cors::Reply;
use super::limits::Places;
use super::rejection::Rejection;
use super::routes::{Seen, Upstream};
use super::rules::Rule;
use super::tunnel::Keep;
use crate::http::Body;
use crate::http::body::{Polled, Tap, Tapped};
use crate::http::forward::upgrade::Through;
use crate::http::listener::Arrival;
use crate::http::pool::SendError;
use crate::http::request_id::RequestId;
use crate::http::trace_context::{self, TraceId};
use crate::names::KeyId;
use crate::report::{is_timeout, report};
use crate::telemetry::labels::{Blame, Door, End, UpstreamFault};
use crate::telemetry::metrics::{Active, OK};
use crate::telemetry::{RequestEvent, Telemetry};
use crate::token::Verified;

/// How a request ended if its caller left before the answer: nginx's status for it, never sent.
const CLIENT_GONE: (&str, u16) = ("client_gone", 499);

/// One request in progress. Its event is recorded when the answer has been sent, or when this is dropped because the
/// caller left. It is its own, not borrowed from anything: it goes with the answer's body.
pub(super) struct Record {
    telemetry: Arc<Telemetry>,
    arrival: Arrival,
    id: RequestId,
    method: Method,
    version: Version,
    target: Option<PathAndQuery>,
    trace: Option<TraceId>,
    upstream: Option<Arc<Seen>>,
    rule: Option<Arc<str>>,
    verified: Option<Verified>,
    would_reject: &'static str,
    /// Who asked, by the word of a trusted proxy.
    pub(super) client: Option<IpAddr>,
    places: Option<Places>,
    received: Received,
    /// What the answer says to browsers.
    pub(super) cors: Option<Reply>,
    /// Keeps this open if the answer is a tunnel.
    pub(super) tunnel: Option<Keep>,
    forwarded_at: Option<Instant>,
    /// The status that the upstream answered and how long that took; none before.
    answer: Option<(u16, Duration)>,
    sent: u64,
    is_over: bool,
    _active: Active,
}

/// How much of a request's body came.
enum Received {
    /// All that there is.
    Whole(u64),
    /// What is counted while it passes.
    Passing(Arc<AtomicU64>),
}

impl Record {
    pub(super) fn begin(
        telemetry: &Arc<Telemetry>,
        id: RequestId,
        head: &mut Parts,
        arrival: Arrival,
    ) -> Self {
        Self {
            telemetry: Arc::clone(telemetry),
            arrival,
            id,
            method: head.method.clone(),
            version: head.version,
            target: head.uri.path_and_query().cloned(),
            trace: trace_context::settle(&mut head.headers),
            upstream: None,
            rule: None,
            verified: None,
            would_reject: "",
            client: None,
            places: None,
            received: Received::Whole(0),
            cors: None,
            tunnel: None,
            forwarded_at: None,
            answer: None,
            sent: 0,
            is_over: false,
            _active: telemetry.metrics.active(Door::Inbound),
        }
    }

    pub(super) fn request_id(&self) -> &RequestId {
        &self.id
    }

    pub(super) fn arrival(&self) -> Arrival {
        self.arrival
    }

    pub(super) fn routed(&mut self, upstream: &Upstream) {
        self.upstream = Some(Arc::clone(&upstream.seen));
    }

    pub(super) fn ruled(&mut self, rule: &Rule) {
        self.rule = Some(Arc::clone(rule.pattern.text()));
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

    /// From here on the upstream's time counts, and what it is sent.
    pub(super) fn forwarding(&mut self, body: Body) -> Body {
        self.forwarded_at = Some(Instant::now());
        match body.into_memory() {
            Ok(bytes) => {
                self.received = Received::Whole(bytes.len() as u64);
                Body::full(bytes)
            }
            Err(body) => {
                let passed = Arc::new(AtomicU64::new(0));
                self.received = Received::Passing(Arc::clone(&passed));
                Body::boxed(Tapped::new(body, Counted(passed)))
            }
        }
    }

    /// The upstream answered; the event follows when its answer has been sent.
    pub(super) fn passed(mut self, status: StatusCode, body: Body) -> Body {
        let now = Instant::now();
        let took = now.duration_since(self.forwarded_at.unwrap_or(now));
        self.answer = Some((status.as_u16(), took));
        if let Some(upstream) = &self.upstream {
            upstream.series.upstream_answered(self.method.as_str(), status.as_u16(), took);
        }
        if let (StatusCode::SWITCHING_PROTOCOLS, Some(tunnel)) = (status, self.tunnel.take()) {
            tunnel.take(self);
            return body;
        }
        match body.into_memory() {
            Ok(bytes) => {
                self.sent = bytes.len() as u64;
                self.over(now, End::Complete);
                Body::full(bytes)
            }
            Err(body) => Body::boxed(Tapped::new(body, self)),
        }
    }

    /// The tunnel that the answer began has ended, and this is what it carried.
    pub(super) fn tunnel_ended(mut self, through: Through) {
        (self.received, self.sent) = (Received::Whole(through.up), through.down);
        self.is_over = true;
        let end = if through.is_cut { End::Timeout } else { End::Complete };
        let ended = (OK, StatusCode::SWITCHING_PROTOCOLS.as_u16(), Blame::None);
        self.send(Instant::now(), ended, end, None);
    }

    /// We answer.
    pub(super) fn rejected(mut self, rejection: &Rejection, answer: &Response<Body>) {
        if let (Some(upstream), Some(fault)) = (&self.upstream, fault(rejection)) {
            upstream.series.upstream_failed(fault);
        }
        self.sent = answer.body().size_hint().exact().unwrap_or_default();
        let (reason, status, blame) = (rejection.reason(), rejection.status().as_u16(), rejection.blame());
        self.is_over = true;
        self.send(Instant::now(), (reason, status, blame), End::Complete, Some(rejection));
    }

    /// The upstream's answer has ended, in one way or another.
    fn over(&mut self, now: Instant, end: End) {
        self.is_over = true;
        let status = self.answer.map_or(StatusCode::OK.as_u16(), |(status, _)| status);
        let blame = match end {
            End::Complete => Blame::None,
            End::ClientGone => Blame::Caller,
            End::UpstreamCut | End::Timeout => Blame::Upstream,
        };
        if let (Some(upstream), Blame::Upstream) = (&self.upstream, blame) {
            upstream.series.upstream_failed(UpstreamFault::Cut);
        }
        self.send(now, (OK, status, blame), end, None);
    }

    fn send(
        &self,
        now: Instant,
        (reason, status, blame): (&'static str, u16, Blame),
        end: End,
        error: Option<&(dyn std::error::Error + 'static)>,
    ) {
        let claims = self.verified.as_ref().map(Verified::claims);
        let upstream = self.upstream.as_deref();
        let asked = upstream.filter(|_| self.forwarded_at.is_some());
        let detail = error.map(report);
        self.telemetry.request(&RequestEvent {
            request_id: self.id.as_str(),
            trace_id: self.trace.as_ref().map_or("", TraceId::as_str),
            method: self.method.as_str(),
            path: self.target.as_ref().map_or("", PathAndQuery::path),
            protocol: protocol(self.version),
            would_reject: self.would_reject,
            tls: self.arrival.tls,
            target: upstream.map_or("", |upstream| upstream.series.upstream()),
            server: asked.map(|upstream| &upstream.address),
            rule: self.rule.as_deref().unwrap_or_default(),
            workspace: claims.map_or("", |claims| claims.workspace.as_str()),
            customer: claims.and_then(|claims| claims.id.as_ref()).map_or("", |id| id.as_str()),
            kid: self.verified.as_ref().and_then(Verified::kid).map_or("", KeyId::as_str),
            algorithm: self.verified.as_ref().map_or("", |verified| verified.algorithm().as_str()),
            jti_hash: self.verified.as_ref().map_or("", Verified::jti_hash),
            peer: self.arrival.peer,
            client: self.client,
            duration: now.duration_since(self.arrival.at),
            auth: self.forwarded_at.map(|at| at.duration_since(self.arrival.at)),
            upstream: self.answer.map(|(_, took)| took),
            received: self.received.bytes(),
            sent: self.sent,
            end,
            detail: detail.as_ref().map(|detail| detail as _),
            series: upstream.map(|upstream| &*upstream.series),
            ..RequestEvent::new(Door::Inbound, reason, status, blame)
        });
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        match self.answer {
            Some(_) => self.over(Instant::now(), End::ClientGone),
            None => {
                let (reason, status) = CLIENT_GONE;
                self.send(Instant::now(), (reason, status, Blame::Caller), End::ClientGone, None);
            }
        }
    }
}

impl Received {
    fn bytes(&self) -> u64 {
        match self {
            Self::Whole(bytes) => *bytes,
            Self::Passing(bytes) => bytes.load(Ordering::Relaxed),
        }
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "h2",
        Version::HTTP_11 => "http/1.1",
        Version::HTTP_10 => "http/1.0",
        _ => "",
    }
}

/// What the upstream did wrong, where it is to blame.
fn fault(rejection: &Rejection) -> Option<UpstreamFault> {
    let (Rejection::UpstreamDown(error) | Rejection::UpstreamTimeout(error)) = rejection else { return None };
    Some(match error {
        SendError::ConnectTimeout => UpstreamFault::ConnectTimeout,
        SendError::HeadTimeout => UpstreamFault::HeadTimeout,
        SendError::Egress(_) | SendError::Connect(_) => UpstreamFault::Connect,
        _ => UpstreamFault::Broken,
    })
}

/// An answer's body passes, and the record ends when it does.
impl Tap<Body> for Record {
    fn poll(&mut self, mut body: Pin<&mut Body>, cx: &mut Context<'_>) -> Polled {
        let polled = body.as_mut().poll_frame(cx);
        let Poll::Ready(frame) = &polled else { return polled };
        let end = match frame {
            Some(Ok(frame)) => {
                self.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
                // Nobody polls once more where the length is known.
                let is_last = body.is_end_stream() || body.size_hint().exact() == Some(0);
                is_last.then_some(End::Complete)
            }
            Some(Err(error)) if is_timeout(&**error) => Some(End::Timeout),
            Some(Err(_)) => Some(End::UpstreamCut),
            None => Some(End::Complete),
        };
        if let Some(end) = end.filter(|_| !self.is_over) {
            self.over(Instant::now(), end);
        }
        polled
    }
}

/// Counts a request's body while it passes.
struct Counted(Arc<AtomicU64>);

impl Tap<Body> for Counted {
    fn poll(&mut self, body: Pin<&mut Body>, cx: &mut Context<'_>) -> Polled {
        let polled = body.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
            // Relaxed: a lone count, read when the request is over.
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
        polled
    }
}
