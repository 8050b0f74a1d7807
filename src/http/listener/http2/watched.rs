//! A client's HTTP/2 stream whose traffic is noted.
//! Never judges what passes; who takes the notes does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Takes note of what passes.
pub(super) trait Notes: Unpin {
    /// Bytes came. An error ends the connection.
    fn read(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// So many bytes went.
    fn written(&mut self, length: usize);
    /// What is said to a client whose connection [`Notes::read`] has ended.
    fn farewell(&self) -> &'static [u8];
}

/// A stream with somebody who takes notes.
pub(super) struct Watched<S, N> {
    stream: S,
    notes: N,
}

impl<S, N: Notes> Watched<S, N> {
    pub(super) fn new(stream: S, notes: N) -> Self {
        Self { stream, notes }
    }

    fn note_written(&mut self, polled: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(length @ 1..)) = polled {
            self.notes.written(*length);
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
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
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
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
