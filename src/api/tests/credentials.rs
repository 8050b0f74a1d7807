//! Where credentials come from, and what becomes of a connection when they change.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::scene::{NOW, Scene};
use crate::names::ConnectionId;
use crate::oauth::hostile_server;
use crate::store::redb::Replaced;
use crate::store::{Connection, Health};

async fn secrets(scene: &Scene, id: &str) -> Value {
    let admin = scene.caller(&json!({"id": "ada", "isAdmin": true}));
    scene.ok(&admin, &format!("GET /connections/{id}?includeSecrets=true"), "").await
}

async fn stored(scene: &Scene, id: &str) -> Connection {
    scene.api.store.connection(&ConnectionId::from(id)).await.unwrap().unwrap()
}

#[tokio::test]
async fn credentials_are_made_from_what_was_typed_in() {
    let scene = Scene::start().await;
    let id = scene.create(&json!({"integrationKey": "typed", "input": {"typed": "planted-1"}})).await;
    assert_eq!(secrets(&scene, &id).await["credentials"], json!({"token": "planted-1"}));
    let patch = json!({"parameters": {"typed": "planted-2"}}).to_string();
    scene.ok(&scene.ada(), &format!("PUT /connections/{id}"), &patch).await;
    let kept = secrets(&scene, &id).await;
    assert_eq!(kept["credentials"], json!({"token": "planted-2"}));
    assert_eq!(kept["input"], json!({"typed": "planted-2"}));
    // Where the connector makes nothing of them, what was typed in are the credentials.
    let id = scene.create(&json!({"integrationKey": "keys", "connectionParameters": {"apiKey": "k"}})).await;
    assert_eq!(secrets(&scene, &id).await["credentials"], json!({"apiKey": "k"}));
}

#[tokio::test]
async fn the_end_of_a_token_is_known_from_what_was_sent() {
    let scene = Scene::start().await;
    let id = scene
        .create(&json!({"integrationKey": "oauth", "credentials": {"access_token": "a", "expires_in": 3600}}))
        .await;
    let connection = stored(&scene, &id).await;
    assert_eq!(connection.expires_at, Some(NOW.plus(Duration::from_secs(3600))));
    assert!(connection.refresh_at < connection.expires_at);
    assert_eq!(connection.app.unwrap().as_str(), "own");
    let seen = scene.ok(&scene.ada(), "GET /connections/oauth", "").await;
    assert_eq!(seen["nextCredentialsRefreshAt"], connection.refresh_at.unwrap().to_string());
    assert_eq!(seen["canRefreshCredentials"], true);
    let ended = json!({"credentials": {"access_token": "a", "expires_at": NOW.as_secs() - 60}}).to_string();
    scene.ok(&scene.ada(), "PATCH /connections/oauth", &ended).await;
    assert_eq!(stored(&scene, &id).await.expires_at, Some(NOW.minus(Duration::from_secs(60))));
}

#[tokio::test]
async fn a_client_credentials_grant_fetches_its_own_first_token() {
    let scene = Scene::start().await;
    let id = scene.create(&json!({"name": "Machine", "integrationKey": "machine"})).await;
    assert_eq!(secrets(&scene, &id).await["credentials"]["access_token"], "planted-a2");
    assert_eq!(stored(&scene, &id).await.expires_at, Some(NOW.plus(Duration::from_secs(3600))));
    assert_eq!((scene.server.requests(), stored(&scene, &id).await.refreshing.exchanges), (1, 1));
    assert!(scene.server.last().body.contains("grant_type=client_credentials"));
}

