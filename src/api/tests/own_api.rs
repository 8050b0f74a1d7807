//! Credentials for a customer's own API: handed over by the SDKs, held against the schema, kept for calls.

use http::StatusCode;
use serde_json::{Value, json};

use super::scene::Scene;
use crate::token::Caller;

/// A customer of a workspace that `internal-api` serves.
fn own(scene: &Scene, admin: bool) -> Caller {
    scene.caller(&json!({"id": "ada", "iss": "globex", "isAdmin": admin}))
}

async fn kept(scene: &Scene) -> Value {
    scene.ok(&own(scene, true), "GET /connections/internal-api?includeSecrets=true", "").await
}

#[tokio::test]
async fn credentials_that_are_handed_over_become_a_connection_that_no_list_shows() {
    let scene = Scene::start().await;
    scene.ok(&own(&scene, false), "PATCH /self", r#"{"credentials":{"apiKey":"planted-1"}}"#).await;
    let first = kept(&scene).await;
    assert_eq!(first["credentials"], json!({"apiKey": "planted-1"}));
    let lists = [("", 0), ("?integrationKey=internal-api", 1)];
    for (query, count) in lists {
        let page = scene.ok(&own(&scene, false), &format!("GET /connections{query}"), "").await;
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    scene.ok(&own(&scene, false), "PATCH /self", r#"{"credentials":{"apiKey":"planted-2"}}"#).await;
    let second = kept(&scene).await;
    assert_eq!((&second["id"], &second["credentials"]["apiKey"]), (&first["id"], &json!("planted-2")));
    assert!(!scene.leaks("planted-"));
}

#[tokio::test]
async fn handing_over_the_same_again_keeps_what_was_refreshed_since() {
    let scene = Scene::start().await;
    scene.ok(&own(&scene, false), "PATCH /self", r#"{"credentials":{"apiKey":"a"}}"#).await;
    let id = kept(&scene).await["id"].as_str().unwrap().to_owned();
    let before = scene.api.store.open_secrets(&id.as_str().into()).await.unwrap().unwrap();
    let renewed = crate::store::SecretChanges {
        credentials: Some(json!({"apiKey": "renewed"}).into()),
        ..Default::default()
    };
    let secrets = before.secrets_with(renewed);
    scene.api.store.replace(&before.connection, secrets.into(), |_| {}).await.unwrap();
    scene.ok(&own(&scene, false), "PATCH /self", r#"{"credentials":{"apiKey":"a"}}"#).await;
    assert_eq!(kept(&scene).await["credentials"], json!({"apiKey": "renewed"}));
    scene.ok(&own(&scene, false), "PATCH /self", r#"{"credentials":{"apiKey":"b"}}"#).await;
    assert_eq!(kept(&scene).await["credentials"], json!({"apiKey": "b"}));
}

#[tokio::test]
async fn what_does_not_fit_the_schema_is_refused_with_its_path_and_without_its_value() {
    let scene = Scene::start().await;
    let bodies = [
        r#"{"credentials":{"apiKey":7}}"#,
        r#"{"credentials":{"apiKey":"planted-short","region":"planted-nowhere"}}"#,
        r#"{"credentials":{}}"#,
    ];
    for (body, path) in bodies.into_iter().zip(["/apiKey", "/region", ""]) {
        let told = scene.ask(&own(&scene, false), "PATCH /self", body).await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::BAD_REQUEST, "schema_violated"), "{body}");
        assert_eq!(told.body["data"][0]["path"], path, "{}", told.body);
        assert!(!told.body.to_string().contains("planted"), "{}", told.body);
    }
    let admin = own(&scene, true);
    let made = json!({"internalId": "eve", "credentials": {"apiKey": 7}}).to_string();
    assert_eq!(scene.ask(&admin, "POST /customers", &made).await.code, "schema_violated");
    assert_eq!(scene.ask(&admin, "GET /customers/eve", "").await.code, "unknown_customer");
    let told = scene.ask(&own(&scene, false), "PATCH /self", r#"{"credentials":"text"}"#).await;
    assert_eq!((told.status, told.code.as_str()), (StatusCode::BAD_REQUEST, "wrong_field"));
    let connection = r#"{"integrationKey":"internal-api","credentials":{"apiKey":7}}"#;
    assert_eq!(scene.ask(&admin, "POST /connections", connection).await.code, "schema_violated");
}

#[tokio::test]
async fn an_admin_hands_them_over_for_a_customer() {
    let scene = Scene::start().await;
    let admin = scene.caller(&json!({"isAdmin": true, "iss": "globex"}));
    let body = json!({"internalId": "ada", "credentials": {"apiKey": "k1"}}).to_string();
    scene.ok(&admin, "POST /customers", &body).await;
    assert_eq!(kept(&scene).await["credentials"], json!({"apiKey": "k1"}));
    scene.ok(&admin, "PATCH /customers/ada", r#"{"credentials":{"apiKey":"k2"}}"#).await;
    assert_eq!(kept(&scene).await["credentials"], json!({"apiKey": "k2"}));
}
