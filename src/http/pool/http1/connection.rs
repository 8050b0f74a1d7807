//! A stream with what is reused from one request to the next: its buffers and its timer.
//! Never knows where a message begins or ends.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::time::Instant;

use crate::http::http1::{Heads, Intake};
use crate::http::pool::stream::Stream;
use crate::http::timer::Timer;

/// One connection to an upstream, and what was read from it but not used yet.
pub(in crate::http::pool) struct Connection {
    pub(super) stream: Stream,
    pub(super) intake: Intake,
    pub(super) heads: Heads,
    /// Where the next request's head is written.
    pub(super) spare: Vec<u8>,
    timer: Timer,
}

impl Connection {
    pub(in crate::http::pool) fn new(stream: Stream) -> Box<Self> {
        Box::new(Self {
            stream,
            intake: Intake::new(Bytes::new()),
            heads: Heads::default(),
            spare: Vec::new(),
            timer: Timer::default(),
        })
    }

    /// Whether it is fit for a request: nothing came that nobody asked for, and the peer is there as far as we know.
    pub(in crate::http::pool) fn is_quiet(&mut self) -> bool {
        self.intake.bytes.is_empty() && self.stream.is_quiet()
    }

    /// The buffer of the last request's head, for the next.
    pub(in crate::http::pool) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    /// Reads more; 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.intake.poll_fill(&mut self.stream, cx)
    }

    /// Ready once `deadline` is over.
    pub(super) fn poll_overdue(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.poll_overdue(deadline, cx)
    }
}
