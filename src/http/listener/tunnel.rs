//! What becomes of a connection once its client was told 101 Switching Protocols.
//! Never knows which protocol follows.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// The client's side of a tunnel.
pub type ClientStream = Box<dyn Duplex>;

type Run = Pin<Box<dyn Future<Output = ()> + Send>>;
type Dig = Box<dyn FnOnce(ClientStream) -> Run + Send>;

/// What a connection does when it no longer speaks HTTP. A handler puts it into the extensions of its 101; the
/// listener hands it the client's stream once the 101 has been sent, and runs it in the connection's own task, so that a
/// graceful stop waits for it, a hard stop drops it, and it counts among the connections. No limit of HTTP holds any more.
#[derive(Clone)]
pub struct Tunnel(Arc<Mutex<Option<Dig>>>);

impl Tunnel {
    /// The future ends when the tunnel does.
    pub fn new<F>(dig: impl FnOnce(ClientStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Extensions are cloned and shared, though this one is only ever taken.
        Self(Arc::new(Mutex::new(Some(Box::new(|client| Box::pin(dig(client)))))))
    }

    /// Runs it, unless that happened before.
    pub(super) async fn run(self, client: impl Duplex + 'static) {
        let dig = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(dig) = dig {
            dig(Box::new(client)).await;
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tunnel")
    }
}

/// A stream with what was read of it before.
pub(super) struct Resumed<S> {
    stream: S,
    early: Bytes,
}

impl<S> Resumed<S> {
    /// `early` has been read from the stream and is read first.
    pub(super) fn new(stream: S, early: Bytes) -> Self {
        Self { stream, early }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Resumed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
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
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Resumed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
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
