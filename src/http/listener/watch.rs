//! What an HTTP/1.1 connection is waiting for, and until when it may.
//! Never closes anything itself.
//!
//! hyper's own timer runs from the end of one request to the head of the next, so it cannot tell an idle connection
//! from a slow head, and it sets a timer for each request. Here one timer per connection is compared with these notes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::Limits;
use super::watched::Notes;
use crate::http::body::{Body, BoxError};
use crate::http::moment::Moment;

/// Between requests.
const WAITING: u8 = 0;
/// A request's head has begun, or the connection is new.
const READING: u8 = 1;
/// A request is being answered.
const SERVING: u8 = 2;

/// One connection's notes. All parts of a connection run in one task, so relaxed ordering is enough.
pub(super) struct Watch {
    phase: AtomicU8,
    since: Moment,
}

impl Watch {
    /// A connection that was made then.
    pub(super) fn new(since: Instant) -> Arc<Self> {
        Arc::new(Self { phase: AtomicU8::new(READING), since: Moment::at(since) })
    }

    /// Until when the connection may go on as it is.
    pub(super) fn deadline(&self, limits: &Limits) -> Instant {
        self.since.plus(match self.phase.load(Ordering::Relaxed) {
            WAITING => limits.keep_alive,
            READING => limits.request_head,
            _ => limits.stream_idle,
        })
    }

    /// A request begins to be answered; it ends when the guard is dropped.
    pub(super) fn serving(self: &Arc<Self>) -> Serving {
        self.enter(SERVING);
        Serving(Arc::clone(self))
    }

    fn enter(&self, phase: u8) {
        self.since.touch();
        self.phase.store(phase, Ordering::Relaxed);
    }
}

impl Notes for Arc<Watch> {
    /// The first byte begins a head; more of them give a head no more time.
    fn read(&mut self, _: &[u8]) -> io::Result<()> {
        match self.phase.load(Ordering::Relaxed) {
            WAITING => self.enter(READING),
            SERVING => self.since.touch(),
            _ => {}
        }
        Ok(())
    }

    /// Of an answer, or of its end, which may still be under way when its body is done with.
    fn written(&mut self, _: usize) {
        if self.phase.load(Ordering::Relaxed) != READING {
            self.since.touch();
        }
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
