mod broken_store;
mod crashes;
mod leases;
mod other_writers;
mod outage;
mod remembered;
mod rotating_server;
mod rows;
pub(super) mod scene;
mod spilled;
mod waiting;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::*;
use crate::connector::RefreshSettings;
use crate::formula::Value;
use crate::names::Version;
use crate::oauth::hostile_server::{Answer, json, reply, when};
use scene::{
    CALLERS, HOUR, NOW, Scene, access_token, credentials, first_credentials, second_tokens, secrets,
};
pub(super) use scene::{connection, integration, opened};

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_on_an_ended_token_cause_one_exchange() {
    let scene = Scene::start(second_tokens()).await;
    let answers = scene.crowd(|refresher, seen| async move { refresher.fresh(seen).await }).await;
    assert!(answers.iter().all(|answer| access_token(answer.as_ref().unwrap()) == "planted-a2"));
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_refusals_of_one_version_cause_one_exchange() {
    let scene = Scene::start(second_tokens()).await;
    let answers = scene.crowd(|refresher, seen| async move { refresher.force(&seen).await }).await;
    assert!(answers.iter().all(|answer| access_token(answer.as_ref().unwrap()) == "planted-a2"));
    assert_eq!(scene.server.requests(), 1);
    assert!(scene.server.last().body.contains("refresh_token=planted-r1"));
}

#[tokio::test]
async fn the_reply_is_laid_over_the_credentials_before_anyone_uses_it() {
    let scene = Scene::start(second_tokens()).await;
    let renewed = scene.fresh().await.unwrap();
    let expected = json!({
        "access_token": "planted-a2", "refresh_token": "planted-r2", "kept": "k", "expires_in": 3600
    });
    assert_eq!(credentials(&renewed), expected);
    assert_eq!(scene.stored().await, expected);
    let connection = &scene.opened().await.connection;
    assert_eq!(connection.version, Version(2));
    assert_eq!(connection.expires_at, Some(NOW.plus(HOUR)));
    assert_eq!(connection.refreshed_at, Some(NOW));
    let window = connection.expires_at.unwrap().since(connection.refresh_at.unwrap());
    assert!((Duration::from_secs(225)..=Duration::from_secs(300)).contains(&window), "{window:?}");
}

#[tokio::test]
async fn a_reply_without_a_refresh_token_keeps_the_old_one() {
    for body in [
        r#"{"access_token":"planted-a2"}"#,
        r#"{"access_token":"planted-a2","refresh_token":""}"#,
        r#"{"access_token":"planted-a2","refresh_token":null}"#,
        r#"{"access_token":"planted-a2","refresh_token":false}"#,
        r#"{"access_token":"planted-a2","refresh_token":{}}"#,
    ] {
        let scene = Scene::start(json(body)).await;
        scene.fresh().await.unwrap();
        let stored = scene.stored().await;
        assert_eq!(
            (&stored["access_token"], &stored["refresh_token"]),
            (&json!("planted-a2"), &json!("planted-r1"))
        );
        assert_eq!(scene.opened().await.connection.expires_at, None, "{body}");
    }
}

#[tokio::test]
async fn the_connectors_own_method_adds_to_the_reply_and_cannot_lose_it() {
    let reply = r#"{"access_token":"planted-a2","refresh_token":"planted-r2","instance_url":"https://eu"}"#;
    for (mapping, expected) in [
        ("{instance: {$var: tokenResponse.instance_url}, refresh_token: ''}", json!("https://eu")),
        ("{$var: tokenResponse.instance_url}", json!(null)), // no object: the method fails
    ] {
        let method =
            format!("  getCredentialsFromRefreshTokenResponse: {{type: mapping, mapping: {mapping}}}");
        let scene = Scene::with(json(reply), &method, first_credentials()).await;
        scene.fresh().await.unwrap();
        let stored = scene.stored().await;
        assert_eq!(
            (&stored["access_token"], &stored["refresh_token"]),
            (&json!("planted-a2"), &json!("planted-r2"))
        );
        assert_eq!(stored["instance"], expected, "{mapping}");
    }
}

#[tokio::test]
async fn granted_scopes_are_kept_unless_the_reply_names_others() {
    for (scope, expected) in [
        (r#","scope":"a b""#, Some(vec!["a", "b"])),
        (r#","scope":"a,b""#, Some(vec!["a", "b"])),
        (r#","scope":["a","b"]"#, Some(vec!["a", "b"])),
        ("", None),
    ] {
        let scene = Scene::start(json(&format!(r#"{{"access_token":"t"{scope}}}"#))).await;
        scene.fresh().await.unwrap();
        let expected = expected.map(|scopes| scopes.into_iter().map(String::from).collect());
        assert_eq!(scene.opened().await.connection.granted_scopes, expected);
    }
}

#[tokio::test]
async fn a_stale_token_is_served_and_refreshed_behind() {
    let scene = Scene::start(second_tokens()).await;
    scene.clock.set(NOW.minus(Duration::from_secs(1)));
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a1");
    scene.refresher.settle().await;
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test]
async fn an_outage_is_survived_until_the_token_ends() {
    let scene = Scene::start(reply("503 Service Unavailable", "text/plain", "")).await;
    scene.clock.set(NOW.minus(Duration::from_secs(1)));
    for _ in 0..10 {
        assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a1");
        scene.refresher.settle().await;
    }
    assert_eq!(scene.server.requests(), 1, "within the first pause");
    scene.clock.set(NOW);
    assert_eq!(scene.code().await, "provider_down");
    scene.server.answer(second_tokens());
    scene.clock.advance(Duration::from_secs(60));
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
}

#[tokio::test]
async fn a_dead_grant_disconnects_and_is_not_asked_again() {
    let answer = r#"{"error":"invalid_grant","error_description":"planted-r1 is revoked"}"#;
    let scene = Scene::start(reply("400 Bad Request", "application/json", answer)).await;
    let answers = scene.crowd(|refresher, seen| async move { refresher.fresh(seen).await }).await;
    assert!(
        answers.iter().all(|answer| answer.as_ref().err().map(RefreshError::code) == Some("needs_reconnect"))
    );
    let Health::Disconnected { code, message, .. } = scene.opened().await.connection.health.clone() else {
        panic!("not disconnected")
    };
    assert_eq!((code.as_str(), message.as_str()), ("needs_reconnect", "invalid_grant: [secret] is revoked"));
    scene.clock.advance(HOUR * 24);
    for _ in 0..10 {
        assert_eq!(scene.code().await, "needs_reconnect");
        let seen = scene.opened().await;
        assert_eq!(scene.refresher.force(&seen).await.err().unwrap().code(), "needs_reconnect");
    }
    assert_eq!(scene.server.requests(), 1);
    scene.reconnect(json!({"access_token": "planted-a9", "refresh_token": "planted-r9"})).await;
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a9");
}

#[tokio::test]
async fn other_failures_disconnect_nothing_and_pause() {
    for (status, body, code) in [
        ("500 Internal Server Error", "", "provider_down"),
        ("200 OK", "planted", "provider_down"),
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#, "misconfigured_app"),
        ("400 Bad Request", r#"{"error":"unauthorized_client"}"#, "misconfigured_app"),
        ("400 Bad Request", r#"{"error":"invalid_request"}"#, "outcome_unknown"),
        ("302 Found", "", "outcome_unknown"),
    ] {
        let scene = Scene::start(reply(status, "application/json", body)).await;
        for _ in 0..10 {
            assert_eq!(scene.code().await, code, "{status}");
        }
        assert_eq!(scene.server.requests(), 1, "{status}");
        assert_eq!(scene.opened().await.connection.health, Health::Ready, "{status}");
        scene.server.answer(second_tokens());
        scene.clock.advance(Duration::from_secs(2));
        assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2", "{status}");
    }
}

#[tokio::test]
async fn a_provider_that_throttles_is_left_alone_as_long_as_it_asks() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n";
    let scene = Scene::start(Answer::Bytes(answer.into())).await;
    let error = scene.fresh().await.err();
    assert_eq!(error, Some(RefreshError::ThrottledUntil(NOW.plus(Duration::from_secs(120)))));
    scene.clock.advance(Duration::from_secs(119));
    assert_eq!(scene.code().await, "throttled_until");
    assert_eq!(scene.server.requests(), 1);
    scene.server.answer(second_tokens());
    scene.clock.advance(Duration::from_secs(1));
    scene.fresh().await.unwrap();
}

#[tokio::test]
async fn tokens_that_cannot_be_stored_are_served_from_memory_and_the_spent_one_is_not_sent_again() {
    let scene = Scene::start(second_tokens()).await;
    let seen = scene.opened().await;
    scene.refresher.writes_fail.store(true, Ordering::Relaxed);
    for _ in 0..10 {
        let served = scene.refresher.fresh(seen.clone()).await.unwrap();
        assert_eq!(access_token(&served), "planted-a2");
        assert_eq!(access_token(&scene.refresher.force(&seen).await.unwrap()), "planted-a2");
        assert_eq!(scene.refresher.force(&served).await.err().unwrap().code(), "store_down");
    }
    assert_eq!(scene.stored().await, first_credentials());
    assert!(scene.telemetry.metrics.render().contains("sidegate_unsaved_tokens 1"));
    scene.refresher.writes_fail.store(false, Ordering::Relaxed);
    scene.refresher.drain().await;
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    assert!(scene.telemetry.metrics.render().contains("sidegate_unsaved_tokens 0"));
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test]
async fn a_new_token_that_is_refused_too_is_not_refreshed_for_a_minute() {
    let scene = Scene::start(second_tokens()).await;
    let mut seen = scene.opened().await;
    for exchanges in 1..=3 {
        let renewed = scene.refresher.force(&seen).await.unwrap();
        scene.refresher.tried(&renewed, Trial::Taken); // one request may have the right that another lacks
        scene.refresher.tried(&renewed, Trial::Refused);
        for _ in 0..59 {
            let error = scene.refresher.force(&renewed).await.err();
            assert_eq!(error.as_ref().map(RefreshError::code), Some("rejected_while_fresh"));
            scene.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(scene.server.requests(), exchanges);
        scene.clock.advance(Duration::from_secs(1));
        seen = renewed;
    }
}

#[tokio::test]
async fn a_new_token_that_is_not_known_to_be_taken_is_not_refreshed_for_a_minute_but_by_wish() {
    let scene = Scene::start(second_tokens()).await;
    let renewed = scene.refresher.force(&scene.opened().await).await.unwrap();
    let error = scene.refresher.force(&renewed).await.err();
    assert_eq!(error.as_ref().map(RefreshError::code), Some("rejected_while_fresh"));
    assert_eq!(scene.server.requests(), 1);
    scene.refresher.renew(&renewed).await.unwrap();
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn a_good_token_that_was_revoked_is_refreshed_at_once() {
    let scene = Scene::start(second_tokens()).await;
    for exchanges in 1..=10 {
        let renewed = scene.refresher.force(&scene.opened().await).await.unwrap();
        scene.refresher.tried(&renewed, Trial::Taken);
        assert_eq!(scene.server.requests(), exchanges);
    }
}

#[tokio::test]
async fn without_a_refresh_token_nothing_is_sent() {
    for (more, credentials) in [
        ("", json!({"access_token": "planted-a1"})),
        ("", json!({"access_token": "planted-a1", "refresh_token": ""})),
        ("      noRefreshToken: true", first_credentials()),
    ] {
        let scene = Scene::with(second_tokens(), more, credentials).await;
        assert_eq!(scene.code().await, "not_refreshable");
        assert_eq!(scene.server.requests(), 0);
    }
}

#[tokio::test]
async fn a_client_credentials_grant_refreshes_with_the_clients_own_secret() {
    let more = "      grantType: client_credentials\n      scopes: [a, b]";
    let scene = Scene::with(second_tokens(), more, json!({"access_token": "planted-a1"})).await;
    let expected =
        "grant_type=client_credentials&scope=a+b&client_id=client&client_secret=planted-client-secret";
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
    assert_eq!(scene.server.last().body, expected);

    let catalog = scene.refresher.catalog.load();
    let integration = catalog.get(&"crm".into()).unwrap();
    let mut first = secrets(json!({}));
    let app = AppId::from("own");
    let token = scene.refresher.first_token(integration, None, Some(&app), None, &mut first).await.unwrap();
    assert_eq!(token.unwrap().lifetime, Some(HOUR));
    assert_eq!(first.credentials.get("access_token").and_then(Value::as_str), Some("planted-a2"));
}

#[tokio::test]
async fn an_authorization_code_connection_needs_no_first_token() {
    let scene = Scene::start(second_tokens()).await;
    let catalog = scene.refresher.catalog.load();
    let integration = catalog.get(&"crm".into()).unwrap();
    let none = &mut secrets(json!({}));
    let token = scene.refresher.first_token(integration, None, None, None, none).await.unwrap();
    assert!(token.is_none() && scene.server.requests() == 0);
}

#[tokio::test]
async fn a_connection_stays_with_the_app_that_granted_it() {
    let scene = Scene::start(second_tokens()).await;
    scene.change(|connection| connection.app = Some("gone".into())).await;
    assert_eq!(scene.code().await, "misconfigured_app");
    assert_eq!(scene.server.requests(), 0);
}

#[tokio::test]
async fn an_archived_connection_is_not_refreshed() {
    let scene = Scene::start(second_tokens()).await;
    let seen = scene.opened().await;
    scene.change(|connection| connection.archived_at = Some(NOW)).await;
    assert_eq!(scene.refresher.fresh(seen).await.err().unwrap().code(), "needs_reconnect");
    assert_eq!(scene.server.requests(), 0);
}

#[tokio::test]
async fn a_connection_that_is_gone_is_told_so() {
    let scene = Scene::start(second_tokens()).await;
    let mut unknown = connection("c2", NOW);
    unknown.expires_at = Some(NOW);
    let unknown = Opened { connection: Arc::new(unknown), secrets: scene.opened().await.secrets };
    assert_eq!(scene.refresher.fresh(unknown).await.err().unwrap().code(), "needs_reconnect");
    assert_eq!(scene.server.requests(), 0);
}

#[tokio::test]
async fn each_exchange_is_counted_once() {
    let scene = Scene::start(reply("500 Internal Server Error", "text/plain", "")).await;
    scene.code().await;
    scene.server.answer(second_tokens());
    scene.clock.advance(Duration::from_secs(2));
    scene.fresh().await.unwrap();
    let metrics = scene.telemetry.metrics.render();
    let counted: Vec<_> =
        metrics.lines().filter(|line| line.contains("refresh") && line.ends_with(" 1")).collect();
    assert_eq!(counted.len(), 2, "{metrics}");
}
