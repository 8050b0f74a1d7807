//! The public listener: lets in what a rule admits, with the verified identity in headers.
//! Cannot reach the store or a call: it holds no third-party secret.

mod condition;
pub mod cors;
mod decision;
pub mod forward;
mod forwarded;
pub mod identity;
mod limits;
mod managed;
mod pattern;
mod record;
pub mod rejection;
mod routes;
pub mod rules;
mod snapshot;
mod token_header;
mod tunnel;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use http::header::HOST;
use http::request::Parts;
use http::{Request, Response};

use crate::http::Body;
use crate::http::forward::upgrade::Upgrade;
use crate::http::headers::{Fields, admit, host};
use crate::http::hops::{Hops, X_SIDEGATE_HOPS};
use crate::http::listener::{Arrival, Handler};
use crate::http::request_id::{RequestIds, X_REQUEST_ID};
use crate::telemetry::Telemetry;
use crate::token::Verified;
pub use condition::VARIABLES;
use decision::{decide, preflight};
use forward::forward;
pub use forwarded::TrustedProxies;
use forwarded::Way;
pub use limits::{LimitsConfig, Overload, PerCustomer};
use record::Record;
use rejection::Rejection;
pub use routes::{Mode, Route, Routes, UpstreamConfig};
use snapshot::View;
pub use snapshot::{Snapshot, SnapshotError};

/// What concerns requests to all upstreams, as configured.
#[derive(Clone, Debug, Default)]
pub struct GateConfig {
    /// Whose word counts about the way a request took.
    pub trusted_proxies: TrustedProxies,
    /// How many requests may be on their way at once.
    pub overload: Overload,
}

/// What requests are decided by now; a reload puts the next snapshot here.
pub type Current = Arc<ArcSwap<Snapshot>>;

/// One worker's side of the listener: what all workers share, and its own connections to the upstreams.
pub struct Inbound {
    current: Current,
    view: ArcSwap<View>,
    telemetry: Arc<Telemetry>,
    request_ids: RequestIds,
    hops: Hops,
}

impl Inbound {
    /// One worker's side. Nothing is connected yet.
    #[must_use]
    pub fn new(current: Current, telemetry: Arc<Telemetry>) -> Self {
        let view = ArcSwap::from_pointee(View::first(current.load_full()));
        Self { current, view, telemetry, request_ids: RequestIds::default(), hops: Hops::default() }
    }

    /// What a new request is decided by, to its end. The worker's own view is made anew when another snapshot is
    /// current; only this worker does that, so nothing waits for anything.
    fn view(&self) -> Arc<View> {
        let (view, current) = (self.view.load(), self.current.load());
        if view.snapshot.generation == current.generation {
            return Guard::into_inner(view);
        }
        let next = Arc::new(view.of(Guard::into_inner(current)));
        self.view.store(Arc::clone(&next));
        next
    }

    /// The request's way; every line can only refuse or go on.
    async fn pass(
        &self,
        view: &View,
        head: &mut Parts,
        body: Body,
        record: &mut Record,
    ) -> Result<Response<Body>, Rejection> {
        admit(head)?;
        if record.arrival().misdirected {
            return Err(Rejection::Misdirected);
        }
        view.snapshot.shedding.check()?;
        let hops = self.hops.next(&head.headers)?;
        let way = Way::of(&head.headers, &record.arrival(), &view.snapshot.trusted);
        record.client = way.client();
        let upstream = view.snapshot.routes.upstream(host(head).unwrap_or_default(), head.uri.path())?;
        record.routed(upstream);
        upstream.rewrite(&mut head.uri);
        if let Some(cors) = &upstream.cors {
            record.cors = Some(cors.reply(&head.headers));
            if let Some(answer) = cors.answer(head, &body) {
                return answer;
            }
        }
        let permit = match preflight(upstream, head, &body) {
            Some(permit) => permit,
            None => decide(&view.snapshot.verifier, upstream, head, record).await?,
        };

        let upgrade = Upgrade::asked(head, &body);
        if upgrade.as_ref().is_some_and(|upgrade| !upstream.upgrades_to(upgrade.protocol())) {
            return Err(Rejection::UpgradeNotAllowed);
        }
        let caller = permit.verified().map(Verified::claims);
        let places = upstream.limits.enter(&view.snapshot.shedding, caller, record.arrival().at)?;
        record.hold(places);
        let body = limits::bounded(body, upstream.limits.max_body_bytes())?;

        managed::erase(&mut head.headers, &permit);
        let host = match &upstream.own_host {
            Some(own) => head.headers.insert(HOST, own.clone()),
            None => head.headers.get(HOST).cloned(),
        };
        let body = record.forwarding(body);
        let upgrade = upgrade.map(|upgrade| {
            let (terms, keep) = tunnel::terms(&view.snapshot.verifier, &permit);
            record.tunnel = Some(keep);
            (upgrade, terms)
        });
        let request_id = record.request_id();
        // Written behind what the caller's Connection has left: it cannot take away what is not there yet.
        let told = |fields: &mut Fields<'_>| {
            way.write(fields, host.as_ref());
            fields.write(&X_REQUEST_ID, request_id.as_str().as_bytes());
            fields.write(&X_SIDEGATE_HOPS, hops.as_bytes());
        };
        Ok(forward(head, body, permit, &told, view.pool(upstream), upgrade).await?)
    }

    /// What the caller gets: the upstream's answer, or ours.
    async fn answer(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let id = self.request_ids.of(&head.headers);
        let view = self.view();
        let mut record = Record::begin(&self.telemetry, id.clone(), &mut head, arrival);
        let passed = self.pass(&view, &mut head, body, &mut record).await;
        let mut answer = match passed {
            Ok(mut response) => {
                rejection::disown(response.headers_mut());
                if let Some(cors) = &record.cors {
                    cors.write(response.headers_mut());
                }
                let body = std::mem::take(response.body_mut());
                *response.body_mut() = record.passed(response.status(), body);
                response
            }
            Err(rejection) => {
                let mut answer = rejection.answer();
                if let Some(cors) = &record.cors {
                    cors.write_on_ours(answer.headers_mut());
                }
                record.rejected(&rejection, &answer);
                answer
            }
        };
        answer.headers_mut().insert(&X_REQUEST_ID, id.value());
        answer
    }
}

impl Handler for Inbound {
    fn handle(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> impl Future<Output = Response<Body>> + Send {
        self.answer(request, arrival)
    }
}

#[cfg(test)]
mod tests;
