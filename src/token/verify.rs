//! From token to [`Verified`]: the one way there, from top to bottom.
//! Never knows which request the token came with, or what a rule will ask of it.

mod verified;

use std::cell::LazyCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::cache::{Cache, Fingerprint};
use super::claims::{self, Claims};
use super::error::TokenError;
use super::issuer::{Issuer, State};
use super::jws::{self, Jws, MAX_TOKEN};
use super::keys::{Config, Key, KeyComplaint};
use super::policy::Policy;
use super::revocations::Subject;
use super::status::KeyStatus;
use super::throttle::{self, Budget};
use super::{recent, wanted::Reading};
use crate::clock::{Clock, Timestamp};
use crate::names::{KeyId, WorkspaceKey};
use crate::telemetry::metrics::TokenMetrics;
pub use verified::Verified;
use verified::{Inner, hash_of};

/// What a token's claims take in memory for each byte of the token, roughly: parsed JSON is wordy.
const BYTES_PER_BYTE: usize = 6;

/// All workspaces with their keys, and the verified tokens. Shared by all workers.
#[derive(Debug)]
pub struct Verifier {
    /// Tells its tokens from those of others in what a worker remembers.
    id: u64,
    pub(super) workspaces: HashMap<WorkspaceKey, Arc<Issuer>>,
    cache_entries: u64,
    cache: Option<Cache>,
    budget: Budget,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: TokenMetrics,
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
        Self::with(config, clock, TokenMetrics::default(), Issuer::new)
    }

    /// The same for another configuration, from what this one has: a workspace that stays as it is goes on as it is, and
    /// one whose key set is at the same URL begins with that set. If nothing changes it is this very verifier, whose
    /// remembered tokens are good as they are.
    ///
    /// # Errors
    /// As [`Verifier::new`].
    pub fn succeeded_by(
        self: &Arc<Self>,
        config: Config,
    ) -> Result<(Arc<Self>, Vec<KeyComplaint>), Vec<KeyComplaint>> {
        for issuer in self.workspaces.values() {
            issuer.wanted.wake();
        }
        let same = |config: &super::WorkspaceConfig| {
            self.workspaces.get(&config.key).filter(|issuer| issuer.config.is_like(config))
        };
        if config.cache_entries == self.cache_entries
            && config.bad_signatures == self.budget
            && config.workspaces.len() == self.workspaces.len()
            && config.workspaces.iter().all(|workspace| same(workspace).is_some())
        {
            return Ok((Arc::clone(self), Vec::new()));
        }
        let (clock, metrics) = (Arc::clone(&self.clock), self.metrics.clone());
        let (verifier, complaints) = Self::with(config, clock, metrics, |config| {
            if let Some(issuer) = same(&config) {
                return (Arc::clone(issuer), Vec::new());
            }
            let (issuer, complaints) = Issuer::new(config);
            if let Some(before) = self.workspaces.get(&issuer.config.key) {
                issuer.inherit(before);
            }
            (issuer.into(), complaints)
        })?;
        for gone in self.workspaces.keys().filter(|key| !verifier.workspaces.contains_key(*key)) {
            self.metrics.forget(gone.as_str());
        }
        Ok((Arc::new(verifier), complaints))
    }

    fn with<I: Into<Arc<Issuer>>>(
        config: Config,
        clock: Arc<dyn Clock>,
        metrics: TokenMetrics,
        mut issuer: impl FnMut(super::WorkspaceConfig) -> (I, Vec<KeyComplaint>),
    ) -> Result<(Self, Vec<KeyComplaint>), Vec<KeyComplaint>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut workspaces = HashMap::new();
        let mut complaints = Vec::new();
        for workspace in config.workspaces {
            let key = workspace.key.clone();
            let (issuer, of_its_keys) = issuer(workspace);
            complaints.extend(of_its_keys);
            workspaces.insert(key, issuer.into());
        }
        if complaints.iter().any(|complaint| complaint.fatal) {
            return Err(complaints);
        }
        let verifier = Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            workspaces,
            cache_entries: config.cache_entries,
            cache: Cache::new(config.cache_entries, Arc::clone(&clock)),
            budget: config.bad_signatures,
            clock,
            metrics,
        };
        Ok((verifier, complaints))
    }

    /// Counts what it does in `metrics`.
    #[must_use]
    pub fn counting(self, metrics: TokenMetrics) -> Self {
        Self { metrics, ..self }
    }

    /// How the keys of each workspace are, in the order of their names.
    #[must_use]
    pub fn key_status(&self) -> Vec<KeyStatus> {
        let mut all: Vec<_> = self.workspaces.values().map(|issuer| issuer.status()).collect();
        all.sort_by(|one, other| one.workspace.cmp(&other.workspace));
        all
    }

    /// Signature, claims, times; a token that was seen before costs a digest. No I/O.
    ///
    /// # Errors
    /// The first reason found to refuse the token, see [`TokenError`].
    pub fn verify(&self, token: &str, policy: &Policy) -> Result<Verified, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        let now = self.clock.now();
        let Some(cache) = &self.cache else { return self.verify_afresh(token, None, policy, now) };
        let fingerprint = Fingerprint::of(token);
        let near = recent::verified(self.id, &fingerprint);
        if !near.as_ref().is_some_and(Verified::is_current) && recent::is_refused(self.id, || &fingerprint) {
            return Err(TokenError::BadSignature);
        }
        if let Some(verified) = self.remembered(near, cache, &fingerprint) {
            self.metrics.cache_hits.inc();
            policy.admits(&verified, now)?;
            return Ok(verified);
        }
        let verified = self.verify_afresh(token, Some(fingerprint), policy, now)?;
        recent::remember_verified(self.id, fingerprint, verified.clone());
        cache.insert(fingerprint, verified.clone());
        self.metrics.cache_entries.set(i64::try_from(cache.len()).unwrap_or(i64::MAX));
        Ok(verified)
    }

    /// As [`Verifier::verify`]; but a token that names a key which is not there waits for the key set to be read again, if
    /// it may be.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub async fn verify_or_fetch(&self, token: &str, policy: &Policy) -> Result<Verified, TokenError> {
        let lacks_key = |outcome: &Result<Verified, TokenError>| matches!(outcome, Err(refusal) if refusal.is_for_want_of_a_key());
        let mut outcome = self.verify(token, policy);
        // Twice at most: a reading that was under way may have been answered before the key was published.
        for _ in 0..2 {
            if !lacks_key(&outcome) {
                break;
            }
            let Some((issuer, kid, reading)) = self.look_for_key(token) else {
                // A reading may have ended since, and have brought it; that very reading is why there is no other one now.
                return self.verify(token, policy);
            };
            let is_new = !reading.was_under_way;
            reading.end().await;
            outcome = self.verify(token, policy);
            if is_new && lacks_key(&outcome) {
                issuer.wanted.is_missing(kid.as_ref().map(KeyId::as_str), self.clock.now());
                break;
            }
        }
        outcome
    }

    /// The reading that may bring the token's key.
    fn look_for_key(&self, token: &str) -> Option<(&Issuer, Option<KeyId>, Reading)> {
        let jws = jws::parse(token).ok()?;
        let all = jws::claims(&jws.payload).ok()?;
        let issuer = self.workspaces.get(claims::workspace(&all).ok()??)?;
        let cooldown = issuer.config.jwks.as_ref()?.cooldown;
        if !issuer.may_bring(jws.algorithm) {
            return None;
        }
        let kid = jws.kid.as_ref().map(KeyId::as_str);
        let reading = issuer.wanted.look_for(kid, self.clock.now(), cooldown)?;
        Some((issuer, jws.kid, reading))
    }

    /// The token as it was verified before, if its key and everything else is still so.
    fn remembered(&self, near: Option<Verified>, cache: &Cache, digest: &Fingerprint) -> Option<Verified> {
        let is_near = near.is_some();
        let verified = near.or_else(|| cache.get(digest))?;
        if verified.is_current() {
            if !is_near {
                recent::remember_verified(self.id, *digest, verified.clone());
            }
            return Some(verified);
        }
        let issuer = self.workspaces.get(&verified.claims().workspace)?;
        let compared = verified.compared_with(&issuer.state(), self.clock.now());
        match &compared {
            Some(verified) => {
                recent::remember_verified(self.id, *digest, verified.clone());
                cache.insert(*digest, verified.clone());
            }
            None => cache.remove(digest),
        }
        compared
    }

    /// What costs little is checked before the signature, which costs much: claims are read before they are proven, but
    /// nothing is concluded from them except refusals.
    fn verify_afresh(
        &self,
        token: &str,
        fingerprint: Option<Fingerprint>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Verified, TokenError> {
        self.metrics.cache_misses.inc();
        let begun = Instant::now();
        let jws = jws::parse(token)?;
        let claims = Claims::from_json(jws::claims(&jws.payload)?)?;
        let issuer = self.workspaces.get(&claims.workspace).ok_or(TokenError::UnknownWorkspace)?;
        policy.admits_workspace(&claims.workspace)?;
        policy.admits_times(&claims, now)?;
        issuer.config.admits(&jws, &claims, now)?;
        let state = issuer.state();
        let subject = Subject { claims: &claims.all, kid: jws.kid.as_ref().map(KeyId::as_str) };
        if state.revocations.revoke(subject, now.as_secs_f64()) {
            return Err(TokenError::Revoked);
        }
        let fingerprint = || fingerprint.unwrap_or_else(|| Fingerprint::of(token));
        let signer = self.signer(issuer, &state, &jws, begun, fingerprint);
        self.metrics.verified(jws.algorithm.as_str(), begun.elapsed());
        let key = signer?;
        let inner = Inner {
            jti_hash: claims::token_id(&claims.all).map(|jti| hash_of(&jti)),
            // One name for all tokens of a workspace: it is always near.
            claims: Claims { workspace: issuer.config.key.clone(), ..claims },
            algorithm: jws.algorithm,
            key: Arc::downgrade(key),
            generation: issuer.generation(),
            size: token.len() * BYTES_PER_BYTE,
            kid: jws.kid,
        };
        Ok(Verified { inner: Arc::new(inner), generation: state.generation })
    }

    /// The key that made the signature. A costly signature is not checked twice in vain, nor while those that did not hold
    /// have used up their share of this worker's time.
    fn signer<'s>(
        &self,
        issuer: &Issuer,
        state: &'s State,
        jws: &Jws<'_>,
        mut begun: Instant,
        fingerprint: impl FnOnce() -> Fingerprint,
    ) -> Result<&'s Arc<Key>, TokenError> {
        let fingerprint = LazyCell::new(fingerprint);
        let mut costly = false;
        // A set that is not there may hold the key that made it.
        let may_be_in_set = !state.has_set && issuer.may_bring(jws.algorithm);
        let unless_in_set = |refusal| if may_be_in_set { TokenError::KeysUnavailable } else { refusal };
        let candidates = state.keys.candidates(jws).map_err(unless_in_set)?;
        for (key, prepared) in candidates {
            if prepared.is_cheap() {
                if prepared.verify(jws) {
                    return Ok(key);
                }
                continue;
            }
            if !costly && recent::is_refused(self.id, || &fingerprint) {
                return Err(TokenError::BadSignature);
            }
            costly = true;
            if !throttle::may_check(self.budget, begun) {
                return Err(TokenError::Saturated);
            }
            if prepared.verify(jws) {
                return Ok(key);
            }
            let now = Instant::now();
            throttle::pay(now - begun, now);
            begun = now;
        }
        // Without a cache a cheap one is checked again for less than its digest costs.
        if !may_be_in_set && (costly || self.cache.is_some()) {
            recent::remember_refused(self.id, issuer.generation(), state.generation, *fingerprint);
        }
        Err(unless_in_set(TokenError::BadSignature))
    }

    /// How long the token still counts under this policy; none if it has no end.
    pub fn remaining(&self, verified: &Verified, policy: &Policy) -> Option<Duration> {
        let ends = verified.claims().expires_at? + policy.leeway.as_secs_f64();
        let left = Duration::try_from_secs_f64((ends - self.clock.now().as_secs_f64()).max(0.0));
        Some(left.unwrap_or(Duration::MAX))
    }
}

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;
