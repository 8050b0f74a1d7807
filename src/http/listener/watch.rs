//! What a connection is waiting for, and until when it may.
//! Never closes anything itself.
//!
//! hyper's own timer runs from the end of one request to the head of the next, so it cannot tell an idle connection
//! from a slow head, and it sets a timer for each request. Here one timer per connection is compared with these notes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;
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
/// What is read at once only to be thrown away.
const DISCARDED: usize = 8 * 1024;

/// One connection's notes. All parts of a connection run in one task, so relaxed ordering is enough.
pub(super) struct Watch {
    phase: AtomicU8,
    since: Moment,
    /// The last request had a body, which may not have been read to its end.
    has_body: AtomicBool,
}

impl Watch {
    /// A connection that has just been made.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { phase: AtomicU8::new(NEW), since: Moment::now(), has_body: AtomicBool::new(false) })
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

    /// Our side is closed: whether the client may still be sending.
    fn leaving(&self) -> bool {
        let phase = self.phase.load(Ordering::Relaxed);
        let is_in_the_middle = phase == READING || self.has_body.load(Ordering::Relaxed);
        if is_in_the_middle && phase != LEAVING {
            self.enter(LEAVING);
        }
        phase == LEAVING || is_in_the_middle
    }

    fn enter(&self, phase: u8) {
        self.since.touch();
        self.phase.store(phase, Ordering::Relaxed);
    }

    /// Bytes came. The first of them begins a head; more of them give a head no more time, and the first head's runs from
    /// the connection's beginning.
    fn read(&self) {
        match self.phase.load(Ordering::Relaxed) {
            WAITING => self.enter(READING),
            NEW => self.phase.store(READING, Ordering::Relaxed),
            SERVING => self.since.touch(),
            _ => {}
        }
    }

    /// Bytes went: of an answer, or of its end, which may still be under way when its body is done with.
    fn written(&self) {
        if matches!(self.phase.load(Ordering::Relaxed), WAITING | SERVING) {
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

/// A stream that notes when bytes move.
pub(super) struct Watched<S> {
    stream: S,
    watch: Arc<Watch>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, watch: Arc<Watch>) -> Self {
        Self { stream, watch }
    }

    /// Reads to the end and keeps nothing; the connection's deadline ends it if the client does not.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        S: AsyncRead + Unpin,
    {
        let mut bytes = [0; DISCARDED];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn note_written(&self, polled: &Poll<io::Result<usize>>) {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.watch.written();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.watch.read();
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note_written(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.note_written(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if self.watch.leaving() { self.poll_discard(cx) } else { Poll::Ready(Ok(())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_may_still_be_sending_is_listened_to_after_the_end_and_not_for_long() {
        let limits = Limits::default();
        let within = |watch: &Watch, limit: Duration| watch.deadline(&limits) <= Instant::now() + limit;

        let new = Watch::new();
        assert!(!new.leaving());

        let in_a_head = Watch::new();
        in_a_head.read();
        assert!(in_a_head.leaving() && within(&in_a_head, LINGER));

        let with_a_body = Watch::new();
        drop(with_a_body.serving(true));
        assert!(!within(&with_a_body, LINGER));
        assert!(with_a_body.leaving() && within(&with_a_body, LINGER));

        let at_rest = Watch::new();
        drop(at_rest.serving(true));
        drop(at_rest.serving(false));
        assert!(!at_rest.leaving());
    }
}
