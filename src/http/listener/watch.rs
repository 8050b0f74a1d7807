//! What an HTTP/1.1 connection is waiting for, and until when it may.
//! Never closes anything itself.
//!
//! hyper's own timer runs from the end of one request to the head of the next, so it cannot tell an idle connection
//! from a slow head, and it sets a timer for each request. Here one timer per connection is compared with these notes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::Limits;
use super::watched::Notes;
use crate::http::body::{Body, BoxError};
use crate::http::moment::Moment;

/// Between requests.
const WAITING: u8 = 0;
/// A request's head has begun.
const READING: u8 = 1;
/// A request is being answered.
const SERVING: u8 = 2;
/// Everything was answered and our side is closed; what the client still sends is thrown away.
const LEAVING: u8 = 3;
/// Nothing has come yet.
const NEW: u8 = 4;

/// For how long a client may go on sending what nobody will read. A socket that is closed with unread bytes in it is
/// reset, and the client may then never see the answer that told it to stop.
const LINGER: Duration = Duration::from_secs(2);

/// One connection's notes. All parts of a connection run in one task, so relaxed ordering is enough.
pub(super) struct Watch {
    phase: AtomicU8,
    since: Moment,
    /// The last request had a body, which may not have been read to its end.
    has_body: AtomicBool,
}

impl Watch {
    /// A connection that was made then.
    pub(super) fn new(since: Instant) -> Arc<Self> {
        Arc::new(Self {
            phase: AtomicU8::new(NEW),
            since: Moment::at(since),
            has_body: AtomicBool::new(false),
        })
    }

    /// Until when the connection may go on as it is.
    pub(super) fn deadline(&self, limits: &Limits) -> Instant {
        self.since.plus(match self.phase.load(Ordering::Relaxed) {
            WAITING => limits.keep_alive,
            NEW | READING => limits.request_head,
            LEAVING => LINGER,
            _ => limits.stream_idle,
        })
    }

    /// A request begins to be answered; it ends when the guard is dropped.
    pub(super) fn serving(self: &Arc<Self>, has_body: bool) -> Serving {
        self.has_body.store(has_body, Ordering::Relaxed);
        self.enter(SERVING);
        Serving(Arc::clone(self))
    }

    fn enter(&self, phase: u8) {
        self.since.touch();
        self.phase.store(phase, Ordering::Relaxed);
    }
}

impl Notes for Arc<Watch> {
    /// The first byte begins a head; more of them give a head no more time, and the first head's runs from the connection's
    /// beginning.
    fn read(&mut self, _: &[u8]) -> io::Result<()> {
        match self.phase.load(Ordering::Relaxed) {
            WAITING => self.enter(READING),
            NEW => self.phase.store(READING, Ordering::Relaxed),
            SERVING => self.since.touch(),
            _ => {}
        }
        Ok(())
    }

    /// Of an answer, or of its end, which may still be under way when its body is done with.
    fn written(&mut self, _: usize) {
        if matches!(self.phase.load(Ordering::Relaxed), WAITING | SERVING) {
            self.since.touch();
        }
    }

    fn may_still_send(&mut self) -> bool {
        let phase = self.phase.load(Ordering::Relaxed);
        let is_in_the_middle = phase == READING || self.has_body.load(Ordering::Relaxed);
        if is_in_the_middle && phase != LEAVING {
            self.enter(LEAVING);
        }
        phase == LEAVING || is_in_the_middle
    }
}

/// A request being answered.
pub(super) struct Serving(Arc<Watch>);

impl Serving {
    /// Keeps the request being answered until its body is.
    pub(super) fn until_the_end_of(self, body: Body) -> Answer {
        Answer { body, _serving: self }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.enter(WAITING);
    }
}

/// A response body on its way to the client.
pub(super) struct Answer {
    body: Body,
    _serving: Serving,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_still_be_sending_is_listened_to_after_the_end_and_not_for_long() {
        let limits = Limits::default();
        let within = |watch: &Watch, limit: Duration| watch.deadline(&limits) <= Instant::now() + limit;
        let new = || Watch::new(Instant::now());

        assert!(!new().may_still_send());

        let mut in_a_head = new();
        in_a_head.read(b"G").unwrap();
        assert!(in_a_head.may_still_send() && within(&in_a_head, LINGER));

        let mut with_a_body = new();
        drop(with_a_body.serving(true));
        assert!(!within(&with_a_body, LINGER));
        assert!(with_a_body.may_still_send() && within(&with_a_body, LINGER));

        let mut at_rest = new();
        drop(at_rest.serving(true));
        drop(at_rest.serving(false));
        assert!(!at_rest.may_still_send());
    }
}
