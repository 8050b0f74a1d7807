//! `/healthz`, `/readyz` and `/metrics`, and nothing else.
//! Never changes anything: it may listen where a scraper can reach it.

use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Serialize;

pub use super::readiness::Readiness;
use super::readiness::Unmet;
use crate::http::listener::{Arrival, Handler};
use crate::http::{Body, reply};
use crate::telemetry::Telemetry;

/// The health listener's handler.
pub struct Health {
    telemetry: Arc<Telemetry>,
    readiness: Readiness,
}

/// The body of `/readyz`.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    unmet: Vec<Unmet>,
}

impl Health {
    /// Shows `telemetry`'s metrics and what `readiness` says.
    #[must_use]
    pub fn new(telemetry: Arc<Telemetry>, readiness: Readiness) -> Self {
        Self { telemetry, readiness }
    }

    fn answer(&self, method: &Method, path: &str) -> Response<Body> {
        let page = match path {
            "/healthz" => Self::healthz,
            "/readyz" => Self::readyz,
            "/metrics" => Self::metrics,
            _ => return text(StatusCode::NOT_FOUND, "not found\n"),
        };
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let mut answer = page(self);
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    /// That this runs is the answer: the event loop turns.
    fn healthz(&self) -> Response<Body> {
        text(StatusCode::OK, "ok\n")
    }

    fn readyz(&self) -> Response<Body> {
        let unmet = self.readiness.unmet();
        let status = if unmet.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        reply::json(status, &Ready { ready: unmet.is_empty(), unmet })
    }

    fn metrics(&self) -> Response<Body> {
        let mut page = Response::new(Body::full(self.telemetry.metrics.render()));
        let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        page.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(open_metrics));
        page
    }
}

impl Handler for Health {
    async fn handle(&self, request: Request<Incoming>, _arrival: Arrival) -> Response<Body> {
        self.answer(request.method(), request.uri().path())
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
