//! Verified tokens, so that a repeated one costs a digest instead of a signature.
//! Never knows what makes a token good: whoever asks checks keys, revocations, times and policy again on every hit.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use moka::Expiry;
use moka::sync::Cache as Moka;

use super::Verified;
use crate::clock::{Clock, Timestamp};

/// The longest an entry stays, for tokens that never expire.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The memory that a cache may take for each token it is made for. A larger token takes the place of several.
const BYTES_PER_ENTRY: u32 = 4096;

/// The full SHA-256 of a token: a shorter one could be made to collide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(token: &str) -> Self {
        let mut bytes = [0; 32];
        let digest = digest::digest(&digest::SHA256, token.as_bytes());
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// Its first eight bytes, to choose a place by.
    pub(super) fn prefix(&self) -> u64 {
        self.0.first_chunk().map_or(0, |first| u64::from_ne_bytes(*first))
    }
}

/// The cache of one verifier, bounded by entries and by bytes. Failures are never kept here.
pub(super) struct Cache(Moka<Fingerprint, Verified>);

impl Cache {
    /// A cache for this many tokens; for none, there is no cache.
    pub(super) fn new(entries: u64, clock: Arc<dyn Clock>) -> Option<Self> {
        let build = || {
            Moka::builder()
                .max_capacity(entries.saturating_mul(u64::from(BYTES_PER_ENTRY)))
                .weigher(|_, verified: &Verified| weight(verified.size()))
                .expire_after(UntilExpiry(clock))
                .build()
        };
        (entries > 0).then(|| Self(build()))
    }

    pub(super) fn get(&self, fingerprint: &Fingerprint) -> Option<Verified> {
        self.0.get(fingerprint)
    }

    pub(super) fn insert(&self, fingerprint: Fingerprint, verified: Verified) {
        self.0.insert(fingerprint, verified);
    }

    pub(super) fn remove(&self, fingerprint: &Fingerprint) {
        self.0.invalidate(fingerprint);
    }

    /// How many tokens are in it, give or take what is being put in or thrown out just now.
    pub(super) fn len(&self) -> u64 {
        self.0.entry_count()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("entries", &self.len()).finish_non_exhaustive()
    }
}

/// No entry weighs less than its share, so that the number of entries is bounded too.
fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX).max(BYTES_PER_ENTRY)
}

/// An entry goes when its token expires. This only frees the memory; it decides nothing.
struct UntilExpiry(Arc<dyn Clock>);

impl Expiry<Fingerprint, Verified> for UntilExpiry {
    fn expire_after_create(&self, _: &Fingerprint, verified: &Verified, _: Instant) -> Option<Duration> {
        Some(time_left(verified.claims().expires_at, self.0.now()))
    }
}

fn time_left(expires_at: Option<f64>, now: Timestamp) -> Duration {
    let Some(expires_at) = expires_at else { return LONGEST };
    let seconds = (expires_at - now.as_secs_f64()).max(0.0);
    Duration::try_from_secs_f64(seconds).map_or(LONGEST, |left| left.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t33_an_entry_stays_until_its_token_expires_and_a_day_at_most() {
        let now = Timestamp::from_secs(1_000);
        assert_eq!(time_left(Some(1_000.5), now), Duration::from_millis(500));
        assert_eq!(time_left(Some(1_000.0), now), Duration::ZERO);
        assert_eq!(time_left(Some(-1e300), now), Duration::ZERO);
        assert_eq!(time_left(Some(1e300), now), LONGEST);
        assert_eq!(time_left(None, now), LONGEST);
    }

    #[test]
    fn t34_tokens_are_told_apart_by_their_full_digest() {
        assert!(Fingerprint::of("a.b.c") == Fingerprint::of("a.b.c"));
        assert!(Fingerprint::of("a.b.c") != Fingerprint::of("a.b.d"));
        assert_eq!(Fingerprint::of("").0[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    }

    #[test]
    fn t34_a_small_token_weighs_its_share_and_a_large_one_more() {
        assert_eq!(weight(0), BYTES_PER_ENTRY);
        assert_eq!(weight(4096), BYTES_PER_ENTRY);
        assert_eq!(weight(40_000), 40_000);
        assert_eq!(weight(usize::MAX), u32::MAX);
    }
}
