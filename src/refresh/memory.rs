//! What this process remembers of recent exchanges, so that failures and pointless refreshes do not repeat at once.
//! Bounded and forgetful: losing it costs a request, never a token. Knows no credentials.

use std::time::Duration;

use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::names::{ConnectionId, Version};

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
    failures: u32,
    error: RefreshError,
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

    /// The failure that this version of the credentials pauses after, if it does. A clock that was turned back ends
    /// the pause.
    pub(super) fn paused(&self, id: &ConnectionId, version: Version, now: Timestamp) -> Option<RefreshError> {
        let pause = self.pauses.get(id)?;
        let holds = pause.version == version && (pause.from..pause.until).contains(&now);
        holds.then_some(pause.error)
    }

    /// Remembers a failure; each further one of the same version pauses for twice as long.
    pub(super) fn failed(&self, id: &ConnectionId, version: Version, now: Timestamp, error: &RefreshError) {
        let earlier = self.pauses.get(id).filter(|pause| pause.version == version);
        let failures = earlier.map_or(0, |pause| pause.failures.saturating_add(1));
        let longest = match error {
            RefreshError::StoreDown { .. } | RefreshError::RejectedWhileFresh | RefreshError::Stopping => {
                return;
            }
            RefreshError::ProviderDown { .. }
            | RefreshError::ThrottledUntil(_)
            | RefreshError::NotRefreshable { .. } => OUTAGE_PAUSE,
            _ => LONGEST_PAUSE,
        };
        let base = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(longest);
        let ours = now.plus(Jitter::of(id).lengthen(base, 0.5));
        let (until, error) = match error {
            // The provider may ask for more, but not for less: a pause of no time at all is none.
            RefreshError::ThrottledUntil(asked) => {
                let until = ours.max(*asked);
                (until, RefreshError::ThrottledUntil(until))
            }
            other => (ours, other.clone()),
        };
        let pause = Pause { version, from: now, until, failures, error };
        self.pauses.insert(id.clone(), pause);
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
}

#[cfg(test)]
mod tests;
