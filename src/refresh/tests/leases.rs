//! One exchange among several processes, and no second use of a refresh token that may be spent.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::scene::{NOW, Scene, access_token, first_credentials, second_tokens};
use crate::connector::Rotation;
use crate::names::Version;
use crate::oauth::hostile_server::{Answer, json, reply, when};
use crate::refresh::{RefreshError, Refresher};
use crate::store::{Health, Opened};

const WINDOW: Duration = Duration::from_secs(600);
/// Longer than a lease that nobody renews.
const LONG: Duration = Duration::from_secs(300);

/// The server reads the request, and closes without a word once it is permitted to.
fn no_answer(permitted: &Arc<Semaphore>) -> Answer {
    Answer::When(Arc::clone(permitted), Vec::new())
}

fn third_tokens() -> Answer {
    json(r#"{"access_token":"planted-a3","refresh_token":"planted-r3","expires_in":3600}"#)
}

async fn asks(scene: &Scene, refresher: &Arc<Refresher>) -> JoinHandle<Result<Opened, RefreshError>> {
    let (refresher, seen) = (Arc::clone(refresher), scene.opened().await);
    tokio::spawn(async move { refresher.fresh(seen).await })
}

/// What the connection is disconnected for, if it is.
async fn disconnected(scene: &Scene) -> Option<String> {
    match &scene.opened().await.connection.health {
        Health::Ready => None,
        Health::Disconnected { code, .. } => Some(code.clone()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_with_many_callers_each_make_one_exchange() {
    let scene = Scene::start(second_tokens()).await;
    let replicas = [Arc::clone(&scene.refresher), scene.replica(), scene.replica()];
    let seen = scene.opened().await;
    let mut callers = JoinSet::new();
    for number in 0..600 {
        let (refresher, seen) = (Arc::clone(&replicas[number % 3]), seen.clone());
        callers.spawn(async move { refresher.fresh(seen).await });
    }
    let answers = callers.join_all().await;
    assert!(answers.iter().all(|answer| access_token(answer.as_ref().unwrap()) == "planted-a2"));
    assert_eq!(scene.server.requests(), 1);
    assert_eq!(scene.opened().await.connection.version, Version(2));
}

#[tokio::test]
async fn a_refresh_token_that_was_sent_without_an_answer_is_never_sent_again() {
    for answer in
        [Answer::Bytes(Vec::new()), Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into())]
    {
        let scene = Scene::start(answer).await;
        assert_eq!(scene.code().await, "outcome_unknown");
        assert_eq!(disconnected(&scene).await.as_deref(), Some("outcome_unknown"));
        scene.server.answer(second_tokens());
        scene.clock.advance(LONG);
        assert_eq!(scene.code().await, "outcome_unknown");
        // Whatever sets the connection right without a new token does not help.
        scene.change(|connection| connection.health = Health::Ready).await;
        let restarted = scene.replica();
        let error = restarted.fresh(scene.opened().await).await.err().unwrap();
        assert_eq!(error.code(), "outcome_unknown");
        assert_eq!(scene.server.requests(), 1);
    }
}

#[tokio::test]
async fn connecting_again_ends_the_doubt() {
    let scene = Scene::start(Answer::Bytes(Vec::new())).await;
    assert_eq!(scene.code().await, "outcome_unknown");
    scene.reconnect(serde_json::json!({"access_token": "planted-a9", "refresh_token": "planted-r9"})).await;
    scene.server.answer(second_tokens());
    let renewed = scene.refresher.force(&scene.opened().await).await.unwrap();
    assert_eq!(access_token(&renewed), "planted-a2");
    assert!(scene.server.last().body.contains("refresh_token=planted-r9"));
    assert!(scene.store.open_spends().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_of_any_kind_is_no_doubt() {
    let scene = Scene::start(reply("503 Service Unavailable", "text/plain", "")).await;
    assert_eq!(scene.code().await, "provider_down");
    assert!(scene.store.open_spends().await.unwrap().is_empty());
    scene.server.answer(second_tokens());
    scene.clock.advance(LONG);
    let restarted = scene.replica();
    assert_eq!(access_token(&restarted.fresh(scene.opened().await).await.unwrap()), "planted-a2");
}

#[tokio::test]
async fn within_its_window_a_token_without_an_answer_is_sent_once_more() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::rotating(no_answer(&permitted), Rotation::Reuse(WINDOW)).await;
    let caller = asks(&scene, &scene.refresher).await;
    scene.server.came(1).await;
    scene.server.answer(second_tokens());
    scene.clock.advance(WINDOW - Duration::from_secs(1));
    permitted.add_permits(1);
    assert_eq!(access_token(&caller.await.unwrap().unwrap()), "planted-a2");
    assert_eq!(scene.server.requests(), 2);
    assert!(scene.server.last().body.contains("refresh_token=planted-r1"));
    assert!(scene.store.open_spends().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_token_is_not_sent_a_third_time_nor_after_its_window_nor_before_it() {
    let turned = [(Duration::ZERO, false, 2), (WINDOW, false, 1), (Duration::from_secs(1), true, 1)];
    for (by, back, requests) in turned {
        let permitted = Arc::new(Semaphore::new(0));
        let scene = Scene::rotating(no_answer(&permitted), Rotation::Reuse(WINDOW)).await;
        let caller = asks(&scene, &scene.refresher).await;
        scene.server.came(1).await;
        scene.clock.set(if back { NOW.minus(by) } else { NOW.plus(by) });
        permitted.add_permits(5);
        assert_eq!(caller.await.unwrap().err().unwrap().code(), "outcome_unknown");
        assert_eq!(scene.server.requests(), requests, "{by:?}");
        assert_eq!(disconnected(&scene).await.as_deref(), Some("outcome_unknown"));
    }
}

#[tokio::test]
async fn where_refresh_tokens_do_not_rotate_no_answer_is_a_failure_like_any_other() {
    let scene = Scene::rotating(Answer::Bytes(Vec::new()), Rotation::None).await;
    assert_eq!(scene.code().await, "provider_down");
    assert_eq!(disconnected(&scene).await, None);
    scene.server.answer(second_tokens());
    scene.clock.advance(LONG);
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
}

#[tokio::test]
async fn a_grant_without_a_refresh_token_is_repeated_freely() {
    let more = "      grantType: client_credentials";
    let credentials = serde_json::json!({"access_token": "planted-a1", "refresh_token": "not used"});
    let scene = Scene::with(Answer::Bytes(Vec::new()), more, credentials).await;
    assert_eq!(scene.code().await, "provider_down");
    scene.server.answer(second_tokens());
    scene.clock.advance(LONG);
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
}

/// The holder of the lease stands still in the middle of its exchange, and its lease ends.
async fn stopped_in_the_middle(
    rotation: Rotation,
) -> (Scene, Arc<Semaphore>, JoinHandle<Result<Opened, RefreshError>>) {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::rotating(when(&permitted, second_tokens()), rotation).await;
    let stopped = asks(&scene, &scene.refresher).await;
    scene.server.came(1).await;
    scene.server.answer(third_tokens());
    scene.clock.advance(LONG);
    (scene, permitted, stopped)
}

#[tokio::test]
async fn a_holder_that_comes_back_after_another_exchange_is_refused_by_the_store() {
    let (scene, permitted, stopped) = stopped_in_the_middle(Rotation::Reuse(WINDOW)).await;
    let other = scene.replica().fresh(scene.opened().await).await.unwrap();
    assert_eq!(access_token(&other), "planted-a3");
    permitted.add_permits(1);
    assert_eq!(access_token(&stopped.await.unwrap().unwrap()), "planted-a3");
    assert_eq!(scene.stored().await["refresh_token"], "planted-r3");
    assert_eq!(scene.opened().await.connection.version, Version(2));
}

#[tokio::test]
async fn a_holder_that_comes_back_during_another_exchange_stores_nothing() {
    let (scene, permitted, stopped) = stopped_in_the_middle(Rotation::Reuse(WINDOW)).await;
    let permitted_later = Arc::new(Semaphore::new(0));
    scene.server.answer(when(&permitted_later, third_tokens()));
    let other = scene.replica();
    let caller = asks(&scene, &other).await;
    scene.server.came(2).await;
    stopped.abort();
    permitted.add_permits(1);
    scene.refresher.settle().await;
    assert_eq!(scene.stored().await, first_credentials());
    permitted_later.add_permits(1);
    assert_eq!(access_token(&caller.await.unwrap().unwrap()), "planted-a3");
    assert_eq!(scene.stored().await["refresh_token"], "planted-r3");
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn a_holder_that_comes_back_ends_the_doubt_if_nothing_was_sent_since() {
    let (scene, permitted, stopped) = stopped_in_the_middle(Rotation::Strict).await;
    let error = scene.replica().fresh(scene.opened().await).await.err().unwrap();
    assert_eq!(error.code(), "outcome_unknown");
    assert_eq!(disconnected(&scene).await.as_deref(), Some("outcome_unknown"));
    permitted.add_permits(1);
    assert_eq!(access_token(&stopped.await.unwrap().unwrap()), "planted-a2");
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    assert_eq!(disconnected(&scene).await, None);
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test]
async fn whoever_finds_the_lease_held_waits_for_what_it_brings() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let first = asks(&scene, &scene.refresher).await;
    scene.server.came(1).await;
    let another = scene.replica();
    let second = asks(&scene, &another).await;
    permitted.add_permits(1);
    for caller in [first, second] {
        assert_eq!(access_token(&caller.await.unwrap().unwrap()), "planted-a2");
    }
    assert_eq!(scene.server.requests(), 1);
    assert_ne!(scene.stored().await, first_credentials());
}

#[tokio::test]
async fn whoever_waits_for_a_lease_does_not_hold_up_a_stop() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let _first = asks(&scene, &scene.refresher).await;
    scene.server.came(1).await;
    let another = scene.replica();
    let second = asks(&scene, &another).await;
    tokio::task::yield_now().await;
    another.drain().await;
    assert_eq!(second.await.unwrap().err().unwrap().code(), "stopping");
}
