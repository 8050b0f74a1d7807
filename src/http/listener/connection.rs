//! One connection's life: handshake, requests, its limits, its graceful end.
//! Never outlives its task and those of its streams; a panic in a handler ends one of them alone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::preface::{self, Protocol};
use super::rejection::too_many_headers;
use super::socket::Accepted;
use super::streams::{Notebook, Streams};
use super::upload::limited;
use super::watch::Watch;
use super::watched::Watched;
use super::{Arrival, Handler, Limits, Tunnel};
use crate::http::body::Body;
use crate::http::headers::{as_http_1, host_of};
use crate::http::tls::ListenerTls;
use crate::telemetry::metrics::Open;

/// hyper's own; any other number makes it allocate for each request.
pub(super) const DEFAULT_MAX_HEADERS: usize = 100;
/// What hyper may read ahead or hold back for a slow reader.
const MAX_BUFFER: usize = 64 * 1024;
/// How much of one stream's body, and of all streams' bodies together, may be under way and not taken yet.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How many streams we may have had to reset because of the client's mistakes (MadeYouReset), and how many it may have
/// reset before anybody looked at them (rapid reset). hyper answers more with ENHANCE_YOUR_CALM.
const MAX_FAULTY_STREAMS: usize = 50;
const MAX_UNSEEN_RESETS: usize = 20;

/// What the connections of one listener share.
pub(super) struct Server<H> {
    handler: Arc<H>,
    tls: Option<ListenerTls>,
    limits: Limits,
    stop: CancellationToken,
    http_1: http1::Builder,
    http_2: http2::Builder<TokioExecutor>,
}

impl<H: Handler> Server<H> {
    pub(super) fn new(
        handler: Arc<H>,
        tls: Option<ListenerTls>,
        limits: Limits,
        stop: CancellationToken,
    ) -> Self {
        let (http_1, http_2) = (http_1_builder(&limits), http_2_builder(&limits));
        Self { handler, tls, limits, stop, http_1, http_2 }
    }
}

fn http_1_builder(limits: &Limits) -> http1::Builder {
    let mut http = http1::Builder::new();
    // The watch closes slow and idle connections.
    http.header_read_timeout(None);
    http.max_buf_size(limits.max_head_bytes.max(MAX_BUFFER));
    http.max_header_size(limits.max_head_bytes);
    if limits.max_headers != DEFAULT_MAX_HEADERS {
        http.max_headers(limits.max_headers);
    }
    http
}

/// Extended CONNECT stays off, as it is by default. There are no pings: the limits end a connection whose client is gone.
fn http_2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut http = http2::Builder::new(TokioExecutor::new());
    http.max_concurrent_streams(limits.max_streams);
    http.max_header_list_size(u32::try_from(limits.max_head_bytes).unwrap_or(u32::MAX));
    http.initial_stream_window_size(STREAM_WINDOW);
    http.initial_connection_window_size(CONNECTION_WINDOW);
    http.max_send_buf_size(MAX_BUFFER);
    http.max_local_error_reset_streams(MAX_FAULTY_STREAMS);
    http.max_pending_accept_reset_streams(MAX_UNSEEN_RESETS);
    http
}

/// Where a connection comes from.
#[derive(Clone, Copy)]
struct Client {
    peer: Option<SocketAddr>,
    tls: bool,
    /// When it could begin to ask.
    since: tokio::time::Instant,
}

impl Client {
    fn new(peer: Option<SocketAddr>, tls: bool) -> Self {
        Self { peer, tls, since: tokio::time::Instant::now() }
    }

    fn arrives<H, B>(self, request: &Request<B>, server: &Server<H>) -> Arrival {
        let tls = server.tls.as_ref().filter(|_| self.tls);
        let misdirected = tls.is_some_and(|tls| {
            // A single certificate is for all: its listener may stand behind addresses it cannot know.
            tls.has_several() && host_of(request).is_some_and(|host| !tls.covers(host))
        });
        Arrival { peer: self.peer, tls: self.tls, misdirected, at: Instant::now() }
    }
}

