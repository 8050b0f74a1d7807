//! What an HTTP/2 connection is waiting for, until when it may, and how much trouble it may make.
//! Never closes anything itself.
//!
//! One timer serves a connection, however many streams it has: as long as any of them gets on, the connection may. A stream
//! whose client takes nothing is ended for itself, by [`super::stalling`]. What else passes (pings, settings, window updates) is no progress, so that nobody keeps a stalled stream alive by chatting.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Body as _;
use tokio::time::Instant;

use super::super::Limits;
use super::frames::{Frames, Read};
use super::stalling;
use super::watched::Notes;
use crate::http::body::{Body, Polled, Tap, Tapped};
use crate::http::moment::Moment;

/// How many frames without content a connection may send at once.
const PATIENCE: i64 = 2000;
/// How much patience grows back in a second.
const PATIENCE_A_SECOND: i64 = 100;
/// So many bytes sent to the client earn patience for one frame: a client confirms what it got by such frames. More than
/// an answered ping or settings frame, whose flood must not pay for itself.
const BYTES_A_FRAME: usize = 32;
/// What a request costs that is given up before it was answered and in less than [`PREMATURE`] (rapid reset).
const PREMATURE_COST: i64 = 20;
const PREMATURE: Duration = Duration::from_secs(1);
/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 section 6.8).
const CALM: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0x0b];

/// One connection's notes. Its streams are tasks of the same thread, so relaxed ordering is enough.
pub(super) struct Streams {
    open: AtomicU32,
    /// Whether the client has said its settings, and with them that it does speak HTTP/2.
    is_met: AtomicBool,
    /// When any stream last got on; while none is open, when anything was last written.
    since: Moment,
    /// Whether the end of a head is awaited, since `head`.
    has_head: AtomicBool,
    head: Moment,
    patience: AtomicI64,
    grown: Moment,
}

impl Streams {
    /// A connection that was made then.
    pub(super) fn new(since: Instant) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicU32::new(0),
            is_met: AtomicBool::new(false),
            since: Moment::at(since),
            has_head: AtomicBool::new(false),
            head: Moment::now(),
            patience: AtomicI64::new(PATIENCE),
            grown: Moment::now(),
        })
    }

    /// Until when the connection may go on as it is.
    pub(super) fn deadline(&self, limits: &Limits) -> Instant {
        let deadline = self.since.plus(match self.open.load(Ordering::Relaxed) {
            0 if !self.is_met.load(Ordering::Relaxed) => limits.request_head,
            0 => limits.keep_alive,
            _ => limits.stream_idle,
        });
        if self.has_head.load(Ordering::Relaxed) {
            return deadline.min(self.head.plus(limits.request_head));
        }
        deadline
    }

    /// A request begins to be answered; it ends when the guard is dropped.
    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.since.touch();
        self.open.fetch_add(1, Ordering::Relaxed);
        Open { streams: Arc::clone(self), since: Instant::now(), is_answered: false }
    }

    fn charge(&self, cost: i64) {
        self.patience.fetch_sub(cost, Ordering::Relaxed);
    }

    fn earn(&self, frames: i64) {
        let patience = self.patience.load(Ordering::Relaxed);
        self.patience.store(PATIENCE.min(patience + frames), Ordering::Relaxed);
    }

    /// Whether patience has run out. What grew back is looked at only then: an ordinary connection reads no clock for it.
    fn is_at_its_end(&self) -> bool {
        if self.patience.load(Ordering::Relaxed) >= 0 {
            return false;
        }
        let millis = self.grown.plus(Duration::ZERO).elapsed().as_millis();
        self.grown.touch();
        self.earn(i64::try_from(millis).unwrap_or(i64::MAX / PATIENCE_A_SECOND) * PATIENCE_A_SECOND / 1000);
        self.patience.load(Ordering::Relaxed) < 0
    }
}

/// Takes the notes of one connection.
pub(super) struct Notebook {
    streams: Arc<Streams>,
    frames: Frames,
    unpaid: usize,
}

impl Notebook {
    pub(super) fn new(streams: Arc<Streams>) -> Self {
        Self { streams, frames: Frames::default(), unpaid: 0 }
    }
}

impl Notes for Notebook {
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        let streams = &self.streams;
        let Read { idle_frames, has_content, is_met, is_strange } = self.frames.read(bytes);
        if is_strange {
            return Err(io::Error::other("the first frame is not SETTINGS"));
        }
        if is_met {
            streams.is_met.store(true, Ordering::Relaxed);
            streams.since.touch();
        }
        if has_content {
            streams.since.touch();
        }
        if self.frames.is_within_a_head() != streams.has_head.load(Ordering::Relaxed) {
            streams.head.touch();
            streams.has_head.store(self.frames.is_within_a_head(), Ordering::Relaxed);
        }
        if idle_frames > 0 {
            streams.charge(idle_frames);
        }
        if streams.is_at_its_end() {
            return Err(io::Error::other("too many frames without content, or requests given up at once"));
        }
        Ok(())
    }

    fn written(&mut self, length: usize) {
        if self.streams.open.load(Ordering::Relaxed) == 0 && self.streams.is_met.load(Ordering::Relaxed) {
            self.streams.since.touch();
        }
        self.unpaid += length;
        if self.unpaid >= BYTES_A_FRAME {
            self.streams.earn(i64::try_from(self.unpaid / BYTES_A_FRAME).unwrap_or(PATIENCE));
            self.unpaid %= BYTES_A_FRAME;
        }
    }

    fn farewell(&self) -> &'static [u8] {
        &CALM
    }
}

/// A request being answered.
pub(super) struct Open {
    streams: Arc<Streams>,
    since: Instant,
    is_answered: bool,
}

impl Open {
    /// Keeps the request being answered until its body is.
    pub(super) fn until_the_end_of(mut self, body: Body) -> Tapped<Body, Self> {
        self.is_answered = true;
        Tapped::new(body, self)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_answered && self.since.elapsed() < PREMATURE {
            self.streams.charge(PREMATURE_COST);
        }
        self.streams.since.touch();
        self.streams.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tap<Body> for Open {
    fn poll(&mut self, body: Pin<&mut Body>, cx: &mut Context<'_>) -> Polled {
        // It is only asked for once the client has made room for it.
        stalling::there_is_room();
        let polled = body.poll_frame(cx);
        if polled.is_ready() {
            self.streams.since.touch();
        }
        if matches!(polled, Poll::Ready(Some(_))) {
            stalling::room_is_awaited();
        }
        polled
    }
}
