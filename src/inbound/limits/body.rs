//! A request body of bounded length.
//! Never lets a body that is too long end as if it were whole.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::Body as _;

use super::Rejection;
use crate::http::Body;
use crate::http::body::{Polled, Tap, Tapped};

/// What reading a body fails with once it is too long.
#[derive(Debug, thiserror::Error)]
#[error("the body is longer than {most} bytes")]
pub(in crate::inbound) struct TooLong {
    most: u64,
}

/// `body`, if it is not longer than it may be. Where its length is not known beforehand, reading it fails when it turns
/// out too long: the upload is broken off, so that the upstream never takes the piece for the whole.
pub(in crate::inbound) fn bounded(body: Body, most: Option<u64>) -> Result<Body, Rejection> {
    let Some(most) = most else { return Ok(body) };
    let size = body.size_hint();
    if size.lower() > most {
        return Err(Rejection::BodyTooLarge(TooLong { most }.into()));
    }
    if size.upper().is_some_and(|upper| upper <= most) {
        return Ok(body);
    }
    Ok(Body::boxed(Tapped::new(body, Bounded { most, left: most })))
}

struct Bounded {
    most: u64,
    left: u64,
}

impl Tap<Body> for Bounded {
    fn poll(&mut self, body: Pin<&mut Body>, cx: &mut Context<'_>) -> Polled {
        let polled = body.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match self.left.checked_sub(data.len() as u64) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(TooLong { most: self.most }.into()))),
            }
        }
        polled
    }
}
