//! HTTP/1.1 connections to one origin, kept between requests.
//! Never knows why a request is made, and never sends one twice once any of it was written.

mod connect;
mod exchange;
mod framing;
mod idle;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::client::conn::http1::SendRequest;

use super::body::{Body, BoxError};
use super::egress::{Egress, EgressError};
use exchange::Attempt;
use idle::Idle;

/// Scheme, host and port, or a socket file: where connections are kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A host.
    Tcp {
        /// A name, or an address (IPv6 with or without brackets).
        host: Arc<str>,
        /// The port.
        port: u16,
        /// https
        tls: bool,
    },
    /// A socket file.
    Unix(Arc<Path>),
}

/// How connections of a pool are made and kept.
#[derive(Clone)]
pub struct Settings {
    /// From the name's resolution to the end of the TLS handshake.
    pub connect_timeout: Duration,
    /// From the request, or the last piece of its body, to the response head.
    pub response_head_timeout: Duration,
    /// How long a connection is kept unused; below the upstream's own, or requests meet closing connections.
    pub idle_timeout: Duration,
    /// How many unused connections are kept; 0 means a new one for each request.
    pub max_idle: usize,
    /// TLS client settings for `tls` origins.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The name the certificate must carry, where it is not the origin's host.
    pub server_name: Option<Arc<str>>,
    /// None: dial whatever resolves (the configured upstream); Some: the guard decides (third parties).
    pub egress: Option<Egress>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The guard refused; nothing was dialled.
    #[error("the address is not allowed")]
    Egress(#[source] EgressError),
    /// No address could be connected to, or TLS failed.
    #[error("no connection")]
    Connect(#[source] BoxError),
    /// Connecting took longer than its limit.
    #[error("no connection in time")]
    ConnectTimeout,
    /// The response head, or the next piece of the request's body, took longer than its limit.
    #[error("no response head in time")]
    HeadTimeout,
    /// The caller's own body broke off or was malformed; the upstream saw the request cut short.
    #[error("the request body broke off")]
    RequestBody(#[source] BoxError),
    /// The connection ended, or what came was not an HTTP response. The request may have been acted on.
    #[error("the connection broke before an answer")]
    Broken(#[source] BoxError),
}

/// A connection that can take a request.
type Sender = SendRequest<Body>;

/// Idle HTTP/1.1 connections to one origin, the one used last first. One per worker, so that its lock is never
/// contended. A connection serves whoever comes next: nothing may be sent that authenticates a connection (NTLM).
pub struct Pool {
    origin: Origin,
    settings: Settings,
    idle: Arc<Idle>,
}

impl Pool {
    /// A pool without connections; nothing is dialled before the first request.
    #[must_use]
    pub fn new(origin: Origin, settings: Settings) -> Self {
        let idle = Arc::new(Idle::new(settings.max_idle, settings.idle_timeout));
        Self { origin, settings, idle }
    }

    /// Sends on an idle connection or a new one, streaming both ways; the connection comes back when the response has
    /// been read to its end, and is closed when it is dropped before. Framing headers are written anew from the bodies.
    ///
    /// At most one retry, on a new connection, where a kept one turned out closed and hyper gave the request back
    /// unsent. The target must be origin-form, Host set. Dropping the future closes the connection.
    pub async fn send(&self, mut request: Request<Body>) -> Result<Response<Body>, SendError> {
        framing::of_request(&mut request);
        let method = request.method().clone();
        let limit = self.settings.response_head_timeout;

        let attempt = match self.idle.take() {
            Some(kept) => exchange::attempt(kept, request, limit).await?,
            None => Attempt::Unsent(request),
        };
        let (response, connection) = match attempt {
            Attempt::Answered(response, connection) => (response, connection),
            Attempt::Unsent(request) => self.send_anew(request, limit).await?,
        };

        if !framing::is_plain(response.headers()) {
            return Err(SendError::Broken("its Transfer-Encoding is not exactly one chunked".into()));
        }
        let mut response = self.idle.lend(connection, response);
        framing::of_response(&method, &mut response);
        Ok(response)
    }

    async fn send_anew(
        &self,
        request: Request<Body>,
        limit: Duration,
    ) -> Result<(Response<hyper::body::Incoming>, Sender), SendError> {
        let connection = connect::connect(&self.origin, &self.settings).await?;
        match exchange::attempt(connection, request, limit).await? {
            Attempt::Answered(response, connection) => Ok((response, connection)),
            Attempt::Unsent(_) => Err(SendError::Broken("a new connection closed at once".into())),
        }
    }
}

#[cfg(test)]
mod tests;
