//! A small table that only grows: what a request looks up to find its counters, without a lock.
//! Never forgets an entry, and never grows past what whoever adds to it says.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Chains that entries are spread over; a power of two.
const CHAINS: usize = 64;

/// Entries by key. Looking one up reads a chain of a few; adding one appends to it.
pub(super) struct Table<K, V> {
    chains: [Link<K, V>; CHAINS],
    entries: AtomicUsize,
}

/// The place of an entry, which is empty at the end of a chain.
type Link<K, V> = OnceLock<Box<Entry<K, V>>>;

struct Entry<K, V> {
    key: K,
    value: V,
    next: Link<K, V>,
}

impl<K, V: Default> Table<K, V> {
    /// An empty table.
    pub(super) fn new() -> Self {
        Self { chains: std::array::from_fn(|_| OnceLock::new()), entries: AtomicUsize::new(0) }
    }

    /// The value of the entry that `is_it` knows, or a new one under `key`; none if there are `most` others already.
    /// `hash` must be the same for the same key.
    pub(super) fn entry(
        &self,
        most: usize,
        hash: usize,
        is_it: impl Fn(&K) -> bool,
        key: impl Fn() -> K,
    ) -> Option<&V> {
        let mut link = self.chains.get(hash % CHAINS)?;
        loop {
            let entry = match link.get() {
                Some(entry) => entry,
                None if self.entries.load(Ordering::Relaxed) >= most => return None,
                // Two threads may come here at once: one adds its entry, the other finds it and goes on.
                None => link.get_or_init(|| {
                    self.entries.fetch_add(1, Ordering::Relaxed);
                    Box::new(Entry { key: key(), value: V::default(), next: OnceLock::new() })
                }),
            };
            if is_it(&entry.key) {
                return Some(&entry.value);
            }
            link = &entry.next;
        }
    }

    /// All entries.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.chains.iter().flat_map(|chain| {
            let first = chain.get();
            std::iter::successors(first, |entry| entry.next.get()).map(|entry| (&entry.key, &entry.value))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    fn count(table: &Table<u64, AtomicU64>, most: usize, key: u64) -> Option<u64> {
        // All in two chains, so that they are walked.
        let value = table.entry(most, key as usize % 2, |found| *found == key, || key)?;
        Some(value.fetch_add(1, Ordering::Relaxed) + 1)
    }

    #[test]
    fn an_entry_is_added_once_and_found_again_also_by_many_threads_at_once() {
        let table = Table::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|turn| assert!(count(&table, 100, turn % 50).is_some())));
            }
        });
        assert_eq!(table.iter().count(), 50);
        assert!(table.iter().all(|(_, value)| value.load(Ordering::Relaxed) == 80));
    }

    #[test]
    fn a_full_table_takes_no_more_and_still_knows_what_it_has() {
        let table = Table::new();
        assert_eq!([1, 2, 3].map(|key| count(&table, 2, key)), [Some(1), Some(1), None]);
        assert_eq!(count(&table, 2, 1), Some(2));
        assert_eq!(count(&table, 3, 3), Some(1), "for some there is more room");
    }
}
