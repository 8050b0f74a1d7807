//! What a worker saw last, without a lock: the tokens it verified, and those whose signature did not hold.
//! Never knows whether what it remembers is still so; whoever asks compares generations.
//!
//! Both tables have a fixed size and are asked by the whole digest of a token. Where in a table a digest stands depends
//! on a number that is drawn for each worker, so that nobody can choose tokens that push each other out.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;

use super::Verified;
use super::cache::Fingerprint;
use super::issuer::Generation;

/// Verified tokens that a worker remembers. Four times those of a thousand customers, so that hardly any push each other out.
const VERIFIED: usize = 4096;
/// Refused ones.
const REFUSED: usize = 2048;
/// A larger token is remembered by the shared cache only, so that what a worker holds is bounded in bytes too.
const MOST_BYTES: usize = 8 * 1024;
/// How many places a digest may stand in.
const WAYS: usize = 4;

/// A table of `entries` places; `WAYS` of them for each digest, of which the one filled longest ago makes room. A part of
/// each digest stands apart, so that a look-up touches the memory of the one place it finds.
struct Table<T> {
    tags: Vec<[u32; WAYS]>,
    places: Vec<Place<T>>,
    entries: usize,
    seed: u64,
    next: usize,
}

/// One place, in a line of the processor's cache of its own: a table is mostly asked for what was used long ago.
#[repr(align(64))]
struct Place<T>(Option<(Fingerprint, T)>);

impl<T> Table<T> {
    fn new(entries: usize) -> Self {
        let seed = RandomState::new().hash_one(entries) | 1;
        Self { tags: Vec::new(), places: Vec::new(), entries, seed, next: 0 }
    }

    /// Where the places of a digest begin, in sets of `WAYS`, and its tag.
    fn set(&self, fingerprint: &Fingerprint) -> (usize, u32) {
        let mixed = fingerprint.prefix().wrapping_mul(self.seed);
        let (high, low) = ((mixed >> 32) as u32, mixed as u32);
        (usize::try_from(high).unwrap_or(0) % (self.entries / WAYS), low)
    }

    fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn get(&self, fingerprint: &Fingerprint) -> Option<&T> {
        let (set, tag) = self.set(fingerprint);
        let tags = self.tags.get(set)?;
        (0..WAYS).filter(|way| tags[*way] == tag).find_map(|way| {
            let (held, value) = self.places.get(set * WAYS + way)?.0.as_ref()?;
            (held == fingerprint).then_some(value)
        })
    }

    fn insert(&mut self, fingerprint: Fingerprint, value: T) {
        if self.places.is_empty() {
            // Only now: a worker that verifies nothing should not hold the memory for it.
            self.tags.resize(self.entries / WAYS, [0; WAYS]);
            self.places.resize_with(self.entries, || Place(None));
        }
        let (set, tag) = self.set(&fingerprint);
        let next = self.next % WAYS;
        let first = set * WAYS;
        let (Some(tags), Some(ways)) = (self.tags.get_mut(set), self.places.get_mut(first..first + WAYS))
        else {
            return;
        };
        let same =
            ways.iter().position(|place| matches!(place, Place(Some((held, _))) if *held == fingerprint));
        let free = || ways.iter().position(|place| place.0.is_none());
        let place = same.or_else(free).unwrap_or(next);
        (tags[place], ways[place]) = (tag, Place(Some((fingerprint, value))));
        self.next = next + 1;
    }
}

/// What is remembered belongs to one verifier: others have other keys.
struct Worker {
    verified: Table<(u64, Verified)>,
    refused: Table<Refused>,
}

/// A signature that did not hold by the keys of one workspace as they were then.
struct Refused {
    verifier: u64,
    keys: Generation,
    generation: u64,
}

thread_local! {
    static WORKER: RefCell<Worker> =
        RefCell::new(Worker { verified: Table::new(VERIFIED), refused: Table::new(REFUSED) });
}

/// The token as this worker verified it for `verifier`. Neither locks nor allocates.
pub(super) fn verified(verifier: u64, fingerprint: &Fingerprint) -> Option<Verified> {
    WORKER.with_borrow(|worker| {
        let (whose, verified) = worker.verified.get(fingerprint)?;
        // What a request looks at comes from far away, but together, if it is asked for before the copies are counted.
        verified.touch();
        (*whose == verifier).then(|| verified.clone())
    })
}

pub(super) fn remember_verified(verifier: u64, fingerprint: Fingerprint, verified: Verified) {
    if verified.size() <= MOST_BYTES {
        WORKER.with_borrow_mut(|worker| worker.verified.insert(fingerprint, (verifier, verified)));
    }
}

/// Whether this worker found that the token's signature does not hold, and its workspace's keys are still the same.
/// Who never refused one need not know which this is.
pub(super) fn is_refused<'f>(verifier: u64, fingerprint: impl FnOnce() -> &'f Fingerprint) -> bool {
    WORKER.with_borrow(|worker| {
        let refused = if worker.refused.is_empty() { None } else { worker.refused.get(fingerprint()) };
        refused.is_some_and(|it| it.verifier == verifier && it.keys.now() == it.generation)
    })
}

/// Remembers it, as found by the keys of `generation`.
pub(super) fn remember_refused(verifier: u64, keys: Generation, generation: u64, fingerprint: Fingerprint) {
    let refused = Refused { verifier, keys, generation };
    WORKER.with_borrow_mut(|worker| worker.refused.insert(fingerprint, refused));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(number: usize) -> Fingerprint {
        Fingerprint::of(&number.to_string())
    }

    #[test]
    fn t34_a_table_keeps_its_size_whatever_is_put_into_it() {
        let mut table = Table::new(64);
        for number in 0..10_000 {
            table.insert(fingerprint(number), number);
            assert_eq!(table.get(&fingerprint(number)), Some(&number), "the newest is always there");
        }
        let held = (0..10_000).filter(|&number| table.get(&fingerprint(number)) == Some(&number)).count();
        assert_eq!((table.places.len(), held), (64, 64));
    }

    #[test]
    fn a_digest_stands_once_and_the_newest_value_counts() {
        let mut table = Table::new(64);
        for value in 0..10 {
            table.insert(fingerprint(1), value);
        }
        assert_eq!(table.get(&fingerprint(1)), Some(&9));
        assert_eq!(table.places.iter().filter(|place| place.0.is_some()).count(), 1);
        assert_eq!(table.get(&fingerprint(2)), None);
    }

    #[test]
    fn t34_where_a_digest_stands_cannot_be_foretold() {
        let places =
            |table: &Table<()>| (0..64).map(|number| table.set(&fingerprint(number))).collect::<Vec<_>>();
        assert_ne!(places(&Table::new(2048)), places(&Table::new(2048)));
    }

    #[test]
    fn t33_what_was_refused_by_other_keys_is_not_refused_by_these() {
        let keys = Generation::default();
        let token = fingerprint(1);
        remember_refused(1, keys.clone(), 0, token);
        assert!(is_refused(1, || &token) && !is_refused(2, || &token));
        keys.set(1);
        assert!(!is_refused(1, || &token));
    }
}
