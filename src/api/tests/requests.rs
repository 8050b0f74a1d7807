//! Requests to connect: made by a server, followed in a browser, read by their customer.

use std::time::Duration;

use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::scene::Scene;
use crate::api::{Browsers, Outcome};
use crate::clock::Clock as _;
use crate::formula::Value;
use crate::steps::{Payload, Stage, Steps};

async fn scene() -> Scene {
    let scene = Scene::start().await;
    let own = HeaderValue::from_static("https://auth.example.com");
    scene.api.admit_browsers(Browsers::new(vec![own], Some("https://auth.example.com".into())));
    scene
}

#[tokio::test]
async fn a_request_has_an_address_and_is_read_by_its_customer() {
    let scene = scene().await;
    let made = scene.ok(&scene.ada(), "POST /connection-requests", r#"{"integrationKey":"keys"}"#).await;
    let id = made["requestId"].as_str().unwrap().to_owned();
    let url = format!("https://auth.example.com/screens/connections?connectionRequestId={id}");
    assert_eq!(
        (&made["url"], &made["status"], &made["tenantId"]),
        (&json!(url), &json!("pending"), &json!("ada"))
    );
    let line = format!("GET /connection-requests/{id}");
    assert_eq!(scene.ok(&scene.ada(), &line, "").await, made);
    let other = scene.ask(&scene.caller(&json!({"id": "eve"})), &line, "").await;
    assert_eq!((other.status, other.code.as_str()), (StatusCode::NOT_FOUND, "unknown_request"));
    assert!(!scene.leaks(&id), "its name stands in the store, or in the log");

    let request = scene.api.connection_request(&id).await.unwrap().unwrap();
    let concluded = async |outcome, steps: &Steps| {
        scene.api.conclude(&id, &request, outcome, steps).await.unwrap();
        scene.ok(&scene.ada(), &line, "").await
    };
    let nothing = Steps::default();
    assert_eq!(concluded(Outcome::Cancelled, &nothing).await["status"], "cancelled");
    let mut steps = Steps::new(Stage::OAUTH2);
    steps.begin(Stage::Exchange, scene.clock.now());
    let reply = Payload::from_iter([("refresh_token", "planted")]);
    steps.failed(scene.clock.now(), Some(400), Some("invalid_grant"), reply);
    let why = Value::from(json!({"type": "bad_request", "message": "no"}));
    let failed = concluded(Outcome::Error(why), &steps).await;
    assert_eq!((&failed["status"], &failed["resultError"]["message"]), (&json!("error"), &json!("no")));
    let exchange = &failed["steps"][3];
    assert_eq!((&exchange["state"], &exchange["status"]), (&json!("failed"), &json!(400)));
    assert_eq!(exchange["payload"], json!({"refresh_token": "[masked]"}));

    let done = concluded(Outcome::Success("c1".into()), &nothing).await;
    assert_eq!((&done["status"], &done["resultConnectionId"]), (&json!("success"), &json!("c1")));
    // A second window that is closed later, or fails, takes nothing back.
    assert_eq!(concluded(Outcome::Cancelled, &nothing).await, done);
}

#[tokio::test]
async fn a_request_is_over_after_a_day() {
    let scene = scene().await;
    let made = scene.ok(&scene.ada(), "POST /connection-requests", r#"{"integrationKey":"keys"}"#).await;
    let line = format!("GET /connection-requests/{}", made["requestId"].as_str().unwrap());
    scene.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(scene.ok(&scene.ada(), &line, "").await["status"], "pending");
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.ask(&scene.ada(), &line, "").await.code, "unknown_request");
    scene.clock.advance(Duration::from_secs(1));
    let later = scene.ok(&scene.ada(), "POST /connection-requests", r#"{"integrationKey":"keys"}"#).await;
    let line = format!("GET /connection-requests/{}", later["requestId"].as_str().unwrap());
    assert_eq!(scene.ok(&scene.ada(), &line, "").await["status"], "pending");
}

#[tokio::test]
async fn what_no_request_can_be_for_is_refused() {
    let scene = scene().await;
    for (body, code) in [
        ("", "missing_field"),
        (r#"{"integrationKey":"off"}"#, "integration_unavailable"),
        (r#"{"connectionId":"nothing"}"#, "unknown_connection"),
        (r#"{"integrationKey":"keys","connectorParameters":{"a":"planted"}}"#, "field_not_taken"),
    ] {
        assert_eq!(scene.ask(&scene.ada(), "POST /connection-requests", body).await.code, code, "{body}");
    }
    for name in ["junk", "-", "zz-1", "18ffffff-1", "1%2F2"] {
        let told = scene.ask(&scene.ada(), &format!("GET /connection-requests/{name}"), "").await;
        assert_eq!(told.code, "unknown_request", "{name}");
    }
    let unconfigured = Scene::start().await;
    let told = unconfigured
        .ask(&unconfigured.ada(), "POST /connection-requests", r#"{"integrationKey":"keys"}"#)
        .await;
    assert_eq!((told.status, told.code.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "no_public_url"));
    assert_eq!(told.body["type"], "configuration");
}
