//! `/healthz`, `/readyz` and `/metrics`, and nothing else.
//! Never changes anything: it may listen where a scraper can reach it.

use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
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
    /// Every condition that keeps traffic away.
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
    async fn handle(&self, request: Request<Body>, _arrival: Arrival) -> Response<Body> {
        self.answer(request.method(), request.uri().path())
    }
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::http::body::{Collected, collect_within};
    use crate::telemetry::AccessLog;

    fn health(readiness: &Readiness) -> Health {
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(0)));
        Health::new(Telemetry::new(AccessLog::off(), clock), readiness.clone())
    }

    async fn get(health: &Health, path: &str) -> (u16, String) {
        let answer = health.answer(&Method::GET, path);
        let status = answer.status().as_u16();
        let Ok(Collected::Whole(text)) = collect_within(answer.into_body(), 100_000).await else {
            panic!("a page is whole")
        };
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn healthz_is_ok_as_long_as_anything_runs() {
        let readiness = Readiness::default();
        readiness.set_draining();
        assert_eq!(get(&health(&readiness), "/healthz").await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn readyz_says_why_not_until_it_is_started_and_again_while_draining() {
        let readiness = Readiness::default();
        let health = health(&readiness);
        let unmet = r#"{"ready":false,"unmet":[{"condition":"started","reason":"the process is starting"}]}"#;
        assert_eq!(get(&health, "/readyz").await, (503, unmet.to_owned()));
        readiness.set_ready();
        assert_eq!(get(&health, "/readyz").await, (200, r#"{"ready":true,"unmet":[]}"#.to_owned()));
        readiness.set_draining();
        let (status, body) = get(&health, "/readyz").await;
        assert!(status == 503 && body.contains("draining"), "{body}");
    }

    #[tokio::test]
    async fn metrics_are_open_metrics_text() {
        let health = health(&Readiness::default());
        let content_type = health.answer(&Method::GET, "/metrics").headers()[CONTENT_TYPE].clone();
        assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let (status, page) = get(&health, "/metrics").await;
        assert!(
            status == 200 && page.contains("sidegate_build_info{") && page.ends_with("# EOF\n"),
            "{page}"
        );
    }

    #[tokio::test]
    async fn there_is_nothing_else_and_nothing_to_change() {
        let health = health(&Readiness::default());
        for path in ["/", "/status", "/metrics/", "/healthz/x"] {
            assert_eq!(get(&health, path).await.0, 404, "{path}");
        }
        let refused = health.answer(&Method::POST, "/metrics");
        assert_eq!(
            (refused.status().as_u16(), refused.headers()[ALLOW].to_str().unwrap()),
            (405, "GET, HEAD")
        );
        assert_eq!(health.answer(&Method::HEAD, "/readyz").status(), 503);
    }
}
