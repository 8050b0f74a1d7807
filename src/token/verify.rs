//! From token to [`Verified`]: the one way there, from top to bottom.
//! Never knows which request the token came with, or what a rule will ask of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cache::{Cache, Fingerprint};
use super::claims::{self, Claims};
use super::error::TokenError;
use super::jws::{self, MAX_TOKEN};
use super::keys::{Algorithm, Config, KeyComplaint, KeySet};
use crate::clock::{Clock, Timestamp};
use crate::names::{KeyId, WorkspaceKey};
use crate::telemetry::metrics::TokenMetrics;

/// What an upstream asks of a token beyond a valid signature.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Workspaces whose tokens are taken; empty: all.
    pub workspaces: Vec<WorkspaceKey>,
    /// How far the clocks of issuer and gate may differ: `exp` is stretched and `nbf` brought forward by it.
    pub leeway: Duration,
    /// Whether a token without `exp` is refused.
    pub require_expiry: bool,
}

impl Policy {
    fn takes(&self, workspace: &WorkspaceKey) -> bool {
        self.workspaces.is_empty() || self.workspaces.contains(workspace)
    }

    /// What depends on the policy and the time, and so is asked on every use of a token, cached or not.
    fn admits(&self, verified: &Verified, now: Timestamp) -> Result<(), TokenError> {
        if !self.takes(&verified.claims().workspace) {
            return Err(TokenError::WorkspaceNotAllowed);
        }
        let (now, leeway) = (now.as_secs_f64(), self.leeway.as_secs_f64());
        match verified.claims().expires_at {
            None if self.require_expiry => return Err(TokenError::NoExpiry),
            Some(expires_at) if now >= expires_at + leeway => return Err(TokenError::Expired),
            _ => {}
        }
        if verified.inner.not_before.is_some_and(|not_before| not_before > now + leeway) {
            return Err(TokenError::NotActive);
        }
        Ok(())
    }
}

/// A token whose signature and times hold. Made only in this file, by [`Verifier::verify`]; cheap to clone.
///
/// ```compile_fail,E0451
/// fn forge(inner: std::sync::Arc<()>) -> sidegate::token::Verified {
///     sidegate::token::Verified { inner }
/// }
/// ```
#[derive(Clone)]
pub struct Verified {
    inner: Arc<VerifiedInner>,
}

struct VerifiedInner {
    claims: Claims,
    not_before: Option<f64>,
    algorithm: Algorithm,
    kid: Option<KeyId>,
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
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("claims", self.claims())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

/// All keys, prepared once, and the verified-token cache. Shared by all workers.
#[derive(Debug)]
pub struct Verifier {
    workspaces: HashMap<WorkspaceKey, Workspace>,
    cache: Option<Cache>,
    clock: Arc<dyn Clock>,
    metrics: TokenMetrics,
}

#[derive(Debug)]
struct Workspace {
    keys: KeySet,
    audiences: Vec<String>,
}

impl Verifier {
    /// Prepares every key.
    ///
    /// # Errors
    /// All complaints, if one of them is fatal; otherwise they are warnings and come with the verifier.
    pub fn new(
        config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, Vec<KeyComplaint>), Vec<KeyComplaint>> {
        let mut workspaces = HashMap::new();
        let mut complaints = Vec::new();
        for workspace in config.workspaces {
            let (keys, of_its_keys) = KeySet::new(&workspace);
            complaints.extend(of_its_keys);
            workspaces.insert(workspace.key, Workspace { keys, audiences: workspace.audiences });
        }
        if complaints.iter().any(|complaint| complaint.fatal) {
            return Err(complaints);
        }
        let cache = Cache::new(config.cache_entries, Arc::clone(&clock));
        Ok((Self { workspaces, cache, clock, metrics: TokenMetrics::default() }, complaints))
    }

    /// Counts what it does in `metrics`.
    #[must_use]
    pub fn counting(self, metrics: TokenMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// Signature, claims, times; the cache makes a repeated token cheap. No I/O.
    ///
    /// # Errors
    /// The first reason found to refuse the token, see [`TokenError`].
    pub fn verify(&self, token: &str, policy: &Policy) -> Result<Verified, TokenError> {
        let now = self.clock.now();
        let Some(cache) = &self.cache else { return self.verify_afresh(token, policy, now) };
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        let fingerprint = Fingerprint::of(token);
        if let Some(verified) = cache.get(&fingerprint) {
            self.metrics.cache_hits.inc();
            policy.admits(&verified, now)?;
            return Ok(verified);
        }
        let verified = self.verify_afresh(token, policy, now)?;
        cache.insert(fingerprint, verified.clone());
        Ok(verified)
    }

    /// The claims are read before the signature is verified only to choose the keys: nothing is concluded from them.
    fn verify_afresh(&self, token: &str, policy: &Policy, now: Timestamp) -> Result<Verified, TokenError> {
        self.metrics.cache_misses.inc();
        let begun = Instant::now();
        let jws = jws::parse(token)?;
        let all = jws::claims(&jws.payload)?;
        let named = claims::workspace(&all)?.ok_or(TokenError::NoWorkspace)?;
        let (key, workspace) = self.workspaces.get_key_value(named).ok_or(TokenError::UnknownWorkspace)?;
        if !policy.takes(key) {
            return Err(TokenError::WorkspaceNotAllowed);
        }
        let signature = workspace.keys.verify(&jws);
        self.metrics.verified(jws.algorithm.as_str(), begun.elapsed());
        signature?;
        if !workspace.audiences.is_empty() {
            claims::check_audience(&all, &workspace.audiences)?;
        }
        let not_before = claims::numeric_date(&all, "nbf")?;
        let claims = Claims::from_json(all)?;
        let inner = VerifiedInner { claims, not_before, algorithm: jws.algorithm, kid: jws.kid };
        let verified = Verified { inner: Arc::new(inner) };
        policy.admits(&verified, now)?;
        Ok(verified)
    }

    /// How long the token still counts under this policy; none if it has no end.
    #[must_use]
    pub fn remaining(&self, verified: &Verified, policy: &Policy) -> Option<Duration> {
        let ends = verified.claims().expires_at? + policy.leeway.as_secs_f64();
        let left = (ends - self.clock.now().as_secs_f64()).max(0.0);
        Some(Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX))
    }

    /// The prepared keys of one workspace, for `token explain`.
    pub(super) fn keys_of(&self, workspace: &str) -> Option<&KeySet> {
        self.workspaces.get(workspace).map(|workspace| &workspace.keys)
    }

    /// The workspaces it knows, for `token explain`.
    pub(super) fn workspaces(&self) -> impl Iterator<Item = &WorkspaceKey> {
        self.workspaces.keys()
    }
}

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;
