//! All keys of one workspace, and which of them may serve a token.
//! Never knows what the token claims.

use std::sync::{Arc, Weak};

use super::loader::Loader;
use super::material::VerifyingKey;
use super::{Algorithm, JwksSource, KeyComplaint, Refusal, WorkspaceConfig};
use crate::names::KeyId;
use crate::token::error::TokenError;
use crate::token::jws::Jws;

/// A key, prepared for each algorithm it serves.
#[derive(Debug)]
pub struct Key {
    pub(super) source: Source,
    pub(super) name: String,
    pub(super) kid: Option<KeyId>,
    pub(super) prepared: Vec<Prepared>,
    /// The digest of the entry of a set that it was made from: in the next set it is known again by it.
    pub(super) entry: Option<[u8; 32]>,
}

/// Where a key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Named by the operator one by one: what is wrong with it is fatal.
    Configured,
    /// An entry of a set that may change under us: a bad one is left out.
    Set,
}

/// A key bound to one algorithm.
#[derive(Debug)]
pub(in crate::token) struct Prepared {
    algorithm: Algorithm,
    key: VerifyingKey,
}

impl Prepared {
    pub(super) fn new(algorithm: Algorithm, key: VerifyingKey) -> Self {
        Self { algorithm, key }
    }

    /// Whether this key made the token's signature.
    pub(in crate::token) fn verify(&self, jws: &Jws<'_>) -> bool {
        self.key.verify(jws.signing_input, &jws.signature)
    }

    /// A MAC costs less than the rest of a request; any other signature costs many times as much.
    pub(in crate::token) fn is_cheap(&self) -> bool {
        matches!(self.key, VerifyingKey::Hmac(_))
    }
}

impl Key {
    /// `secret`, `publicKeys main` or `jwks kid abc`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The only `kid` it serves; without one it serves any.
    #[must_use]
    pub fn kid(&self) -> Option<&KeyId> {
        self.kid.as_ref()
    }

    /// The algorithms it serves.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.prepared.iter().map(|prepared| prepared.algorithm)
    }

    fn for_algorithm(&self, algorithm: Algorithm) -> Option<&Prepared> {
        self.prepared.iter().find(|prepared| prepared.algorithm == algorithm)
    }

    fn serves_kid(&self, kid: Option<&KeyId>) -> bool {
        self.kid.is_none() || self.kid.as_ref() == kid
    }
}

/// All keys of one workspace.
#[derive(Clone, Debug)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
}

impl KeySet {
    /// Prepares the keys that the configuration gives one workspace. What is wrong with them is told beside the keys that
    /// are left; with a fatal complaint among them the set must not be used. A set at a URL is not here yet, so that
    /// there may be no key at all.
    #[must_use]
    pub fn new(config: &WorkspaceConfig) -> (Self, Vec<KeyComplaint>) {
        let mut loader = Loader::new(config, &[]);
        loader.load_secret();
        loader.load_public_keys();
        loader.drop_duplicate_kids();
        let source = config.jwks.as_ref().map(|jwks| &jwks.source);
        if let Some(JwksSource::File(file)) = source
            && let Err(refusal) = loader.load_set(&file.text)
        {
            loader.refuse("jwks", refusal);
        }
        if loader.is_empty() && !matches!(source, Some(JwksSource::Url { .. })) {
            let refusal = Refusal::new("no usable key is left", "give it a secret, publicKeys or jwks");
            loader.refuse("keys", refusal);
        }
        let (keys, complaints) = loader.finish();
        (Self { keys }, complaints)
    }

    /// The same keys with another text of the set. A key that was there before is the very same one. Entries that cannot
    /// be used are complained about and left out.
    ///
    /// # Errors
    /// The text is no set, or holds no usable key: then the keys of before are better than those.
    pub(in crate::token) fn renewed(
        &self,
        config: &WorkspaceConfig,
        text: &str,
    ) -> Result<(Self, Vec<KeyComplaint>), String> {
        let mut loader = Loader::new(config, &self.keys);
        loader.load_set(text).map_err(|refusal| refusal.problem)?;
        let (keys, complaints) = loader.finish();
        if keys.iter().all(|key| key.source == Source::Configured) {
            let first = complaints.first().map_or(String::new(), |first| format!(": {first}"));
            return Err(format!("it holds no usable key{first}"));
        }
        Ok((Self { keys }, complaints))
    }

    /// What the configuration itself gives, without the set.
    pub(in crate::token) fn without_set(&self) -> Self {
        let is_configured = |key: &&Arc<Key>| key.source == Source::Configured;
        Self { keys: self.keys.iter().filter(is_configured).cloned().collect() }
    }

    /// The keys that may have made the token's signature: the token chooses only among keys that the configuration gives
    /// its algorithm and key id. Nothing of the payload is looked at.
    ///
    /// # Errors
    /// [`TokenError::NoKey`], [`TokenError::AlgorithmNotAllowed`] and [`TokenError::UnknownKid`], in this order.
    pub(in crate::token) fn candidates<'k>(
        &'k self,
        jws: &Jws<'_>,
    ) -> Result<impl Iterator<Item = (&'k Arc<Key>, &'k Prepared)>, TokenError> {
        if self.keys.is_empty() {
            return Err(TokenError::NoKey);
        }
        let mut serving =
            self.keys.iter().filter_map(|key| Some((key, key.for_algorithm(jws.algorithm)?))).peekable();
        if serving.peek().is_none() {
            return Err(TokenError::AlgorithmNotAllowed);
        }
        let mut candidates = serving.filter(|(key, _)| key.serves_kid(jws.kid.as_ref())).peekable();
        if candidates.peek().is_none() {
            return Err(TokenError::UnknownKid);
        }
        Ok(candidates)
    }

    /// The key that made the token's signature: the whole check below the claims.
    ///
    /// # Errors
    /// As `candidates` has them, and then [`TokenError::BadSignature`].
    pub fn verify(&self, jws: &Jws<'_>) -> Result<&Arc<Key>, TokenError> {
        let mut candidates = self.candidates(jws)?;
        candidates
            .find(|(_, prepared)| prepared.verify(jws))
            .map(|(key, _)| key)
            .ok_or(TokenError::BadSignature)
    }

    /// Whether `key` is one of them still.
    pub(in crate::token) fn holds(&self, key: &Weak<Key>) -> bool {
        self.keys.iter().any(|held| Arc::as_ptr(held) == key.as_ptr())
    }

    /// The keys, in the order they are tried.
    #[must_use]
    pub fn keys(&self) -> &[Arc<Key>] {
        &self.keys
    }
}
