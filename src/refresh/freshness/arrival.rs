//! When a reply came, by our clock and by its sender's.
//! Never reads a clock.

use std::time::Duration;

use crate::clock::Timestamp;

/// Clocks that are no further apart agree: a `Date` has whole seconds, and the reply was on its way for a while.
const AGREE: Duration = Duration::from_secs(30);
/// A clock that is off is off by a wrong time zone at most. A `Date` that is off by more, such as a day, is itself wrong.
const FURTHEST: Duration = Duration::from_secs(14 * 3600);

/// When a reply came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// By our clock.
    pub at: Timestamp,
    /// By its own `Date`.
    pub date: Option<Timestamp>,
}

impl Arrival {
    /// Of what has no `Date`, or was made here.
    #[must_use]
    pub fn undated(at: Timestamp) -> Self {
        Self { at, date: None }
    }

    /// What `end`, a point in time by the sender's clock, is by ours. Where that would leave the token no life, the `Date`
    /// was wrong and not our clock: `end` is then taken as it is.
    pub(super) fn by_our_clock(self, end: Timestamp) -> Timestamp {
        let life = end.since(self.sent());
        if life.is_zero() { end } else { self.at.plus(life) }
    }

    /// When it was sent, by the sender's clock as far as that can be told.
    fn sent(self) -> Timestamp {
        let Some(date) = self.date else { return self.at };
        let apart = date.since(self.at).max(self.at.since(date));
        if (AGREE..=FURTHEST).contains(&apart) { date } else { self.at }
    }
}
