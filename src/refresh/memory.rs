//! What is remembered of recent exchanges, so that failures and pointless refreshes do not repeat at once: here, and
//! for a restart in the connection's row. Bounded and forgetful: losing it costs a request, never a token.
//! Knows no credentials, and never writes a row.

use std::sync::{Arc, Weak};
use std::time::Duration;

use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::connector::Integration;
use crate::names::{ConnectionId, Version};
use crate::store::{Connection, FailureClass, RefreshFailure};

use super::freshness::Jitter;
use super::outcome::{LONGEST_PAUSE, RefreshError};

/// Pauses double from here
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// up to here where the provider may come back any moment: 35 requests in an outage of half an hour.
const OUTAGE_PAUSE: Duration = Duration::from_secs(60);
/// A token that was refused although it had just been refreshed is not refreshed again within this time.
const BREAKER: Duration = Duration::from_secs(60);
/// Connections remembered at most, and for how long after the last failure.
const CAPACITY: u64 = 100_000;
const MEMORY: Duration = Duration::from_secs(2 * 15 * 60);

#[derive(Clone)]
struct Pause {
    version: Version,
    from: Timestamp,
    until: Timestamp,
    in_a_row: u32,
    since: Timestamp,
    error: RefreshError,
    /// What is wrong with the configuration is wrong until it is another one.
    within: Option<Weak<Integration>>,
}

/// The memory of a [`super::Refresher`].
pub(super) struct Memory {
    pauses: Cache<ConnectionId, Pause>,
    refused: Cache<ConnectionId, (Version, Timestamp)>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            pauses: Cache::builder().max_capacity(CAPACITY).time_to_live(MEMORY).build(),
            refused: Cache::builder().max_capacity(CAPACITY).time_to_live(MEMORY).build(),
        }
    }

    /// The failure that these credentials pause after, if they do. A clock that was turned back ends the pause.
    pub(super) fn paused(
        &self,
        connection: &Connection,
        integration: &Arc<Integration>,
        now: Timestamp,
    ) -> Option<RefreshError> {
        let pause = self.last(connection)?;
        pause.holds(integration, now).then_some(pause.error)
    }

    /// Remembers a failure; each further one of the same credentials pauses for twice as long. What is returned is for
    /// the connection's row; failures that say nothing of the connection leave nothing behind.
    pub(super) fn failed(
        &self,
        connection: &Connection,
        integration: &Arc<Integration>,
        now: Timestamp,
        error: &RefreshError,
    ) -> Option<RefreshFailure> {
        let class = error.class()?;
        let earlier = self.last(connection);
        let in_a_row = earlier.as_ref().map_or(1, |pause| pause.in_a_row.saturating_add(1));
        let since = earlier.map_or(now, |pause| pause.since);
        let doubled = FIRST_PAUSE.saturating_mul(1 << (in_a_row - 1).min(10));
        let ours = now.plus(Jitter::of(&connection.id).lengthen(doubled.min(longest(class)), 0.5));
        let (until, error) = match error {
            // The provider may ask for more, but not for less: a pause of no time at all is none.
            RefreshError::ThrottledUntil(asked) => {
                let until = ours.max(*asked);
                (until, RefreshError::ThrottledUntil(until))
            }
            other => (ours, other.clone()),
        };
        let within = (class == FailureClass::DeadApp).then(|| Arc::downgrade(integration));
        let next_try = (class != FailureClass::DeadGrant).then_some(until);
        let (version, message) = (connection.version, error.reason());
        let pause = Pause { version, from: now, until, in_a_row, since, error, within };
        self.pauses.insert(connection.id.clone(), pause);
        Some(RefreshFailure { version, class, message, in_a_row, since, at: now, next_try })
    }

    /// Forgets the failures.
    pub(super) fn succeeded(&self, id: &ConnectionId) {
        self.pauses.invalidate(id);
    }

    /// Remembers that refreshing this version does not help.
    pub(super) fn refused(&self, id: &ConnectionId, version: Version, now: Timestamp) {
        self.refused.insert(id.clone(), (version, now));
    }

    /// Whether that was a moment ago. A clock that was turned back ends it.
    pub(super) fn just_refused(&self, id: &ConnectionId, version: Version, now: Timestamp) -> bool {
        let holds = |at: Timestamp| (at..at.plus(BREAKER)).contains(&now);
        self.refused.get(id).is_some_and(|(refused, at)| refused == version && holds(at))
    }

    /// The last failure of just these credentials: as it is remembered here, or by the row.
    fn last(&self, connection: &Connection) -> Option<Pause> {
        let here = self.pauses.get(&connection.id).filter(|pause| pause.version == connection.version);
        here.or_else(|| connection.refresh_failure().map(Pause::of_row))
    }
}

impl Pause {
    /// Since then the configuration was read anew: what was wrong with it is asked once more.
    fn of_row(failure: &RefreshFailure) -> Self {
        Self {
            version: failure.version,
            from: failure.at,
            until: failure.next_try.unwrap_or(failure.at),
            in_a_row: failure.in_a_row,
            since: failure.since,
            error: RefreshError::remembered(failure),
            within: (failure.class == FailureClass::DeadApp).then(Weak::new),
        }
    }

    fn holds(&self, integration: &Arc<Integration>, now: Timestamp) -> bool {
        let same = |known: &Weak<Integration>| std::ptr::eq(known.as_ptr(), Arc::as_ptr(integration));
        (self.from..self.until).contains(&now) && self.within.as_ref().is_none_or(same)
    }
}

/// How long nobody asks at most after this many failures.
fn longest(class: FailureClass) -> Duration {
    match class {
        FailureClass::Transient | FailureClass::Throttled => OUTAGE_PAUSE,
        FailureClass::DeadGrant | FailureClass::DeadApp | FailureClass::Unknown => LONGEST_PAUSE,
    }
}

#[cfg(test)]
mod tests;
