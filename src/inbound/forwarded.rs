//! What the upstream is told of the way a request took: the peer, the scheme, the host, and the request's name.
//! Never believes what the caller says of it; no proxy in front of us is trusted yet.

use std::net::SocketAddr;

use aws_lc_rs::rand;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};

use super::managed;
use crate::http::listener::Arrival;

/// The request's name, towards the upstream, the caller and the log alike.
pub(super) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The longest name of a request that is kept.
const MAX_REQUEST_ID: usize = 128;

/// Erases what the caller says of the way and of us, and writes what is so. `traceparent` passes as it is.
pub(super) fn write(headers: &mut HeaderMap, arrival: Arrival, request_id: &HeaderValue) {
    managed::erase(headers);
    if let Some(host) = headers.get(HOST).cloned() {
        headers.insert(&X_FORWARDED_HOST, host);
    }
    if let Some(peer) = arrival.peer.and_then(address) {
        headers.insert(&X_FORWARDED_FOR, peer);
    }
    let scheme = if arrival.tls { "https" } else { "http" };
    headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
    headers.insert(&X_REQUEST_ID, request_id.clone());
}

/// The name that the request came with, if it is one word of at most 128 visible characters; else a new one.
pub(super) fn request_id(headers: &HeaderMap) -> HeaderValue {
    let mut sent = headers.get_all(&X_REQUEST_ID).iter();
    match (sent.next(), sent.next()) {
        (Some(id), None) if is_sane(id.as_bytes()) => id.clone(),
        _ => new_request_id(),
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// 128 random bits in hex. Should the system have no randomness, the name is all zeros: a name is not worth a request.
fn new_request_id() -> HeaderValue {
    let mut bits = [0; 16];
    let random = rand::fill(&mut bits).map_or(0, |()| u128::from_ne_bytes(bits));
    HeaderValue::try_from(format!("{random:032x}")).unwrap_or_else(|_| HeaderValue::from_static("0"))
}

/// The address alone; an IPv4 address that came over an IPv6 socket is written as IPv4.
fn address(peer: SocketAddr) -> Option<HeaderValue> {
    HeaderValue::try_from(peer.ip().to_canonical().to_string()).ok()
}

#[cfg(test)]
mod tests;
