//! A point in monotonic time that one side moves and another reads, without a lock.
//! Never knows what happened then.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The last time something happened, to the millisecond; from the start on, the time it was made.
#[derive(Debug)]
pub(super) struct Moment {
    made: Instant,
    millis: AtomicU64,
}

impl Moment {
    /// Now.
    pub(super) fn now() -> Self {
        Self::at(Instant::now())
    }

    /// A time in the past.
    pub(super) fn at(made: Instant) -> Self {
        Self { made, millis: AtomicU64::new(0) }
    }

    /// It happened again.
    pub(super) fn touch(&self) {
        let millis = u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Relaxed: a lone value that nothing else is read after.
        self.millis.store(millis, Ordering::Relaxed);
    }

    /// When it last happened, moved later by `by`.
    pub(super) fn plus(&self, by: Duration) -> Instant {
        self.made + Duration::from_millis(self.millis.load(Ordering::Relaxed)) + by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_touch_moves_it_to_now() {
        let moment = Moment::now();
        let made = moment.plus(Duration::ZERO);
        let later = made + Duration::from_millis(20);
        tokio::time::sleep_until(later).await;
        assert_eq!(moment.plus(Duration::from_secs(1)), made + Duration::from_secs(1));
        moment.touch();
        assert!(moment.plus(Duration::ZERO) >= later);
    }
}
