//! skeleton
use std::sync::Arc;
use std::time::Duration;
use crate::clock::Clock;
use crate::names::{KeyId, WorkspaceKey};
use super::claims::Claims;
use super::keys::{Algorithm, Config, KeyComplaint};

/// What an upstream asks of a token beyond a valid signature.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Workspaces whose tokens are taken; empty: all.
    pub workspaces: Vec<WorkspaceKey>,
    pub leeway: Duration,
    pub require_expiry: bool,
}

/// A token whose signature and times hold. Made only in this file; cheap to clone (Arc).
#[derive(Clone)]
pub struct Verified { inner: Arc<VerifiedInner> }
struct VerifiedInner { claims: Claims, algorithm: Algorithm, kid: Option<KeyId> }
impl Verified {
    pub fn claims(&self) -> &Claims { &self.inner.claims }
    pub fn algorithm(&self) -> Algorithm { self.inner.algorithm }
    pub fn kid(&self) -> Option<&KeyId> { self.inner.kid.as_ref() }
}

/// Why a token was refused: the reason codes of the access log; callers see only 401.
/// (helper: full list; `code()` gives the stable reason string: expired, not_active, bad_signature, unknown_workspace, unknown_kid, algorithm_not_allowed, malformed, crit, claims, …)
#[derive(Debug, thiserror::Error)]
pub enum TokenError { #[error("placeholder")] Placeholder }
impl TokenError { pub fn code(&self) -> &'static str { unimplemented!() } }

/// All keys, prepared once, and the verified-token cache. Shared by all workers.
pub struct Verifier { }
impl Verifier {
    /// Prepares every key; complaints that are fatal end it, the others are warnings.
    pub fn new(_config: Config, _clock: Arc<dyn Clock>) -> Result<(Self, Vec<KeyComplaint>), Vec<KeyComplaint>> { unimplemented!() }
    /// Signature, times, claims; the cache makes a repeated token cheap. Synchronous: no I/O.
    pub fn verify(&self, _token: &str, _policy: &Policy) -> Result<Verified, TokenError> { unimplemented!() }
}
