//! A connection whose every read is written down beforehand.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::http::pool::stream::Stream;

/// What an upstream says, read by read, and whether it leaves then.
pub(in crate::http) struct Played {
    reads: VecDeque<Vec<u8>>,
    leaves: bool,
    /// How much it takes before every write fails.
    takes: usize,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Played {
    pub(super) fn new(reads: impl IntoIterator<Item = Vec<u8>>, leaves: bool) -> Self {
        let reads = reads.into_iter().filter(|read| !read.is_empty()).collect();
        Self { reads, leaves, takes: usize::MAX, seen: Arc::default() }
    }

    /// A connection that turns out to be gone once so much was written.
    pub(super) fn stale(takes: usize) -> Self {
        Self { takes, ..Self::new([], true) }
    }

    /// What is written to it.
    pub(super) fn seen(&self) -> Arc<Mutex<Vec<u8>>> {
        Arc::clone(&self.seen)
    }

    pub(in crate::http::pool) fn is_quiet(&self) -> bool {
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

/// What became of a request.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    /// None if there was no response.
    pub(super) head: Option<(u16, Vec<(String, String)>)>,
    /// None if it was an error.
    pub(super) body: Option<String>,
    pub(super) trailers: Vec<(String, String)>,
    pub(super) is_kept: bool,
}

/// A pool that has `played` for a connection and nobody to dial.
pub(super) fn pool_of(played: Played) -> Pool {
    let nowhere = Origin::Unix(Path::new("/nonexistent/app.sock").into());
    let pool = Pool::new(nowhere, settings());
    pool.home.idle.put(Connection::new(Stream::Played(played)));
    pool
}

/// Sends `request` to what says `reads` and then leaves, or stays.
pub(super) async fn outcome(request: Request<Body>, reads: Vec<Vec<u8>>, leaves: bool) -> Outcome {
    let pool = pool_of(Played::new(reads, leaves));
    let mut outcome = Outcome { head: None, body: None, trailers: Vec::new(), is_kept: false };
    let Ok(response) = soon(pool.send(request)).await else { return outcome };
    outcome.head = Some((response.status().as_u16(), pairs(response.headers())));
    if let Ok(body) = soon(response.into_body().collect()).await {
        outcome.trailers = body.trailers().map(pairs).unwrap_or_default();
        outcome.body = Some(String::from_utf8_lossy(&body.to_bytes()).into_owned());
    }
    outcome.is_kept = pool.home.idle.len() == 1;
    outcome
}

pub(super) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}
