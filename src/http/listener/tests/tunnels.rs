//! Connections that stop speaking HTTP.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Switches to shouting back on `/shout`, and to nothing anywhere else.
#[derive(Default)]
struct Shouting {
    /// A tunnel was dropped before its client had left.
    cut: Arc<Notify>,
}

impl Handler for Shouting {
    async fn handle(&self, request: Request<Body>, _: Arrival) -> Response<Body> {
        if request.uri().path() != "/shout" {
            return Response::new(Body::full("no"));
        }
        let cut = GivenUp(Arc::clone(&self.cut));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert("connection", "upgrade".parse().unwrap());
        response.headers_mut().insert("upgrade", "shouting".parse().unwrap());
        response.extensions_mut().insert(Tunnel::new(|mut client| async move {
            let mut piece = [0; 64];
            while let Ok(length @ 1..) = client.read(&mut piece).await {
                client.write_all(&piece[..length].to_ascii_uppercase()).await.unwrap();
            }
            std::mem::forget(cut);
        }));
        response
    }
}

struct Scene {
    peer: Peer<TcpStream>,
    handler: Arc<Shouting>,
    stop: CancellationToken,
    hard_stop: CancellationToken,
    task: JoinHandle<Result<(), ListenError>>,
}

async fn scene(limits: impl FnOnce(&mut Limits)) -> Scene {
    let bound = bind(&with_limits(limits), false).unwrap();
    let Address::Tcp(address) = bound.address() else { panic!("it listens on a port") };
    let handler = Arc::new(Shouting::default());
    let (stop, hard_stop) = (CancellationToken::new(), CancellationToken::new());
    let task = tokio::spawn(bound.serve(Arc::clone(&handler), stop.clone(), hard_stop.clone()));
    let peer = Peer::new(TcpStream::connect(address).await.unwrap());
    Scene { peer, handler, stop, hard_stop, task }
}

const SHOUT: &str = "GET /shout HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: shouting\r\n\r\n";

async fn switched(peer: &mut Peer<TcpStream>) {
    let head = peer.head().await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: shouting\r\n"), "{head}");
}

#[tokio::test]
async fn h13_what_was_said_before_the_101_is_the_tunnels() {
    let mut scene = scene(|_| {}).await;
    scene.peer.say(&format!("{SHOUT}GET /early HTTP/1.1\r\n\r\n")).await;
    switched(&mut scene.peer).await;
    assert_eq!(scene.peer.until("\r\n\r\n").await, "GET /EARLY HTTP/1.1\r\n\r\n");
    scene.peer.stream.shutdown().await.unwrap();
    assert_eq!(scene.peer.rest().await, "");
}

#[tokio::test]
async fn h13_a_refused_upgrade_switches_nothing() {
    let mut scene = scene(|_| {}).await;
    let refused = SHOUT.replace("/shout", "/");
    scene.peer.say(&format!("{refused}GET /early HTTP/1.1\r\nhost: a\r\n\r\n")).await;
    for _ in 0..2 {
        assert!(scene.peer.head().await.starts_with("HTTP/1.1 200 "));
        assert_eq!(scene.peer.bytes(2).await, b"no");
    }
    // Nor does it at the connection's end.
    scene.peer.say(&refused.replace("connection: upgrade", "connection: upgrade, close")).await;
    assert!(scene.peer.rest().await.ends_with("\r\n\r\nno"));
    scene.stop.cancel();
    soon(scene.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_tunnel_outlives_every_limit_of_http() {
    let short = Duration::from_millis(50);
    let mut scene = scene(|limits| {
        (limits.request_head, limits.keep_alive, limits.stream_idle) = (short, short, short);
    })
    .await;
    scene.peer.say(SHOUT).await;
    switched(&mut scene.peer).await;
    tokio::time::sleep(6 * short).await;
    scene.peer.say("still there?").await;
    assert_eq!(scene.peer.until("?").await, "STILL THERE?");
}

#[tokio::test]
async fn a_graceful_stop_waits_for_a_tunnel_and_a_hard_one_cuts_it() {
    let mut scene = scene(|_| {}).await;
    scene.peer.say(SHOUT).await;
    switched(&mut scene.peer).await;
    scene.stop.cancel();
    scene.peer.say("still there?").await;
    assert_eq!(scene.peer.until("?").await, "STILL THERE?");
    assert!(!scene.task.is_finished());
    scene.hard_stop.cancel();
    soon(scene.task).await.unwrap().unwrap();
    soon(scene.handler.cut.notified()).await;
    assert_eq!(scene.peer.rest().await, "");
}

#[tokio::test]
async fn a_tunnel_counts_among_the_connections() {
    let mut scene = scene(|limits| limits.max_connections = 1).await;
    scene.peer.say(SHOUT).await;
    switched(&mut scene.peer).await;
    let mut second = Peer::new(TcpStream::connect(scene.peer.stream.peer_addr().unwrap()).await.unwrap());
    second.say("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    scene.peer.say("mine alone?").await;
    assert_eq!(scene.peer.until("?").await, "MINE ALONE?");
    drop(scene.peer);
    assert!(second.head().await.starts_with("HTTP/1.1 200 "));
}
