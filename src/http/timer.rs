//! One timer for one deadline after another.
//! Never knows what is waited for.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is made when first waited for, and set again only when it fires or when a deadline has come nearer: a
/// deadline that keeps moving on costs no more than a look at it.
#[derive(Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom it wakes when it fires.
    wakes: Option<Waker>,
}

impl Timer {
    /// Ready once `deadline` is over.
    pub(super) fn poll_overdue(&mut self, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if deadline < sleep.deadline() {
            sleep.as_mut().reset(deadline);
            self.wakes = None;
        }
        if !sleep.is_elapsed() && self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                self.wakes = None;
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
        self.wakes = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_fires_once_the_deadline_is_over_however_that_moved() {
        let start = Instant::now();
        let seconds = |seconds| start + Duration::from_secs(seconds);
        let mut timer = Timer::default();
        for (first, then) in [(5, 9), (30, 12), (13, 13)] {
            poll_fn(|cx| {
                if Instant::now() < seconds(first) {
                    assert!(timer.poll_overdue(seconds(first), cx).is_pending());
                }
                timer.poll_overdue(seconds(then), cx)
            })
            .await;
            assert_eq!(Instant::now(), seconds(then));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_wakes_whoever_asked_last() {
        let timer = std::sync::Arc::new(std::sync::Mutex::new(Timer::default()));
        let deadline = Instant::now() + Duration::from_secs(5);
        let one = std::sync::Arc::clone(&timer);
        let asked_first = tokio::spawn(async move {
            poll_fn(|cx| Poll::Ready(one.lock().unwrap().poll_overdue(deadline, cx).is_pending())).await
        });
        assert!(asked_first.await.unwrap());
        poll_fn(|cx| timer.lock().unwrap().poll_overdue(deadline, cx)).await;
        assert_eq!(Instant::now(), deadline);
    }
}
