//! A connection whose every read is written down beforehand.
//! Never waits: what is not there is nowhere.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a peer says, read by read, and whether it leaves then.
pub(in crate::http) struct Played {
    reads: VecDeque<Vec<u8>>,
    leaves: bool,
    /// How much it takes before every write fails.
    takes: usize,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Played {
    pub(in crate::http) fn new(reads: impl IntoIterator<Item = Vec<u8>>, leaves: bool) -> Self {
        let reads = reads.into_iter().filter(|read| !read.is_empty()).collect();
        Self { reads, leaves, takes: usize::MAX, seen: Arc::default() }
    }

    /// A connection that turns out to be gone once so much was written.
    pub(in crate::http) fn stale(takes: usize) -> Self {
        Self { takes, ..Self::new([], true) }
    }

    /// What is written to it.
    pub(in crate::http) fn seen(&self) -> Arc<Mutex<Vec<u8>>> {
        Arc::clone(&self.seen)
    }

    pub(in crate::http) fn is_quiet(&self) -> bool {
        let written = !self.seen.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        !written || (self.reads.is_empty() && !self.leaves)
    }
}

impl AsyncRead for Played {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut read) = self.reads.pop_front() else {
            return if self.leaves { Poll::Ready(Ok(())) } else { Poll::Pending };
        };
        let rest = read.split_off(read.len().min(buffer.remaining()));
        buffer.put_slice(&read);
        if !rest.is_empty() {
            self.reads.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Played {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bytes.len().min(self.takes);
        self.takes -= length;
        self.seen.lock().unwrap().extend_from_slice(&bytes[..length]);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
