//! What was read from a connection and is not used yet.
//! Never keeps memory for what has not come, unless much did just before.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::io::poll_read_buf;

/// What is asked for first; most messages fit.
const LEAST_READ: usize = 8 * 1024;
/// What may be read at once. Twice 64 KiB, so that a body of that size and its head come in one read.
const MOST_READ: usize = 128 * 1024;

/// The largest buffer that waits for more of what just came: to make it anew for each message would cost more than to read.
const MOST_KEPT: usize = 32 * 1024;

/// Bytes in the order in which they came.
pub(in crate::http) struct Intake {
    pub(in crate::http) bytes: BytesMut,
    next_read: usize,
    was_small: bool,
}

impl Intake {
    /// With what was read before.
    pub(in crate::http) fn new(early: Bytes) -> Self {
        Self { bytes: early.into(), next_read: LEAST_READ, was_small: false }
    }

    /// Reads more; 0 is the end.
    pub(in crate::http) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let length = if self.next_read <= LEAST_READ {
            ready!(self.poll_ahead(stream, cx))?
        } else {
            self.bytes.reserve(self.next_read);
            ready!(poll_read_buf(Pin::new(stream), cx, &mut self.bytes))?
        };
        self.adapt(length);
        Poll::Ready(Ok(length))
    }

    /// Reads what nobody waits for yet; 0 is the end. It goes onto the stack first, so that what is kept is as large as what
    /// came, and nothing is where nothing came.
    pub(in crate::http) fn poll_ahead<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut space = [MaybeUninit::uninit(); LEAST_READ];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        self.bytes.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Asks for more where a read was filled, and for less after two that would have fitted into half.
    fn adapt(&mut self, length: usize) {
        let half = self.next_read / 2;
        if length >= self.next_read {
            self.next_read = (self.next_read * 2).min(MOST_READ);
        } else if length <= half && self.was_small {
            self.next_read = half.max(LEAST_READ);
        }
        self.was_small = length <= half && !self.was_small;
    }

    /// Gives the memory back if nothing is in it, and nothing as large as it is likely to come.
    pub(in crate::http) fn shrink(&mut self) {
        let is_wanted = (LEAST_READ + 1..=MOST_KEPT).contains(&self.next_read);
        if self.bytes.is_empty() && !is_wanted {
            self.bytes = BytesMut::new();
        }
    }
}