/// Serves a connection until it ends; it counts as `open` until then.
pub(super) async fn serve<H: Handler>(server: Arc<Server<H>>, accepted: Accepted, open: Open) {
    match accepted {
        Accepted::Unix(stream) => plain(server, stream, Client::new(None, false)).await,
        Accepted::Tcp(stream, peer) => {
            if server.tls.is_none() {
                return plain(server, stream, Client::new(Some(peer), false)).await;
            }
            let Some(stream) = handshake(&server, stream).await else { return open.handshake_failed() };
            let protocol = agreed(&stream);
            requests(server, stream, Bytes::new(), protocol, Client::new(Some(peer), true)).await;
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
async fn plain<H, S>(server: Arc<Server<H>>, mut stream: S, client: Client)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let until = client.since + server.limits.request_head;
    let read = tokio::select! {
        // What was said before a stop is still answered.
        biased;
        read = timeout_at(until, preface::read(&mut stream)) => read,
        () = server.stop.cancelled() => return,
    };
    if let Ok(Ok((protocol, early))) = read {
        requests(server, stream, early, protocol, client).await;
    }
}

async fn requests<H, S>(server: Arc<Server<H>>, stream: S, early: Bytes, protocol: Protocol, client: Client)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    if protocol == Protocol::Http2 {
        return http_2(server, stream, early, client).await;
    }
    let tunnel = OnceLock::new();
    http_1(server, stream, early, client, &tunnel).await;
    if let Some(tunnel) = tunnel.into_inner() {
        Tunnel::run(tunnel).await;
    }
}

/// Requests one after another, until the connection ends or is to be a tunnel.
async fn http_1<H, S>(
    server: Arc<Server<H>>,
    stream: S,
    early: Bytes,
    client: Client,
    tunnel: &OnceLock<Tunnel>,
) where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let watch = Watch::new(client.since);
    let stream = TokioIo::new(Watched::new(stream, early, Arc::clone(&watch)));
    let service = service_fn(|request: Request<Incoming>| {
        let serving = watch.serving(!request.body().is_end_stream());
        let handler = Arc::clone(&server.handler);
        let arrival = client.arrives(&request, &server);
        let request = request.map(|body| limited(body, &server.limits));
        async move {
            let mut response = handler.handle(request, arrival).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                // hyper ends with the first 101, so that there is never a second.
                response.extensions_mut().remove().map(|found| tunnel.set(found));
            }
            Ok::<_, Infallible>(response.map(|body| serving.until_the_end_of(body)))
        }
    });
    let connection = server.http_1.serve_connection(stream, service).with_upgrades();
    let deadline = || watch.deadline(&server.limits);
    drive(&server, connection, http1::UpgradeableConnection::graceful_shutdown, deadline).await;
}

/// Requests side by side, each a task of its own on this thread. They end with the connection.
async fn http_2<H, S>(server: Arc<Server<H>>, stream: S, early: Bytes, client: Client)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let streams = Streams::new(client.since);
    let stream = TokioIo::new(Watched::new(stream, early, Notebook::new(Arc::clone(&streams))));
    let (shared, opened) = (Arc::clone(&server), Arc::clone(&streams));
    let service = service_fn(move |request: Request<Incoming>| {
        let open = opened.open();
        let server = Arc::clone(&shared);
        async move {
            let request = as_http_1(request).map(|body| limited(body, &server.limits));
            let arrival = client.arrives(&request, &server);
            let response = if request.headers().len() > server.limits.max_headers {
                too_many_headers()
            } else {
                server.handler.handle(request, arrival).await
            };
            Ok::<_, Infallible>(response.map(|body: Body| open.until_the_end_of(body)))
        }
    });
    let connection = server.http_2.serve_connection(stream, service);
    drive(&server, connection, http2::Connection::graceful_shutdown, || streams.deadline(&server.limits))
        .await;
}

/// Runs a connection until it ends or has taken longer than it may. On a stop, and when it has reached its age, it is
/// told to `leave`: to finish what it has begun.
async fn drive<H, C: Future>(
    server: &Server<H>,
    connection: C,
    leave: impl Fn(Pin<&mut C>),
    deadline: impl Fn() -> tokio::time::Instant,
) {
    let mut connection = pin!(connection);
    let mut stopped = pin!(server.stop.cancelled());
    let mut age = server.limits.max_connection_age.map(|age| tokio::time::Instant::now() + age);
    let mut is_leaving = false;
    let mut timer = pin!(sleep_until(deadline()));

    // By hand rather than with select!, because the deadline may move whenever the connection has run.
    std::future::poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                // What ended it with an error was this client's doing, and was answered if it could be.
                return Poll::Ready(());
            }
            let is_old = age.is_some_and(|age| age <= tokio::time::Instant::now());
            if !is_leaving && (is_old || stopped.as_mut().poll(cx).is_ready()) {
                (is_leaving, age) = (true, None);
                leave(connection.as_mut());
                continue;
            }
            let until = || age.map_or_else(&deadline, |age| age.min(deadline()));
            if poll_overdue(timer.as_mut(), until, cx).is_pending() {
                return Poll::Pending;
            }
            if age.is_none_or(|age| deadline() <= age) {
                return Poll::Ready(());
            }
        }
    })
    .await;
}

/// Ready when the deadline has passed. The timer is set again only when it fires or when the deadline has come nearer, so
/// that an ordinary request does not touch it.
fn poll_overdue(
    mut timer: Pin<&mut Sleep>,
    until: impl Fn() -> tokio::time::Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let deadline = until();
    if deadline < timer.deadline() {
        timer.as_mut().reset(deadline);
    }
    while timer.as_mut().poll(cx).is_ready() {
        let deadline = until();
        if deadline <= tokio::time::Instant::now() {
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
    }
    Poll::Pending
}
