//! Requests to the API whose caller could not be identified.
//! Never knows what they ask for.

use std::sync::Arc;

use http::{Request, Response};

use super::rejection::Rejection;
use super::seen::{Outcome, Seen};
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::request_id::RequestIds;
use crate::telemetry::Telemetry;
use crate::telemetry::labels::Door;

/// Refuses them; for a listener that has no credential proxy.
pub struct Unknown {
    telemetry: Arc<Telemetry>,
    request_ids: RequestIds,
}

impl Unknown {
    /// Each refusal is told to `telemetry`.
    #[must_use]
    pub fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { telemetry, request_ids: RequestIds::default() }
    }

    /// Refuses one, with one event.
    pub fn refuse(&self, request: &Request<Body>, arrival: Arrival, rejection: &Rejection) -> Response<Body> {
        let id = self.request_ids.of(request.headers()).value();
        let seen = Seen::of(request, id, Door::Api, arrival);
        self.telemetry.request(&seen.event(&Outcome::of_rejection(rejection, rejection.status())));
        rejection.answer(rejection.status(), &seen.subject())
    }
}
