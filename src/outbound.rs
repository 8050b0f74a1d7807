//! The service's way out: a request to a third party, credentials put in on the way.
//! Never holds a credential itself.

pub mod caller;
mod headers;
pub mod rejection;
mod seen;
pub mod statuses;
pub mod target;
mod unknown;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderName, HeaderValue, Request, Response};

use crate::call::{Answer, Calls};
use crate::connector::Catalog;
use crate::http::Body;
use crate::http::forward::upgrade::Upgrade;
use crate::http::listener::Arrival;
use crate::http::request_id::RequestIds;
use crate::secret::Secret;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::telemetry::labels::Door;

pub use unknown::Unknown;

use caller::Callers;
use rejection::Rejection;
use seen::{Outcome, Seen};
use statuses::Statuses;
use target::{Target, Targets};

/// Why a refresh failed, on an answer that the third party gave to the old credentials.
const REFRESH: HeaderName = HeaderName::from_static("x-sidegate-refresh");

/// Whom this listener believes beside tokens.
#[derive(Debug)]
pub struct Config {
    /// Whoever connects may name its customer; for loopback and Unix sockets only.
    pub trust_caller: bool,
    /// Whoever sends this as bearer may name its customer. With it set, nobody else may.
    pub service_secret: Option<Secret<String>>,
}

/// One worker's side.
pub struct Outbound {
    callers: Arc<ArcSwap<Callers>>,
    targets: Targets,
    calls: Calls,
    statuses: Arc<Statuses>,
    telemetry: Arc<Telemetry>,
    request_ids: RequestIds,
}

impl Outbound {
    /// Everything is shared between workers but `calls`, which keeps this worker's connections. A reload puts other
    /// callers and another catalog into their places.
    #[must_use]
    pub fn new(
        callers: Arc<ArcSwap<Callers>>,
        catalog: Arc<ArcSwap<Catalog>>,
        store: Store,
        calls: Calls,
        statuses: Arc<Statuses>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            callers,
            targets: Targets::new(catalog, store),
            calls,
            statuses,
            telemetry,
            request_ids: RequestIds::default(),
        }
    }

    /// Whether a path is a call to a third party: the proxy path of a connection, or a transparent route that no path of
    /// the API covers.
    #[must_use]
    pub fn is_mine(&self, path: &str) -> bool {
        self.targets.covers(path)
    }

    /// Answers one call, with the third party's response or a rejection; one event either way.
    pub async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        let mut seen =
            Seen::of(&request, self.request_ids.of(request.headers()).value(), Door::Outbound, arrival);
        match self.serve(request, &mut seen).await {
            Ok(answer) => self.finish(answer, &seen),
            Err(rejection) => self.reject(&rejection, &seen),
        }
    }

    /// Answers a request whose caller could not be identified, whichever room its path belongs to.
    pub fn refuse(&self, request: &Request<Body>, arrival: Arrival, rejection: &Rejection) -> Response<Body> {
        let door = if self.is_mine(request.uri().path()) { Door::Outbound } else { Door::Api };
        self.reject(
            rejection,
            &Seen::of(request, self.request_ids.of(request.headers()).value(), door, arrival),
        )
    }

    /// Who asks, what for, and the call.
    async fn serve(&self, request: Request<Body>, seen: &mut Seen) -> Result<Answer, Rejection> {
        let caller = self.callers.load_full().identify(request.headers()).await?;
        seen.caller(&caller);
        let target = self.targets.find(&caller, request.uri(), request.headers()).await?;
        seen.target(&target);
        let (mut head, body) = request.into_parts();
        // Any other protocol is not taken up, as by a server that does not know it: the request stays a request.
        let upgrade = Upgrade::asked(&head, &body)
            .filter(|upgrade| upgrade.protocol().eq_ignore_ascii_case("websocket"));
        headers::keep_here(&mut head.headers);
        let request = Request::from_parts(head, body);
        let Target { integration, connection, requested } = target;
        // So that a worker sends on together what it has decided together, as on the way in.
        tokio::task::yield_now().await;
        let answer = self.calls.call(&integration, &connection, &requested, request, upgrade).await?;
        Ok(answer)
    }

    /// The third party's response goes back as it came, but for headers that only Sidegate may set.
    fn finish(&self, answer: Answer, seen: &Seen) -> Response<Body> {
        self.telemetry.request(&seen.event(&Outcome::of_answer(&answer)));
        let mut response = answer.response;
        headers::remove_ours(response.headers_mut());
        if let Some(failure) = &answer.refresh_failure {
            response.headers_mut().insert(REFRESH, HeaderValue::from_static(failure.code()));
        }
        response
    }

    fn reject(&self, rejection: &Rejection, seen: &Seen) -> Response<Body> {
        let status = self.statuses.of(rejection);
        self.telemetry.request(&seen.event(&Outcome::of_rejection(rejection, status)));
        rejection.answer(status, &seen.subject())
    }
}

#[cfg(test)]
mod tests;
