//! Bodies on their way, in both directions.

use super::*;

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn a_response_cut_short_is_an_error_and_not_an_end() {
    let upstream = Upstream::new().await;
    let sent = sending(&pool(&upstream), get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n").await;
    let response = answered(sent).await;
    drop(peer);
    assert!(soon(response.into_body().collect()).await.is_err());
}

#[tokio::test]
async fn bodies_stream_in_chunks_both_ways_at_once() {
    let upstream = Upstream::new().await;
    let (feed, body) = fed();
    let sent = sending(&pool(&upstream), request("POST", "/", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    feed.send(Ok("ping".into())).await.unwrap();
    assert_eq!(peer.until("ping\r\n").await, "4\r\nping\r\n");
    peer.say("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npong\r\n").await;
    let mut response = answered(sent).await;
    let piece = soon(response.body_mut().frame()).await.unwrap().unwrap();
    assert_eq!(piece.into_data().unwrap(), "pong");
    // Whoever reads the answer drives the upload as well.
    let reading = tokio::spawn(text(response.into_body()));
    feed.send(Ok("ping again".into())).await.unwrap();
    assert_eq!(peer.until("again\r\n").await, "A\r\nping again\r\n");
    drop(feed);
    assert_eq!(peer.until("\r\n\r\n").await, "0\r\n\r\n");
    peer.say("0\r\n\r\n").await;
    assert_eq!(soon(reading).await.unwrap(), "");
}

#[tokio::test]
async fn a_chunked_get_keeps_its_body() {
    let upstream = Upstream::new().await;
    let (feed, body) = fed();
    let sent = sending(&pool(&upstream), request("GET", "/", body));
    feed.send(Ok("q".into())).await.unwrap();
    drop(feed);
    let mut peer = upstream.accept().await;
    peer.head().await;
    assert_eq!(peer.until("0\r\n\r\n").await, "1\r\nq\r\n0\r\n\r\n");
    sent.abort();
}

#[tokio::test]
async fn a_mebibyte_goes_up_and_comes_down() {
    let upstream = Upstream::new().await;
    let sent = sending(&pool(&upstream), request("PUT", "/", Body::full("u".repeat(MIB))));
    let mut peer = upstream.accept().await;
    assert!(peer.head().await.contains("content-length: 1048576\r\n"));
    let up = peer.bytes(MIB).await;
    assert!(up.iter().all(|byte| *byte == b'u'));
    let serving = tokio::spawn(async move {
        peer.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {MIB}\r\n\r\n{}", "d".repeat(MIB))).await;
        peer
    });
    let response = answered(sent).await;
    assert_eq!(response.body().size_hint().exact(), Some(MIB as u64));
    assert_eq!(text(response.into_body()).await, "d".repeat(MIB));
    soon(serving).await.unwrap();
}

#[tokio::test]
async fn an_unread_download_holds_the_upstream_back() {
    let upstream = Upstream::new().await;
    let sent = sending(&pool(&upstream), get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    let total = 64 * MIB;
    peer.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {total}\r\n\r\n")).await;
    let response = answered(sent).await;
    let written = write_until_held_back(&mut peer, total).await;
    assert!(written < total / 2, "{written} bytes were taken although nobody read");
    let finishing = tokio::spawn(async move {
        let rest = vec![b'd'; total - written];
        soon(peer.stream.write_all(&rest)).await.unwrap();
    });
    let read = soon(response.into_body().collect()).await.unwrap().to_bytes().len();
    assert_eq!(read, total);
    soon(finishing).await.unwrap();
}

async fn write_until_held_back(peer: &mut Peer<tokio::net::TcpStream>, total: usize) -> usize {
    let piece = vec![b'd'; 64 * 1024];
    let mut written = 0;
    while written < total {
        let length = piece.len().min(total - written);
        match tokio::time::timeout(Duration::from_millis(200), peer.stream.write(&piece[..length])).await {
            Ok(length) => written += length.unwrap(),
            Err(_) => break,
        }
    }
    written
}

#[tokio::test]
async fn an_upload_that_nobody_reads_holds_the_caller_back() {
    let upstream = Upstream::new().await;
    let (feed, body) = fed();
    let sent = sending(&pool(&upstream), request("PUT", "/", body));
    let _peer = upstream.accept().await;
    let piece = Bytes::from(vec![b'u'; 64 * 1024]);
    let mut taken = 0;
    while tokio::time::timeout(Duration::from_millis(200), feed.send(Ok(piece.clone()))).await.is_ok() {
        taken += piece.len();
        assert!(taken < 64 * MIB, "{taken} bytes were taken although nobody read");
    }
    sent.abort();
}

#[tokio::test]
async fn a_broken_upload_is_the_callers_and_reaches_the_upstream_as_one() {
    let upstream = Upstream::new().await;
    let (feed, body) = fed();
    let sent = sending(&pool(&upstream), request("POST", "/", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    feed.send(Ok("part".into())).await.unwrap();
    assert_eq!(peer.until("part\r\n").await, "4\r\npart\r\n");
    feed.send(Err("client left".into())).await.unwrap();
    assert!(matches!(refused(sent).await, SendError::RequestBody(_)));
    assert_eq!(peer.rest().await, "", "no last chunk makes it look whole");
}

#[tokio::test]
async fn h31_an_early_answer_ends_the_upload_and_its_connection() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let (feed, body) = fed();
    let sent = sending(&pool, request("POST", "/", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await;
    assert_eq!(text(answered(sent).await.into_body()).await, "no");
    assert_eq!(peer.rest().await, "", "it is closed without an end that would make the body look whole");
    soon(feed.closed()).await;
    assert_eq!(pool.home.idle.len(), 0);
}

#[tokio::test]
async fn h31_an_early_answer_streams_while_the_upload_goes_on() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let (feed, body) = fed();
    let sent = sending(&pool, request("POST", "/", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n").await;
    let mut body = answered(sent).await.into_body();
    let reading = tokio::spawn(async move { body.frame().await.unwrap().unwrap().into_data().unwrap() });
    feed.send(Ok("more".into())).await.unwrap();
    assert_eq!(peer.until("more\r\n").await, "4\r\nmore\r\n");
    drop(feed);
    assert_eq!(peer.until("\r\n\r\n").await, "0\r\n\r\n");
    peer.say("thanks").await;
    assert_eq!(soon(reading).await.unwrap(), "thanks");
    assert_eq!(pool.home.idle.len(), 1, "both have ended, so it is kept");
}

#[tokio::test]
async fn h31_an_answer_to_an_upload_that_is_refused_is_heard() {
    let upstream = Upstream::new().await;
    let (feed, body) = fed();
    let sent = sending(&pool(&upstream), request("POST", "/", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno").await;
    drop(peer);
    feed.send(Ok(Bytes::from(vec![b'u'; MIB]))).await.ok();
    assert_eq!(answered(sent).await.status(), 401);
}

#[tokio::test]
async fn a_body_of_another_length_than_it_says_is_the_callers_fault() {
    for (said, sent) in [(5, "four"), (3, "four")] {
        let upstream = Upstream::new().await;
        let sending =
            sending(&pool(&upstream), request("POST", "/", Body::boxed(Said(said, Body::full(sent)))));
        let mut peer = upstream.accept().await;
        assert!(matches!(refused(sending).await, SendError::RequestBody(_)), "{said}");
        assert!(!peer.rest().await.ends_with("four!"));
    }
}

/// A body that says a length of its own.
struct Said(u64, Body);

impl HttpBody for Said {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        std::pin::Pin::new(&mut self.1).poll_frame(cx)
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        hyper::body::SizeHint::with_exact(self.0)
    }
}
