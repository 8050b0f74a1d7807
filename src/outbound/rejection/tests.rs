use super::*;
use crate::http::Body;
use crate::http::body::{Collected, collect_within};
use crate::http::listener::Arrival;
use crate::outbound::seen::Seen;
use crate::telemetry::labels::Door;

fn seen(request: http::request::Builder) -> Seen {
    let arrival = Arrival { peer: None, tls: false, misdirected: false, at: std::time::Instant::now() };
    let name = HeaderValue::from_static("the-request");
    Seen::of(&request.body(Body::empty()).unwrap(), name, Door::Outbound, arrival)
}

async fn body(answer: Response<Body>) -> serde_json::Value {
    let Ok(Collected::Whole(bytes)) = collect_within(answer.into_body(), 10_000).await else {
        panic!("a rejection is small")
    };
    serde_json::from_slice(&bytes).unwrap()
}

fn all() -> Vec<(Rejection, u16, &'static str, &'static str)> {
    let integration = || IntegrationKey::from("hubspot");
    let origin = || String::from("https://evil.example");
    let broken = || SendError::Broken("x".into());
    vec![
        (Rejection::NoCaller, 401, "no_caller", "bad_request/not_authenticated"),
        (Rejection::CallerNotTrusted, 401, "caller_not_trusted", "bad_request/not_authenticated"),
        (Rejection::MalformedPair("why"), 400, "malformed_pair", "bad_request/"),
        (Rejection::CallersDisagree, 400, "callers_disagree", "bad_request/"),
        (Rejection::TokenHeadersDisagree, 400, "token_headers_disagree", "bad_request/"),
        (Rejection::UnreadableToken, 401, "invalid_token", "bad_request/not_authenticated"),
        (Rejection::ExpiredToken(TokenError::Expired), 401, "expired_token", "bad_request/not_authenticated"),
        (
            Rejection::InvalidToken(TokenError::BadSignature),
            401,
            "invalid_token",
            "bad_request/not_authenticated",
        ),
        (Rejection::CustomerRequired, 403, "customer_required", "bad_request/access_denied"),
        (Rejection::NothingHere, 404, "nothing_here", "bad_request/not_found"),
        (
            Rejection::UnknownConnection { selector: "c".into() },
            404,
            "unknown_connection",
            "bad_request/not_found",
        ),
        (
            Rejection::NoConnection { integration: integration() },
            404,
            "no_connection",
            "bad_request/not_found",
        ),
        (
            Rejection::AmbiguousConnection {
                integration: integration(),
                ids: vec!["c1".into(), "c2".into()],
            },
            400,
            "ambiguous_connection",
            "bad_request/",
        ),
        (
            Rejection::IntegrationUnavailable { integration: integration() },
            404,
            "integration_unavailable",
            "bad_request/not_found",
        ),
        (Rejection::Call(CallError::NoConnection), 404, "unknown_connection", "bad_request/not_found"),
        (Rejection::Call(CallError::MalformedTarget("why")), 400, "malformed_target", "bad_request/"),
        (
            Rejection::Call(CallError::TargetNotAllowed { origin: origin() }),
            403,
            "target_not_allowed",
            "bad_request/access_denied",
        ),
        (Rejection::Call(CallError::PlainTarget { origin: origin() }), 403, "plain_target", "configuration/"),
        (Rejection::Call(CallError::Method(http::Method::TRACE)), 405, "method_not_allowed", "bad_request/"),
        (Rejection::Call(CallError::LongForm), 413, "long_form", "bad_request/"),
        (Rejection::Call(CallError::BaseUri("why")), 500, "misconfigured_connector", "configuration/"),
        (Rejection::Call(CallError::NoPinnedOrigin), 500, "misconfigured_connector", "configuration/"),
        (Rejection::Call(CallError::RequestBody("x".into())), 400, "request_body", "bad_request/"),
        (
            Rejection::Call(CallError::Send(SendError::Egress(EgressError::Plain))),
            403,
            "egress_refused",
            "configuration/",
        ),
        (
            Rejection::Call(CallError::Send(SendError::Egress(EgressError::NoAddress { host: "h".into() }))),
            502,
            "third_party_down",
            "connection/",
        ),
        (Rejection::Call(CallError::Send(broken())), 502, "third_party_down", "connection/"),
        (
            Rejection::Call(CallError::Send(SendError::ConnectTimeout)),
            504,
            "third_party_timeout",
            "connection/",
        ),
        (Rejection::Call(CallError::Send(SendError::HeadTimeout)), 504, "third_party_timeout", "connection/"),
        (
            Rejection::Call(CallError::Disconnected {
                code: "needs_reconnect".into(),
                message: "m".into(),
                since: crate::clock::Timestamp::from_secs(1),
                why: crate::refresh::RefreshError::disconnected("needs_reconnect", "m"),
            }),
            409,
            "disconnected",
            "connection/connection_is_defunct",
        ),
    ]
}

