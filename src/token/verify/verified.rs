//! A token that was verified, and what is kept of it.
//! Never verifies anything itself.

use std::fmt;
use std::sync::{Arc, Weak};

use aws_lc_rs::digest;

use crate::clock::Timestamp;
use crate::names::KeyId;
use crate::token::claims::Claims;
use crate::token::issuer::{Generation, State};
use crate::token::keys::{Algorithm, Key};
use crate::token::revocations::Subject;

/// A token whose signature and times hold. Made only by [`Verifier::verify`](super::Verifier::verify); cheap to clone.
///
/// ```compile_fail,E0451
/// fn forge(inner: std::sync::Arc<()>) -> sidegate::token::Verified {
///     sidegate::token::Verified { inner, generation: 0 }
/// }
/// ```
#[derive(Clone)]
pub struct Verified {
    pub(super) inner: Arc<Inner>,
    /// Which keys and revocations it was compared with last.
    pub(super) generation: u64,
}

/// What all copies of one share. What every request looks at comes first and together: a token is mostly one that has not
/// been seen for a while, and each line of memory costs as much as hashing it.
#[repr(C)]
pub(super) struct Inner {
    /// That of the workspace, as it goes on.
    pub(super) generation: Generation,
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<KeyId>,
    pub(super) jti_hash: Option<Box<str>>,
    pub(super) claims: Claims,
    pub(super) key: Weak<Key>,
    pub(super) size: usize,
}

impl Verified {
    /// What the token says.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.inner.claims
    }

    /// The algorithm of its signature.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.inner.algorithm
    }

    /// The `kid` of its header.
    #[must_use]
    pub fn kid(&self) -> Option<&KeyId> {
        self.inner.kid.as_ref()
    }

    /// Stands for its `jti` in logs, which are read by more people than may know it; empty without one.
    #[must_use]
    pub fn jti_hash(&self) -> &str {
        self.inner.jti_hash.as_deref().unwrap_or_default()
    }

    /// Roughly what it takes in memory.
    pub(in crate::token) fn size(&self) -> usize {
        self.inner.size
    }

    /// Looks at what every request looks at.
    pub(in crate::token) fn touch(&self) {
        let Inner { jti_hash, claims, .. } = &*self.inner;
        let Claims { id, expires_at, not_before, is_admin, .. } = claims;
        std::hint::black_box((*not_before, jti_hash.is_some(), id.is_some(), *expires_at, *is_admin));
    }

    /// Whether the workspace's keys and revocations are still those it was compared with.
    pub(super) fn is_current(&self) -> bool {
        self.generation == self.inner.generation.now()
    }

    /// The same, compared with what the workspace has now; none if its key was withdrawn or it was revoked.
    pub(super) fn compared_with(&self, state: &State, now: Timestamp) -> Option<Self> {
        let subject = Subject { claims: &self.claims().all, kid: self.kid().map(KeyId::as_str) };
        let is_good =
            state.keys.holds(&self.inner.key) && !state.revocations.revoke(subject, now.as_secs_f64());
        is_good.then(|| Self { inner: Arc::clone(&self.inner), generation: state.generation })
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("claims", self.claims())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// The first eight bytes of a text's SHA-256, in hexadecimal.
pub(super) fn hash_of(text: &str) -> Box<str> {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    let first = digest.as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    format!("{first:016x}").into()
}
