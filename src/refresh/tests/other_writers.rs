//! What becomes of an exchange when somebody else writes the connection at the same time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;
use tokio::sync::Semaphore;

use super::scene::{NOW, Scene, access_token, first_credentials, second_tokens};
use crate::names::Version;
use crate::oauth::hostile_server::{reply, when};
use crate::store::Health;

#[tokio::test]
async fn a_refused_token_that_is_not_the_current_one_costs_no_exchange() {
    let scene = Scene::start(second_tokens()).await;
    let seen = scene.opened().await;
    scene.reconnect(json!({"access_token": "planted-a9", "refresh_token": "planted-r9"})).await;
    assert_eq!(access_token(&scene.refresher.force(&seen).await.unwrap()), "planted-a9");
    assert_eq!(access_token(&scene.refresher.fresh(seen).await.unwrap()), "planted-a9");
    assert_eq!(scene.server.requests(), 0);
}

#[tokio::test]
async fn what_another_write_stored_during_the_exchange_stands() {
    for answer in [second_tokens(), reply("400 Bad Request", "text/plain", "error=invalid_grant")] {
        let permitted = Arc::new(Semaphore::new(0));
        let scene = Scene::start(when(&permitted, answer)).await;
        let (refresher, seen) = (Arc::clone(&scene.refresher), scene.opened().await);
        let caller = tokio::spawn(async move { refresher.fresh(seen).await });
        scene.server.came(1).await;
        scene.reconnect(json!({"access_token": "planted-a9", "refresh_token": "planted-r9"})).await;
        permitted.add_permits(1);
        assert_eq!(access_token(&caller.await.unwrap().unwrap()), "planted-a9");
        assert_eq!(scene.stored().await["refresh_token"], "planted-r9");
        assert_eq!(scene.opened().await.connection.health, Health::Ready);
    }
}

#[tokio::test]
async fn a_write_during_the_exchange_that_keeps_the_grant_does_not_lose_its_new_tokens() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let (refresher, seen) = (Arc::clone(&scene.refresher), scene.opened().await);
    let caller = tokio::spawn(async move { refresher.fresh(seen).await });
    scene.server.came(1).await;
    // What a PATCH of other secrets writes: the credentials as it found them, the spent refresh token among them.
    scene.reconnect(first_credentials()).await;
    permitted.add_permits(1);
    assert_eq!(access_token(&caller.await.unwrap().unwrap()), "planted-a2");
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    assert_eq!(scene.opened().await.connection.version, Version(3));
}

#[tokio::test]
async fn a_new_name_given_during_the_exchange_stays() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let (refresher, seen) = (Arc::clone(&scene.refresher), scene.opened().await);
    let caller = tokio::spawn(async move { refresher.fresh(seen).await });
    scene.server.came(1).await;
    scene.change(|connection| connection.name = "New".into()).await;
    permitted.add_permits(1);
    assert_eq!(caller.await.unwrap().unwrap().connection.name, "New");
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
}

#[tokio::test]
async fn a_connection_that_is_archived_during_the_exchange_is_gone() {
    for answer in [second_tokens(), reply("400 Bad Request", "text/plain", "error=invalid_grant")] {
        let permitted = Arc::new(Semaphore::new(0));
        let scene = Scene::start(when(&permitted, answer)).await;
        let (refresher, seen) = (Arc::clone(&scene.refresher), scene.opened().await);
        let caller = tokio::spawn(async move { refresher.fresh(seen).await });
        scene.server.came(1).await;
        scene.change(|connection| connection.archived_at = Some(NOW)).await;
        permitted.add_permits(1);
        assert_eq!(caller.await.unwrap().err().unwrap().code(), "needs_reconnect");
    }
}

#[tokio::test]
async fn a_reconnect_wins_over_tokens_that_are_not_stored_yet() {
    let scene = Scene::start(second_tokens()).await;
    scene.refresher.writes_fail.store(true, Ordering::Relaxed);
    scene.fresh().await.unwrap();
    scene.reconnect(json!({"access_token": "planted-a9", "refresh_token": "planted-r9"})).await;
    scene.refresher.writes_fail.store(false, Ordering::Relaxed);
    scene.refresher.settle().await;
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a9");
}
