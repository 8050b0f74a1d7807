//! skeleton
use std::sync::Arc;
use std::time::Duration;
use http::{Request, Response};
use hyper::body::Incoming;
use super::egress::Egress;
use super::{Body, BoxError};

/// Scheme, host and port: where connections are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin { Tcp { host: Arc<str>, port: u16, tls: bool }, Unix(Arc<std::path::Path>) }

/// How connections of a pool are made and kept.
#[derive(Clone)]
pub struct Settings {
    pub connect_timeout: Duration,
    pub response_head_timeout: Duration,
    pub idle_timeout: Duration,
    pub max_idle: usize,
    /// TLS client settings for `tls` origins
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// None: dial whatever resolves (the configured upstream); Some: the guard decides (third parties)
    pub egress: Option<Egress>,
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the address is not allowed")] Egress(#[source] super::egress::EgressError),
    #[error("no connection")] Connect(#[source] BoxError),
    #[error("no connection in time")] ConnectTimeout,
    #[error("no response head in time")] HeadTimeout,
    #[error("the connection broke before an answer")] Broken(#[source] BoxError),
}

/// Idle HTTP/1.1 connections to one origin; one per worker, so its lock is never contended. Send + Sync.
pub struct Pool {}
impl Pool {
    pub fn new(_origin: Origin, _settings: Settings) -> Self { unimplemented!() }
    /// Sends on an idle connection or a new one, streams both ways. At most one retry on a stale kept-alive connection, with nothing consumed. The target must be origin-form and Host set.
    pub async fn send(&self, _request: Request<Body>) -> Result<Response<Incoming>, SendError> { unimplemented!() }
}
