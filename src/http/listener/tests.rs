mod bodies;
mod equal;
mod http_2;
mod limits;
mod secured;
mod sockets;
mod through;
mod tunnels;

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::*;
use crate::http::forward::forward;
use crate::http::pool::{Origin, Pool, SendError, Settings};
use crate::http::testing::{Peer, Upstream, settings, soon};
use crate::http::tls::tests::{server_files, vector};
use crate::http::tls::{ClientTls, client};

/// More than the system's buffers hold.
const LARGE: usize = 64 * 1024 * 1024;

/// So many bytes, a piece at a time.
struct Repeated(usize);

impl hyper::body::Body for Repeated {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
        self.0 = self.0.saturating_sub(PIECE.len());
        let frame = hyper::body::Frame::data(Bytes::from_static(&PIECE));
        std::task::Poll::Ready((self.0 > 0).then_some(Ok(frame)))
    }
}

/// Answers by path.
#[derive(Default)]
struct Paths {
    /// Somebody asked for /held.
    held: Notify,
    /// Lets one /held go on.
    go_on: Arc<Notify>,
    /// An answer was given up.
    given_up: Arc<Notify>,
    served: AtomicUsize,
}

/// Notes that a handler's future was dropped before it had answered.
struct GivenUp(Arc<Notify>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Handler for Paths {
    async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        self.served.fetch_add(1, Ordering::Relaxed);
        match request.uri().path() {
            "/held" => {
                let given_up = GivenUp(Arc::clone(&self.given_up));
                self.held.notify_one();
                self.go_on.notified().await;
                std::mem::forget(given_up);
                Response::new(Body::full("held"))
            }
            "/large" => Response::new(Body::boxed(Repeated(LARGE))),
            "/panic" => panic!("a defect, for the test"),
            "/whole" => match crate::http::body::collect_within(request.into_body(), LARGE).await {
                Ok(crate::http::body::Collected::Whole(body)) => {
                    Response::new(Body::full(format!("{} bytes", body.len())))
                }
                Ok(_) => unreachable!("it is not as long"),
                Err(error) => {
                    self.given_up.notify_one();
                    Response::new(Body::full(error.to_string()))
                }
            },
            "/echo" => Response::new(request.into_body()),
            "/arrival" => Response::new(Body::full(format!("{} {}", arrival.peer.is_some(), arrival.tls))),
            _ => Response::new(Body::full("ok")),
        }
    }
}

struct Running {
    address: Address,
    handler: Arc<Paths>,
    stop: CancellationToken,
    hard_stop: CancellationToken,
    task: JoinHandle<Result<(), ListenError>>,
}

fn config() -> Config {
    Config { address: Address::Tcp(([127, 0, 0, 1], 0).into()), tls: None, limits: Limits::default() }
}

fn with_limits(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = config();
    change(&mut config.limits);
    config
}

fn run(config: &Config) -> Running {
    let bound = bind(config, false).unwrap();
    let (address, handler) = (bound.address(), Arc::new(Paths::default()));
    let (stop, hard_stop) = (CancellationToken::new(), CancellationToken::new());
    let task = tokio::spawn(bound.serve(Arc::clone(&handler), stop.clone(), hard_stop.clone()));
    Running { address, handler, stop, hard_stop, task }
}

impl Running {
    async fn connect(&self) -> Peer<TcpStream> {
        let Address::Tcp(address) = self.address else { panic!("it listens on a port") };
        Peer::new(soon(TcpStream::connect(address)).await.unwrap())
    }
}

async fn ask<S>(peer: &mut Peer<S>, path: &str) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    peer.say(&format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    let head = peer.head().await;
    let length =
        head.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()).unwrap_or("0");
    let body = peer.bytes(length.parse().unwrap()).await;
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let running = run(&config());
    let mut peer = running.connect().await;
    for _ in 0..3 {
        assert_eq!(ask(&mut peer, "/").await, "ok");
    }
    assert_eq!(ask(&mut peer, "/arrival").await, "true false");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let running = run(&config());
    let mut peer = running.connect().await;
    peer.say(
        "GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /arrival HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
    )
    .await;
    let answers = peer.rest().await;
    let (first, second) = (answers.find("ok").unwrap(), answers.find("true false").unwrap());
    assert!(first < second, "{answers}");
}

#[tokio::test]
async fn what_is_not_http_is_400_and_closed() {
    let running = run(&config());
    let mut peer = running.connect().await;
    peer.say("HELO there\r\n\r\n").await;
    let answer = peer.rest().await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_request() {
    let running = run(&config());
    for half_closed in [false, true] {
        let mut peer = running.connect().await;
        peer.say("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
        soon(running.handler.held.notified()).await;
        if half_closed {
            tokio::io::AsyncWriteExt::shutdown(&mut peer.stream).await.unwrap();
        } else {
            drop(peer);
        }
        soon(running.handler.given_up.notified()).await;
    }
}

#[tokio::test]
async fn a_panic_ends_its_connection_and_nothing_else() {
    let running = run(&config());
    let mut bystander = running.connect().await;
    assert_eq!(ask(&mut bystander, "/").await, "ok");
    let mut peer = running.connect().await;
    peer.say("GET /panic HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!(peer.rest().await, "");
    assert_eq!(ask(&mut bystander, "/").await, "ok");
    assert_eq!(ask(&mut running.connect().await, "/").await, "ok");
}

#[tokio::test]
async fn a_graceful_stop_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let running = run(&config());
    let mut idle = running.connect().await;
    assert_eq!(ask(&mut idle, "/").await, "ok");
    let mut busy = running.connect().await;
    busy.say("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    soon(running.handler.held.notified()).await;

    running.stop.cancel();
    assert_eq!(idle.rest().await, "");
    let Address::Tcp(address) = running.address else { panic!("it listens on a port") };
    while soon(TcpStream::connect(address)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.task.is_finished());
    running.handler.go_on.notify_one();
    let answer = busy.rest().await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("held"), "{answer}");
    soon(running.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_hard_stop_waits_for_nobody() {
    let running = run(&config());
    let mut busy = running.connect().await;
    busy.say("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    soon(running.handler.held.notified()).await;
    running.stop.cancel();
    running.hard_stop.cancel();
    soon(running.task).await.unwrap().unwrap();
    assert_eq!(busy.rest().await, "");
    soon(running.handler.given_up.notified()).await;
}
