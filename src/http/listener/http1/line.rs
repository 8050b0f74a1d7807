//! A client's connection, shared by who answers its requests and by the body of the request that is answered.
//! Never reads behind a request's end while its body is asked for, nor on behalf of a request that is over.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::http::body::{BoxError, Polled};
use crate::http::http1::{Intake, Left, Step};

/// What is asked for before a body that waits for it (RFC 9110 section 10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// How much may be read ahead of the request that is answered.
const MOST_AHEAD: usize = 64 * 1024;
/// How much of a body that nobody wants is read so that the connection can go on.
const MOST_UNWANTED: usize = 256 * 1024;
/// What is read at once only to be thrown away.
const DISCARDED: usize = 8 * 1024;

/// A stream, what was read from it, and the body that may still come.
pub(super) struct Line<S> {
    pub(super) stream: S,
    pub(super) intake: Intake,
    /// How much of the request's body is to come; none once it is over.
    coming: Option<Left>,
    /// What is to be said before the body comes.
    owed: &'static [u8],
    /// Which request is answered: the body of one before is none of its.
    number: u64,
    /// Nobody asks for the body any more.
    is_given_up: bool,
    /// When a byte last moved.
    pub(super) moved: Instant,
}

/// The lock is never held while anything is waited for, and only ever contended where a body is read by another thread.
pub(super) type Shared<S> = Arc<Mutex<Line<S>>>;

pub(super) fn lock<S>(line: &Mutex<Line<S>>) -> MutexGuard<'_, Line<S>> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S> Line<S> {
    pub(super) fn new(stream: S, early: Bytes, since: Instant) -> Self {
        let intake = Intake::new(early);
        Self { stream, intake, coming: None, owed: b"", number: 0, is_given_up: false, moved: since }
    }

    /// A body is to come. The number is for who [reads it](Coming).
    pub(super) fn expect(&mut self, coming: Left) -> u64 {
        (self.coming, self.is_given_up, self.owed) = (Some(coming), false, b"");
        self.number
    }

    /// The body does not come before it is called for.
    pub(super) fn call_for_body(&mut self) {
        self.owed = CONTINUE;
    }

    /// Whether the request has been read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.coming.is_none()
    }

    /// Whether nothing is to come, and nothing has come that was not used.
    pub(super) fn is_quiet(&self) -> bool {
        self.coming.is_none() && self.intake.bytes.is_empty()
    }

    /// Whether the request's body will not be asked for.
    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// The answer begins: a body that was not called for is not called for any more.
    pub(super) fn answered(&mut self) {
        self.owed = b"";
    }

    /// The answer is over, and with it what the request's body may read.
    pub(super) fn end_request(&mut self) {
        (self.number, self.is_given_up) = (self.number + 1, true);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Reads more; 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.intake.poll_fill(&mut self.stream, cx)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Polled {
        Poll::Ready(match ready!(self.poll_step(cx)) {
            Ok(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Step::Trailers(trailers)) => Some(Ok(Frame::trailers(trailers))),
            Ok(Step::End | Step::More) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The next step of the body, which is over with its last.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, BoxError>> {
        loop {
            let Some(coming) = &mut self.coming else { return Poll::Ready(Ok(Step::End)) };
            match coming.step(&mut self.intake.bytes)? {
                Step::More => {}
                step => {
                    if coming.is_at_its_end() || !matches!(step, Step::Data(_)) {
                        self.coming = None;
                    }
                    return Poll::Ready(Ok(step));
                }
            }
            ready!(self.poll_owed(cx))?;
            if ready!(self.poll_fill(cx))? == 0 {
                return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
            }
            self.moved = Instant::now();
        }
    }

    fn poll_owed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.owed.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, self.owed))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                length => self.owed = self.owed.get(length..).unwrap_or_default(),
            }
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Reads what has come of a body that nobody wants. Where that is all of it, the connection can go on.
    pub(super) fn skip(&mut self, cx: &mut Context<'_>) {
        let mut skipped = 0;
        while self.coming.is_some() && skipped < MOST_UNWANTED {
            match self.poll_step(cx) {
                Poll::Ready(Ok(Step::Data(data))) => skipped += data.len(),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
    }

    /// Ready once the client has left, as far as that shows: while it is to send a body, only who reads that can tell, and
    /// what it asks next is read ahead only so far.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.coming.is_none() && self.intake.bytes.len() < MOST_AHEAD {
            if !matches!(ready!(self.intake.poll_ahead(&mut self.stream, cx)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Reads to the end and keeps nothing.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [0; DISCARDED];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }
}

/// The body of the request that is answered.
pub(super) struct Coming<S> {
    line: Shared<S>,
    number: u64,
}

impl<S> Coming<S> {
    /// The body that the line was told to [expect](Line::expect).
    pub(super) fn new(line: Shared<S>, number: u64) -> Self {
        Self { line, number }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpBody for Coming<S> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let mut line = lock(&self.line);
        if line.number != self.number {
            return Poll::Ready(Some(Err("its request is over".into())));
        }
        line.poll_body(cx)
    }

    fn is_end_stream(&self) -> bool {
        let line = lock(&self.line);
        line.number == self.number && line.coming.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.line).coming.as_ref().map_or_else(SizeHint::default, Left::size_hint)
    }
}

impl<S> Drop for Coming<S> {
    fn drop(&mut self) {
        let mut line = lock(&self.line);
        if line.number == self.number {
            line.is_given_up = true;
        }
    }
}

/// Where answers are written, at this time.
pub(super) struct Writer<'l, S>(pub(super) &'l Mutex<Line<S>>, pub(super) Instant);

impl<S> Writer<'_, S> {
    fn with<T>(&self, write: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<T>>) -> Poll<io::Result<T>>
    where
        S: Unpin,
    {
        let mut line = lock(self.0);
        let written = write(Pin::new(&mut line.stream));
        if let Poll::Ready(Ok(_)) = written {
            line.moved = self.1;
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Writer<'_, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.with(|stream| stream.poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        lock(self.0).stream.is_write_vectored()
    }

    /// TLS has something to flush, TCP nothing.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(self.0).stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(self.0).stream).poll_shutdown(cx)
    }
}
