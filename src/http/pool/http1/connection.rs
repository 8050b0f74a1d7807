//! A stream with what is reused from one request to the next: its buffers and its timer.
//! Never knows where a message begins or ends.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_util::io::poll_read_buf;

use super::head::Heads;
use crate::http::pool::stream::Stream;

/// What is asked for first; most responses fit.
const LEAST_READ: usize = 8 * 1024;
/// What may be read at once. Twice 64 KiB, so that a body of that size and its head come in one read.
const MOST_READ: usize = 128 * 1024;

/// One connection to an upstream, and what was read from it but not used yet.
pub(in crate::http::pool) struct Connection {
    pub(super) stream: Stream,
    pub(super) read: BytesMut,
    pub(super) heads: Heads,
    /// Where the next request's head is written.
    pub(super) spare: Vec<u8>,
    next_read: usize,
    was_small: bool,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Connection {
    pub(in crate::http::pool) fn new(stream: Stream) -> Box<Self> {
        Box::new(Self {
            stream,
            read: BytesMut::new(),
            heads: Heads::default(),
            spare: Vec::new(),
            next_read: LEAST_READ,
            was_small: false,
            timer: None,
        })
    }

    /// Whether it is fit for a request: nothing came that nobody asked for, and the peer is there as far as we know.
    pub(in crate::http::pool) fn is_quiet(&mut self) -> bool {
        self.read.is_empty() && self.stream.is_quiet()
    }

    /// The buffer of the last request's head, for the next.
    pub(in crate::http::pool) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Reads more; 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.read.reserve(self.next_read);
        let length = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.read))?;
        self.adapt(length);
        Poll::Ready(Ok(length))
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

    /// Ready once `deadline` is over. One timer for the connection's whole life: it is set again only when it fires or
    /// when a deadline has come nearer, so that an ordinary request costs no more than a look at it.
    pub(super) fn poll_overdue(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
