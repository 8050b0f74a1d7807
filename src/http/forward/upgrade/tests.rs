use std::sync::{Arc, Mutex};

use http::Request;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::forward::{forward, forward_upgrade};
use crate::http::listener::{Address, Arrival, Config, Handler, Limits, bind};
use crate::http::pool::Pool;
use crate::http::testing::{Peer, Upstream, settings, soon};

/// Lets WebSockets through, and says 502 where the upstream says nothing that counts.
struct Gate {
    pool: Pool,
    until: Option<Duration>,
    idle: Option<Duration>,
    ended: Mutex<Option<oneshot::Sender<Through>>>,
}

impl Handler for Gate {
    async fn handle(&self, request: Request<Body>, _: Arrival) -> Response<Body> {
        let (mut head, body) = request.into_parts();
        let upgrade = Upgrade::asked(&head, &body);
        let answer = match upgrade {
            Some(upgrade) if upgrade.protocol() == "websocket" => {
                let ended = self.ended.lock().unwrap().take();
                let terms = Terms {
                    until: self.until.map(|span| Instant::now() + span),
                    idle: self.idle,
                    ended: ended.map(|told| -> Box<dyn FnOnce(Through) + Send> {
                        Box::new(|through| told.send(through).unwrap())
                    }),
                };
                forward_upgrade(&self.pool, &mut head, &|_| {}, upgrade, terms).await
            }
            _ => forward(&self.pool, Request::from_parts(head, body)).await,
        };
        answer.unwrap_or_else(|_| {
            let mut refusal = Response::new(Body::empty());
            *refusal.status_mut() = http::StatusCode::from_u16(502).unwrap();
            refusal
        })
    }
}

struct Scene {
    upstream: Upstream,
    caller: Peer<TcpStream>,
    ended: oneshot::Receiver<Through>,
}

async fn scene(until: Option<Duration>, idle: Option<Duration>) -> Scene {
    let upstream = Upstream::new().await;
    let address = Address::Tcp(([127, 0, 0, 1], 0).into());
    let bound = bind(&Config { address, tls: None, limits: Limits::default() }, false).unwrap();
    let Address::Tcp(address) = bound.address() else { panic!("it listens on a port") };
    let (told, ended) = oneshot::channel();
    let pool = Pool::new(upstream.origin(), settings());
    let gate = Gate { pool, until, idle, ended: Mutex::new(Some(told)) };
    tokio::spawn(bound.serve(Arc::new(gate), CancellationToken::new(), CancellationToken::new()));
    let caller = Peer::new(TcpStream::connect(address).await.unwrap());
    Scene { upstream, caller, ended }
}

const ASK: &str = "GET /chat HTTP/1.1\r\nhost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nsec-websocket-key: abc\r\n\r\n";
const AGREE: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: xyz\r\n\r\n";

/// Both sides after the switch.
async fn switched(scene: &mut Scene) -> Peer<TcpStream> {
    scene.caller.say(ASK).await;
    let mut peer = scene.upstream.accept().await;
    let asked = peer.head().await;
    let expected = "GET /chat HTTP/1.1\r\nhost: a\r\nsec-websocket-key: abc\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";
    assert_eq!(asked, expected);
    peer.say(AGREE).await;
    let agreed = scene.caller.head().await.to_lowercase();
    assert!(agreed.starts_with("http/1.1 101 "), "{agreed}");
    for field in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-accept: xyz\r\n"] {
        assert!(agreed.contains(field), "{agreed}");
    }
    peer
}

#[tokio::test]
async fn h42_a_websocket_is_transparent() {
    let mut scene = scene(None, None).await;
    let mut peer = switched(&mut scene).await;
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    for (from, to) in [(&mut scene.caller, &mut peer)] {
        for _ in 0..2 {
            let (written, read) = tokio::join!(from.stream.write_all(&bytes), to.bytes(bytes.len()));
            written.unwrap();
            assert!(read == bytes);
            let (written, read) = tokio::join!(to.stream.write_all(&bytes), from.bytes(bytes.len()));
            written.unwrap();
            assert!(read == bytes);
        }
    }
    drop(peer);
    assert_eq!(scene.caller.rest().await, "");
    drop(scene.caller);
    assert_eq!(soon(scene.ended).await.unwrap(), Through { up: 600_000, down: 600_000, is_cut: false });
}

