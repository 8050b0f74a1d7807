//! skeleton
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use http::{Request, Response};
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use super::Body;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address { Tcp(SocketAddr), Unix(PathBuf) }
impl std::str::FromStr for Address { type Err = String; fn from_str(_: &str) -> Result<Self, String> { unimplemented!() } }
impl std::fmt::Display for Address { fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { unimplemented!() } }

#[derive(Clone, Debug)]
pub struct Config { pub address: Address, pub tls: Option<super::tls::ServerTls>, pub limits: Limits }
/// Every limit has a default.
#[derive(Clone, Debug)]
pub struct Limits { pub handshake: Duration, pub request_head: Duration, pub keep_alive: Duration, pub max_head_bytes: usize, pub max_headers: usize, pub max_connections: usize }
impl Default for Limits { fn default() -> Self { Self { handshake: Duration::from_secs(5), request_head: Duration::from_secs(10), keep_alive: Duration::from_secs(75), max_head_bytes: 64 * 1024, max_headers: 100, max_connections: 10_000 } } }

/// How a request reached us.
#[derive(Clone, Copy, Debug)]
pub struct Arrival { pub peer: Option<SocketAddr>, pub tls: bool, pub at: Instant }

/// What a listener hands requests to. Infallible: every failure is an answer.
pub trait Handler: Send + Sync + 'static {
    fn handle(&self, request: Request<Incoming>, arrival: Arrival) -> impl Future<Output = Response<Body>> + Send;
}

/// A bound socket. `reuse_port`: one per worker on the same port.
pub struct Bound {}
#[derive(Debug, thiserror::Error)]
pub enum ListenError { #[error("placeholder")] Placeholder }
pub fn bind(_config: &Config, _reuse_port: bool) -> Result<Bound, ListenError> { unimplemented!() }
impl Bound {
    /// The real address (port 0 resolved).
    pub fn address(&self) -> Address { unimplemented!() }
    /// Accepts until `stop` is cancelled, then refuses new connections, lets requests in flight finish (Connection: close), and returns when all are done or `hard_stop` is cancelled. Runs on the current runtime with tokio::spawn.
    pub async fn serve<H: Handler>(self, _handler: Arc<H>, _stop: CancellationToken, _hard_stop: CancellationToken) { unimplemented!() }
}
