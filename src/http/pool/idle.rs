//! The stack of unused connections, and the response bodies that bring theirs back.
//! Never dials and never sends.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, sleep_until};

use super::Sender;
use crate::http::body::Body;

/// Unused connections, the oldest in front.
pub(super) struct Idle {
    max: usize,
    timeout: Duration,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    stack: VecDeque<Unused>,
    /// Whether the task that closes what nobody used runs.
    sweeping: bool,
}

struct Unused {
    connection: Sender,
    since: Instant,
}

impl Idle {
    pub(super) fn new(max: usize, timeout: Duration) -> Self {
        Self { max, timeout, kept: Mutex::default() }
    }

    /// The connection used last that can take a request. Passed over are those that closed, and those that still
    /// finish an upload whose answer came early.
    pub(super) fn take(&self) -> Option<Sender> {
        let mut kept = self.lock();
        while kept.stack.back().is_some_and(|last| last.connection.is_closed()) {
            kept.stack.pop_back();
        }
        let at = kept.stack.iter().rposition(|unused| unused.connection.is_ready())?;
        kept.stack.remove(at).map(|unused| unused.connection)
    }

    /// The response with a body that brings `connection` back once it has been read to its end. One without a body
    /// brings it back at once.
    pub(super) fn lend(self: &Arc<Self>, connection: Sender, response: Response<Incoming>) -> Response<Body> {
        response.map(|incoming| {
            if incoming.is_end_stream() {
                self.put(connection);
                return Body::empty();
            }
            Body::boxed(Lent { incoming, connection: Some(connection), home: Arc::clone(self) })
        })
    }

    pub(super) fn put(self: &Arc<Self>, connection: Sender) {
        if self.max == 0 || connection.is_closed() {
            return;
        }
        let mut kept = self.lock();
        if kept.stack.len() >= self.max {
            kept.stack.pop_front();
        }
        kept.stack.push_back(Unused { connection, since: Instant::now() });
        if !kept.sweeping {
            kept.sweeping = true;
            tokio::spawn(sweep(Arc::downgrade(self), self.timeout));
        }
    }

    /// Closes what has been unused for too long; the time to look again, or none if nothing is kept.
    fn close_old(&self) -> Option<Instant> {
        let mut kept = self.lock();
        let now = Instant::now();
        while kept.stack.front().is_some_and(|oldest| oldest.since + self.timeout <= now) {
            kept.stack.pop_front();
        }
        let next = kept.stack.front().map(|oldest| oldest.since + self.timeout);
        kept.sweeping = next.is_some();
        next
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().stack.len()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing that can panic runs under the lock, and a stack of connections is whole at any time.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One task per pool, and only while something is kept, so that a request sets no timer of its own.
async fn sweep(idle: std::sync::Weak<Idle>, timeout: Duration) {
    let mut next = Some(Instant::now() + timeout);
    while let Some(at) = next {
        sleep_until(at).await;
        next = idle.upgrade().and_then(|idle| idle.close_old());
    }
}

/// A response body and the connection it arrives on.
struct Lent {
    incoming: Incoming,
    /// Until the end or an error. Dropped with the body, it closes the connection.
    connection: Option<Sender>,
    home: Arc<Idle>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.incoming).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Err(_))) => this.connection = None,
            Poll::Ready(None) => this.bring_back(),
            Poll::Ready(Some(Ok(_))) if this.incoming.is_end_stream() => this.bring_back(),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Lent {
    fn bring_back(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.home.put(connection);
        }
    }
}
