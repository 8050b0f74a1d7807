//! Those who wait for an exchange: how long, and what becomes of it when they leave or Sidegate stops.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_leave_do_not_stop_the_exchange() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let seen = scene.opened().await;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (refresher, seen) = (Arc::clone(&scene.refresher), seen.clone());
        callers.spawn(async move { refresher.fresh(seen).await });
    }
    scene.server.came(1).await;
    callers.shutdown().await;
    permitted.add_permits(1);
    scene.refresher.drain().await;
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_hang_up_after_a_millisecond_cost_nothing() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let answers = scene.crowd(|refresher, seen| async move {
        let patience = Duration::from_millis(1);
        tokio::time::timeout(patience, refresher.fresh(seen)).await.unwrap_or(Err(RefreshError::Stopping))
    });
    assert!(answers.await.iter().all(Result::is_err));
    permitted.add_permits(1);
    scene.refresher.settle().await;
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test]
async fn a_caller_stops_waiting_before_a_slow_exchange_does() {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let wait = Duration::from_secs(60);
    scene.set(RefreshSettings { wait, ..RefreshSettings::default() });
    let (refresher, seen) = (Arc::clone(&scene.refresher), scene.opened().await);
    let begun = Instant::now();
    let caller = tokio::spawn(async move { refresher.fresh(seen).await });
    scene.server.came(1).await;
    tokio::time::pause(); // and with nothing else to do, the runtime skips to the next timer
    assert_eq!(caller.await.unwrap().err().unwrap().code(), "provider_down");
    assert!(begun.elapsed() >= wait, "{:?}", begun.elapsed());
    tokio::time::resume();
    permitted.add_permits(1);
    scene.refresher.drain().await;
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
}

#[tokio::test]
async fn after_the_drain_no_exchange_begins() {
    let scene = Scene::start(second_tokens()).await;
    scene.refresher.drain().await;
    assert_eq!(scene.code().await, "stopping");
    assert_eq!(scene.server.requests(), 0);
}
