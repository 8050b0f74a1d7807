//! HTTP/2 to one origin: many requests on one connection, with hyper's client.
//! Never speaks it to a server that did not agree to: by ALPN over TLS, by configuration without.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body as HttpBody, Frame, Incoming};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::stream::Stream;
use super::{Origin, SendError, Settings, connect};
use crate::http::body::{Body, Polled, Tap, Tapped};
use crate::http::http1::{content_length, keep_harmless};
use crate::http::moment::Moment;

/// What the upstream may send of one body before it is read: flow control holds it back then.
const STREAM_WINDOW: u32 = 512 * 1024;
/// The same for all bodies of a connection together.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// The longest head, unpacked.
const MAX_HEAD: u32 = 64 * 1024;
/// How often the upstream is asked whether it is still there while an answer is awaited, and how long it may take to say so.
const PING: Duration = Duration::from_secs(20);
const PONG: Duration = Duration::from_secs(10);

/// The connection of a pool, made when it is first needed and again when it is gone.
#[derive(Default)]
pub(super) struct Connection(Mutex<State>);

#[derive(Default)]
struct State {
    sender: Option<SendRequest<Body>>,
    /// When connecting failed last, and whether it took too long: who waited meanwhile need not try for himself.
    failed: Option<(Instant, bool)>,
    /// The server was asked, and chose HTTP/1.1.
    is_declined: bool,
}

impl Connection {
    /// Sends on the connection. Tried again on a new one only where hyper gave the request back unsent.
    pub(super) async fn send(
        &self,
        request: Request<Body>,
        origin: &Origin,
        settings: &Settings,
    ) -> Result<Response<Body>, SendError> {
        let scheme = if matches!(origin, Origin::Tcp { tls: true, .. }) { "https" } else { "http" };
        let (mut unsent, progress) = prepare(request, scheme, &settings.private)?;
        for _ in 0..2 {
            let mut sender = self.sender(origin, settings).await?;
            let sent = sender.try_send_request(unsent);
            match while_moving(&progress, settings.response_head_timeout, sent).await {
                None => return Err(SendError::HeadTimeout),
                Some(Ok(response)) => return answer(response, settings),
                Some(Err(mut failed)) => match failed.take_message() {
                    Some(request) => unsent = request,
                    None => return Err(broken(failed.into_error())),
                },
            }
        }
        Err(SendError::Broken("one connection after another closed at once".into()))
    }

