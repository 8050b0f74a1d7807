//! Listening: sockets, limits, TLS, and every connection's life until a graceful stop.
//! Never knows what requests mean; a [`Handler`] answers them.

mod address;
mod connection;
mod http1;
mod http2;
mod preface;
mod rejection;
mod socket;
mod tunnel;
mod upload;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::Body;
use super::tls::{ListenerTls, ServerTls};
use crate::report::report;
use crate::telemetry::metrics::ConnectionMetrics;

pub use address::Address;
pub use socket::ListenError;
pub use tunnel::{ClientStream, Duplex, Tunnel};
pub use upload::SlowBody;

/// How long nothing is accepted after the system ran out of what a connection needs.
const BREATHER: Duration = Duration::from_millis(100);

/// How many headers a request may have, unless configured otherwise.
const DEFAULT_MAX_HEADERS: usize = 100;

/// A listener as configured.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub address: Address,
    /// With which certificate; none is plain HTTP.
    pub tls: Option<ServerTls>,
    /// What a connection may take.
    pub limits: Limits,
}

/// What a connection may take. Every limit has a default.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From a connection's beginning, or the first byte of a later request, to the end of the request's head.
    pub request_head: Duration,
    /// From the last byte of an answer to the first byte of the next request.
    pub keep_alive: Duration,
    /// While a request is answered: how long no byte may move in either direction.
    pub stream_idle: Duration,
    /// How long a client may let us wait for a byte of its request's body; then reading it fails with [`SlowBody`].
    pub body_idle: Duration,
    /// The lowest rate of a request's body, in bytes a second of waiting for it; 0 is any.
    pub min_body_rate: u64,
    /// The longest request head in bytes; a longer one is answered 431.
    pub max_head_bytes: usize,
    /// The most headers in a request; more are answered 431.
    pub max_headers: usize,
    /// The most connections of one [`Bound`]; further ones wait in the system's queue.
    pub max_connections: usize,
    /// How long a connection may be used for; it then finishes what it has begun. None is for ever.
    pub max_connection_age: Option<Duration>,
    /// The most requests at once on an HTTP/2 connection.
    pub max_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            request_head: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            stream_idle: Duration::from_secs(300),
            body_idle: Duration::from_secs(30),
            min_body_rate: 0,
            max_head_bytes: 64 * 1024,
            max_headers: DEFAULT_MAX_HEADERS,
            max_connections: 10_000,
            max_connection_age: None,
            max_streams: 100,
        }
    }
}

/// How a request reached us.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Who connected; nobody can tell on a Unix socket.
    pub peer: Option<SocketAddr>,
    /// Whether over TLS.
    pub tls: bool,
    /// Whether the listener has several certificates and none of them is for the request's host.
    pub misdirected: bool,
    /// When its head had been read.
    pub at: Instant,
}

/// What a listener hands requests to. Infallible: every failure is an answer. The future is dropped if the client leaves.
/// A 101 must carry the [`Tunnel`] that follows it, and may answer only a request that asked for an upgrade.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request<Body>, arrival: Arrival)
    -> impl Future<Output = Response<Body>> + Send;

    /// Whether callers are to come back on another connection: each answer in HTTP/1.1 is then its connection's last.
    fn is_leaving(&self) -> bool {
        false
    }
}

/// A bound socket that does not accept yet.
pub struct Bound {
    socket: socket::Bound,
    address: Address,
    tls: Option<ListenerTls>,
    limits: Limits,
    metrics: ConnectionMetrics,
}

/// Binds and listens. `reuse_port`: one per worker on the same port (TCP only; for a Unix socket, [`Bound::try_clone`]).
/// Needs no runtime.
pub fn bind(config: &Config, reuse_port: bool) -> Result<Bound, ListenError> {
    let tls = config.tls.as_ref().map(ListenerTls::load).transpose().map_err(ListenError::Tls)?;
    let socket = socket::bind(&config.address, reuse_port)?;
    let address = socket.address(&config.address);
    Ok(Bound { socket, address, tls, limits: config.limits.clone(), metrics: ConnectionMetrics::default() })
}

