use super::*;
use crate::connector::RefreshSettings;
use crate::oauth::hostile_server::reply;
use crate::refresh::tests::scene::{HOUR, NOW, Scene, second_tokens};
use crate::refresh::tests::{connection, integration};
use crate::store::{FailureClass, RefreshFailure};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A scene with `more` further connections, all fresh and to be kept alive within a week.
async fn scene(more: usize) -> Scene {
    let scene = Scene::start(second_tokens()).await;
    for other in 0..more {
        scene.another(&format!("c{}", other + 2)).await;
    }
    scene.set(RefreshSettings { keep_alive: Some(WEEK), ..RefreshSettings::default() });
    scene
}

async fn round(scene: &Scene) {
    scene.refresher.round(&CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn what_nobody_uses_is_refreshed_before_the_time_is_over_and_spread_over_its_last_quarter() {
    let scene = scene(39).await;
    scene.clock.set(NOW.plus(WEEK / 4 * 3).minus(HOUR));
    round(&scene).await;
    assert_eq!(scene.server.requests(), 0);
    let mut grown = Vec::new();
    for _ in 0..=7 * 6 + 1 {
        let before = scene.server.requests();
        round(&scene).await;
        grown.push(scene.server.requests() - before);
        scene.clock.advance(HOUR);
    }
    assert_eq!(scene.server.requests(), 40, "each of them once");
    assert!(grown.iter().all(|exchanges| *exchanges <= 8), "{grown:?}");
}

#[tokio::test]
async fn a_restart_keeps_the_schedule() {
    let scene = scene(0).await;
    scene.clock.advance(WEEK);
    round(&scene).await;
    let scene = scene.restarted();
    scene.set(RefreshSettings { keep_alive: Some(WEEK), ..RefreshSettings::default() });
    round(&scene).await;
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test]
async fn only_what_the_integration_wants_kept_alive_is() {
    let scene = Scene::start(second_tokens()).await;
    scene.clock.advance(WEEK * 10);
    round(&scene).await;
    assert_eq!(scene.server.requests(), 0);
}

#[tokio::test]
async fn an_outage_costs_a_round_no_exchange_for_each_connection() {
    let scene = scene(99).await;
    scene.server.answer(reply("503 Service Unavailable", "text/plain", ""));
    scene.clock.advance(WEEK);
    round(&scene).await;
    assert!((1..=2 * AT_ONCE).contains(&scene.server.requests()), "{}", scene.server.requests());
}

#[tokio::test]
async fn a_round_counts_all_connections_and_keeps_those_that_are_not_well() {
    let scene = scene(2).await;
    scene.server.answer(reply("400 Bad Request", "application/json", r#"{"error":"invalid_grant"}"#));
    assert_eq!(scene.code().await, "needs_reconnect");
    round(&scene).await;
    let census = scene.refresher.census();
    assert_eq!((census.at, census.counts), (Some(NOW), [2, 0, 1]));
    assert_eq!(census.unwell.iter().map(|(one, _)| one.id.as_str()).collect::<Vec<_>>(), ["c1"]);
    let metrics = scene.telemetry.metrics.render();
    assert!(metrics.contains("sidegate_customer_connections{state=\"disconnected\"} 1"), "{metrics}");
    assert!(metrics.contains("sidegate_customer_connections{state=\"ready\"} 2"), "{metrics}");
}

#[test]
fn the_next_refresh_is_by_the_tokens_end_or_by_the_schedule_and_not_within_a_pause() {
    let refresh = RefreshSettings { keep_alive: Some(WEEK), ..RefreshSettings::default() };
    let kept = Arc::into_inner(integration()).map(|it| Integration { refresh, ..it }).unwrap();
    let next = |connection: &Connection| next_refresh(connection, Some(&kept));
    let mut connection = connection("c", NOW);
    let unused = freshness::due(&connection, WEEK);
    assert_eq!(next(&connection), Some(unused), "nobody knows when the token ends");
    assert_eq!(next_refresh(&connection, Some(&integration())), None);
    connection.connected_at = Some(NOW.plus(HOUR));
    assert_eq!(next(&connection), Some(unused.plus(HOUR)), "it was connected again");
    connection.connected_at = None;
    for (refresh_at, first) in [(NOW.plus(HOUR), NOW.plus(HOUR)), (NOW.plus(WEEK), unused)] {
        connection.refresh_at = Some(refresh_at);
        assert_eq!(next(&connection), Some(first));
    }
    let failed = |next_try| RefreshFailure {
        version: connection.version,
        class: FailureClass::Transient,
        message: "x".into(),
        in_a_row: 1,
        since: NOW,
        at: NOW,
        next_try: Some(next_try),
    };
    let failures = [(unused.minus(HOUR), unused), (unused.plus(HOUR), unused.plus(HOUR))]
        .map(|(at, next)| (failed(at), next));
    for (failure, expected) in failures {
        connection.refreshing.failed(failure);
        assert_eq!(next(&connection), Some(expected));
    }
    connection.health = Health::Disconnected { code: "x".into(), message: "x".into(), at: NOW };
    assert_eq!(next(&connection), None);
}
