//! A kept connection that turned out to be gone.

use super::played::pool_of;
use super::*;
use crate::http::pool::stream::Stream;

/// Sends on a connection that is gone once `takes` bytes were written, with `upstream` to dial.
async fn on_a_stale_one(request: Request<Body>, takes: usize) -> (Result<u16, SendError>, Option<String>) {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    pool.home.idle.put(Connection::new(Stream::Played(Played::stale(takes))));
    let sent = sending(&pool, request);
    let answering = async {
        let mut peer = upstream.accept().await;
        let mut seen = peer.head().await;
        if seen.contains("transfer-encoding") {
            seen += &peer.until("0\r\n\r\n").await;
        }
        peer.say("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
        seen
    };
    let mut sent = std::pin::pin!(sent);
    let seen = tokio::select! {
        seen = answering => Some(seen),
        sent = &mut sent => return (sent.unwrap().map(|response| response.status().as_u16()), None),
    };
    (soon(sent).await.unwrap().map(|response| response.status().as_u16()), seen)
}

#[tokio::test]
async fn what_was_not_written_is_sent_again_whatever_it_is() {
    let (feed, body) = fed();
    feed.send(Ok("hello".into())).await.unwrap();
    drop(feed);
    let (status, seen) = on_a_stale_one(request("POST", "/", body), 0).await;
    assert_eq!(status.unwrap(), 201);
    assert!(seen.unwrap().ends_with("transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
    let (status, seen) = on_a_stale_one(request("POST", "/", Body::full("hello")), 0).await;
    assert_eq!(status.unwrap(), 201);
    assert_eq!(seen.unwrap(), "POST / HTTP/1.1\r\nhost: upstream.test\r\ncontent-length: 5\r\n\r\n");
}

#[tokio::test]
async fn what_may_be_sent_twice_and_is_in_memory_is_sent_again() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
        for takes in [3, usize::MAX] {
            let (status, seen) = on_a_stale_one(request(method, "/", Body::empty()), takes).await;
            assert_eq!(status.unwrap(), 201, "{method}");
            assert_eq!(seen.unwrap(), format!("{method} / HTTP/1.1\r\nhost: upstream.test\r\n\r\n"));
        }
    }
    let (status, _) = on_a_stale_one(request("PUT", "/", Body::full("whole")), usize::MAX).await;
    assert_eq!(status.unwrap(), 201);
}

#[tokio::test]
async fn what_may_have_been_acted_on_is_not_sent_again() {
    for method in ["POST", "PATCH", "BREW"] {
        let (status, seen) = on_a_stale_one(request(method, "/", Body::empty()), usize::MAX).await;
        assert!(matches!(status, Err(SendError::Broken(_))), "{method}");
        assert_eq!(seen, None);
    }
    let (feed, body) = fed();
    feed.send(Ok("once".into())).await.unwrap();
    drop(feed);
    let (status, _) = on_a_stale_one(request("PUT", "/", body), 1).await;
    assert!(matches!(status, Err(SendError::Broken(_))), "its body is gone");
}

#[tokio::test]
async fn a_response_that_began_is_not_asked_for_again() {
    for begun in ["H", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let upstream = Upstream::new().await;
        let pool = pool(&upstream);
        let played = Played::new([begun.as_bytes().to_vec()], true);
        pool.home.idle.put(Connection::new(Stream::Played(played)));
        assert!(matches!(soon(pool.send(get())).await, Err(SendError::Broken(_))));
        assert!(upstream.is_left_alone().await);
    }
}

#[tokio::test]
async fn a_second_connection_that_is_gone_is_the_end() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    pool.home.idle.put(Connection::new(Stream::Played(Played::stale(0))));
    let sent = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    drop(peer);
    assert!(matches!(refused(sent).await, SendError::Broken(_)));
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn only_a_tenth_of_all_requests_is_sent_again() {
    let pool = pool_of(Played::stale(0));
    let again = (0..100).filter(|_| pool.home.idle.may_send_again()).count();
    assert_eq!(again, 10, "what was saved");
    for _ in 0..20 {
        pool.home.idle.take();
    }
    let again = (0..100).filter(|_| pool.home.idle.may_send_again()).count();
    assert_eq!(again, 2);
}
