mod equal;
mod http2;
mod limits;
mod played;
mod responses;
mod retry;
mod streaming;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::http::egress::{Class, Names};
use crate::http::testing::{Peer, Played, Upstream, get, request, settings, soon, text};

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
                    peer.say(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{target}", target.len()))
                        .await;
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
    assert!(pool.home.idle.len() <= 8);
}
