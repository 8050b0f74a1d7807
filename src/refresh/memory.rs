//! What is remembered of recent exchanges, so that failures and pointless refreshes do not repeat at once: here, and
//! for a restart in the connection's row. Bounded and forgetful: losing it costs a request, never a token.
//! Knows no credentials, and never writes a row.

use std::sync::{Arc, Weak};
use std::time::Duration;

use moka::ops::compute::Op;
use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::connector::Integration;
use crate::names::{ConnectionId, Version};
use crate::store::{Connection, FailureClass, RefreshFailure};

use super::apps::Apps;
use super::endpoints::{Endpoint, Endpoints};
use super::freshness::Jitter;
use super::outcome::RefreshError;
use super::pauses::{LONGEST_PAUSE, MEMORY, OUTAGE_PAUSE, pause};

/// A token that was refused although it had just been refreshed is not refreshed again within this time.
const BREAKER: Duration = Duration::from_secs(60);
/// Connections remembered at most.
const CAPACITY: u64 = 100_000;

/// After a failure nobody asks for a while.
#[derive(Clone)]
pub(super) struct Pause {
    version: Version,
    pub(super) from: Timestamp,
    until: Timestamp,
    in_a_row: u32,
    since: Timestamp,
    pub(super) error: RefreshError,
    /// What is wrong with the configuration is wrong until it is another one.
    within: Option<Weak<Integration>>,
    /// Who is down: if it is known to be back, nobody waits any longer.
    pub(super) down: Option<Endpoint>,
}

/// What became of a token that came of a refusal. The later of these counts for more: a third party may take a token for
/// one thing and refuse it for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trial {
    /// Who got it could not send its request again.
    Untried,
    /// The third party took it.
    Taken,
    /// The third party refused it too, or nobody can tell.
    Refused,
}

impl Trial {
    /// Of a request that was sent with it.
    #[must_use]
    pub fn of(is_taken: bool) -> Self {
        if is_taken { Self::Taken } else { Self::Refused }
    }
}

/// A refresh that a refusal had caused.
#[derive(Clone, Copy)]
struct Forced {
    /// The credentials that were refused: all newer ones came of it, or after it.
    refused: Version,
    at: Timestamp,
    /// Those were untried, and this is their one more refresh.
    is_second: bool,
    /// None: under way.
    trial: Option<Trial>,
}

impl Forced {
    /// Lately. A clock that was turned back ends it.
    fn holds(&self, now: Timestamp) -> bool {
        (self.at..self.at.plus(BREAKER)).contains(&now)
    }

    /// Whether refreshing again is known to be pointless, or nobody knows yet.
    fn is_suspect(&self) -> bool {
        match self.trial {
            None | Some(Trial::Refused) => true,
            Some(Trial::Untried) => self.is_second,
            Some(Trial::Taken) => false,
        }
    }
}

/// The memory of a [`super::Refresher`].
pub(super) struct Memory {
    pauses: Cache<ConnectionId, Pause>,
    forced: Cache<ConnectionId, Forced>,
    pub(super) apps: Apps,
    pub(super) endpoints: Endpoints,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            pauses: Cache::builder().max_capacity(CAPACITY).time_to_live(MEMORY).build(),
            forced: Cache::builder().max_capacity(CAPACITY).time_to_live(MEMORY).build(),
            apps: Apps::new(),
            endpoints: Endpoints::new(),
        }
    }

    /// The pause after a failure that these credentials are in, if they are. A clock that was turned back ends it.
    pub(super) fn paused(
        &self,
        connection: &Connection,
        integration: &Arc<Integration>,
        now: Timestamp,
    ) -> Option<Pause> {
        let pause = self.last(connection).filter(|pause| pause.holds(integration, now))?;
        let back = pause.down.as_ref().is_some_and(|down| self.endpoints.is_back(down, pause.from));
        (!back).then_some(pause)
    }

    /// What a failure is for the connection's row; none if it says nothing of the connection. Each further one of the
    /// same credentials pauses for twice as long.
    pub(super) fn note(
        &self,
        connection: &Connection,
        now: Timestamp,
        error: &RefreshError,
    ) -> Option<RefreshFailure> {
        let class = error.class()?;
        let earlier = self.last(connection);
        let in_a_row = earlier.as_ref().map_or(1, |pause| pause.in_a_row.saturating_add(1));
        let since = earlier.map_or(now, |pause| pause.since);
        let ours = Jitter::of(&connection.id).lengthen(pause(in_a_row, longest(class)), 0.5);
        let next_try = match error {
            RefreshError::NeedsReconnect { .. } => None,
            // The provider may ask for more, but not for less: a pause of no time at all is none.
            RefreshError::ThrottledUntil(asked) => Some(now.plus(ours).max(*asked)),
            _ => Some(now.plus(ours)),
        };
        let (version, message) = (connection.version, error.reason());
        Some(RefreshFailure { version, class, message, in_a_row, since, at: now, next_try })
    }

    /// Pauses after a failure. `down`: the endpoint that gave no answer to go by.
    pub(super) fn pause(
        &self,
        id: &ConnectionId,
        integration: &Arc<Integration>,
        note: &RefreshFailure,
        down: Option<Endpoint>,
    ) {
        let within = (note.class == FailureClass::DeadApp).then(|| Arc::downgrade(integration));
        let until = note.next_try.unwrap_or(note.at.plus(LONGEST_PAUSE));
        self.pauses.insert(id.clone(), Pause { until, within, down, ..Pause::of_row(note) });
    }

    /// Forgets the failures.
    pub(super) fn succeeded(&self, id: &ConnectionId) {
        self.pauses.invalidate(id);
    }

    /// Remembers that what is newer than `refused` comes of a refusal: if it is refused too, refreshing does not help.
    pub(super) fn forced(&self, id: &ConnectionId, refused: Version, at: Timestamp) {
        let untried = |last: Forced| last.trial == Some(Trial::Untried) && last.holds(at);
        let is_second = self.forced.get(id).is_some_and(untried);
        self.forced.insert(id.clone(), Forced { refused, at, is_second, trial: None });
    }

    /// Remembers what became of a token that came of a refusal.
    pub(super) fn tried(&self, id: &ConnectionId, trial: Trial) {
        self.forced.entry_by_ref(id).and_compute_with(|entry| match entry.map(moka::Entry::into_value) {
            Some(forced) => Op::Put(Forced { trial: forced.trial.max(Some(trial)), ..forced }),
            None => Op::Nop,
        });
    }

    /// Whether these credentials came of a refusal a moment ago, and the third party is not known to take them. Where nobody
    /// tried them they may have been good, and revoked since: they are refreshed once more.
    pub(super) fn just_forced(&self, id: &ConnectionId, version: Version, now: Timestamp) -> bool {
        let doubted = |forced: Forced| version > forced.refused && forced.is_suspect() && forced.holds(now);
        self.forced.get(id).is_some_and(doubted)
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
            down: None,
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
