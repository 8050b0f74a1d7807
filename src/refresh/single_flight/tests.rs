use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::clock::Timestamp;
use crate::refresh::tests::opened;

fn id() -> ConnectionId {
    ConnectionId::from("c")
}

fn some() -> Outcome {
    Ok(opened("c", Timestamp::from_secs(0)))
}

#[tokio::test]
async fn callers_share_a_flight_and_the_next_starts_another() {
    let (flights, started) = (SingleFlight::new(Handle::current()), Arc::new(AtomicUsize::new(0)));
    let join = || {
        let started = Arc::clone(&started);
        flights.join(&id(), move |landing| async move {
            started.fetch_add(1, Ordering::Relaxed);
            landing.land(some());
        })
    };
    let seats: Vec<_> = (0..500).map(|_| join()).collect();
    for seat in seats {
        seat.outcome().await.unwrap();
    }
    assert_eq!(started.load(Ordering::Relaxed), 1);
    join().outcome().await.unwrap();
    assert_eq!(started.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_flight_that_nobody_waits_for_lands_and_is_drained() {
    let (flights, go) = (SingleFlight::new(Handle::current()), Arc::new(Notify::new()));
    let landed = Arc::new(AtomicUsize::new(0));
    let (gate, done) = (Arc::clone(&go), Arc::clone(&landed));
    drop(flights.join(&id(), move |landing| async move {
        gate.notified().await;
        done.fetch_add(1, Ordering::Relaxed);
        landing.land(some());
    }));
    go.notify_one();
    flights.drain().await;
    assert_eq!(landed.load(Ordering::Relaxed), 1);
    assert!(lock(&flights.flights).is_empty());
}

#[tokio::test]
async fn what_is_announced_reaches_those_who_come_later() {
    let (flights, go) = (SingleFlight::new(Handle::current()), Arc::new(Notify::new()));
    let gate = Arc::clone(&go);
    let first = flights.join(&id(), move |landing| async move {
        landing.announce(some());
        gate.notified().await;
        landing.land(some());
    });
    first.outcome().await.unwrap();
    assert!(flights.announced(&id()).is_some());
    flights.join(&id(), |_| async { unreachable!("a second flight") }).outcome().await.unwrap();
    go.notify_one();
    flights.drain().await;
    assert!(flights.announced(&id()).is_none());
}

#[tokio::test]
async fn a_flight_that_breaks_has_an_unknown_outcome_and_makes_room() {
    let flights = SingleFlight::new(Handle::current());
    let seat = flights.join(&id(), |landing| async move {
        drop(landing);
    });
    let error = seat.outcome().await.expect_err("no outcome");
    assert_eq!(error.code(), "outcome_unknown");
    flights.join(&id(), |landing| async { landing.land(some()) }).outcome().await.unwrap();
}

#[test]
fn a_runtime_that_has_shut_down_is_an_unknown_outcome() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let flights = SingleFlight::new(runtime.handle().clone());
    drop(runtime);
    let seat = flights.join(&id(), |landing| async { landing.land(some()) });
    let waiting = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(waiting.block_on(seat.outcome()).is_err());
}