    /// Waits until the connection is known to be gone.
    #[cfg(test)]
    pub(super) async fn closed(&self) {
        loop {
            let gone = match self.0.lock().await.sender.as_mut() {
                Some(sender) => sender.ready().await.is_err(),
                None => true,
            };
            if gone {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Whether there is a connection. Waits for one that is being made.
    pub(super) async fn is_open(&self) -> bool {
        self.0.lock().await.open().is_some()
    }

    /// Asks a server that may choose. Nothing comes back where it chose HTTP/2, which is ready then; else the new stream,
    /// for HTTP/1.1.
    pub(super) async fn agreed(
        &self,
        origin: &Origin,
        settings: &Settings,
    ) -> Result<Option<Stream>, SendError> {
        let asked = Instant::now();
        let mut state = self.0.lock().await;
        if state.is_declined {
            // Each request needs a connection of its own then, and none should wait for another's.
            drop(state);
            let stream = connect::connect(origin, settings).await?;
            return self.0.lock().await.take(stream, settings).await;
        }
        if state.open().is_some() {
            return Ok(None);
        }
        state.has_not_failed_since(asked)?;
        let taken = async {
            let stream = connect::connect(origin, settings).await?;
            state.take(stream, settings).await
        };
        let taken = within(settings.connect_timeout, taken).await;
        taken.inspect_err(|error| state.note(error))
    }

    async fn sender(&self, origin: &Origin, settings: &Settings) -> Result<SendRequest<Body>, SendError> {
        let asked = Instant::now();
        let mut state = self.0.lock().await;
        if let Some(sender) = state.open() {
            return Ok(sender.clone());
        }
        state.has_not_failed_since(asked)?;
        let made = async {
            let stream = connect::connect(origin, settings).await?;
            if stream.protocol().is_some_and(|protocol| protocol != H2) {
                return Err(SendError::Connect("the upstream does not speak HTTP/2".into()));
            }
            handshake(stream).await
        };
        let sender = within(settings.connect_timeout, made).await.inspect_err(|error| state.note(error))?;
        state.sender = Some(sender.clone());
        Ok(sender)
    }
}

impl State {
    fn open(&self) -> Option<&SendRequest<Body>> {
        self.sender.as_ref().filter(|sender| !sender.is_closed())
    }

    fn has_not_failed_since(&self, asked: Instant) -> Result<(), SendError> {
        match self.failed {
            Some((at, true)) if at >= asked => Err(SendError::ConnectTimeout),
            Some((at, false)) if at >= asked => {
                Err(SendError::Connect("another request has just failed to connect".into()))
            }
            _ => Ok(()),
        }
    }

    fn note(&mut self, error: &SendError) {
        self.failed = Some((Instant::now(), matches!(error, SendError::ConnectTimeout)));
    }

    /// Keeps a new stream if the server chose HTTP/2 on it; else gives it back.
    async fn take(&mut self, stream: Stream, settings: &Settings) -> Result<Option<Stream>, SendError> {
        self.is_declined = stream.protocol() != Some(H2);
        if self.is_declined {
            return Ok(Some(stream));
        }
        if self.open().is_none() {
            self.sender = Some(within(settings.connect_timeout, handshake(stream)).await?);
        }
        Ok(None)
    }
}

/// What ALPN calls it (RFC 9113 section 3.1).
const H2: &[u8] = b"h2";

async fn within<T>(
    limit: Duration,
    made: impl Future<Output = Result<T, SendError>>,
) -> Result<T, SendError> {
    tokio::time::timeout(limit, made).await.unwrap_or(Err(SendError::ConnectTimeout))
}

/// The TLS settings that offer these protocols and nothing else.
pub(super) fn offering(settings: &rustls::ClientConfig, protocols: &[&str]) -> Arc<rustls::ClientConfig> {
    let mut settings = settings.clone();
    settings.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(settings)
}

async fn handshake(stream: Stream) -> Result<SendRequest<Body>, SendError> {
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| SendError::Connect(error.into()))?;
    // Ends when the last sender and the last body are dropped or the peer closes; what went wrong reaches the requests
    // it went wrong for.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

/// The request as HTTP/2 has it: the host in the target, one length or none, nothing that speaks of a connection.
fn prepare(
    request: Request<Body>,
    scheme: &str,
    private: &Arc<[HeaderName]>,
) -> Result<(Request<Body>, Arc<Moment>), SendError> {
    let (mut head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let host = head.headers.remove(header::HOST);
    let host = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    head.uri = Uri::builder()
        .scheme(scheme)
        .authority(host)
        .path_and_query(target)
        .build()
        .map_err(|error| SendError::Broken(error.into()))?;
    head.version = Version::HTTP_2;
    for name in [header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE, header::EXPECT] {
        head.headers.remove(name);
    }
    match body.size_hint().exact() {
        Some(0) if !head.headers.contains_key(header::CONTENT_LENGTH) => {}
        Some(length) => {
            head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            head.headers.remove(header::CONTENT_LENGTH);
        }
    }
    let progress = Arc::new(Moment::now());
    let body = match body.into_memory() {
        Ok(bytes) => Body::full(bytes),
        Err(streaming) => {
            let upload = Upload { progress: Arc::clone(&progress), private: Arc::clone(private) };
            Body::boxed(Tapped::new(streaming, upload))
        }
    };
    Ok((Request::from_parts(head, body), progress))
}

fn answer(response: Response<Incoming>, settings: &Settings) -> Result<Response<Body>, SendError> {
    let malformed = |problem: &'static str| SendError::Broken(problem.into());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(malformed("HTTP/2 has no 101"));
    }
    content_length(response.headers()).map_err(malformed)?;
    Ok(response.map(|incoming| {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        let download = Download {
            idle: settings.body_idle_timeout,
            timer: None,
            private: Arc::clone(&settings.private),
        };
        Body::boxed(Tapped::new(incoming, download))
    }))
}

fn broken(error: hyper::Error) -> SendError {
    // hyper blames the user for what the request's body yields.
    if error.is_user() { SendError::RequestBody(error.into()) } else { SendError::Broken(error.into()) }
}

/// Waits for `sent` as long as `progress` was touched within `limit`.
async fn while_moving<F: Future>(progress: &Moment, limit: Duration, sent: F) -> Option<F::Output> {
    let mut sent = pin!(sent);
    loop {
        if let Ok(answered) = timeout_at(progress.plus(limit), sent.as_mut()).await {
            return Some(answered);
        }
        if progress.plus(limit) <= Instant::now() {
            return None;
        }
    }
}

/// Notes when a piece of a request's body passes.
struct Upload {
    progress: Arc<Moment>,
    private: Arc<[HeaderName]>,
}

impl Tap<Body> for Upload {
    fn poll(&mut self, body: Pin<&mut Body>, cx: &mut Context<'_>) -> Polled {
        let frame = ready!(body.poll_frame(cx));
        self.progress.touch();
        Poll::Ready(frame.map(|frame| frame.map(|frame| harmless(frame, &self.private))))
    }
}

/// Ends a response's body that pauses for too long.
struct Download {
    idle: Duration,
    /// Runs while the next piece is waited for.
    timer: Option<Pin<Box<Sleep>>>,
    private: Arc<[HeaderName]>,
}

impl Tap<Incoming> for Download {
    fn poll(&mut self, body: Pin<&mut Incoming>, cx: &mut Context<'_>) -> Polled {
        match body.poll_frame(cx) {
            Poll::Ready(frame) => {
                self.timer = None;
                let harmless = |frame| harmless(frame, &self.private);
                Poll::Ready(frame.map(|frame| frame.map(harmless).map_err(Into::into)))
            }
            Poll::Pending => {
                let idle = self.idle;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + idle)));
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Some(Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())))
            }
        }
    }
}

fn harmless(frame: Frame<Bytes>, private: &[HeaderName]) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(mut trailers) => {
            keep_harmless(&mut trailers, private);
            Frame::trailers(trailers)
        }
        Err(frame) => frame.into_data().map_or_else(|_| Frame::trailers(HeaderMap::new()), Frame::data),
    }
}
