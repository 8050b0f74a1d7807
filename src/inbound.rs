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
pub use routes::{Route, Routes, UpstreamConfig};
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
        let route = self.routes.find(host(&head).unwrap_or_default(), &head.method, head.uri.path())?;
        record.routed(&route);
        managed::refuse_twins(&head.headers, route.upstream)?;
        let permit = self.permit(route, &head.headers, record)?;

        // Connection is resolved before anything of ours is written: it cannot take away what is not there yet.
        strip_hop_by_hop(&mut head.headers);
        let upstream = permit.route().upstream;
        if !upstream.config.forward_token {
            token_header::remove(&mut head.headers, &upstream.config.token_headers);
        }
        forwarded::write(&mut head.headers, record.arrival(), record.request_id());
        upstream.identity.write(&mut head.headers, permit.verified().map(Verified::claims));

        record.forwarding();
        let pool = self.pools.of(permit.route());
        Ok(forward(Request::from_parts(head, body), permit, pool).await?)
    }

    /// The token, if the rule cares for one, and what the rule says to it.
    fn permit<'r>(
        &self,
        route: Route<'r>,
        headers: &HeaderMap,
        record: &mut Record<'r>,
    ) -> Result<Permit<'r>, Rejection> {
        let route = match Permit::open(route) {
            Ok(permit) => return Ok(permit),
            Err(route) => route,
        };
        let token = token_header::read(headers, &route.upstream.config.token_headers)?;
        let verified = token.map(|token| self.verifier.verify(token, route.policy())).transpose()?;
        if let Some(verified) = &verified {
            record.verified(verified);
        }
        Permit::admit(route, verified)
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
