//! All keys of one workspace, and which of them may serve a token.
//! Never knows what the token claims.

use std::collections::HashMap;

use super::jwk::{self, JwkKey, JwkMaterial};
use super::material::{VerifyingKey, prepare_secret};
use super::{Algorithm, KeyComplaint, KeyPolicy, Refusal, WorkspaceConfig, pem, strength};
use crate::names::KeyId;
use crate::token::error::TokenError;
use crate::token::jws::Jws;

/// A key, prepared for each algorithm it serves.
#[derive(Debug)]
pub struct Key {
    source: Source,
    name: String,
    kid: Option<KeyId>,
    verifiers: Vec<(Algorithm, VerifyingKey)>,
}

/// Where a key came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// Named by the operator one by one: what is wrong with it is fatal.
    Configured,
    /// An entry of a set that may change under us: a bad one is left out.
    Set,
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
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    fn verifier(&self, algorithm: Algorithm) -> Option<&VerifyingKey> {
        self.verifiers.iter().find(|(served, _)| *served == algorithm).map(|(_, key)| key)
    }

    fn serves_kid(&self, kid: Option<&KeyId>) -> bool {
        self.kid.is_none() || self.kid.as_ref() == kid
    }
}

/// All keys of one workspace.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Prepares the keys of one workspace. What is wrong with them is told beside the keys that are left; with a fatal
    /// complaint among them the set must not be used.
    #[must_use]
    pub fn new(config: &WorkspaceConfig) -> (Self, Vec<KeyComplaint>) {
        let mut loader = Loader { config, keys: Vec::new(), kids: HashMap::new(), complaints: Vec::new() };
        loader.load_secret();
        loader.load_public_keys();
        loader.load_jwks();
        loader.drop_duplicate_kids();
        if loader.keys.is_empty() {
            let refusal = Refusal::new("no usable key is left", "give it a secret, publicKeys or jwks");
            loader.complain("keys", refusal, Severity::Fatal);
        }
        (Self { keys: loader.keys }, loader.complaints)
    }

    /// The key that made the token's signature. This is the whole check below the claims: nothing of the payload is
    /// looked at, and the token chooses only among keys that the configuration gives this algorithm and key id.
    ///
    /// # Errors
    /// [`TokenError::NoKey`], [`TokenError::AlgorithmNotAllowed`], [`TokenError::UnknownKid`] and
    /// [`TokenError::BadSignature`], in this order.
    pub fn verify(&self, jws: &Jws<'_>) -> Result<&Key, TokenError> {
        if self.keys.is_empty() {
            return Err(TokenError::NoKey);
        }
        let mut refusal = TokenError::AlgorithmNotAllowed;
        for key in &self.keys {
            let Some(verifier) = key.verifier(jws.algorithm) else { continue };
            if !key.serves_kid(jws.kid.as_ref()) {
                // Once a signature was tried, that it did not match is the better reason.
                if refusal == TokenError::AlgorithmNotAllowed {
                    refusal = TokenError::UnknownKid;
                }
                continue;
            }
            if verifier.verify(jws.signing_input, &jws.signature) {
                return Ok(key);
            }
            refusal = TokenError::BadSignature;
        }
        Err(refusal)
    }

    /// The keys, in the order they are tried.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// Whether a complaint stops the start.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Fatal,
    Warning,
}

struct Loader<'a> {
    config: &'a WorkspaceConfig,
    keys: Vec<Key>,
    /// How many keys, usable or not, have each `kid`.
    kids: HashMap<KeyId, usize>,
    complaints: Vec<KeyComplaint>,
}

