//! HTTP/2 on one connection of a client: hyper speaks it, and is watched for what it would let pass.
//! Never decodes a frame; what it counts is enough to tell a client from a flood.

mod frames;
pub(super) mod stalling;
mod streams;
mod watched;

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::{Builder, Connection};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::connection::{Client, Server};
use super::tunnel::Resumed;
use super::upload::limited;
use super::{Handler, Limits, rejection};
use crate::http::body::Body;
use crate::http::headers::as_http_1;
use crate::http::timer::Timer;
use stalling::Stalling;
use streams::{Notebook, Streams};
use watched::Watched;

/// What hyper may hold back for a slow reader.
const MAX_BUFFER: usize = 64 * 1024;
/// How much of one stream's body, and of all streams' bodies together, may be under way and not taken yet.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How many streams we may have had to reset because of the client's mistakes (MadeYouReset), and how many it may have
/// reset before anybody looked at them (rapid reset). hyper answers more with ENHANCE_YOUR_CALM.
const MAX_FAULTY_STREAMS: usize = 50;
const MAX_UNSEEN_RESETS: usize = 20;

/// Extended CONNECT stays off, as it is by default. There are no pings: the limits end a connection whose client is gone.
pub(super) fn builder(limits: &Limits) -> Builder<Stalling> {
    let mut http = Builder::new(Stalling::after(limits.stream_idle));
    http.max_concurrent_streams(limits.max_streams);
    http.max_header_list_size(u32::try_from(limits.max_head_bytes).unwrap_or(u32::MAX));
    http.initial_stream_window_size(STREAM_WINDOW);
    http.initial_connection_window_size(CONNECTION_WINDOW);
    http.max_send_buf_size(MAX_BUFFER);
    http.max_local_error_reset_streams(MAX_FAULTY_STREAMS);
    http.max_pending_accept_reset_streams(MAX_UNSEEN_RESETS);
    http
}

/// Serves requests side by side, each a task of its own on this thread. They end with the connection.
pub(super) async fn serve<H, S>(server: Arc<Server<H>>, stream: S, early: Bytes, client: Client)
where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let streams = Streams::new(client.since);
    let stream = TokioIo::new(Watched::new(Resumed::new(stream, early), Notebook::new(Arc::clone(&streams))));
    let (shared, opened) = (Arc::clone(&server), Arc::clone(&streams));
    let service = service_fn(move |request: Request<Incoming>| {
        let open = opened.open();
        let server = Arc::clone(&shared);
        async move {
            let request = as_http_1(request).map(|body| limited(body, &server.limits));
            let arrival = client.arrives(&request, &server);
            let response = if request.headers().len() > server.limits.max_headers {
                rejection::head_too_large(&server.limits)
            } else {
                server.handler.handle(request, arrival).await
            };
            Ok::<_, Infallible>(response.map(|body: Body| open.until_the_end_of(body)))
        }
    });
    let connection = server.http_2.serve_connection(stream, service);
    drive(&server, connection, Connection::graceful_shutdown, || streams.deadline(&server.limits)).await;
}

/// Runs a connection until it ends or has taken longer than it may. On a stop, and when it has reached its age, it is
/// told to `leave`: to finish what it has begun.
async fn drive<H, C: Future>(
    server: &Server<H>,
    connection: C,
    leave: impl Fn(Pin<&mut C>),
    deadline: impl Fn() -> Instant,
) {
    let mut connection = pin!(connection);
    let mut stopped = pin!(server.stop.cancelled());
    let mut age = server.limits.max_connection_age.map(|age| Instant::now() + age);
    let mut is_leaving = false;
    let mut timer = Timer::default();

    // By hand rather than with select!, because the deadline may move whenever the connection has run.
    std::future::poll_fn(|cx| {
        loop {
            if connection.as_mut().poll(cx).is_ready() {
                // What ended it with an error was this client's doing, and was answered if it could be.
                return Poll::Ready(());
            }
            let is_old = age.is_some_and(|age| age <= Instant::now());
            if !is_leaving && (is_old || stopped.as_mut().poll(cx).is_ready()) {
                (is_leaving, age) = (true, None);
                leave(connection.as_mut());
                continue;
            }
            let until = age.map_or_else(&deadline, |age| age.min(deadline()));
            ready!(timer.poll_overdue(until, cx));
            if age.is_none_or(|age| deadline() <= age) {
                return Poll::Ready(());
            }
        }
    })
    .await;
}