#[tokio::test]
async fn each_rejection_has_its_status_code_and_vendor_error() {
    for (rejection, status, code, vendor) in all() {
        let answer = rejection
            .answer(rejection.status(), &seen(http::Request::get("/connections/c/proxy/a")).subject());
        assert_eq!(answer.status(), status, "{code}");
        assert_eq!(answer.headers()["x-sidegate-rejection"], code);
        assert!(answer.headers().contains_key("x-request-id"), "{code}");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401, "{code}");
        assert_eq!(answer.headers().contains_key("allow"), status == 405, "{code}");
        let body = body(answer).await;
        let key = body["key"].as_str().unwrap_or_default();
        assert_eq!(format!("{}/{key}", body["type"].as_str().unwrap()), vendor, "{code}");
        assert!(!body["message"].as_str().unwrap().is_empty(), "{code}");
    }
}

#[test]
fn every_code_is_documented() {
    let page = include_str!("../../../docs/rejections.md");
    for (rejection, status, code, _) in all() {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{code}`"))).unwrap_or_default();
        assert!(row.contains(&format!("| {status} |")), "`{code}` with {status} is not in the page: {row}");
        assert_eq!(rejection.status().as_u16(), status);
    }
}

#[tokio::test]
async fn a_refusal_names_what_would_mend_it() {
    let seen = seen(http::Request::get("/connections/c/proxy/a"));
    let named = [
        (Rejection::Call(CallError::TargetNotAllowed { origin: "https://evil.example".into() }), "`hosts`"),
        (Rejection::Call(CallError::PlainTarget { origin: "http://h".into() }), "egress.allowPlain"),
        (Rejection::NoConnection { integration: "hubspot".into() }, "hubspot"),
        (
            Rejection::AmbiguousConnection { integration: "i".into(), ids: vec!["c1".into(), "c2".into()] },
            "c1, c2",
        ),
    ];
    for (rejection, cure) in named {
        let message =
            body(rejection.answer(rejection.status(), &seen.subject())).await["message"].to_string();
        assert!(message.contains(cure), "{message}");
    }
}

#[tokio::test]
async fn a_refresh_that_failed_says_why_beside_what_was_asked() {
    let end = crate::clock::Timestamp::from_secs(1_800_000_000);
    let source = crate::refresh::RefreshError::ThrottledUntil(end);
    let rejection = Rejection::from(CallError::Refresh { source, retry_after: None });
    let refresh = json!({ "code": "throttled_until", "retryAt": "2027-01-15T08:00:00.000Z" });
    let seen = seen(http::Request::get("/connections/c/proxy/a"));
    let asked = Subject { url: Some("a"), ..seen.subject() };
    let data = body(rejection.answer(rejection.status(), &asked)).await["data"].take();
    assert_eq!(data, json!({ "refresh": refresh, "request": { "url": "a", "method": "GET" } }));
    assert_eq!(
        body(rejection.answer(rejection.status(), &seen.subject())).await["data"],
        json!({ "refresh": refresh })
    );
}

#[tokio::test]
async fn a_cause_reaches_the_log_and_not_the_caller() {
    let cause = CallError::Send(SendError::Connect("planted detail".into()));
    let rejection = Rejection::from(cause);
    assert!(crate::report::report(&rejection).to_string().contains("planted detail"));
    let answer = rejection.answer(
        rejection.status(),
        &seen(http::Request::get("/connections/c/proxy/a?key=planted")).subject(),
    );
    assert!(!body(answer).await.to_string().contains("planted"));
}
