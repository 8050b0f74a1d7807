//! What a caller's program is told where credentials could not be refreshed.

use http::StatusCode;
use serde_json::json;

use super::scene::{NOW, Scene};
use crate::oauth::hostile_server::{self, Answer};

const TOKENS: &str = r#"{"access_token":"a","refresh_token":"planted-r1"}"#;

fn refusal(status: &str, error: &str) -> Answer {
    hostile_server::reply(status, "application/json", &format!(r#"{{"error":"{error}"}}"#))
}

fn throttled() -> Answer {
    Answer::Bytes(b"HTTP/1.1 429 No\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n".into())
}

/// A connection of this integration, whose token endpoint answers so from now on.
async fn connected(integration: &str, answer: Answer) -> Scene {
    let scene = Scene::start().await;
    let credentials: serde_json::Value = serde_json::from_str(TOKENS).unwrap();
    scene.create(&json!({"integrationKey": integration, "credentials": credentials})).await;
    scene.server.answer(answer);
    scene
}

#[tokio::test]
async fn a_refresh_that_fails_says_why_for_programs() {
    let end = NOW.plus(std::time::Duration::from_secs(120)).to_string();
    let failures = [
        (
            refusal("400 No", "invalid_grant"),
            StatusCode::CONFLICT,
            "connection/connection_is_defunct",
            json!({"code": "needs_reconnect"}),
        ),
        (
            refusal("401 No", "invalid_client"),
            StatusCode::INTERNAL_SERVER_ERROR,
            "configuration/",
            json!({"code": "misconfigured_app"}),
        ),
        (
            refusal("500 No", "x"),
            StatusCode::SERVICE_UNAVAILABLE,
            "connection/",
            json!({"code": "provider_down"}),
        ),
        (
            refusal("400 No", "odd"),
            StatusCode::BAD_GATEWAY,
            "connection/access_token_expired",
            json!({"code": "outcome_unknown"}),
        ),
        (
            throttled(),
            StatusCode::SERVICE_UNAVAILABLE,
            "connection/rate_limit_exceeded",
            json!({"code": "throttled_until", "retryAt": end}),
        ),
    ];
    for (answer, status, vendor, refresh) in failures {
        let scene = connected("oauth", answer).await;
        let told = scene.ask(&scene.ada(), "POST /connections/oauth/refresh-credentials", "").await;
        let key = told.body["key"].as_str().unwrap_or_default();
        assert_eq!(format!("{}/{key}", told.body["type"].as_str().unwrap()), vendor);
        assert_eq!(told.status, status, "{refresh}");
        assert_eq!(
            (told.code.as_str(), &told.body["data"]),
            (refresh["code"].as_str().unwrap(), &json!({"refresh": refresh}))
        );
    }
}

#[tokio::test]
async fn a_test_of_ended_credentials_and_a_first_token_say_it_too() {
    let scene = connected("oauth", throttled()).await;
    let ended =
        json!({"credentials": {"access_token": "a", "refresh_token": "r", "expires_at": NOW.as_secs() - 60}});
    scene.ok(&scene.ada(), "PATCH /connections/oauth", &ended.to_string()).await;
    for (line, body) in
        [("POST /connections/oauth/test", ""), ("POST /connections", r#"{"integrationKey":"machine"}"#)]
    {
        let told = scene.ask(&scene.ada(), line, body).await;
        assert_eq!(told.body["data"]["refresh"]["code"], "throttled_until", "{line}: {}", told.body);
        assert_eq!(told.headers["retry-after"], "120", "{line}");
    }
}

#[tokio::test]
async fn a_test_that_the_third_party_refuses_says_why_nothing_fresher_was_tested() {
    let scene = connected("tested", refusal("401 No", "invalid_grant")).await;
    let told = scene.ok(&scene.ada(), "POST /connections/tested/test", "").await;
    assert_eq!(
        (&told["success"], &told["data"]),
        (&json!(false), &json!({"refresh": {"code": "needs_reconnect"}}))
    );
}
