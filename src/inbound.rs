//! The public listener: lets in what a rule admits, with the verified identity in headers.
//! Cannot reach the store or a call: it holds no third-party secret.

pub mod forward;
mod forwarded;
pub mod identity;
mod managed;
mod pattern;
mod record;
pub mod rejection;
mod routes;
pub mod rules;
mod token_header;

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;

use crate::http::Body;
use crate::http::headers::{admit, host, strip_hop_by_hop};
use crate::http::listener::{Arrival, Handler};
use crate::http::request_id::{RequestIds, X_REQUEST_ID};
use crate::http::tls::TlsError;
use crate::telemetry::Telemetry;
use crate::token::{Verified, Verifier};
use forward::{Pools, forward};
use record::Record;
use rejection::Rejection;
use routes::Upstream;
pub use routes::{Mode, Route, Routes, UpstreamConfig};
use rules::Permit;

/// One worker's side of the listener: what all workers share, and its own connections to the upstreams.
pub struct Inbound {
    routes: Arc<Routes>,
    verifier: Arc<Verifier>,
    telemetry: Arc<Telemetry>,
    pools: Pools,
    request_ids: RequestIds,
}

impl Inbound {
    /// Makes the worker's pools; nothing is connected yet.
    ///
    /// # Errors
    ///
    /// An upstream's certificates or key cannot be used.
    pub fn new(
        routes: Arc<Routes>,
        verifier: Arc<Verifier>,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, TlsError> {
        let pools = Pools::new(&routes)?;
        Ok(Self { routes, verifier, telemetry, pools, request_ids: RequestIds::default() })
    }

    /// The request's way; every line can only refuse or go on.
    async fn pass<'r>(
        &'r self,
        request: Request<Body>,
        record: &mut Record<'r>,
    ) -> Result<Response<Body>, Rejection> {
        let (mut head, body) = request.into_parts();
        admit(&head)?;
        let upstream = self.routes.upstream(host(&head).unwrap_or_default(), head.uri.path())?;
        record.routed(upstream);
        upstream.rewrite(&mut head.uri);
        let permit = self.permit(upstream, &head, record)?;

        // Connection is resolved before anything of ours is written: it cannot take away what is not there yet.
        strip_hop_by_hop(&mut head.headers);
        managed::erase(&mut head.headers, upstream);
        forwarded::write(&mut head.headers, record.arrival(), record.request_id());
        upstream.identity.write(&mut head.headers, permit.verified().map(Verified::claims));

        record.forwarding();
        let pool = self.pools.of(upstream);
        Ok(forward(Request::from_parts(head, body), permit, pool).await?)
    }

    /// What the rules say, or the way around them where they are only watched.
    fn permit<'r>(
        &self,
        upstream: &'r Upstream,
        head: &Parts,
        record: &mut Record<'r>,
    ) -> Result<Permit<'r>, Rejection> {
        let refused = match self.enforce(upstream, head, record) {
            Ok(permit) => return Ok(permit),
            Err(refused) => refused,
        };
        let reason = refused.reason();
        let permit = Permit::observe(upstream, refused, || {
            self.verified(upstream, &head.headers, record).ok().flatten()
        })?;
        record.would_reject(reason);
        Ok(permit)
    }

    /// The rule, the token if the rule cares for one, and what the rule says to it.
    fn enforce<'r>(
        &self,
        upstream: &'r Upstream,
        head: &Parts,
        record: &mut Record<'r>,
    ) -> Result<Permit<'r>, Rejection> {
        let route = upstream.route(&head.method, head.uri.path())?;
        record.ruled(route.rule);
        managed::refuse_twins(&head.headers, upstream)?;
        if let Some(permit) = Permit::open(route) {
            return Ok(permit);
        }
        let verified = self.verified(upstream, &head.headers, record)?;
        Permit::admit(route, verified)
    }

    /// The token that the request carries, if it carries one.
    fn verified(
        &self,
        upstream: &Upstream,
        headers: &HeaderMap,
        record: &mut Record<'_>,
    ) -> Result<Option<Verified>, Rejection> {
        let Some(token) = token_header::read(headers, &upstream.config.token_headers)? else {
            return Ok(None);
        };
        let verified = self.verifier.verify(token, &upstream.config.policy)?;
        record.verified(&verified);
        Ok(Some(verified))
    }

    /// What the caller gets: the upstream's answer, or ours.
    async fn answer(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        let (head, body) = request.into_parts();
        let id = self.request_ids.of(&head.headers);
        let mut record = Record::begin(&self.telemetry, id, &head, arrival);
        let passed = self.pass(Request::from_parts(head, body), &mut record).await;
        let mut answer = match passed {
            Ok(mut response) => {
                record.passed(response.status());
                rejection::disown(response.headers_mut());
                response
            }
            Err(rejection) => {
                record.rejected(&rejection);
                rejection.answer()
            }
        };
        answer.headers_mut().insert(&X_REQUEST_ID, record.request_id().clone());
        answer
    }
}

impl Handler for Inbound {
    async fn handle(&self, request: Request<Incoming>, arrival: Arrival) -> Response<Body> {
        self.answer(request.map(Body::incoming), arrival).await
    }
}

#[cfg(test)]
mod tests;
