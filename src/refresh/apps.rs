//! OAuth apps that a provider refuses: one connection asks for all, the others wait.
//! Knows an app by its fingerprint only: one that is configured anew is another app, and asked at once.

use moka::ops::compute::Op;
use moka::sync::Cache;

use crate::clock::Timestamp;
use crate::oauth::AppFingerprint;

use super::outcome::RefreshError;
use super::pauses::{LONGEST_PAUSE, MEMORY, pause};

/// Apps remembered at most; customers may bring their own.
const CAPACITY: u64 = 10_000;

#[derive(Clone)]
struct Refused {
    from: Timestamp,
    until: Timestamp,
    in_a_row: u32,
    /// Somebody asks again, for all.
    asked: bool,
    error: RefreshError,
}

/// The apps that were refused last.
pub(super) struct Apps(Cache<AppFingerprint, Refused>);

impl Apps {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(MEMORY).build())
    }

    /// Whether an exchange may be made with this app. Of all who come after a pause the first may; for the others it
    /// begins anew. A clock that was turned back ends it.
    pub(super) fn admit(&self, app: &AppFingerprint, now: Timestamp) -> Result<(), RefreshError> {
        let mut held = Ok(());
        self.0.entry_by_ref(app).and_compute_with(|entry| {
            let Some(refused) = entry.map(moka::Entry::into_value) else { return Op::Nop };
            if (refused.from..refused.until).contains(&now) {
                held = Err(refused.error);
                return Op::Nop;
            }
            let until = now.plus(pause(refused.in_a_row, LONGEST_PAUSE));
            Op::Put(Refused { from: now, until, asked: true, ..refused })
        });
        held
    }

    /// Remembers that the app was refused; says until when nobody asks again. Those who asked before they could know
    /// do not make it longer.
    pub(super) fn refused(&self, app: &AppFingerprint, now: Timestamp, error: &RefreshError) -> Timestamp {
        let mut until = now;
        self.0.entry_by_ref(app).and_compute_with(|entry| {
            let earlier = entry.map(moka::Entry::into_value);
            if let Some(Refused { asked: false, until: known, .. }) = earlier {
                until = known;
                return Op::Nop;
            }
            let in_a_row = earlier.map_or(1, |refused| refused.in_a_row.saturating_add(1));
            until = now.plus(pause(in_a_row, LONGEST_PAUSE));
            Op::Put(Refused { from: now, until, in_a_row, asked: false, error: error.clone() })
        });
        until
    }

    /// The provider takes the app.
    pub(super) fn works(&self, app: &AppFingerprint) {
        self.0.invalidate(app);
    }
}

#[cfg(test)]
mod tests;
