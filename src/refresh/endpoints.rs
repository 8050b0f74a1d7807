//! Token endpoints that are down: whether one is back is asked without a grant, by one caller for all, so that an outage
//! costs few exchanges and yet ends for everybody within seconds.
//! Never sends, and knows no connection.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::Op;
use moka::sync::Cache;

use super::pauses::MEMORY;
use crate::clock::Timestamp;
use crate::http::egress::Egress;

/// How often one that is down is asked whether it is back, at most.
const ASK_EVERY: Duration = Duration::from_secs(4);
/// Endpoints remembered at most.
const CAPACITY: u64 = 10_000;

/// A token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Endpoint {
    pub(super) uri: Arc<str>,
    pub(super) egress: Egress,
}

/// One that did not serve an exchange.
#[derive(Clone, Copy)]
struct Outage {
    asked: Timestamp,
    /// What it answers without a grant tells that it is down. If it seems up while exchanges fail, that tells nothing.
    seen_down: bool,
    tells: bool,
    back: Option<Timestamp>,
    /// That it is back was gathered from an answer without a grant.
    guessed: bool,
}

/// The endpoints that were down last.
pub(super) struct Endpoints(Cache<Endpoint, Outage>);

impl Endpoints {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_idle(MEMORY).build())
    }

    /// An exchange that began at `begun` brought no answer to go by.
    pub(super) fn failed(&self, endpoint: &Endpoint, begun: Timestamp, now: Timestamp) {
        self.0.entry_by_ref(endpoint).and_compute_with(|entry| {
            let new = Outage { asked: now, seen_down: false, tells: true, back: None, guessed: false };
            let known = entry.map_or(new, moka::Entry::into_value);
            // It was thought to be back, and was not.
            let misled = known.guessed && known.back.is_some_and(|back| begun >= back);
            Op::Put(Outage { tells: known.tells && !misled, ..known })
        });
    }

    /// An exchange was answered.
    pub(super) fn works(&self, endpoint: &Endpoint, now: Timestamp) {
        self.0.entry_by_ref(endpoint).and_compute_with(|entry| match entry {
            None => Op::Nop,
            Some(_) => {
                let back = Some(now);
                Op::Put(Outage { asked: now, seen_down: false, tells: true, back, guessed: false })
            }
        });
    }

    /// Whether it is back since an exchange failed at `failed`.
    pub(super) fn is_back(&self, endpoint: &Endpoint, failed: Timestamp) -> bool {
        self.0.get(endpoint).and_then(|outage| outage.back).is_some_and(|back| back > failed)
    }

    /// Whether it is this caller's turn to ask whether it is back.
    pub(super) fn may_ask(&self, endpoint: &Endpoint, now: Timestamp) -> bool {
        let mut mine = false;
        self.0.entry_by_ref(endpoint).and_compute_with(|entry| {
            let known = entry.map(moka::Entry::into_value).filter(|outage| outage.tells);
            let Some(outage) = known else { return Op::Nop };
            // A clock that was turned back asks at once.
            if (outage.asked..outage.asked.plus(ASK_EVERY)).contains(&now) {
                return Op::Nop;
            }
            mine = true;
            Op::Put(Outage { asked: now, ..outage })
        });
        mine
    }

    /// What asking came to.
    pub(super) fn asked(&self, endpoint: &Endpoint, answers: bool, now: Timestamp) {
        self.0.entry_by_ref(endpoint).and_compute_with(|entry| {
            let Some(outage) = entry.map(moka::Entry::into_value) else { return Op::Nop };
            Op::Put(match (answers, outage.seen_down) {
                (false, _) => Outage { seen_down: true, ..outage },
                (true, true) => Outage { seen_down: false, back: Some(now), guessed: true, ..outage },
                (true, false) => Outage { tells: false, ..outage },
            })
        });
    }
}

#[cfg(test)]
mod tests;