#[tokio::test]
async fn without_a_first_token_nothing_is_stored() {
    let scene = Scene::with(hostile_server::reply("500 No", "text/plain", "planted")).await;
    let told = scene.ask(&scene.ada(), "POST /connections", r#"{"integrationKey":"machine"}"#).await;
    assert_eq!((told.status, told.code.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "provider_down"));
    assert_eq!(told.body["type"], "connection");
    assert!(told.headers.contains_key("retry-after"));
    assert!(!told.body.to_string().contains("planted"));
    assert_eq!(scene.ok(&scene.ada(), "GET /connections", "").await["items"], json!([]));
}

#[tokio::test]
async fn a_forced_refresh_brings_new_credentials() {
    let scene = Scene::start().await;
    let credentials = json!({"access_token": "planted-a1", "refresh_token": "planted-r1"});
    let id = scene.create(&json!({"integrationKey": "oauth", "credentials": credentials})).await;
    let seen = scene.ok(&scene.ada(), &format!("POST /connections/{id}/refresh-credentials"), "").await;
    assert_eq!(seen["id"], id.as_str());
    assert!(!seen.to_string().contains("planted"));
    let kept = secrets(&scene, &id).await;
    assert_eq!(kept["credentials"]["access_token"], "planted-a2");
    assert_eq!(kept["credentials"]["refresh_token"], "planted-r1");
}

#[tokio::test]
async fn what_cannot_be_refreshed_says_so() {
    let scene = Scene::start().await;
    scene.create(&json!({"integrationKey": "keys", "credentials": {"apiKey": "planted"}})).await;
    let told = scene.ask(&scene.ada(), "POST /connections/keys/refresh-credentials", "").await;
    assert_eq!((told.status, told.code.as_str()), (StatusCode::CONFLICT, "not_refreshable"));
    assert_eq!(
        (&told.body["type"], &told.body["key"]),
        (&json!("connection"), &json!("access_token_expired"))
    );
}

#[tokio::test]
async fn a_dead_connection_comes_back_with_new_credentials_and_not_with_a_new_name() {
    let scene = Scene::start().await;
    let id = scene.create(&json!({"integrationKey": "oauth", "credentials": {"access_token": "a"}})).await;
    let dead =
        Health::Disconnected { code: "needs_reconnect".into(), message: "invalid_grant".into(), at: NOW };
    let seen = stored(&scene, &id).await;
    let written = scene.api.store.update(&seen, |one| one.health = dead).await.unwrap();
    assert!(matches!(written, Replaced::Stored(_)));

    let renamed = scene.ok(&scene.ada(), "PATCH /connections/oauth", r#"{"name":"New"}"#).await;
    assert_eq!((&renamed["disconnected"], &renamed["name"]), (&json!(true), &json!("New")));
    assert_eq!(renamed["error"]["message"], "invalid_grant");
    scene.clock.advance(Duration::from_secs(60));
    let patch = r#"{"credentials":{"access_token":"b"}}"#;
    let alive = scene.ok(&scene.ada(), "PATCH /connections/oauth", patch).await;
    assert_eq!((&alive["disconnected"], &alive["state"]), (&json!(false), &json!("READY")));
    assert_eq!(alive.get("error"), None);
    assert_eq!(alive["id"], id.as_str());
    let again = stored(&scene, &id).await;
    assert_eq!((again.connected_at, again.created_at), (Some(NOW.plus(Duration::from_secs(60))), NOW));
}

#[tokio::test]
async fn the_origin_that_was_entered_is_pinned_for_good() {
    let scene = Scene::start().await;
    let make = |url: &str| json!({"integrationKey": "pinned", "credentials": {"url": url}});
    let id = scene.create(&make("https://Acme.example.com/api")).await;
    let pinned = Some("https://acme.example.com");
    assert_eq!(stored(&scene, &id).await.pinned_origin.as_deref(), pinned);

    let line = format!("PATCH /connections/{id}");
    let moved = scene.ask(&scene.ada(), &line, r#"{"credentials":{"url":"https://evil.example"}}"#).await;
    assert_eq!((moved.status, moved.code.as_str()), (StatusCode::BAD_REQUEST, "origin_refused"));
    scene.ok(&scene.ada(), &line, r#"{"credentials":{"url":"https://acme.example.com/v2"}}"#).await;
    assert_eq!(stored(&scene, &id).await.pinned_origin.as_deref(), pinned);

    for url in ["http://acme.example.com", "https://127.1", "https://user@acme.example.com", "acme", ""] {
        let told = scene.ask(&scene.ada(), "POST /connections", &make(url).to_string()).await;
        assert_eq!((told.status, told.code.as_str()), (StatusCode::BAD_REQUEST, "origin_refused"), "{url}");
    }
}
