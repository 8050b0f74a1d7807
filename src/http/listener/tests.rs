use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpStream, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::*;
use crate::http::forward::forward;
use crate::http::pool::{Origin, Pool};
use crate::http::testing::{Peer, Upstream, settings, soon};
use crate::http::tls::tests::{server_files, vector};
use crate::http::tls::{ClientTls, client};

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
    async fn handle(&self, request: Request<Incoming>, arrival: Arrival) -> Response<Body> {
        self.served.fetch_add(1, Ordering::Relaxed);
        match request.uri().path() {
            "/held" => {
                let given_up = GivenUp(Arc::clone(&self.given_up));
                self.held.notify_one();
                self.go_on.notified().await;
                std::mem::forget(given_up);
                Response::new(Body::full("held"))
            }
            "/panic" => panic!("a defect, for the test"),
            "/echo" => Response::new(Body::incoming(request.into_body())),
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
    task: JoinHandle<()>,
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
    soon(running.task).await.unwrap();
}

#[tokio::test]
async fn a_hard_stop_waits_for_nobody() {
    let running = run(&config());
    let mut busy = running.connect().await;
    busy.say("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    soon(running.handler.held.notified()).await;
    running.stop.cancel();
    running.hard_stop.cancel();
    soon(running.task).await.unwrap();
    assert_eq!(busy.rest().await, "");
    soon(running.handler.given_up.notified()).await;
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
async fn several_workers_share_a_port_only_where_it_is_asked_for() {
    let first = bind(&config(), true).unwrap();
    let again = Config { address: first.address(), ..config() };
    assert_eq!(bind(&again, true).unwrap().address(), first.address());
    let error = bind(&again, false).err().unwrap();
    assert_eq!(error.to_string(), format!("cannot listen on {}", first.address()));
}

/// A path for a socket that no other test uses.
fn socket_path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sidegate-{}-{name}.sock", std::process::id()));
    std::fs::remove_file(&path).ok();
    path
}

#[tokio::test]
async fn a_unix_socket_serves_and_is_for_owner_and_group() {
    let path = socket_path("serves");
    let running = run(&Config { address: Address::Unix(path.clone()), ..config() });
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut peer = Peer::new(UnixStream::connect(&path).await.unwrap());
    assert_eq!(ask(&mut peer, "/arrival").await, "false false");
    let pool = Pool::new(Origin::Unix(path.as_path().into()), settings());
    let response = pool.send(crate::http::testing::get()).await.unwrap();
    assert_eq!(crate::http::testing::text(response.into_body()).await, "ok");
    std::fs::remove_file(&path).unwrap();
    running.stop.cancel();
}

#[tokio::test]
async fn only_a_socket_file_that_nobody_listens_on_is_replaced() {
    let path = socket_path("stale");
    let config = Config { address: Address::Unix(path.clone()), ..config() };
    let first = bind(&config, false).unwrap();
    let shared = first.try_clone().unwrap();
    assert!(matches!(bind(&config, false), Err(ListenError::Taken { .. })));
    drop(first);
    assert!(matches!(bind(&config, false), Err(ListenError::Taken { .. })), "the clone listens");
    drop(shared);
    drop(bind(&config, false).unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(bind(&config, false), Err(ListenError::NotASocket { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_file(&path).unwrap();
}

fn with_tls(client_ca: Option<PathBuf>) -> Config {
    let tls = ServerTls { client_ca, ..server_files() };
    Config { tls: Some(tls), ..with_limits(|limits| limits.handshake = Duration::from_millis(500)) }
}

fn over_tls(running: &Running, tls: &ClientTls) -> Pool {
    let Address::Tcp(address) = running.address else { panic!("it listens on a port") };
    let origin = Origin::Tcp { host: "127.0.0.1".into(), port: address.port(), tls: true };
    let server_name = tls.server_name.as_deref().map(Arc::from);
    Pool::new(
        origin,
        super::super::pool::Settings { tls: Some(client(tls).unwrap()), server_name, ..settings() },
    )
}

fn trusting() -> ClientTls {
    ClientTls { ca: Some(vector("ca.pem")), ..ClientTls::default() }
}

#[tokio::test]
async fn tls_works_on_both_sides_and_names_are_checked() {
    let running = run(&with_tls(None));
    let named = ClientTls { server_name: Some("orders.example.com".into()), ..trusting() };
    for tls in [trusting(), named] {
        let pool = over_tls(&running, &tls);
        for _ in 0..2 {
            let asked = crate::http::testing::request("GET", "/arrival", Body::empty());
            let response = soon(pool.send(asked)).await.unwrap();
            assert_eq!(crate::http::testing::text(response.into_body()).await, "true true");
        }
    }
    let misnamed = ClientTls { server_name: Some("other.example.com".into()), ..trusting() };
    for tls in [misnamed, ClientTls { ca: Some(vector("client.pem")), ..ClientTls::default() }] {
        let refused = soon(over_tls(&running, &tls).send(crate::http::testing::get())).await;
        assert!(matches!(refused, Err(super::super::pool::SendError::Connect(_))));
    }
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_where_its_authority_is_configured() {
    let running = run(&with_tls(Some(vector("ca.pem"))));
    assert!(soon(over_tls(&running, &trusting()).send(crate::http::testing::get())).await.is_err());
    let known =
        ClientTls { certificate: Some(vector("client.pem")), key: Some(vector("client.key")), ..trusting() };
    assert!(soon(over_tls(&running, &known).send(crate::http::testing::get())).await.is_ok());
}

#[tokio::test]
async fn a_slow_handshake_and_a_slow_head_after_it_are_closed() {
    let mut config = with_tls(None);
    config.limits.request_head = Duration::from_millis(100);
    let running = run(&config);
    let mut silent = running.connect().await;
    assert_eq!(silent.rest().await, "");
    let stream = running.connect().await.stream;
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(client(&trusting()).unwrap()).connect(name, stream).await.unwrap();
    assert_eq!(Peer::new(stream).rest().await, "");
}

/// Sends everything on to an upstream.
struct Through(Pool);

impl Handler for Through {
    async fn handle(&self, request: Request<Incoming>, _: Arrival) -> Response<Body> {
        forward(&self.0, request.map(Body::incoming)).await.expect("the upstream answers")
    }
}

#[tokio::test]
async fn a_request_goes_through_and_framing_is_written_anew() {
    let upstream = Upstream::new().await;
    let bound = bind(&config(), false).unwrap();
    let Address::Tcp(address) = bound.address() else { panic!("it listens on a port") };
    let stop = CancellationToken::new();
    let handler = Arc::new(Through(Pool::new(upstream.origin(), settings())));
    tokio::spawn(bound.serve(handler, stop.clone(), CancellationToken::new()));
    let mut caller = Peer::new(TcpStream::connect(address).await.unwrap());

    caller
        .say("POST /a HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n03;ext=1\r\nabc\r\n0\r\n\r\n")
        .await;
    let mut peer = upstream.accept().await;
    assert!(peer.head().await.contains("transfer-encoding: chunked\r\n"));
    assert_eq!(peer.until("0\r\n\r\n").await, "3\r\nabc\r\n0\r\n\r\n");
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 07\r\ncontent-length: 7\r\nkeep-alive: x\r\n\r\nanswer!")
        .await;
    let head = caller.head().await;
    assert_eq!(head.matches("content-length: 7\r\n").count(), 1, "{head}");
    assert!(!head.contains("07") && !head.contains("keep-alive"), "{head}");
    assert_eq!(caller.bytes(7).await, b"answer!");

    for (method, answer) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n"),
    ] {
        caller.say(&format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        peer.head().await;
        peer.say(answer).await;
        let head = caller.head().await;
        assert_eq!(head.contains("content-length: 1234"), method == "HEAD", "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
    }
}

#[tokio::test]
async fn a_mebibyte_goes_through_both_ways_at_once() {
    let echo = run(&config());
    let Address::Tcp(echo_at) = echo.address else { panic!("it listens on a port") };
    let origin = Origin::Tcp { host: "127.0.0.1".into(), port: echo_at.port(), tls: false };
    let bound = bind(&config(), false).unwrap();
    let Address::Tcp(address) = bound.address() else { panic!("it listens on a port") };
    let handler = Arc::new(Through(Pool::new(origin, settings())));
    tokio::spawn(bound.serve(handler, CancellationToken::new(), CancellationToken::new()));

    let sent: Vec<u8> = (0..1024 * 1024_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
    let (read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let uploaded = sent.clone();
    let uploading = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let head = format!("PUT /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", uploaded.len());
        write.write_all(head.as_bytes()).await.unwrap();
        write.write_all(&uploaded).await.unwrap();
        write
    });
    let mut caller = Peer::new(tokio::io::join(read, tokio::io::sink()));
    let head = caller.head().await;
    assert!(head.contains("content-length: 1048576\r\n"), "{head}");
    assert_eq!(caller.bytes(sent.len()).await, sent);
    // Held until now: a caller that closes its half has left.
    drop(soon(uploading).await.unwrap());
}
