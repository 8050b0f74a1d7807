//! Request bodies that nobody reads, or reads too late.

use std::sync::Mutex;

use http_body_util::BodyExt as _;

use super::*;

/// Answers without a look at the body: drops it on `/drop`, and keeps it on any other path.
#[derive(Default)]
struct Careless {
    kept: Mutex<Option<Body>>,
}

impl Handler for Careless {
    async fn handle(&self, request: Request<Body>, _: Arrival) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let body = request.into_body();
        if path != "/drop" {
            *self.kept.lock().unwrap() = Some(body);
        }
        Response::new(Body::full("ok"))
    }
}

fn client() -> (Peer<tokio::io::DuplexStream>, Arc<Careless>, JoinHandle<()>) {
    let (client, server) = tokio::io::duplex(64 * 1024);
    let handler = Arc::new(Careless::default());
    let task = tokio::spawn(converse(Arc::clone(&handler), server, Limits::default()));
    (Peer::new(client), handler, task)
}

fn post(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n")
}

#[tokio::test]
async fn a_body_that_has_come_and_is_not_wanted_is_passed_over() {
    let (mut peer, _, _task) = client();
    let chunked = "POST /drop HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    for request in [post("/drop", 5) + "hello", chunked.to_owned(), post("/drop", 0)] {
        peer.say(&request).await;
        assert!(!peer.head().await.contains("connection: close"), "{request:?}");
        assert_eq!(peer.bytes(2).await, b"ok");
    }
}

#[tokio::test]
async fn a_client_whose_body_is_not_wanted_is_told_that_the_connection_ends() {
    for half in ["", "hello"] {
        let (mut peer, _, task) = client();
        peer.say(&(post("/drop", 10) + half)).await;
        assert!(peer.head().await.contains("connection: close\r\n"));
        assert_eq!(peer.rest().await, "ok");
        // It may finish what it was saying.
        peer.say("12345").await;
        drop(peer);
        soon(task).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_is_not_read_on_behalf_of_a_request_that_is_over() {
    let (mut peer, handler, _task) = client();
    peer.say(&post("/keep", 10)).await;
    peer.head().await;
    assert_eq!(peer.rest().await, "ok", "what follows could be the body or a request");
    let kept = handler.kept.lock().unwrap().take().unwrap();
    let error = kept.collect().await.unwrap_err();
    assert_eq!(error.to_string(), "its request is over");
}

#[tokio::test]
async fn a_100_is_said_once_and_only_to_who_is_listened_to() {
    let (mut peer, _, _task) = client();
    peer.say("POST /drop HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("connection: close\r\n"), "{head}");
    assert_eq!(peer.rest().await, "ok");

    let running = run(&config());
    let mut peer = running.connect().await;
    peer.say("POST /whole HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").await;
    assert_eq!(peer.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    peer.say("hi").await;
    assert!(peer.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(peer.bytes(7).await, b"2 bytes");
}
