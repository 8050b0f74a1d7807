use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::http::egress::Class;
use crate::http::testing::{Peer, Upstream, get, request, settings, soon, text};

const MIB: usize = 1024 * 1024;

fn pool(upstream: &Upstream) -> Arc<Pool> {
    pool_with(upstream, settings())
}

fn pool_with(upstream: &Upstream, settings: Settings) -> Arc<Pool> {
    Arc::new(Pool::new(upstream.origin(), settings))
}

/// A request that is under way while the test plays the upstream.
fn sending(
    pool: &Arc<Pool>,
    request: Request<Body>,
) -> tokio::task::JoinHandle<Result<Response<Body>, SendError>> {
    let pool = Arc::clone(pool);
    tokio::spawn(async move { pool.send(request).await })
}

async fn answered(task: tokio::task::JoinHandle<Result<Response<Body>, SendError>>) -> Response<Body> {
    soon(task).await.unwrap().expect("there is a response")
}

async fn refused(task: tokio::task::JoinHandle<Result<Response<Body>, SendError>>) -> SendError {
    soon(task).await.unwrap().expect_err("there is no response")
}

/// A body fed by the test, of unknown length.
struct Fed(mpsc::Receiver<Result<Bytes, BoxError>>);

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}

fn fed() -> (mpsc::Sender<Result<Bytes, BoxError>>, Body) {
    let (feed, pieces) = mpsc::channel(1);
    (feed, Body::boxed(Fed(pieces)))
}

#[tokio::test]
async fn requests_one_after_another_share_a_connection() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let first = sending(&pool, get());
    let mut peer = upstream.accept().await;
    for (sent, length) in [(Some(first), 2), (None, 0), (None, 3)] {
        let sent = sent.unwrap_or_else(|| sending(&pool, get()));
        assert_eq!(peer.head().await, "GET / HTTP/1.1\r\nhost: upstream.test\r\n\r\n");
        let body = "x".repeat(length);
        peer.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")).await;
        assert_eq!(text(answered(sent).await.into_body()).await, body);
    }
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn answers_without_a_body_bring_their_connection_back_at_once() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let head = sending(&pool, request("HEAD", "/", Body::empty()));
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n").await;
    let response = answered(head).await;
    assert_eq!(response.headers()["content-length"], "1234", "HEAD tells the length of what GET would bring");
    assert!(response.body().is_end_stream());
    for status in ["204 No Content", "304 Not Modified"] {
        let sent = sending(&pool, get());
        peer.head().await;
        peer.say(&format!("HTTP/1.1 {status}\r\n\r\n")).await;
        assert!(answered(sent).await.body().is_end_stream());
    }
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn a_connection_in_use_is_not_shared() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let (first, second) = (sending(&pool, get()), sending(&pool, get()));
    let (mut one, mut other) = (upstream.accept().await, upstream.accept().await);
    for peer in [&mut one, &mut other] {
        peer.head().await;
        peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    }
    assert_eq!(text(answered(first).await.into_body()).await, "ok");
    assert_eq!(text(answered(second).await.into_body()).await, "ok");
}

/// A connection that is closed, but whose task has not run since, so that the pool cannot know.
async fn stale_connection() -> Sender {
    let (ours, theirs) = tokio::io::duplex(1024);
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    let mut sender: Sender = sender;
    sender.ready().await.unwrap();
    drop(theirs);
    assert!(sender.is_ready());
    sender
}

#[tokio::test]
async fn a_stale_connection_costs_one_retry_and_the_body_is_sent_whole() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let (feed, body) = fed();
    feed.send(Ok("hello".into())).await.unwrap();
    drop(feed);
    let stale = stale_connection().await;
    assert!(matches!(
        exchange::attempt(stale, request("POST", "/", Body::full("x")), settings().response_head_timeout).await,
        Ok(Attempt::Unsent(_))
    ));

    lend_out(&pool, stale_connection().await);
    let (sent, upstream_saw) = tokio::join!(pool.send(request("POST", "/", body)), async {
        let mut peer = upstream.accept().await;
        let head = peer.head().await;
        let body = peer.until("\r\n0\r\n\r\n").await;
        peer.say("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
        (head, body)
    });
    assert_eq!(sent.unwrap().status(), 201);
    assert!(upstream_saw.0.contains("transfer-encoding: chunked"), "{}", upstream_saw.0);
    assert_eq!(upstream_saw.1, "5\r\nhello\r\n0\r\n\r\n");
}

/// Puts a connection on the stack, as the end of a response does.
fn lend_out(pool: &Pool, connection: Sender) {
    pool.idle.put(connection);
}

#[tokio::test]
async fn a_new_connection_that_closes_is_not_tried_again() {
    let upstream = Upstream::new().await;
    let sent = sending(&pool(&upstream), get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    drop(peer);
    assert!(matches!(refused(sent).await, SendError::Broken(_)));
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn a_connection_that_closed_while_unused_is_passed_over() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let first = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    answered(first).await;
    drop(peer);
    let second = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    answered(second).await;
}

#[tokio::test]
async fn an_aborted_download_closes_its_connection() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let sent = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nbeginning").await;
    let mut response = answered(sent).await;
    response.body_mut().frame().await.unwrap().unwrap();
    drop(response);
    assert_eq!(peer.rest().await, "", "the upstream sees the end");
    let next = sending(&pool, get());
    upstream.accept().await.head().await;
    next.abort();
}

#[tokio::test]
async fn an_abandoned_request_closes_its_connection() {
    let upstream = Upstream::new().await;
    let sent = sending(&pool(&upstream), get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    sent.abort();
    assert_eq!(peer.rest().await, "");
}

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
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n").await;
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
    let guarded = |egress| Settings { egress: Some(egress), ..settings() };
    let plain = pool_with(&upstream, guarded(Egress::default())).send(get()).await.unwrap_err();
    assert!(matches!(plain, SendError::Egress(EgressError::Plain)), "{plain}");
    let private = guarded(Egress { allow_private: false, allow_plain: true });
    let refused = pool_with(&upstream, private).send(get()).await.unwrap_err();
    assert!(
        matches!(refused, SendError::Egress(EgressError::Refused { class: Class::Loopback, .. })),
        "{refused}"
    );
    let socket = Origin::Unix(Path::new("/run/app.sock").into());
    let refused = Pool::new(socket, guarded(Egress { allow_private: true, allow_plain: true })).send(get()).await;
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
    assert_eq!(pool.idle.len(), 1);
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
    assert_eq!(pool.idle.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_on_several_threads_are_all_answered() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    tokio::spawn(async move {
        loop {
            let mut peer = upstream.accept().await;
            tokio::spawn(async move {
                loop {
                    let head = peer.head().await;
                    let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    peer.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{target}", target.len())).await;
                }
            });
        }
    });
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                let target = format!("/{number}");
                let response = pool.send(request("GET", &target, Body::empty())).await.unwrap();
                assert_eq!(text(response.into_body()).await, target);
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert!(pool.idle.len() <= 8);
}
