//! The demo's API: answers everything with what it was told about the caller.
//! Never checks anything; that is what Sidegate is for.

use http::{Request, Response, StatusCode};
use serde_json::{Map, Value};

use crate::http::listener::{Arrival, Handler};
use crate::http::{Body, reply};

/// The identity headers that the API looks at.
const IDENTITY: [&str; 4] =
    ["x-sidegate-customer", "x-sidegate-workspace", "x-sidegate-admin", "x-integration-app-token"];

pub(super) struct Api;

impl Handler for Api {
    async fn handle(&self, request: Request<Body>, _arrival: Arrival) -> Response<Body> {
        let told = |name: &&str| {
            let value = request.headers().get(*name)?.to_str().ok()?;
            Some(((*name).to_owned(), Value::from(value)))
        };
        let seen: Map<_, _> = IDENTITY.iter().filter_map(told).collect();
        reply::json(StatusCode::OK, &serde_json::json!({ "seen": seen }))
    }
}

/// What the API says it saw, in words.
pub(super) fn described(body: &str) -> String {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    match answer["seen"].as_object() {
        None => "the API answered".to_owned(),
        Some(seen) if seen.is_empty() => "the API saw no identity".to_owned(),
        Some(seen) => {
            let told: Vec<_> = seen
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
                .collect();
            format!("the API saw {}", told.join(", "))
        }
    }
}
