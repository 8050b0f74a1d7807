//! What the upstream is told of the way a request took: the peer, the scheme, the host, and the request's name.
//! Never believes what the caller says of it; no proxy in front of us is trusted yet.

use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Names requests. One per worker.
#[derive(Default)]
pub(super) struct RequestIds {
    key: RandomState,
    made: AtomicU64,
}

impl RequestIds {
    /// The name that the request came with, if it is one word of at most 128 visible characters; else a new one.
    pub(super) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let mut sent = headers.get_all(&X_REQUEST_ID).iter();
        match (sent.next(), sent.next()) {
            (Some(id), None) if is_sane(id.as_bytes()) => id.clone(),
            _ => self.make(),
        }
    }

    /// 128 bits in hex: a counter, hashed under a random key, so that a name tells nothing of the others. It is no
    /// secret, and worth neither a system call nor a cryptographic generator.
    fn make(&self) -> HeaderValue {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let half = |which: u8| u128::from(self.key.hash_one((number, which)));
        let bits = (half(0) << 64) | half(1);
        let digits: [u8; 32] = std::array::from_fn(|at| HEX[(bits >> (4 * at)) as usize % 16]);
        HeaderValue::from_bytes(&digits).expect("hex digits are visible ASCII")
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

/// The address alone; an IPv4 address that came over an IPv6 socket is written as IPv4.
fn address(peer: SocketAddr) -> Option<HeaderValue> {
    let IpAddr::V4(ip) = peer.ip().to_canonical() else {
        return HeaderValue::try_from(peer.ip().to_string()).ok();
    };
    // As its Display writes it, at a fifth of the cost.
    let mut text = String::with_capacity(15);
    for octet in ip.octets() {
        text.push_str(itoa::Buffer::new().format(octet));
        text.push('.');
    }
    HeaderValue::from_str(text.trim_end_matches('.')).ok()
}

#[cfg(test)]
mod tests;
