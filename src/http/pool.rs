//! HTTP connections to one origin, kept between requests.
//! Never knows why a request is made, and never sends one twice that may have been acted on, unless that does no harm.

mod connect;
mod http1;
mod http2;
mod idle;
mod stream;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, UPGRADE};
use http::request::Parts;
use http::{Request, Response};

use super::body::{Body, BoxError};
use super::egress::{Egress, EgressError, Names};
use super::headers::{Additions, Fields, has};
use http1::{Connection, Home, Received, begin, exchange};
use idle::Idle;
use stream::Stream;

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

/// What is spoken with an origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1: a connection for each request under way.
    #[default]
    Http1,
    /// HTTP/2: one connection for all. Over TLS the server must agree to it; without, it is taken for granted.
    Http2,
    /// What the server chooses by ALPN: HTTP/2 if it can, else HTTP/1.1. Without TLS, HTTP/1.1.
    Either,
}

/// How connections of a pool are made and kept.
#[derive(Clone)]
pub struct Settings {
    /// What is spoken.
    pub protocol: Protocol,
    /// From the name's resolution to the end of the TLS handshake.
    pub connect_timeout: Duration,
    /// From the request, or the last piece of its body, to the response head.
    pub response_head_timeout: Duration,
    /// How long the upstream may pause within a response's body.
    pub body_idle_timeout: Duration,
    /// How long a connection is kept unused; below the upstream's own, or requests meet closing connections.
    pub idle_timeout: Duration,
    /// How many unused connections are kept; 0 means a new one for each request.
    pub max_idle: usize,
    /// TLS client settings for `tls` origins.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The name the certificate must carry, where it is not the origin's host.
    pub server_name: Option<Arc<str>>,
    /// None: dial whatever resolves (the configured upstream); Some: the guard decides (third parties).
    pub egress: Option<Guard>,
    /// Names that a trailer must not have, either way, besides those that HTTP forbids and Sidegate's own.
    pub private: Arc<[HeaderName]>,
}

/// What decides where connections may go, and what it is decided from.
#[derive(Clone, Debug, PartialEq)]
pub struct Guard {
    /// Which addresses are dialled.
    pub egress: Egress,
    /// Who is asked for them.
    pub names: Names,
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

/// The bytes of a connection that no longer speaks HTTP.
pub(super) struct Raw {
    pub(super) stream: Stream,
    /// What came before anybody asked for it.
    pub(super) early: Bytes,
}

/// What came of asking for another protocol.
pub(super) enum Switched {
    /// The 101, and the connection that is the other protocol's now.
    Agreed(Response<Body>, Raw),
    /// Any other response.
    Not(Response<Body>),
}

/// Idle HTTP/1.1 connections to one origin, the one used last first, or its HTTP/2 connection. One per worker, so that its lock is never
/// contended. A connection serves whoever comes next, so one on which anybody authenticates the connection itself (NTLM,
/// Negotiate) is closed after that exchange.
pub struct Pool {
    origin: Origin,
    settings: Settings,
    home: Home,
    http2: Option<Http2>,
}

/// HTTP/2's side of a pool: its one connection, and the settings to make it with.
struct Http2 {
    connection: http2::Connection,
    settings: Settings,
}

/// How a request goes: over the connection that all share, or over one of its own.
enum Way {
    Shared,
    Kept(Box<Connection>),
    New(Box<Connection>),
}

impl Pool {
    /// A pool without connections; nothing is dialled before the first request.
    #[must_use]
    pub fn new(origin: Origin, settings: Settings) -> Self {
        let is_tls = matches!(origin, Origin::Tcp { tls: true, .. });
        let offers: &[&str] = match settings.protocol {
            Protocol::Http2 => &["h2"],
            Protocol::Either if is_tls => &["h2", "http/1.1"],
            Protocol::Either | Protocol::Http1 => &[],
        };
        let http2 = (!offers.is_empty()).then(|| Http2 {
            connection: http2::Connection::default(),
            settings: Settings {
                tls: settings.tls.as_deref().map(|tls| http2::offering(tls, offers)),
                ..settings.clone()
            },
        });
        let home = Home {
            idle: Arc::new(Idle::new(settings.max_idle, settings.idle_timeout)),
            body_idle: settings.body_idle_timeout,
            private: Arc::clone(&settings.private),
        };
        Self { origin, settings, home, http2 }
    }

