//! A client's stream whose traffic is noted, and whose first bytes may have been read already.
//! Never judges what passes; who takes the notes does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Takes note of what passes.
pub(super) trait Notes: Unpin {
    /// Bytes came. An error ends the connection.
    fn read(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// So many bytes went; none if the client takes no more for now.
    fn written(&mut self, length: usize);
    /// Our side is closed: whether the client may still be sending, and is to be listened to.
    fn may_still_send(&mut self) -> bool {
        false
    }
    /// What is said to a client whose connection [`Notes::read`] has ended.
    fn farewell(&self) -> &'static [u8] {
        b""
    }
}

/// What is read at once only to be thrown away.
const DISCARDED: usize = 8 * 1024;

/// A stream with somebody who takes notes.
pub(super) struct Watched<S, N> {
    stream: S,
    early: Bytes,
    notes: N,
}

impl<S, N: Notes> Watched<S, N> {
    /// `early` has been read from the stream and is read first.
    pub(super) fn new(stream: S, early: Bytes, notes: N) -> Self {
        Self { stream, early, notes }
    }

    fn note_written(&mut self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(length @ 1..)) = polled {
            self.notes.written(*length);
        }
    }
}

impl<S: AsyncRead + Unpin, N> Watched<S, N> {
    fn poll_read_on(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.early.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.early.len().min(buffer.remaining());
        buffer.put_slice(&self.early[..length]);
        self.early.advance(length);
        if self.early.is_empty() {
            // An empty view of it would keep the memory.
            self.early = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }

    /// Reads to the end and keeps nothing; the connection's deadline ends it if the client does not.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; DISCARDED];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, N: Notes> AsyncRead for Watched<S, N> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let polled = this.poll_read_on(cx, buffer);
        let came = &buffer.filled()[before..];
        if !came.is_empty()
            && let Err(ended) = this.notes.read(came)
        {
            // As much of it as goes at once: the client is owed nothing.
            let _ = Pin::new(&mut this.stream).poll_write(cx, this.notes.farewell());
            return Poll::Ready(Err(ended));
        }
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, N: Notes> AsyncWrite for Watched<S, N> {
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
        if self.notes.may_still_send() { self.poll_discard(cx) } else { Poll::Ready(Ok(())) }
    }
}