#[tokio::test]
async fn h42_what_comes_with_the_101_is_the_first_of_the_tunnel() {
    let mut scene = scene(None, None).await;
    scene.caller.say(ASK).await;
    let mut peer = scene.upstream.accept().await;
    peer.head().await;
    peer.say(&format!("{AGREE}first")).await;
    scene.caller.head().await;
    assert_eq!(scene.caller.bytes(5).await, b"first");
    peer.stream.shutdown().await.unwrap();
    assert_eq!(scene.caller.rest().await, "", "one side may end before the other");
    scene.caller.say("last").await;
    assert_eq!(peer.bytes(4).await, b"last");
}

#[tokio::test]
async fn h13_nothing_is_read_early_and_a_refusal_leaves_the_next_request_one() {
    let mut scene = scene(None, None).await;
    scene.caller.say(&format!("{ASK}GET /next HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    let mut peer = scene.upstream.accept().await;
    assert!(peer.head().await.starts_with("GET /chat "));
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno").await;
    assert!(scene.caller.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(scene.caller.bytes(2).await, b"no");
    assert!(peer.head().await.starts_with("GET /next HTTP/1.1\r\n"), "it went the ordinary way");
    peer.say("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert!(scene.caller.head().await.starts_with("HTTP/1.1 204 "));
}

#[tokio::test]
async fn h13_a_switch_to_anything_else_is_none() {
    for said in [
        AGREE.replace("WebSocket", "spdy/3").as_str(),
        AGREE.replace("Upgrade: WebSocket\r\n", "").as_str(),
        AGREE.replace("Connection: Upgrade\r\n", "").as_str(),
    ] {
        let mut scene = scene(None, None).await;
        scene.caller.say(ASK).await;
        let mut peer = scene.upstream.accept().await;
        peer.head().await;
        peer.say(said).await;
        assert!(scene.caller.head().await.starts_with("HTTP/1.1 502 "), "{said}");
    }
}

#[tokio::test]
async fn h14_what_is_no_upgrade_goes_as_a_request() {
    for (asked, body) in [
        (ASK.replace("Upgrade: websocket", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"), ""),
        (ASK.replace("Upgrade: websocket", "Upgrade: websocket, h2c"), ""),
        (ASK.replace("Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: h2c"), ""),
        (ASK.replace("keep-alive, Upgrade", "keep-alive"), ""),
        (ASK.replace("GET", "POST").replace("host: a", "host: a\r\ncontent-length: 0"), ""),
        (ASK.replace("host: a", "host: a\r\ncontent-length: 4"), "body"),
    ] {
        let mut scene = scene(None, None).await;
        scene.caller.say(&format!("{asked}{body}")).await;
        let mut peer = scene.upstream.accept().await;
        let seen = peer.head().await;
        assert!(!seen.contains("upgrade") && !seen.contains("http2-settings"), "{seen}");
        assert_eq!(peer.bytes(body.len()).await, body.as_bytes());
        peer.say("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(scene.caller.head().await.starts_with("HTTP/1.1 204 "));
    }
}

#[tokio::test]
async fn h42_a_websocket_whose_time_is_over_is_told_so_between_frames() {
    let mut scene = scene(Some(Duration::from_millis(300)), None).await;
    let mut peer = switched(&mut scene).await;
    peer.stream.write_all(&[0x81, 2, b'h', b'i']).await.unwrap();
    assert_eq!(scene.caller.bytes(4).await, [0x81, 2, b'h', b'i']);
    assert_eq!(scene.caller.bytes(4).await, [0x88, 2, 0x03, 0xf0], "1008");
    assert_eq!(scene.caller.rest().await, "");
    assert_eq!(peer.rest().await, "", "the upstream sees its end as well");
    assert_eq!(soon(scene.ended).await.unwrap(), Through { up: 0, down: 8, is_cut: true });
}

#[tokio::test]
async fn h42_in_the_middle_of_a_frame_nothing_is_said() {
    let mut scene = scene(Some(Duration::from_millis(300)), None).await;
    let mut peer = switched(&mut scene).await;
    peer.stream.write_all(&[0x81, 9, b'h', b'i']).await.unwrap();
    assert_eq!(scene.caller.bytes(4).await, [0x81, 9, b'h', b'i']);
    assert_eq!(scene.caller.rest().await, "");
}

#[tokio::test]
async fn a_silent_tunnel_is_cut_where_that_is_asked_for_and_one_that_speaks_is_not() {
    let mut scene = scene(None, Some(Duration::from_millis(500))).await;
    let mut peer = switched(&mut scene).await;
    // Longer than the limit in all, each pause far shorter; either direction counts.
    for _ in 0..4 {
        peer.say("ping").await;
        assert_eq!(scene.caller.bytes(4).await, b"ping");
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.caller.say("pong").await;
        assert_eq!(peer.bytes(4).await, b"pong");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(peer.rest().await, "");
}