    /// Sends on an idle connection or a new one, streaming both ways; the connection comes back when the response has
    /// been read to its end and the request has gone, and is closed when either is dropped before. Framing headers are
    /// written anew from the bodies; the request's body is not asked for before there is a connection.
    ///
    /// At most one retry, on a new connection, where a kept one turned out closed without a word: if nothing was written,
    /// or the request may be sent twice and is in memory as a whole. Host must be set. Dropping the future closes the
    /// connection.
    pub async fn send(&self, request: Request<Body>) -> Result<Response<Body>, SendError> {
        let (mut head, body) = request.into_parts();
        self.send_with(&mut head, body, &|_| {}).await
    }

    /// As [`Pool::send`], with more fields. The head's own are let go as soon as they are written.
    pub(super) async fn send_with(
        &self,
        head: &mut Parts,
        body: Body,
        additions: &Additions<'_>,
    ) -> Result<Response<Body>, SendError> {
        match self.switch(head, body, additions).await? {
            Switched::Not(response) => Ok(response),
            Switched::Agreed(..) => {
                Err(SendError::Broken("it was asked to switch protocols by mistake".into()))
            }
        }
    }

    /// The same, where the request's Upgrade asks for another protocol. HTTP/2 knows none: where nothing else is spoken, it
    /// is not asked.
    pub(super) async fn switch(
        &self,
        head: &mut Parts,
        body: Body,
        additions: &Additions<'_>,
    ) -> Result<Switched, SendError> {
        let (connection, is_new) = match (self.way(head).await?, &self.http2) {
            (Way::Kept(connection), _) => (connection, false),
            (Way::New(connection), _) => (connection, true),
            (Way::Shared, Some(http2)) => {
                head.headers.remove(UPGRADE);
                additions(&mut Fields::of_map(&mut head.headers));
                let nothing = Request::new(()).into_parts().0;
                let request = Request::from_parts(std::mem::replace(head, nothing), body);
                let sent = http2.connection.send(request, &self.origin, &http2.settings);
                return sent.await.map(Switched::Not);
            }
            (Way::Shared, None) => (self.connect().await?, true),
        };
        let received = self.received(connection, is_new, head, body, additions).await?;
        if received.is_switch() {
            let (response, raw) = received.into_raw();
            return Ok(Switched::Agreed(response, raw));
        }
        Ok(Switched::Not(received.into_response(&self.home)))
    }

    /// An upgrade needs HTTP/1.1, and so does a server that does not choose HTTP/2.
    async fn way(&self, head: &Parts) -> Result<Way, SendError> {
        let http2 = match self.settings.protocol {
            Protocol::Http1 => None,
            Protocol::Http2 => return Ok(Way::Shared),
            Protocol::Either => self.http2.as_ref().filter(|_| !has(&head.headers, &UPGRADE)),
        };
        if let Some(http2) = http2
            && http2.connection.is_open().await
        {
            return Ok(Way::Shared);
        }
        if let Some(kept) = self.home.idle.take() {
            return Ok(Way::Kept(kept));
        }
        let Some(Http2 { connection, settings }) = http2 else { return self.connect().await.map(Way::New) };
        Ok(match connection.agreed(&self.origin, settings).await? {
            None => Way::Shared,
            Some(stream) => Way::New(Connection::new(stream)),
        })
    }

    async fn received(
        &self,
        mut connection: Box<Connection>,
        is_new: bool,
        head: &mut Parts,
        body: Body,
        additions: &Additions<'_>,
    ) -> Result<Received, SendError> {
        let limit = self.settings.response_head_timeout;
        let (upload, asked) = begin(head, body, additions, connection.take_buffer(), &self.home.private);
        head.headers = HeaderMap::new();
        let failed = match exchange(connection, upload, &asked, limit).await {
            Ok(received) => return Ok(received),
            Err(failed) => failed,
        };
        match failed.again {
            Some(upload) if !is_new && self.home.idle.may_send_again() => {
                let connection = self.connect().await?;
                exchange(connection, upload, &asked, limit).await.map_err(|failed| failed.error)
            }
            _ => Err(failed.error),
        }
    }

    async fn connect(&self) -> Result<Box<Connection>, SendError> {
        connect::connect(&self.origin, &self.settings).await.map(Connection::new)
    }
}

#[cfg(test)]
mod tests;
