//! A change of protocol: what a caller asks for, and the tunnel once the upstream has agreed.
//! Never decides whether it may, and never reads a byte of the new protocol before the upstream's 101.

mod frames;
mod tunnel;

use std::fmt;
use std::time::Duration;

use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{Method, Response, Version};
use hyper::body::Body as _;
use tokio::time::Instant;

use crate::http::Body;
use crate::http::headers::{has, lists};
use crate::http::listener::Tunnel;
use crate::http::pool::Raw;

/// A caller's wish to go on in another protocol.
#[derive(Clone, Debug)]
pub struct Upgrade {
    protocol: HeaderValue,
}

/// What holds for a tunnel. Nothing limits it by default.
#[derive(Default)]
pub struct Terms {
    /// When it is cut.
    pub until: Option<Instant>,
    /// How long it may be silent in both directions.
    pub idle: Option<Duration>,
    /// Told at the end how much went through; dropped untold where there never was a tunnel.
    pub ended: Option<Ended>,
}

/// Whoever wants to know of a tunnel's end.
pub type Ended = Box<dyn FnOnce(Through) + Send>;

/// How many bytes a tunnel carried, and how it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Through {
    /// From the caller to the upstream.
    pub up: u64,
    /// From the upstream to the caller.
    pub down: u64,
    /// Its time was over, or the process ended, while both sides would have gone on.
    pub is_cut: bool,
}

impl Upgrade {
    /// The wish in a request's head, to be asked before hop-by-hop fields are removed. Only a GET in HTTP/1.1 without a
    /// body can wish, for one protocol; h2c is never one: it would carry requests past every rule (RFC 9113 dropped it).
    /// A request whose wish is not taken stays a request, as with any server that does not know the protocol.
    pub fn asked(head: &Parts, body: &Body) -> Option<Self> {
        if !has(&head.headers, &UPGRADE) {
            return None;
        }
        let mut protocols = head.headers.get_all(UPGRADE).iter();
        let protocol = protocols.next()?;
        let is_one = protocols.next().is_none() && is_token(protocol);
        let is_listed = head.headers.get_all(CONNECTION).iter().any(|value| lists(value, "upgrade"));
        let is_plain = head.method == Method::GET && head.version == Version::HTTP_11 && body.is_end_stream();
        if !is_one || !is_listed || !is_plain || protocol.as_bytes().eq_ignore_ascii_case(b"h2c") {
            return None;
        }
        Some(Self { protocol: protocol.clone() })
    }

    /// The protocol as the caller spells it.
    #[must_use]
    pub fn protocol(&self) -> &str {
        self.protocol.to_str().unwrap_or_default()
    }

    /// Asks the upstream.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(UPGRADE, self.protocol.clone());
    }

    /// The 101 for the caller; the listener runs the tunnel that comes with it.
    pub(super) fn agreed(self, mut response: Response<Body>, upstream: Raw, terms: Terms) -> Response<Body> {
        let is_websocket = self.protocol.as_bytes().eq_ignore_ascii_case(b"websocket");
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, self.protocol);
        let run = move |client| tunnel::run(client, upstream, is_websocket, terms);
        response.extensions_mut().insert(Tunnel::new(run));
        response
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms").field("until", &self.until).field("idle", &self.idle).finish_non_exhaustive()
    }
}

/// One word, with a version perhaps.
fn is_token(value: &HeaderValue) -> bool {
    let is_word =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/' | b'+');
    !value.is_empty() && value.as_bytes().iter().all(is_word)
}

#[cfg(test)]
mod tests;
