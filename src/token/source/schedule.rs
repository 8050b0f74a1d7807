//! When a key set is read next.
//! Never reads it, and never knows why the last reading failed.

use std::time::Duration;

use aws_lc_rs::rand;

use crate::token::keys::{Jwks, JwksSource};

/// The first pause after a failure; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest pause after a failure, while there are keys to go on with and while there are none.
const LONGEST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY_WITHOUT_KEYS: Duration = Duration::from_secs(5);

/// The pauses between readings of one set.
pub(super) struct Schedule {
    /// The longest pause after a success, and what is kept to where the server says nothing.
    refresh: Duration,
    /// The shortest.
    floor: Duration,
    failures: u32,
    jitter: fn() -> f64,
}

impl Schedule {
    pub(super) fn of(jwks: &Jwks) -> Self {
        match jwks.source {
            JwksSource::File(_) => Self::new(super::POLL, super::POLL),
            JwksSource::Url { .. } => Self::new(jwks.refresh, jwks.cooldown.min(jwks.refresh)),
        }
    }

    fn new(refresh: Duration, floor: Duration) -> Self {
        // However short they are typed: this is no loop.
        Self { refresh: refresh.max(FIRST_RETRY), floor: floor.max(FIRST_RETRY), failures: 0, jitter }
    }

    /// As long as the server says that its answer is fresh, within floor and ceiling.
    pub(super) fn after_success(&mut self, max_age: Option<Duration>) -> Duration {
        self.failures = 0;
        let pause = max_age.unwrap_or(self.refresh).clamp(self.floor, self.refresh);
        self.spread(pause)
    }

    pub(super) fn after_failure(&mut self, has_set: bool) -> Duration {
        let longest = if has_set { LONGEST_RETRY } else { LONGEST_RETRY_WITHOUT_KEYS };
        let pause = FIRST_RETRY.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        self.spread(pause.min(self.refresh))
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// Up to a tenth shorter, so that many that started together do not stay together.
    fn spread(&self, pause: Duration) -> Duration {
        pause.mul_f64(1.0 - (self.jitter)() / 10.0)
    }
}

/// From 0 to 1.
fn jitter() -> f64 {
    let mut byte = [0];
    // Without randomness there is no jitter, which is no reason to stop.
    let _ = rand::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn schedule() -> Schedule {
        Schedule { jitter: || 0.0, ..Schedule::new(seconds(600), seconds(30)) }
    }

    #[test]
    fn a_fresh_answer_is_kept_for_as_long_as_it_says_within_floor_and_ceiling() {
        let mut schedule = schedule();
        assert_eq!(schedule.after_success(None), seconds(600));
        assert_eq!(schedule.after_success(Some(seconds(120))), seconds(120));
        assert_eq!(schedule.after_success(Some(seconds(0))), seconds(30));
        assert_eq!(schedule.after_success(Some(seconds(86_400))), seconds(600));
    }

    #[test]
    fn k2_failures_are_retried_with_growing_pauses_and_sooner_while_there_are_no_keys() {
        let mut schedule = schedule();
        let pauses: Vec<_> = (0..8).map(|_| schedule.after_failure(true).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(schedule.is_failing());
        schedule.after_success(None);
        assert!(!schedule.is_failing());
        let pauses: Vec<_> = (0..5).map(|_| schedule.after_failure(false).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        let many = (0..100).map(|_| schedule.after_failure(true)).max();
        assert_eq!(many, Some(seconds(60)));
    }

    #[test]
    fn no_setting_makes_a_loop_of_it() {
        let mut schedule = Schedule { jitter: || 0.0, ..Schedule::new(Duration::ZERO, Duration::ZERO) };
        assert_eq!(schedule.after_success(Some(Duration::ZERO)), seconds(1));
        assert_eq!(schedule.after_failure(false), seconds(1));
    }

    #[test]
    fn pauses_are_spread_over_a_tenth() {
        let mut schedule = Schedule::new(seconds(600), seconds(30));
        let pauses: Vec<_> = (0..200).map(|_| schedule.after_success(None)).collect();
        assert!(pauses.iter().all(|pause| (seconds(540)..=seconds(600)).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
