//! Streams that a client lets wait: each is ended by its own clock, however busy its connection is otherwise.
//! Never looks at what a stream carries.
//!
//! hyper hands each stream to an executor as one future, which asks the answer's body for a piece once the client has made
//! room for the one before. So from a piece until the body is asked again, it is the client that is waited for. A stream that
//! is dropped in the middle is reset with CANCEL (RFC 9113 section 7).

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::Instant;

use crate::http::timer::Timer;

/// So much later than the connection's own clock, which closes the whole of it where no stream goes on.
const BEHIND: Duration = Duration::from_millis(50);

tokio::task_local! {
    /// Since when the stream of this task waits for its client to make room.
    static WAITING: Cell<Option<Instant>>;
}

/// Runs each stream as a task of its own, and ends it when its client makes no room for so long and a moment.
#[derive(Clone, Debug)]
pub(crate) struct Stalling {
    limit: Duration,
}

impl Stalling {
    pub(super) fn after(limit: Duration) -> Self {
        Self { limit: limit + BEHIND }
    }
}

impl<F> Executor<F> for Stalling
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(until_stalled(stream, self.limit));
    }
}

/// The body of this task's stream was asked for its next piece: there is room.
pub(super) fn there_is_room() {
    // A body may be read outside of any stream, as tests do.
    let _ = WAITING.try_with(|waiting| waiting.set(None));
}

/// The body has given a piece: now the client is waited for.
pub(super) fn room_is_awaited() {
    let _ = WAITING.try_with(|waiting| waiting.set(Some(Instant::now())));
}

async fn until_stalled(stream: impl Future, limit: Duration) {
    let mut stream = pin!(stream);
    let mut waiting = None;
    let mut timer = Timer::default();
    poll_fn(|cx| {
        let polled = WAITING.sync_scope(Cell::new(waiting), || {
            let polled = stream.as_mut().poll(cx);
            waiting = WAITING.with(Cell::get);
            polled
        });
        match (polled, waiting) {
            (Poll::Ready(_), _) => Poll::Ready(()),
            (Poll::Pending, None) => Poll::Pending,
            (Poll::Pending, Some(since)) => timer.poll_overdue(since + limit, cx),
        }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    /// Runs a stream until it ends; how long that took.
    async fn run(stream: impl Future) -> Duration {
        let start = Instant::now();
        until_stalled(stream, LIMIT).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_waits_for_its_client_is_ended_and_one_that_waits_for_its_body_is_not() {
        let stalls = async {
            room_is_awaited();
            std::future::pending::<()>().await;
        };
        assert_eq!(run(stalls).await, LIMIT);
        let is_slow = async {
            tokio::time::sleep(LIMIT * 3).await;
            room_is_awaited();
            tokio::time::sleep(LIMIT / 2).await;
            there_is_room();
            tokio::time::sleep(LIMIT * 3).await;
        };
        assert_eq!(run(is_slow).await, LIMIT * 13 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn two_streams_of_a_thread_wait_each_for_itself() {
        let one = async {
            room_is_awaited();
            std::future::pending::<()>().await;
        };
        let other = async {
            for _ in 0..10 {
                room_is_awaited();
                tokio::time::sleep(LIMIT / 2).await;
                there_is_room();
            }
        };
        let (one, other) = tokio::join!(tokio::spawn(run(one)), tokio::spawn(run(other)));
        assert_eq!((one.unwrap(), other.unwrap()), (LIMIT, LIMIT * 5));
    }
}