impl Bound {
    /// Counts its connections in `metrics`.
    #[must_use]
    pub fn counted_by(self, metrics: ConnectionMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// The real address (port 0 resolved).
    #[must_use]
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// Its certificates, to be reloaded while it serves.
    #[must_use]
    pub fn tls(&self) -> Option<ListenerTls> {
        self.tls.clone()
    }

    /// Shares the certificates of another socket of the same listener, so that one reload serves both.
    #[must_use]
    pub fn with_tls(self, tls: ListenerTls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// A second handle to the same socket, for another worker: whoever is free accepts.
    pub fn try_clone(&self) -> Result<Self, ListenError> {
        let socket = self
            .socket
            .try_clone()
            .map_err(|source| ListenError::Bind { address: self.address.clone(), source })?;
        Ok(Self {
            socket,
            address: self.address(),
            tls: self.tls.clone(),
            limits: self.limits.clone(),
            metrics: self.metrics.clone(),
        })
    }

    /// Accepts until `stop` is cancelled, then refuses new connections, answers who had connected before, lets requests in flight finish (`Connection: close`),
    /// and returns when all are done or `hard_stop` is cancelled, which drops them. Runs on the current runtime, a task
    /// per connection: a panic in a handler ends that connection and nothing else.
    ///
    /// # Errors
    /// The socket cannot accept any more, before a stop was asked for. Its connections are dropped: a process that
    /// nobody can reach must end, so that somebody starts another.
    pub async fn serve<H: Handler>(
        self,
        handler: Arc<H>,
        stop: CancellationToken,
        hard_stop: CancellationToken,
    ) -> Result<(), ListenError> {
        let mut connections = JoinSet::new();
        tokio::select! {
            accepted = self.accept(handler, &stop, &mut connections) => accepted?,
            () = hard_stop.cancelled() => {}
        }
        tokio::select! {
            biased;
            () = hard_stop.cancelled() => connections.shutdown().await,
            () = finish(&mut connections) => {}
        }
        Ok(())
    }

    async fn accept<H: Handler>(
        self,
        handler: Arc<H>,
        stop: &CancellationToken,
        connections: &mut JoinSet<()>,
    ) -> Result<(), ListenError> {
        let dead = |source| ListenError::Dead { address: self.address.clone(), source };
        let listener = self.socket.listen().map_err(dead)?;
        let max = self.limits.max_connections;
        let server = Arc::new(connection::Server::new(handler, self.tls, self.limits, stop.clone()));
        let serve = |accepted| connection::serve(Arc::clone(&server), accepted, self.metrics.accepted());
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => {
                    note(ended);
                    continue;
                }
                accepted = listener.accept(), if connections.len() < max => accepted,
            };
            match accepted {
                Ok(accepted) => {
                    connections.spawn(serve(accepted));
                }
                // The client left before its turn.
                Err(error) if socket::is_the_connections_own(&error) => {}
                Err(error) if socket::is_the_end(&error) => return Err(dead(error)),
                Err(error) => {
                    tracing::warn!(address = %self.address, "cannot accept: {}", report(&error));
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
        for accepted in listener.into_waiting() {
            connections.spawn(serve(accepted));
        }
        Ok(())
    }
}

/// Serves HTTP/1.1 on a connection that is there already, until it ends: for who brings a stream of its own, as tests and
/// fuzz targets do.
pub async fn converse<H, S>(handler: Arc<H>, stream: S, limits: Limits)
where
    H: Handler,
    S: Duplex + 'static,
{
    let server = connection::Server::new(handler, None, limits, CancellationToken::new());
    let open = ConnectionMetrics::default().accepted();
    http1::serve(&server, stream, Bytes::new(), connection::Client::new(None, false), &open).await;
}

async fn finish(connections: &mut JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        note(ended);
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        // Only a panic comes here: connections are cancelled by `shutdown` alone, which nobody waits for.
        tracing::error!("a connection ended in a defect: {}", report(&error));
    }
}

#[cfg(test)]
mod tests;
