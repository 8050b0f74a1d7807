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
async fn a_response_with_two_framings_keeps_the_one_that_was_obeyed() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let sent = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say(
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )
    .await;
    let response = answered(sent).await;
    assert!(!response.headers().contains_key("content-length"));
    assert!(!response.headers().contains_key("transfer-encoding"));
    assert_eq!(text(response.into_body()).await, "hello");
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
    feed.send(Ok("ping again".into())).await.unwrap();
    assert_eq!(peer.until("again\r\n").await, "A\r\nping again\r\n");
    drop(feed);
    assert_eq!(peer.until("\r\n\r\n").await, "0\r\n\r\n");
    peer.say("0\r\n\r\n").await;
    assert_eq!(text(response.into_body()).await, "");
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
async fn an_early_answer_keeps_the_connection_busy_until_the_upload_is_over() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let (feed, body) = fed();
    let sent = sending(&pool, request("POST", "/", body));
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await;
    assert_eq!(text(answered(sent).await.into_body()).await, "no");
    let next = sending(&pool, get());
    let mut other = upstream.accept().await;
    other.head().await;
    next.abort();
    drop(feed);
    assert_eq!(peer.until("\r\n\r\n").await, "0\r\n\r\n");
}
