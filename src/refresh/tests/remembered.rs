//! What outlives a restart, and what a connection says of its refreshes.

use super::*;
use crate::store::FailureClass;

fn refusal(status: &str, code: &str) -> Answer {
    reply(status, "application/json", &format!(r#"{{"error":"{code}"}}"#))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_grant_under_ten_thousand_requests_costs_one_exchange_also_after_a_restart() {
    let mut scene = Scene::start(refusal("400 Bad Request", "invalid_grant")).await;
    for restart in [false, true] {
        if restart {
            scene = scene.restarted();
        }
        for _ in 0..10_000 / CALLERS {
            let answers = scene.crowd(|refresher, seen| async move { refresher.force(&seen).await }).await;
            assert!(
                answers
                    .iter()
                    .all(|answer| answer.as_ref().err().map(RefreshError::code) == Some("needs_reconnect"))
            );
        }
    }
    assert_eq!(scene.server.requests(), 1);
    let connection = &scene.opened().await.connection;
    let failure = connection.refresh_failure().unwrap();
    assert_eq!((failure.class, failure.next_try), (FailureClass::DeadGrant, None));
    assert_eq!(connection.refreshing.exchanges, 1);
}

#[tokio::test]
async fn a_restart_in_an_outage_does_not_ask_before_the_pause_is_over() {
    let scene = Scene::start(reply("503 Service Unavailable", "text/plain", "")).await;
    for exchanges in 1..=5 {
        assert_eq!(scene.code().await, "provider_down");
        assert_eq!(scene.server.requests(), exchanges);
        scene.clock.set(scene.next_try().await);
    }
    scene.clock.set(scene.next_try().await.minus(Duration::from_secs(1)));
    let scene = scene.restarted();
    assert_eq!(scene.code().await, "provider_down");
    assert_eq!(scene.server.requests(), 5);
    let failure = scene.opened().await.connection.refresh_failure().unwrap().clone();
    assert_eq!((failure.class, failure.in_a_row, failure.since), (FailureClass::Transient, 5, NOW));
    assert_eq!(scene.opened().await.connection.refreshing.exchanges, 5);
}

#[tokio::test]
async fn a_success_ends_the_memory_of_failures_and_is_counted() {
    let scene = Scene::start(reply("503 Service Unavailable", "text/plain", "")).await;
    assert_eq!(scene.code().await, "provider_down");
    scene.server.answer(second_tokens());
    scene.clock.set(scene.next_try().await);
    let refreshing = scene.fresh().await.unwrap().connection.refreshing.clone();
    assert_eq!((refreshing.exchanges, refreshing.failure), (2, None));
}

#[tokio::test]
async fn requests_that_meet_a_pause_write_nothing() {
    let scene = Scene::start(reply("503 Service Unavailable", "text/plain", "")).await;
    assert_eq!(scene.code().await, "provider_down");
    let written = scene.opened().await.connection.updated_at;
    scene.clock.advance(Duration::from_millis(1));
    for _ in 0..10 {
        assert_eq!(scene.code().await, "provider_down");
    }
    assert_eq!(scene.opened().await.connection.updated_at, written);
}

#[tokio::test]
async fn a_refusal_that_nobody_understands_ends_the_grant_after_ten_in_a_day() {
    let scene = Scene::start(refusal("400 Bad Request", "e_17")).await;
    let day = Duration::from_secs(24 * 3600);
    for _ in 0..9 {
        assert_eq!(scene.code().await, "outcome_unknown");
        scene.clock.set(scene.next_try().await);
    }
    assert_eq!(scene.code().await, "outcome_unknown", "the tenth, but within an hour");
    scene.clock.set(NOW.plus(day));
    let scene = scene.restarted();
    assert_eq!(scene.code().await, "needs_reconnect");
    let Health::Disconnected { message, .. } = scene.opened().await.connection.health.clone() else {
        panic!("not disconnected")
    };
    assert!(message.starts_with("refused 11 times since 2027-01-15T08:00:00.000Z"), "{message}");
    scene.clock.advance(day);
    assert_eq!(scene.code().await, "needs_reconnect");
    assert_eq!(scene.server.requests(), 11);
}
