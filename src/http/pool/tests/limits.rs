//! Time limits, refusals, and how much is kept.

use super::*;

#[tokio::test]
async fn a_silent_upstream_is_given_up_and_left() {
    let upstream = Upstream::new().await;
    let limited = Settings { response_head_timeout: Duration::from_millis(50), ..settings() };
    let sent = sending(&pool_with(&upstream, limited), get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    assert!(matches!(refused(sent).await, SendError::HeadTimeout));
    assert_eq!(peer.rest().await, "");
}

#[tokio::test]
async fn a_body_that_stands_still_is_an_error_and_one_that_moves_is_not_cut() {
    let upstream = Upstream::new().await;
    let limited = Settings { body_idle_timeout: Duration::from_millis(500), ..settings() };
    let sent = sending(&pool_with(&upstream, limited), get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await;
    let mut body = answered(sent).await.into_body();
    // Longer than the limit in all, each pause far shorter.
    for _ in 0..8 {
        peer.say("piece").await;
        assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "piece");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(soon(body.frame()).await.unwrap().is_err());
    assert_eq!(peer.rest().await, "", "the connection is closed");
}

#[tokio::test]
async fn an_upload_that_moves_is_not_cut_and_one_that_stands_still_is() {
    let upstream = Upstream::new().await;
    let limited = Settings { response_head_timeout: Duration::from_millis(500), ..settings() };
    let (feed, body) = fed();
    let sent = sending(&pool_with(&upstream, limited), request("PUT", "/", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    // Longer than the limit in all, each pause far shorter.
    for _ in 0..8 {
        feed.send(Ok("piece".into())).await.unwrap();
        peer.until("piece\r\n").await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!sent.is_finished());
    assert!(matches!(refused(sent).await, SendError::HeadTimeout));
}

#[tokio::test]
async fn what_refuses_connections_is_told_apart() {
    let upstream = Upstream::new().await;
    let origin = upstream.origin();
    drop(upstream);
    let error = Pool::new(origin, settings()).send(get()).await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error}");
    let nowhere = Origin::Unix(Path::new("/nonexistent/app.sock").into());
    let error = Pool::new(nowhere, settings()).send(get()).await.unwrap_err();
    assert!(matches!(error, SendError::Connect(_)), "{error}");
}

#[tokio::test]
async fn what_is_not_http_is_a_broken_connection() {
    let upstream = Upstream::new().await;
    let sent = sending(&pool(&upstream), get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("SSH-2.0-OpenSSH_9.2\r\n").await;
    assert!(matches!(refused(sent).await, SendError::Broken(_)));
}

#[tokio::test]
async fn the_guard_refuses_before_anything_is_dialled() {
    let upstream = Upstream::new().await;
    let guarded = |egress| Settings { egress: Some(Guard { egress, names: Names::default() }), ..settings() };
    let plain = pool_with(&upstream, guarded(Egress::default())).send(get()).await.unwrap_err();
    assert!(matches!(plain, SendError::Egress(EgressError::Plain)), "{plain}");
    let private = guarded(Egress { allow_private: false, allow_plain: true });
    let refused = pool_with(&upstream, private).send(get()).await.unwrap_err();
    assert!(
        matches!(refused, SendError::Egress(EgressError::Refused { class: Class::Loopback, .. })),
        "{refused}"
    );
    let socket = Origin::Unix(Path::new("/run/app.sock").into());
    let refused =
        Pool::new(socket, guarded(Egress { allow_private: true, allow_plain: true })).send(get()).await;
    assert!(matches!(refused, Err(SendError::Egress(EgressError::UnixSocket))));
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn without_idle_connections_each_request_makes_its_own() {
    let upstream = Upstream::new().await;
    let pool = pool_with(&upstream, Settings { max_idle: 0, ..settings() });
    for _ in 0..3 {
        let sent = sending(&pool, get());
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        assert_eq!(text(answered(sent).await.into_body()).await, "ok");
        assert_eq!(peer.rest().await, "", "it is closed");
    }
}

#[tokio::test]
async fn the_oldest_goes_where_more_come_back_than_are_kept() {
    let upstream = Upstream::new().await;
    let pool = pool_with(&upstream, Settings { max_idle: 1, ..settings() });
    let (first, second) = (sending(&pool, get()), sending(&pool, get()));
    let (mut one, mut other) = (upstream.accept().await, upstream.accept().await);
    one.head().await;
    other.head().await;
    one.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    other.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    answered(first).await;
    answered(second).await;
    let closed = tokio::select! {
        rest = one.rest() => rest,
        rest = other.rest() => rest,
    };
    assert_eq!(closed, "");
    assert_eq!(pool.home.idle.len(), 1);
}

#[tokio::test]
async fn an_unused_connection_is_closed_after_its_time() {
    let upstream = Upstream::new().await;
    let pool = pool_with(&upstream, Settings { idle_timeout: Duration::from_millis(50), ..settings() });
    let sent = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    answered(sent).await;
    assert_eq!(peer.rest().await, "", "it is closed");
    assert_eq!(pool.home.idle.len(), 0);
}
