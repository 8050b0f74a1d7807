//! Keys that tokens name and nobody has: when to look for one again, and who waits for what is found.
//! Never looks itself, and never lets the number of unknown names decide how often somebody does.
//!
//! A name that is not known brings one reading of the set, and then none for the workspace's cooldown, whatever is asked
//! for meanwhile. A name that was looked for in vain is not looked for again for [`MISSING_FOR`].

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::clock::Timestamp;

/// How long a name that was looked for in vain is taken as missing.
const MISSING_FOR: Duration = Duration::from_secs(5 * 60);
/// How many such names are remembered; the newer takes the older's place.
const MISSING: usize = 1024;
/// How many requests wait for one reading at a time; more are refused at once.
const MOST_WAITING: usize = 1024;
/// The longest a request waits: a reading takes three seconds at most.
const LONGEST_WAIT: Duration = Duration::from_millis(3500);

#[derive(Debug)]
pub(super) struct Wanted {
    search: Mutex<Search>,
    /// Wakes the task that reads the set.
    asked: Notify,
    /// Counts readings that ended.
    ended: watch::Sender<u64>,
    names: RandomState,
}

#[derive(Debug, Default)]
struct Search {
    /// Whether a reading is under way or was asked for.
    is_on: bool,
    last_asked: Option<Timestamp>,
    /// Places by the hash of a name, each with the hash and when the name was found missing.
    missing: Vec<Option<(u64, Timestamp)>>,
}

impl Default for Wanted {
    fn default() -> Self {
        let (ended, _) = watch::channel(0);
        Self { search: Mutex::default(), asked: Notify::new(), ended, names: RandomState::new() }
    }
}

/// The end of a reading.
pub(super) struct Reading {
    ended: watch::Receiver<u64>,
    /// It had begun, so that it may bring the set of a moment before.
    pub(super) was_under_way: bool,
}

impl Reading {
    /// Waits for it, but not for ever.
    pub(super) async fn end(mut self) {
        let _ = tokio::time::timeout(LONGEST_WAIT, self.ended.changed()).await;
    }
}

impl Wanted {
    /// The reading that may bring the key called `kid`: the one under way, or a new one if the last was `cooldown` ago;
    /// none if there is nothing to wait for.
    pub(super) fn look_for(&self, kid: Option<&str>, now: Timestamp, cooldown: Duration) -> Option<Reading> {
        let mut search = self.search();
        if self.ended.receiver_count() >= MOST_WAITING {
            return None;
        }
        let was_under_way = search.is_on;
        if !was_under_way {
            // A clock that was set back must not hold up the search.
            let is_over = |last: Timestamp| now < last || now.since(last) >= cooldown;
            if !search.last_asked.is_none_or(is_over) || search.is_missing(self.names.hash_one(kid), now) {
                return None;
            }
            search.last_asked = Some(now);
            search.is_on = true;
            self.asked.notify_one();
        }
        Some(Reading { ended: self.ended.subscribe(), was_under_way })
    }

    /// Remembers that the key called `kid` was looked for in vain.
    pub(super) fn is_missing(&self, kid: Option<&str>, now: Timestamp) {
        let name = self.names.hash_one(kid);
        let mut search = self.search();
        search.missing.resize(MISSING, None);
        if let Some(place) = search.missing.get_mut(place(name)) {
            *place = Some((name, now));
        }
    }

    /// Resolves when a key is looked for.
    pub(super) async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Has the set read now, for another reason than a missing key.
    pub(super) fn wake(&self) {
        self.asked.notify_one();
    }

    /// The next reading to end.
    #[cfg(test)]
    pub(super) fn next(&self) -> Reading {
        Reading { ended: self.ended.subscribe(), was_under_way: false }
    }

    /// Whether one of these names would take the other's place among those that are missing.
    #[cfg(test)]
    pub(super) fn compete(&self, one: &str, other: &str) -> bool {
        let place_of = |kid| place(self.names.hash_one(Some(kid)));
        place_of(one) == place_of(other)
    }

    /// A reading begins: whoever asks from now on waits for it.
    pub(super) fn begin(&self) {
        self.search().is_on = true;
    }

    /// The reading ended, well or not.
    pub(super) fn end(&self) {
        self.search().is_on = false;
        self.ended.send_modify(|ended| *ended += 1);
    }

    fn search(&self) -> MutexGuard<'_, Search> {
        self.search.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Search {
    fn is_missing(&self, name: u64, now: Timestamp) -> bool {
        let remembered = self.missing.get(place(name)).copied().flatten();
        remembered.is_some_and(|(other, since)| other == name && now.since(since) < MISSING_FOR)
    }
}

fn place(name: u64) -> usize {
    usize::try_from(name % MISSING as u64).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOLDOWN: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn k1_one_unknown_name_brings_one_reading_and_then_none_until_the_cooldown_is_over() {
        let wanted = Wanted::default();
        let began = wanted.look_for(Some("a"), at(0), COOLDOWN).map(|reading| !reading.was_under_way);
        let joined = wanted.look_for(Some("b"), at(0), COOLDOWN).map(|reading| reading.was_under_way);
        assert_eq!((began, joined), (Some(true), Some(true)), "waits for the same reading");
        wanted.end();
        for second in 0..30 {
            assert!(wanted.look_for(Some("c"), at(second), COOLDOWN).is_none(), "{second}");
        }
        assert!(wanted.look_for(Some("c"), at(30), COOLDOWN).is_some());
    }

    #[test]
    fn k1_a_name_that_was_looked_for_in_vain_is_left_alone_for_a_while() {
        let wanted = Wanted::default();
        wanted.is_missing(Some("a"), at(0));
        assert!(wanted.look_for(Some("a"), at(299), COOLDOWN).is_none());
        assert!(wanted.look_for(None, at(299), COOLDOWN).is_some(), "another name");
        wanted.end();
        assert!(wanted.look_for(Some("a"), at(400), COOLDOWN).is_some());
    }

    #[test]
    fn k1_the_memory_of_missing_names_is_bounded() {
        let wanted = Wanted::default();
        for number in 0..100_000 {
            wanted.is_missing(Some(&number.to_string()), at(0));
        }
        assert_eq!(wanted.search().missing.len(), MISSING);
    }

    #[test]
    fn k1_only_so_many_wait_for_a_reading() {
        let wanted = Wanted::default();
        let waiting: Vec<_> = (0..2000).map_while(|_| wanted.look_for(Some("a"), at(0), COOLDOWN)).collect();
        assert_eq!(waiting.len(), MOST_WAITING);
        drop(waiting);
        assert!(wanted.look_for(Some("a"), at(0), COOLDOWN).is_some(), "the reading is still on");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hold_up_the_search() {
        let wanted = Wanted::default();
        assert!(wanted.look_for(Some("a"), at(1000), COOLDOWN).is_some());
        wanted.end();
        assert!(wanted.look_for(Some("b"), at(0), COOLDOWN).is_some());
    }

    #[tokio::test]
    async fn whoever_waits_is_told_of_the_end_of_the_reading() {
        let wanted = Wanted::default();
        let reading = wanted.look_for(Some("a"), at(0), COOLDOWN).unwrap();
        wanted.asked().await;
        wanted.begin();
        wanted.end();
        reading.end().await;
    }
}
