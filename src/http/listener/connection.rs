//! One connection's life: handshake, requests one after another, its limits, its graceful end.
//! Never outlives its task; a panic in a handler ends it alone.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Instant;

use http::{Request, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::socket::Accepted;
use super::watch::{Watch, Watched};
use super::{Arrival, Handler, Limits, Tunnel};

/// hyper's own; any other number makes it allocate for each request.
pub(super) const DEFAULT_MAX_HEADERS: usize = 100;
/// What hyper may read ahead or hold back for a slow reader.
const MAX_BUFFER: usize = 64 * 1024;

/// What the connections of one listener share.
pub(super) struct Server<H> {
    handler: Arc<H>,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    stop: CancellationToken,
    http: Builder,
}

impl<H: Handler> Server<H> {
    pub(super) fn new(
        handler: Arc<H>,
        tls: Option<TlsAcceptor>,
        limits: Limits,
        stop: CancellationToken,
    ) -> Self {
        let http = http(&limits);
        Self { handler, tls, limits, stop, http }
    }
}

fn http(limits: &Limits) -> Builder {
    let mut http = Builder::new();
    // The watch closes slow and idle connections.
    http.header_read_timeout(None);
    http.max_buf_size(limits.max_head_bytes.max(MAX_BUFFER));
    http.max_header_size(limits.max_head_bytes);
    if limits.max_headers != DEFAULT_MAX_HEADERS {
        http.max_headers(limits.max_headers);
    }
    http
}

/// Serves a connection until it ends.
pub(super) async fn serve<H: Handler>(server: Arc<Server<H>>, accepted: Accepted) {
    match accepted {
        Accepted::Unix(stream) => requests(server, stream, None, false).await,
        Accepted::Tcp(stream, peer) => {
            if server.tls.is_none() {
                return requests(server, stream, Some(peer), false).await;
            }
            if let Some(stream) = handshake(&server, stream).await {
                requests(server, stream, Some(peer), true).await;
            }
        }
    }
}

async fn handshake<H>(server: &Server<H>, stream: TcpStream) -> Option<TlsStream<TcpStream>> {
    let acceptor = server.tls.as_ref()?;
    timeout(server.limits.handshake, acceptor.accept(stream)).await.ok()?.ok()
}

async fn requests<H, S>(server: Arc<Server<H>>, stream: S, peer: Option<SocketAddr>, tls: bool)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let tunnel = OnceLock::new();
    http_1(server, stream, peer, tls, &tunnel).await;
    if let Some(tunnel) = tunnel.into_inner() {
        Tunnel::run(tunnel).await;
    }
}

/// Requests one after another, until the connection ends or is to be a tunnel.
async fn http_1<H, S>(
    server: Arc<Server<H>>,
    stream: S,
    peer: Option<SocketAddr>,
    tls: bool,
    tunnel: &OnceLock<Tunnel>,
) where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let watch = Watch::new();
    let stream = TokioIo::new(Watched::new(stream, Arc::clone(&watch)));
    let service = service_fn(|request: Request<Incoming>| {
        let serving = watch.serving(!request.body().is_end_stream());
        let handler = Arc::clone(&server.handler);
        let arrival = Arrival { peer, tls, at: Instant::now() };
        async move {
            let mut response = handler.handle(request, arrival).await;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                // hyper ends with the first 101, so that there is never a second.
                response.extensions_mut().remove().map(|found| tunnel.set(found));
            }
            Ok::<_, Infallible>(response.map(|body| serving.until_the_end_of(body)))
        }
    });
    let mut connection = pin!(server.http.serve_connection(stream, service).with_upgrades());
    let mut stopped = pin!(server.stop.cancelled());
    let mut is_stopping = false;
    let mut timer = pin!(sleep_until((Instant::now() + server.limits.request_head).into()));

    // By hand rather than with select!, because the deadline may move whenever the connection has run.
    std::future::poll_fn(|cx| {
        if connection.as_mut().poll(cx).is_ready() {
            // What ended it with an error was this client's doing, and was answered if it could be.
            return Poll::Ready(());
        }
        if !is_stopping && stopped.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
            if connection.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        poll_overdue(timer.as_mut(), &watch, &server.limits, cx)
    })
    .await;
}

/// Ready when the connection has taken longer than it may. The timer is set again only when it fires or when the deadline
/// has come nearer, so that an ordinary request does not touch it.
fn poll_overdue(
    mut timer: Pin<&mut Sleep>,
    watch: &Watch,
    limits: &Limits,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let deadline = watch.deadline(limits);
    if deadline < timer.deadline() {
        timer.as_mut().reset(deadline);
    }
    while timer.as_mut().poll(cx).is_ready() {
        let deadline = watch.deadline(limits);
        if deadline <= tokio::time::Instant::now() {
            return Poll::Ready(());
        }
        timer.as_mut().reset(deadline);
    }
    Poll::Pending
}
