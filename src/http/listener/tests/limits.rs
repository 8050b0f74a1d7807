//! What a connection may take.

use super::*;

#[tokio::test]
async fn a_slow_head_is_closed_and_so_is_silence() {
    let running = run(&with_limits(|limits| limits.request_head = Duration::from_millis(100)));
    let mut silent = running.connect().await;
    assert_eq!(silent.rest().await, "");
    let mut slow = running.connect().await;
    slow.say("GET / HTTP/1.1\r\nhost: a\r\n").await;
    assert_eq!(slow.rest().await, "");
    let mut second = running.connect().await;
    assert_eq!(ask(&mut second, "/").await, "ok");
    second.say("GET / HTT").await;
    assert_eq!(second.rest().await, "", "a later head has no more time than the first");
    assert_eq!(running.handler.served.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_client_that_drips_a_head_gains_no_time() {
    let running = run(&with_limits(|limits| limits.request_head = Duration::from_millis(200)));
    let mut peer = running.connect().await;
    let dripping = async {
        loop {
            if tokio::io::AsyncWriteExt::write_all(&mut peer.stream, b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(dripping).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_its_time_and_a_long_answer_is_not() {
    let running = run(&with_limits(|limits| {
        limits.request_head = Duration::from_millis(100);
        limits.keep_alive = Duration::from_millis(100);
    }));
    let mut peer = running.connect().await;
    peer.say("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    soon(running.handler.held.notified()).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    running.handler.go_on.notify_one();
    assert!(peer.until("held").await.starts_with("HTTP/1.1 200 OK"));
    assert_eq!(peer.rest().await, "", "nothing follows, so it is closed");
}

#[tokio::test]
async fn an_idle_connection_has_longer_than_a_head() {
    let running = run(&with_limits(|limits| {
        limits.request_head = Duration::from_millis(50);
        limits.keep_alive = Duration::from_secs(60);
    }));
    let mut peer = running.connect().await;
    assert_eq!(ask(&mut peer, "/").await, "ok");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(ask(&mut peer, "/").await, "ok");
}

#[tokio::test]
async fn h15_h16_too_many_or_too_long_headers_are_431() {
    let running = run(&with_limits(|limits| limits.max_head_bytes = 16 * 1024));
    let many = "x: y\r\n".repeat(101);
    let long = format!("x: {}\r\n", "y".repeat(17 * 1024));
    for headers in [many, long] {
        let mut peer = running.connect().await;
        peer.say(&format!("GET / HTTP/1.1\r\nhost: a\r\n{headers}\r\n")).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 431 "));
    }
    assert_eq!(running.handler.served.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn empty_lines_before_a_head_are_no_part_of_it() {
    let running = run(&with_limits(|limits| limits.max_head_bytes = 1024));
    let mut peer = running.connect().await;
    peer.say(&"\r\n".repeat(4096)).await;
    assert_eq!(ask(&mut peer, "/").await, "ok");
    peer.say("\n").await;
    peer.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(peer.head().await.starts_with("HTTP/1.1 400 "));
}

#[tokio::test]
async fn beyond_the_cap_connections_wait_their_turn() {
    let running = run(&with_limits(|limits| limits.max_connections = 1));
    let mut first = running.connect().await;
    assert_eq!(ask(&mut first, "/").await, "ok");
    let mut second = running.connect().await;
    second.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(ask(&mut first, "/").await, "ok");
    assert_eq!(running.handler.served.load(Ordering::Relaxed), 2, "the second still waits");
    drop(first);
    assert!(second.until("ok").await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_client_that_stops_reading_is_closed_and_a_slow_one_is_not() {
    let running = run(&with_limits(|limits| limits.stream_idle = Duration::from_millis(250)));
    let mut peer = running.connect().await;
    peer.say("GET /large HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    peer.head().await;
    for _ in 0..8 {
        peer.bytes(4 * 1024 * 1024).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let rest = peer.rest().await.len();
    assert!(rest < LARGE / 4, "{rest} bytes came although nobody read for so long");
}

#[tokio::test]
async fn who_had_connected_before_a_stop_is_answered_though_nobody_had_accepted_it() {
    let running = run(&with_limits(|limits| limits.max_connections = 1));
    let mut first = running.connect().await;
    first.say("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    soon(running.handler.held.notified()).await;
    let (mut second, mut silent) = (running.connect().await, running.connect().await);
    second.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    running.stop.cancel();
    let answer = second.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("connection: close\r\n"), "{answer}");
    assert_eq!(silent.rest().await, "", "who says nothing is let go");
    running.handler.go_on.notify_one();
    assert!(first.rest().await.ends_with("held"));
    soon(running.task).await.unwrap().unwrap();
}
