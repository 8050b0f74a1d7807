//! The bytes under a connection: TCP, TLS over TCP, or a socket file.
//! Never knows what they mean.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// A connected stream, ready for HTTP. An enum rather than a trait object: a request passes here several times.
pub(in crate::http) enum Stream {
    /// `http://`
    Tcp(TcpStream),
    /// `https://`
    Tls(Box<TlsStream<TcpStream>>),
    /// `unix:`
    Unix(UnixStream),
    /// What a test says, read by read.
    #[cfg(test)]
    Played(crate::http::testing::Played),
}

/// Does the same with whichever stream it is.
macro_rules! with {
    ($stream:expr, $inner:ident => $act:expr) => {
        match $stream {
            Stream::Tcp($inner) => $act,
            Stream::Tls($inner) => $act,
            Stream::Unix($inner) => $act,
            #[cfg(test)]
            Stream::Played($inner) => $act,
        }
    };
}

impl Stream {
    /// What was agreed on by ALPN, empty if nothing; none where nobody could.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().1.alpn_protocol().unwrap_or_default()),
            _ => None,
        }
    }

    /// Whether the peer has neither said anything nor left. Asks the system only if the runtime was told of something.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let blocks =
            |read: io::Result<usize>| read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        match self {
            Self::Tcp(stream) => blocks(stream.try_read(&mut byte)),
            Self::Unix(stream) => blocks(stream.try_read(&mut byte)),
            // Records that carry no data, like a new session ticket, are no word of the peer's.
            Self::Tls(stream) => {
                let mut cx = Context::from_waker(Waker::noop());
                Pin::new(stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)).is_pending()
            }
            #[cfg(test)]
            Self::Played(stream) => stream.is_quiet(),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        with!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with!(&mut *self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        with!(&mut *self, stream => Pin::new(stream).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        with!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
