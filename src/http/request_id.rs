//! The name of a request, in `X-Request-Id` and the access log, so that one name runs through all logs.
//! Never a secret, and never proof of anything: callers may choose it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::headers::has;

/// The header that holds it, towards the upstream, the caller and the log alike.
pub static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest name of a caller's that is kept.
const MAX_REQUEST_ID: usize = 128;

/// The name of one request.
#[derive(Clone, Debug)]
pub struct RequestId(Name);

/// A name of ours is small enough to be copied, and most are of ours.
#[derive(Clone, Debug)]
enum Name {
    Made([u8; 32]),
    Sent(HeaderValue),
}

impl RequestId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Name::Made(digits) => std::str::from_utf8(digits).unwrap_or_default(),
            Name::Sent(sent) => sent.to_str().unwrap_or_default(),
        }
    }

    /// The name as a header's value.
    #[must_use]
    pub fn value(&self) -> HeaderValue {
        match &self.0 {
            Name::Made(digits) => HeaderValue::from_bytes(digits).expect("hex digits are visible ASCII"),
            Name::Sent(sent) => sent.clone(),
        }
    }
}

/// Names requests. Each listener of a worker has its own.
#[derive(Debug, Default)]
pub struct RequestIds {
    key: RandomState,
    made: AtomicU64,
}

impl RequestIds {
    /// The name that the request came with, if it is one word of at most 128 visible characters; else a new one.
    #[must_use]
    pub fn of(&self, headers: &HeaderMap) -> RequestId {
        if !has(headers, &X_REQUEST_ID) {
            return self.make();
        }
        let mut sent = headers.get_all(&X_REQUEST_ID).iter();
        match (sent.next(), sent.next()) {
            (Some(id), None) if is_sane(id.as_bytes()) => RequestId(Name::Sent(id.clone())),
            _ => self.make(),
        }
    }

    /// 128 bits in hex: a counter, hashed under a random key, so that a name tells nothing of the others. It is no
    /// secret, and worth neither a system call nor a cryptographic generator.
    fn make(&self) -> RequestId {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut hasher = self.key.build_hasher();
        hasher.write_u64(self.made.fetch_add(1, Ordering::Relaxed));
        let first = hasher.finish();
        hasher.write_u64(first);
        let bits = (u128::from(first) << 64) | u128::from(hasher.finish());
        let mut digits = [0; 32];
        for (two, byte) in digits.chunks_exact_mut(2).zip(bits.to_be_bytes()) {
            two.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        RequestId(Name::Made(digits))
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs.iter().map(pair) {
            headers.append(name, value);
        }
        headers
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        let ids = RequestIds::default();
        let kept = ids.of(&headers(&[("x-request-id", "abc-123")]));
        assert_eq!((kept.as_str(), kept.value()), ("abc-123", HeaderValue::from_static("abc-123")));
        let long: &'static str = String::leak("x".repeat(MAX_REQUEST_ID + 1));
        for insane in
            [&[][..], &[("x-request-id", "")], &[("x-request-id", "a b")], &[("x-request-id", long)]]
        {
            let id = ids.of(&headers(insane));
            assert_eq!(id.as_str().len(), 32, "{insane:?}");
            assert!(id.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert_eq!(id.value(), id.as_str());
        }
        let twice = ids.of(&headers(&[("x-request-id", "a"), ("x-request-id", "a")]));
        assert_eq!(twice.as_str().len(), 32);
    }

    #[test]
    fn no_two_new_names_are_the_same_within_a_worker_or_between_workers() {
        let (one, other) = (RequestIds::default(), RequestIds::default());
        let names = (0..1000).flat_map(|_| [one.of(&HeaderMap::new()), other.of(&HeaderMap::new())]);
        assert_eq!(
            names.map(|name| name.as_str().to_owned()).collect::<std::collections::HashSet<_>>().len(),
            2000
        );
    }
}
