//! From a workspace's settings to prepared keys, with a complaint for each that cannot be used.
//! Never knows which token a key will serve.

use std::collections::HashMap;
use std::sync::Arc;

use super::jwk::{self, JwkKey, JwkMaterial};
use super::material::{VerifyingKey, prepare_secret};
use super::set::{Key, Prepared, Source};
use super::{Algorithm, JwksSource, KeyComplaint, KeyPolicy, Refusal, WorkspaceConfig, pem, strength};
use crate::names::KeyId;

/// What a key serves, bound to each algorithm; or why it serves nothing.
type Bound = Result<Vec<(Algorithm, VerifyingKey)>, Refusal>;

pub(super) struct Loader<'a> {
    config: &'a WorkspaceConfig,
    /// The keys of before: those that come again are taken from here.
    before: &'a [Arc<Key>],
    keys: Vec<Arc<Key>>,
    /// How many keys, usable or not, have each `kid`, and where they are from.
    kids: HashMap<KeyId, Vec<Source>>,
    complaints: Vec<KeyComplaint>,
}

impl<'a> Loader<'a> {
    /// Begins with the configured ones among `before`.
    pub(super) fn new(config: &'a WorkspaceConfig, before: &'a [Arc<Key>]) -> Self {
        let configured = before.iter().filter(|key| key.source == Source::Configured);
        let mut loader =
            Self { config, before, keys: Vec::new(), kids: HashMap::new(), complaints: Vec::new() };
        for key in configured {
            loader.count(key.kid.as_ref(), Source::Configured);
            loader.keys.push(Arc::clone(key));
        }
        loader
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn finish(self) -> (Vec<Arc<Key>>, Vec<KeyComplaint>) {
        (self.keys, self.complaints)
    }

    pub(super) fn load_secret(&mut self) {
        let Some(secret) = self.config.secret.as_ref().filter(|_| !self.config.secret_disabled) else {
            return;
        };
        let bound = self.bind_secret("secret", secret.expose().as_bytes(), &Algorithm::HMAC);
        self.add("secret".to_owned(), None, None, bound);
    }

    pub(super) fn load_public_keys(&mut self) {
        for configured in &self.config.public_keys {
            let name = format!("publicKeys {}", configured.name);
            let bound = pem::public_key(&configured.pem)
                .and_then(|material| material.prepare(&self.allowed(&material.algorithms())));
            self.add(name, configured.kid.as_deref(), None, bound);
        }
    }

    /// Loads a JWK set. It may not put a configured key out of use: of two with one `kid` the configured one stays.
    pub(super) fn load_set(&mut self, text: &str) -> Result<(), Refusal> {
        let entries = jwk::read(text)?;
        let is_public =
            |entry: &jwk::Entry| matches!(&entry.key, Ok(JwkKey { material: JwkMaterial::Public(_), .. }));
        let mixed = self.config.key_policy == KeyPolicy::Strict && entries.iter().any(is_public);
        for (index, entry) in entries.into_iter().enumerate() {
            let name = match &entry.kid {
                Some(kid) => format!("jwks kid {kid}"),
                None => format!("jwks keys[{index}]"),
            };
            if let Some(known) = self.before.iter().find(|key| key.entry == Some(entry.digest)) {
                self.count(known.kid.as_ref(), Source::Set);
                self.keys.push(Arc::clone(known));
                continue;
            }
            let bound = entry.key.and_then(|key| self.bind_jwk(&name, &key, mixed));
            self.add(name, entry.kid.as_deref(), Some(entry.digest), bound);
        }
        self.drop_duplicate_kids();
        Ok(())
    }

    fn bind_jwk(&mut self, name: &str, key: &JwkKey, mixed: bool) -> Bound {
        let served = match key.algorithm {
            Some(algorithm) => vec![algorithm],
            None => key.material.algorithms(),
        };
        let is_remote =
            self.config.jwks.as_ref().is_some_and(|jwks| matches!(jwks.source, JwksSource::Url { .. }));
        match &key.material {
            JwkMaterial::Secret(_) if is_remote => {
                let problem = "it is a secret, and whoever can read the URL could sign with it";
                Err(Refusal::new(problem, "publish public keys only"))
            }
            JwkMaterial::Secret(_) if mixed => {
                let problem = "a secret stands in one set with public keys, which keyPolicy strict refuses";
                Err(Refusal::new(problem, "move it to `secret`, or to a set without public keys"))
            }
            JwkMaterial::Secret(secret) => self.bind_secret(name, secret.expose(), &served),
            JwkMaterial::Public(public) => public.prepare(&self.allowed(&served)),
        }
    }

    fn bind_secret(&mut self, name: &str, secret: &[u8], served: &[Algorithm]) -> Bound {
        let policy = self.config.key_policy;
        let (strong_enough, weak) = strength::check_secret(secret.len(), &self.allowed(served), policy)?;
        if !weak.is_empty() {
            self.warn(name, strength::weak_secret(secret.len(), &weak, policy));
        }
        if strength::is_guessable(secret) {
            let refusal = Refusal::new("the secret is easy to guess", "make one with `openssl rand -hex 64`");
            self.warn(name, refusal);
        }
        Ok(prepare_secret(secret, &strong_enough))
    }

    /// What `algorithms` leaves of what a key can serve.
    fn allowed(&self, served: &[Algorithm]) -> Vec<Algorithm> {
        served.iter().copied().filter(|algorithm| self.config.allows(*algorithm)).collect()
    }

    /// Adds a key; `entry` is there if it is one of a set.
    fn add(&mut self, name: String, kid: Option<&str>, entry: Option<[u8; 32]>, bound: Bound) {
        let source = if entry.is_some() { Source::Set } else { Source::Configured };
        let kid = kid.map(KeyId::from);
        self.count(kid.as_ref(), source);
        match bound {
            Ok(bound) if bound.is_empty() => {
                let refusal = Refusal::new(
                    "`algorithms` leaves it nothing to serve, so it is not used",
                    "add one of its algorithms, or remove the key",
                );
                self.warn(&name, refusal);
            }
            Ok(bound) => {
                let prepared =
                    bound.into_iter().map(|(algorithm, key)| Prepared::new(algorithm, key)).collect();
                self.keys.push(Arc::new(Key { source, name, kid, prepared, entry }));
            }
            Err(refusal) => self.complain(&name, refusal, source == Source::Configured),
        }
    }

    fn count(&mut self, kid: Option<&KeyId>, source: Source) {
        if let Some(kid) = kid {
            self.kids.entry(kid.clone()).or_default().push(source);
        }
    }

    /// Of two keys with one `kid` neither can be meant for certain, so both go, even where one is refused anyway. But a
    /// set has no say over what the operator named.
    pub(super) fn drop_duplicate_kids(&mut self) {
        let kids = &self.kids;
        let is_duplicate = |key: &mut Arc<Key>| {
            let sources = key.kid.as_ref().and_then(|kid| kids.get(kid)).map_or(&[][..], Vec::as_slice);
            let rivals = match key.source {
                Source::Configured => sources.iter().filter(|&&source| source == Source::Configured).count(),
                Source::Set => sources.len(),
            };
            rivals > 1
        };
        let duplicates: Vec<Arc<Key>> = self.keys.extract_if(.., is_duplicate).collect();
        for key in duplicates {
            let refusal =
                Refusal::new("another key has the same `kid`, so it is refused", "give each its own `kid`");
            self.complain(&key.name, refusal, key.source == Source::Configured);
        }
    }

    /// Complains about something that stops the start.
    pub(super) fn refuse(&mut self, source_name: &str, refusal: Refusal) {
        self.complain(source_name, refusal, true);
    }

    fn warn(&mut self, source_name: &str, refusal: Refusal) {
        self.complain(source_name, refusal, false);
    }

    fn complain(&mut self, source_name: &str, refusal: Refusal, fatal: bool) {
        self.complaints.push(KeyComplaint {
            workspace: self.config.key.clone(),
            source_name: source_name.to_owned(),
            problem: refusal.problem,
            cure: refusal.cure.to_owned(),
            fatal,
        });
    }
}
