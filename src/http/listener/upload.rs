//! A request's body and how long its client may keep us waiting for it.
//! Never counts the time in which nobody asks for more of it: that is the upstream's.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame};
use tokio::time::Instant;

use super::Limits;
use crate::http::body::{Body, BoxError, Polled, Tap, Tapped};
use crate::http::timer::Timer;

/// How long a body may take whatever its rate: a rate needs time to show.
const BEFORE_RATE_COUNTS: Duration = Duration::from_secs(5);

/// The client was too slow with its request's body.
#[derive(Debug, thiserror::Error)]
pub enum SlowBody {
    /// No byte came for so long.
    #[error("no byte of the request's body came within {}", humantime::format_duration(*.0))]
    Idle(Duration),
    /// It came at a lower rate than the listener's.
    #[error("the request's body comes slower than {0} bytes a second")]
    Rate(u64),
}

impl SlowBody {
    /// Whether this is what made another error.
    #[must_use]
    pub fn is_behind(error: &(dyn std::error::Error + 'static)) -> bool {
        std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<Self>)
    }
}

/// The body of a request that has arrived, under the listener's limits.
pub(super) fn limited<B>(incoming: B, limits: &Limits) -> Body
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    if incoming.is_end_stream() {
        return Body::empty();
    }
    let limited = Limited {
        idle: limits.body_idle,
        rate: limits.min_body_rate,
        waiting: None,
        waited: Duration::ZERO,
        length: 0,
        timer: Timer::default(),
    };
    Body::boxed(Tapped::new(incoming, limited))
}

struct Limited {
    idle: Duration,
    /// Bytes a second; zero is off.
    rate: u64,
    /// Since when the client has kept us waiting.
    waiting: Option<Instant>,
    /// For how long it had done so before.
    waited: Duration,
    length: u64,
    timer: Timer,
}

impl Limited {
    fn came(&mut self, frame: &Frame<Bytes>) {
        if let Some(since) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        self.length += frame.data_ref().map_or(0, |data| data.len() as u64);
    }

    /// Until when the next byte must have come.
    fn deadline(&self, since: Instant) -> Instant {
        let idle = since + self.idle;
        let Some(seconds) = self.length.checked_div(self.rate) else { return idle };
        let allowed = BEFORE_RATE_COUNTS.max(Duration::from_secs(seconds));
        idle.min(since + allowed.saturating_sub(self.waited))
    }

    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<SlowBody> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        let deadline = self.deadline(since);
        self.timer.poll_overdue(deadline, cx).map(|()| {
            let is_idle = since + self.idle <= deadline;
            if is_idle { SlowBody::Idle(self.idle) } else { SlowBody::Rate(self.rate) }
        })
    }
}

impl<B: HttpBody<Data = Bytes, Error: Into<BoxError>>> Tap<B> for Limited {
    fn poll(&mut self, body: Pin<&mut B>, cx: &mut Context<'_>) -> Polled {
        match body.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.came(&frame);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => Poll::Ready(end.map(|read| read.map_err(Into::into))),
            Poll::Pending => self.poll_overdue(cx).map(|slow| Some(Err(slow.into()))),
        }
    }
}
