//! How much of a worker's time signatures that do not hold may cost, so that a flood of them leaves the rest to those who
//! are known. Never knows whose tokens they are.
//!
//! Each worker has a purse of time. It fills with a share of the time that passes, up to `BURST`; a signature that did
//! not hold is paid from it with what that takes; one that held is free, for it was not wasted. While the purse is empty
//! no costly signature is checked. So in any span a worker loses at most that share of it, `BURST` and one check.
//! (docs/decisions/0004-bad-signatures-have-a-budget.md)

use std::cell::Cell;
use std::time::{Duration, Instant};

/// What a worker that was not flooded before spends at once.
pub(super) const BURST: Duration = Duration::from_millis(100);
/// The most that one check is billed: far more than any takes, and far less than a worker may be interrupted for meanwhile.
const LONGEST_CHECK: Duration = Duration::from_millis(2);

/// The share of a worker's time that signatures which do not hold may cost, in percent; 100 sets no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget(u8);

impl Budget {
    /// A share of this many percent, at most 100.
    #[must_use]
    pub const fn percent(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    fn of(self, span: Duration) -> Duration {
        span / 100 * u32::from(self.0)
    }
}

impl Default for Budget {
    /// Four percent: of ES512, the costliest, about eighty failures a second for each worker.
    fn default() -> Self {
        Self(4)
    }
}

/// What one worker may still spend.
#[derive(Clone, Copy, Debug)]
struct Purse {
    content: Duration,
    /// What was spent beyond the content; it is filled up first.
    debt: Duration,
    filled: Instant,
}

impl Purse {
    fn full(now: Instant) -> Self {
        Self { content: BURST, debt: Duration::ZERO, filled: now }
    }

    fn fill(&mut self, budget: Budget, now: Instant) {
        let earned = budget.of(now.saturating_duration_since(self.filled));
        self.filled = now;
        let beyond_debt = earned.saturating_sub(self.debt);
        self.debt = self.debt.saturating_sub(earned);
        self.content = (self.content + beyond_debt).min(BURST);
    }

    fn is_empty(&self) -> bool {
        self.content.is_zero()
    }

    fn spend(&mut self, cost: Duration) {
        self.debt += cost.saturating_sub(self.content);
        self.content = self.content.saturating_sub(cost);
    }
}

thread_local! {
    /// Workers are threads, so this needs neither lock nor atomic.
    static PURSE: Cell<Option<Purse>> = const { Cell::new(None) };
}

/// Whether this worker may check a costly signature now.
pub(super) fn may_check(budget: Budget, now: Instant) -> bool {
    if budget == Budget::percent(100) {
        return true;
    }
    let mut purse = PURSE.get().unwrap_or_else(|| Purse::full(now));
    purse.fill(budget, now);
    PURSE.set(Some(purse));
    !purse.is_empty()
}

/// Pays for a signature that did not hold, with what it took: some are refused without a calculation, and those must not
/// make the others look cheap.
pub(super) fn pay(took: Duration, now: Instant) {
    let cost = took.min(LONGEST_CHECK);
    let mut purse = PURSE.get().unwrap_or_else(|| Purse::full(now));
    purse.spend(cost);
    PURSE.set(Some(purse));
}

#[cfg(test)]
mod tests {
    use super::*;

    const ES512: Duration = Duration::from_micros(475);

    /// How many failing checks a worker makes that is asked for one every 50 µs, for as long as `span`.
    fn checks(budget: Budget, start: Instant, span: Duration) -> u32 {
        let mut made = 0;
        let mut now = start;
        while now < start + span {
            if may_check(budget, now) {
                made += 1;
                pay(ES512, now);
                now += ES512;
            }
            now += Duration::from_micros(50);
        }
        made
    }

    #[test]
    fn a_flood_costs_the_share_the_burst_and_one_check_and_no_more() {
        let start = Instant::now();
        let span = Duration::from_secs(10);
        let spent = ES512 * checks(Budget::percent(5), start, span);
        let bound = span / 20 + BURST + ES512;
        assert!(spent <= bound && spent >= bound - 2 * ES512, "{spent:?} of {bound:?}");
    }

    #[test]
    fn after_a_pause_the_burst_is_there_again_and_never_more() {
        let start = Instant::now();
        checks(Budget::percent(5), start, Duration::from_secs(10));
        let later = start + Duration::from_secs(3600);
        assert!(may_check(Budget::percent(5), later));
        let at_once = ES512 * checks(Budget::percent(0), later, Duration::from_secs(1));
        assert!(at_once <= BURST + ES512, "{at_once:?}");
        assert!(at_once >= BURST, "{at_once:?}");
    }

    #[test]
    fn a_hundred_percent_set_no_limit_and_none_leaves_the_burst() {
        let start = Instant::now();
        let all = checks(Budget::percent(100), start, Duration::from_secs(1));
        assert_eq!(all, 1905, "one after the other");
        PURSE.set(None);
        let burst = checks(Budget::percent(0), start, Duration::from_secs(100));
        assert_eq!(burst, 211);
    }

    #[test]
    fn signatures_that_fail_at_once_do_not_make_the_others_look_cheap() {
        let start = Instant::now();
        PURSE.set(None);
        for _ in 0..1000 {
            pay(Duration::from_nanos(300), start);
        }
        let after = checks(Budget::percent(0), start, Duration::from_secs(1));
        assert_eq!(after, 210);
    }

    #[test]
    fn an_interruption_costs_no_more_than_the_longest_check() {
        let start = Instant::now();
        PURSE.set(None);
        pay(Duration::from_secs(1), start);
        assert!(may_check(Budget::percent(0), start));
    }

    #[test]
    fn a_clock_that_stands_earns_nothing() {
        let start = Instant::now();
        PURSE.set(None);
        while may_check(Budget::default(), start) {
            pay(ES512, start);
        }
        assert!(!may_check(Budget::default(), start));
        assert!(may_check(Budget::default(), start + Duration::from_secs(1)));
    }
}
