//! One connection from its beginning: who connected, the handshake, and which HTTP is spoken.
//! Never outlives its task and those of its streams; a panic in a handler ends one of them alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::http2::stalling::Stalling;
use super::preface::{self, Protocol};
use super::socket::Accepted;
use super::{Arrival, Handler, Limits, http1, http2};
use crate::http::headers::host_of;
use crate::http::tls::ListenerTls;
use crate::telemetry::metrics::Open;

/// How long a client that has connected before a stop, and has not asked anything yet, may still ask.
pub(super) const FIRST_WORDS: Duration = Duration::from_millis(50);

/// What the connections of one listener share.
pub(super) struct Server<H> {
    pub(super) handler: Arc<H>,
    tls: Option<ListenerTls>,
    pub(super) limits: Limits,
    pub(super) stop: CancellationToken,
    pub(super) date: http1::Date,
    pub(super) http_2: hyper::server::conn::http2::Builder<Stalling>,
}

impl<H: Handler> Server<H> {
    pub(super) fn new(
        handler: Arc<H>,
        tls: Option<ListenerTls>,
        limits: Limits,
        stop: CancellationToken,
    ) -> Self {
        let http_2 = http2::builder(&limits);
        Self { handler, tls, limits, stop, date: http1::Date::default(), http_2 }
    }
}

/// Where a connection comes from.
#[derive(Clone, Copy)]
pub(super) struct Client {
    peer: Option<SocketAddr>,
    tls: bool,
    /// When it could begin to ask.
    pub(super) since: Instant,
}

impl Client {
    pub(super) fn new(peer: Option<SocketAddr>, tls: bool) -> Self {
        Self { peer, tls, since: Instant::now() }
    }

    pub(super) fn arrives<H, B>(self, request: &Request<B>, server: &Server<H>) -> Arrival {
        let tls = server.tls.as_ref().filter(|_| self.tls);
        let misdirected = tls.is_some_and(|tls| {
            // A single certificate is for all: its listener may stand behind addresses it cannot know.
            tls.has_several() && host_of(request).is_some_and(|host| !tls.covers(host))
        });
        Arrival { peer: self.peer, tls: self.tls, misdirected, at: Instant::now().into_std() }
    }
}

/// Serves a connection until it ends; it counts as `open` until then.
pub(super) async fn serve<H: Handler>(server: Arc<Server<H>>, accepted: Accepted, open: Open) {
    match accepted {
        Accepted::Unix(stream) => plain(server, stream, Client::new(None, false), &open).await,
        Accepted::Tcp(stream, peer) => {
            if server.tls.is_none() {
                return plain(server, stream, Client::new(Some(peer), false), &open).await;
            }
            let Some(stream) = handshake(&server, stream).await else { return open.handshake_failed() };
            let protocol = agreed(&stream);
            requests(server, stream, Bytes::new(), protocol, Client::new(Some(peer), true), &open).await;
        }
    }
}

async fn handshake<H>(server: &Server<H>, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let acceptor = server.tls.as_ref()?.acceptor();
    timeout(server.limits.handshake, acceptor.accept(stream)).await.ok()?.ok()
}

/// What ALPN agreed on; a client without it speaks HTTP/1.1 (RFC 9113 section 3.2).
fn agreed(stream: &TlsStream<TcpStream>) -> Protocol {
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 }
}

/// A connection whose first bytes tell what it speaks.
async fn plain<H, S>(server: Arc<Server<H>>, mut stream: S, client: Client, open: &Open)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let until = client.since + server.limits.request_head;
    let leaves = async {
        server.stop.cancelled().await;
        sleep(FIRST_WORDS).await;
    };
    let read = tokio::select! {
        // What was said before a stop is still answered.
        biased;
        read = timeout_at(until, preface::read(&mut stream)) => read,
        () = leaves => return,
    };
    if let Ok(Ok((protocol, early))) = read {
        requests(server, stream, early, protocol, client, open).await;
    }
}

async fn requests<H, S>(
    server: Arc<Server<H>>,
    stream: S,
    early: Bytes,
    protocol: Protocol,
    client: Client,
    open: &Open,
) where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match protocol {
        Protocol::Http1 => http1::serve(&server, stream, early, client, open).await,
        Protocol::Http2 => http2::serve(server, stream, early, client).await,
    }
}
