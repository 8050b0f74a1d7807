//! Whose hands a request went through, so that one that comes back is known.
//! Never proof of anything: callers may say what they like, and get no further for it.

use std::hash::{BuildHasher as _, RandomState};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::headers::has;

/// The header that holds it, an id for each Sidegate that forwarded the request. Not `Via`: some servers stop compressing
/// where they see one.
pub static X_SIDEGATE_HOPS: HeaderName = HeaderName::from_static("x-sidegate-hops");

/// The most hands.
const MAX_HOPS: usize = 16;

/// The request was here before, or has gone through too many hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop;

/// One worker's own id: random, so that nobody else has it.
#[derive(Debug)]
pub struct Hops {
    own: HeaderValue,
}

impl Default for Hops {
    fn default() -> Self {
        let id = format!("{:016x}", RandomState::new().hash_one("sidegate"));
        Self { own: HeaderValue::try_from(id).expect("hex digits are visible ASCII") }
    }
}

impl Hops {
    /// What the forwarded request must carry: the hops it came with, and this one.
    ///
    /// # Errors
    /// This one is among them, or they are too many.
    pub fn next(&self, headers: &HeaderMap) -> Result<HeaderValue, Loop> {
        if !has(headers, &X_SIDEGATE_HOPS) {
            return Ok(self.own.clone());
        }
        let lists = headers.get_all(&X_SIDEGATE_HOPS).iter();
        let mut hops = Vec::new();
        let mut count = 1;
        for hop in lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b',')) {
            let hop = hop.trim_ascii();
            count += 1;
            if hop == self.own.as_bytes() || count > MAX_HOPS {
                return Err(Loop);
            }
            hops.extend_from_slice(hop);
            hops.extend_from_slice(b", ");
        }
        hops.extend_from_slice(self.own.as_bytes());
        // Made of header values, so it is one.
        HeaderValue::try_from(hops).map_err(|_| Loop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(hops: &[&Hops]) -> Result<HeaderMap, Loop> {
        let mut headers = HeaderMap::new();
        for hop in hops {
            let next = hop.next(&headers)?;
            headers.insert(&X_SIDEGATE_HOPS, next);
        }
        Ok(headers)
    }

    #[test]
    fn h50_a_request_that_comes_back_is_known_whoever_it_met_meanwhile() {
        let (one, other) = (Hops::default(), Hops::default());
        let headers = passed(&[&one, &other]).unwrap();
        let text = headers[&X_SIDEGATE_HOPS].to_str().unwrap();
        assert_eq!(text.split(", ").count(), 2);
        assert_eq!(passed(&[&one, &one]), Err(Loop));
        assert_eq!(passed(&[&one, &other, &one]), Err(Loop));
    }

    #[test]
    fn h50_a_request_has_not_gone_through_more_hands_than_there_are() {
        let hops: Vec<_> = (0..17).map(|_| Hops::default()).collect();
        let hops: Vec<_> = hops.iter().collect();
        assert!(passed(&hops[..16]).is_ok());
        assert_eq!(passed(&hops), Err(Loop));
    }
}