impl Loader<'_> {
    fn load_secret(&mut self) {
        let Some(secret) = self.config.secret.as_ref().filter(|_| !self.config.secret_disabled) else {
            return;
        };
        let key = self.secret_key("secret", secret.expose().as_bytes(), &Algorithm::HMAC);
        self.add(Source::Configured, "secret".to_owned(), None, key);
    }

    fn load_public_keys(&mut self) {
        for configured in &self.config.public_keys {
            let name = format!("publicKeys {}", configured.name);
            let key = pem::public_key(&configured.pem)
                .and_then(|material| material.prepare(&self.allowed(&material.algorithms())));
            self.add(Source::Configured, name, configured.kid.as_deref(), key);
        }
    }

    fn load_jwks(&mut self) {
        let Some(jwks) = &self.config.jwks else { return };
        let entries = match jwk::read(&jwks.text) {
            Ok(entries) => entries,
            Err(refusal) => return self.complain("jwks", refusal, Severity::Fatal),
        };
        let is_public =
            |entry: &jwk::Entry| matches!(&entry.key, Ok(JwkKey { material: JwkMaterial::Public(_), .. }));
        let mixed = self.config.key_policy == KeyPolicy::Strict && entries.iter().any(is_public);
        for (index, entry) in entries.into_iter().enumerate() {
            let name = match &entry.kid {
                Some(kid) => format!("jwks kid {kid}"),
                None => format!("jwks keys[{index}]"),
            };
            let key = entry.key.and_then(|key| self.jwk_key(&name, &key, mixed));
            self.add(Source::Set, name, entry.kid.as_deref(), key);
        }
    }

    fn jwk_key(
        &mut self,
        name: &str,
        key: &JwkKey,
        mixed: bool,
    ) -> Result<Vec<(Algorithm, VerifyingKey)>, Refusal> {
        let served = match key.algorithm {
            Some(algorithm) => vec![algorithm],
            None => key.material.algorithms(),
        };
        match &key.material {
            JwkMaterial::Secret(_) if mixed => {
                let problem = "a secret stands in one set with public keys, which keyPolicy strict refuses";
                Err(Refusal::new(problem, "move it to `secret`, or to a set without public keys"))
            }
            JwkMaterial::Secret(secret) => self.secret_key(name, secret.expose(), &served),
            JwkMaterial::Public(public) => public.prepare(&self.allowed(&served)),
        }
    }

    fn secret_key(
        &mut self,
        name: &str,
        secret: &[u8],
        served: &[Algorithm],
    ) -> Result<Vec<(Algorithm, VerifyingKey)>, Refusal> {
        let policy = self.config.key_policy;
        let (strong_enough, weak) = strength::check_secret(secret.len(), &self.allowed(served), policy)?;
        if !weak.is_empty() {
            self.complain(name, strength::weak_secret(secret.len(), &weak, policy), Severity::Warning);
        }
        if strength::is_guessable(secret) {
            let refusal = Refusal::new("the secret is easy to guess", "make one with `openssl rand -hex 64`");
            self.complain(name, refusal, Severity::Warning);
        }
        Ok(prepare_secret(secret, &strong_enough))
    }

    /// What `algorithms` leaves of what a key can serve.
    fn allowed(&self, served: &[Algorithm]) -> Vec<Algorithm> {
        let narrowed = &self.config.algorithms;
        served
            .iter()
            .copied()
            .filter(|algorithm| narrowed.is_empty() || narrowed.contains(algorithm))
            .collect()
    }

    fn add(
        &mut self,
        source: Source,
        name: String,
        kid: Option<&str>,
        key: Result<Vec<(Algorithm, VerifyingKey)>, Refusal>,
    ) {
        let kid = kid.map(KeyId::from);
        if let Some(kid) = &kid {
            *self.kids.entry(kid.clone()).or_default() += 1;
        }
        match key {
            Ok(verifiers) if verifiers.is_empty() => {
                let refusal = Refusal::new(
                    "`algorithms` leaves it nothing to serve, so it is not used",
                    "add one of its algorithms, or remove the key",
                );
                self.complain(&name, refusal, Severity::Warning);
            }
            Ok(verifiers) => self.keys.push(Key { source, name, kid, verifiers }),
            Err(refusal) => self.complain(&name, refusal, source.severity()),
        }
    }

    /// Of two keys with one `kid` neither can be meant for certain, so both go, even where one is refused anyway.
    fn drop_duplicate_kids(&mut self) {
        let kids = &self.kids;
        let is_duplicate =
            |key: &mut Key| key.kid().and_then(|kid| kids.get(kid)).is_some_and(|&count| count > 1);
        let duplicates: Vec<Key> = self.keys.extract_if(.., is_duplicate).collect();
        for key in duplicates {
            let refusal = Refusal::new(
                "another key has the same `kid`, so both are refused",
                "give each its own `kid`",
            );
            self.complain(&key.name, refusal, key.source.severity());
        }
    }

    fn complain(&mut self, source_name: &str, refusal: Refusal, severity: Severity) {
        self.complaints.push(KeyComplaint {
            workspace: self.config.key.clone(),
            source_name: source_name.to_owned(),
            problem: refusal.problem,
            cure: refusal.cure.to_owned(),
            fatal: severity == Severity::Fatal,
        });
    }
}

impl Source {
    fn severity(self) -> Severity {
        match self {
            Self::Configured => Severity::Fatal,
            Self::Set => Severity::Warning,
        }
    }
}
