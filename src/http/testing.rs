//! Raw peers for the tests of this room: what is said and seen on a socket, byte for byte.
//! Never parses HTTP beyond the empty line that ends a head.

pub(super) mod generated;
mod played;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::Body;
use super::pool::{Origin, Protocol, Settings};
pub(super) use played::Played;

/// How long a test waits for what must happen before it fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for what must happen.
pub(super) async fn soon<F: Future>(event: F) -> F::Output {
    timeout(PATIENCE, event).await.expect("it happens within the test's patience")
}

/// A socket where a test plays the upstream by hand.
pub(super) struct Upstream(TcpListener);

impl Upstream {
    pub(super) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(super) fn origin(&self) -> Origin {
        let port = self.0.local_addr().unwrap().port();
        Origin::Tcp { host: "127.0.0.1".into(), port, tls: false }
    }

    pub(super) async fn accept(&self) -> Peer<TcpStream> {
        Peer::new(soon(self.0.accept()).await.unwrap().0)
    }

    /// Whether nobody is waiting to be accepted.
    pub(super) async fn is_left_alone(&self) -> bool {
        timeout(Duration::from_millis(50), self.0.accept()).await.is_err()
    }
}

/// One end of a connection.
pub(super) struct Peer<S> {
    pub(super) stream: S,
    read: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(super) async fn say(&mut self, text: &str) {
        soon(self.stream.write_all(text.as_bytes())).await.unwrap();
    }

    /// The next head, up to and with its empty line.
    pub(super) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Everything up to and with `end`.
    pub(super) async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self.read.windows(end.len()).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let rest = self.read.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            assert!(self.more().await, "closed after {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// The next `length` bytes.
    pub(super) async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.more().await, "closed after {} of {length} bytes", self.read.len());
        }
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }

    /// What is said until the other end closes, cleanly or not.
    pub(super) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8(std::mem::take(&mut self.read)).unwrap()
    }

    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let length = soon(self.stream.read(&mut buffer)).await.unwrap_or(0);
        self.read.extend_from_slice(&buffer[..length]);
        length > 0
    }
}

/// Settings with room for everything a test does.
pub(super) fn settings() -> Settings {
    Settings {
        protocol: Protocol::Http1,
        connect_timeout: PATIENCE,
        response_head_timeout: PATIENCE,
        body_idle_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        max_idle: 8,
        tls: None,
        server_name: None,
        egress: None,
        private: Arc::default(),
    }
}

/// A GET of `/`.
pub(super) fn get() -> http::Request<Body> {
    request("GET", "/", Body::empty())
}

pub(super) fn request(method: &str, target: &str, body: Body) -> http::Request<Body> {
    http::Request::builder().method(method).uri(target).header("host", "upstream.test").body(body).unwrap()
}

/// A body as text.
pub(super) async fn text(body: Body) -> String {
    use http_body_util::BodyExt as _;
    let bytes = soon(body.collect()).await.expect("the body can be read").to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
