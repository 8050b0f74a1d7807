//! The keys of each workspace: what the configuration gives, and what is prepared from it once.
//! Never knows of requests; does no file or network I/O.

mod algorithm;
mod jwk;
mod loader;
mod material;
mod pem;
mod set;
mod strength;

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use set::{Key, KeySet};

use super::claims::{self, Claims};
use super::error::TokenError;
use super::jws::Jws;
use super::throttle::Budget;
use crate::clock::Timestamp;
use crate::http::egress::Egress;
use crate::names::WorkspaceKey;
use crate::secret::Secret;

/// How strong a key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeyPolicy {
    /// Refuses secrets under 16 bytes and RSA under 2048 bits; warns where a secret is below the hash size.
    #[default]
    Compatible,
    /// RFC 7518 to the letter: a secret serves only the algorithms whose hash is no longer than it (section 3.2),
    /// and a JWK set that mixes secrets with public keys loses its secrets.
    Strict,
}

/// All issuers.
#[derive(Debug, Default)]
pub struct Config {
    /// The issuers; no two with one key.
    pub workspaces: Vec<WorkspaceConfig>,
    /// How many verified tokens are kept; 0 turns the cache off.
    pub cache_entries: u64,
    /// How much of a worker's time signatures that do not hold may cost.
    pub bad_signatures: Budget,
}

/// One issuer and its key sources, already read from disk by the caller.
#[derive(Debug)]
pub struct WorkspaceConfig {
    /// The issuer: `iss` or `workspaceKey` of its tokens, byte for byte.
    pub key: WorkspaceKey,
    /// The shared secret for HS256, HS384 and HS512: its raw UTF-8 bytes, never decoded.
    pub secret: Option<Secret<String>>,
    /// Whether the secret is kept for minting only and verifies nothing.
    pub secret_disabled: bool,
    /// PEM public keys.
    pub public_keys: Vec<PublicKey>,
    /// A JWK set.
    pub jwks: Option<Jwks>,
    /// Narrows what the keys allow; empty: whatever the keys allow.
    pub algorithms: Vec<Algorithm>,
    /// How strong its keys must be.
    pub key_policy: KeyPolicy,
    /// The audiences one of which `aud` must name; empty: `aud` is not looked at.
    pub audiences: Vec<String>,
    /// The types one of which the header's `typ` must be; empty: `typ` is not looked at.
    pub types: Vec<String>,
    /// The longest a token may be good for, from its issue to its `exp`; none: for ever.
    pub max_lifetime: Option<Duration>,
    /// What is refused though its signature holds.
    pub revoked: Option<TextFile>,
}

impl WorkspaceConfig {
    /// A workspace of this name without a key, everything else as by default.
    #[must_use]
    pub fn named(key: impl Into<WorkspaceKey>) -> Self {
        Self {
            key: key.into(),
            secret: None,
            secret_disabled: false,
            public_keys: Vec::new(),
            jwks: None,
            algorithms: Vec::new(),
            key_policy: KeyPolicy::default(),
            audiences: Vec::new(),
            types: Vec::new(),
            max_lifetime: None,
            revoked: None,
        }
    }

    /// Whether `algorithms` leaves this one.
    pub(super) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.is_empty() || self.algorithms.contains(&algorithm)
    }

    /// What the workspace asks of its tokens beside a signature.
    pub(super) fn admits(&self, jws: &Jws<'_>, claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
        if !self.types.is_empty() {
            claims::check_type(jws.typ.as_deref(), &self.types)?;
        }
        if !self.audiences.is_empty() {
            claims::check_audience(&claims.all, &self.audiences)?;
        }
        match self.max_lifetime {
            Some(longest) => claims::check_lifetime(claims, longest, now),
            None => Ok(()),
        }
    }

    /// Whether the other is the same but for the texts of files that are read again anyway.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        // Every field by name, so that none is forgotten.
        let Self {
            key,
            secret,
            secret_disabled,
            public_keys,
            jwks,
            algorithms,
            key_policy,
            audiences,
            types,
            max_lifetime,
            revoked,
        } = self;
        let same_secret = match (secret, &other.secret) {
            (Some(one), Some(other)) => one.matches(other.expose().as_bytes()),
            (one, other) => one.is_none() && other.is_none(),
        };
        let path = |file: &Option<TextFile>| file.as_ref().map(|file| file.path.clone());
        same_secret
            && *key == other.key
            && *secret_disabled == other.secret_disabled
            && *public_keys == other.public_keys
            && jwks.as_ref().map(Jwks::without_text) == other.jwks.as_ref().map(Jwks::without_text)
            && *algorithms == other.algorithms
            && *key_policy == other.key_policy
            && *audiences == other.audiences
            && *types == other.types
            && *max_lifetime == other.max_lifetime
            && path(revoked) == path(&other.revoked)
    }
}

/// A PEM public key (SPKI, PKCS#1, or X.509 certificate).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The operator's label; means nothing to a token.
    pub name: String,
    /// The only `kid` it serves; without one it serves any.
    pub kid: Option<String>,
    /// Where the text was read from, for complaints.
    pub file: PathBuf,
    /// The text of the file.
    pub pem: String,
}

/// A JWK set (RFC 7517 section 5) and how it is kept fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwks {
    /// Where it is.
    pub source: JwksSource,
    /// How often it is fetched from a URL, where its server does not say otherwise; never less often.
    pub refresh: Duration,
    /// How long after a key that is not there was looked for another one is looked for.
    pub cooldown: Duration,
    /// How long a set is used that could not be read again.
    pub stale_limit: Duration,
    /// Whether the process is not ready without it.
    pub required: bool,
}

/// Where a JWK set is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JwksSource {
    /// In a file, which is read again when it changes.
    File(TextFile),
    /// At a URL.
    Url {
        /// The URL, http or https.
        url: Url,
        /// Which addresses it may be at.
        egress: Egress,
    },
}

impl Jwks {
    /// A set from there, everything else as by default.
    #[must_use]
    pub fn new(source: JwksSource) -> Self {
        Self {
            source,
            refresh: Duration::from_secs(10 * 60),
            cooldown: Duration::from_secs(30),
            stale_limit: Duration::from_secs(24 * 60 * 60),
            required: true,
        }
    }

    /// The same, as it is before a file was read.
    fn without_text(&self) -> Self {
        let mut bare = self.clone();
        if let JwksSource::File(file) = &mut bare.source {
            file.text.clear();
        }
        bare
    }
}

/// A file and the text that was read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it held when the configuration was read.
    pub text: String,
}

/// A key that was refused, or that deserves a warning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("workspace `{workspace}`, {source_name}: {problem}")]
pub struct KeyComplaint {
    /// Whose key it is.
    pub workspace: WorkspaceKey,
    /// Which one: `secret`, `publicKeys main`, `jwks kid abc`.
    pub source_name: String,
    /// What is wrong, in one sentence without a full stop.
    pub problem: String,
    /// What to do, in one sentence without a full stop.
    pub cure: String,
    /// Whether nothing may start with it; otherwise the key is left out, or kept with a warning.
    pub fatal: bool,
}

/// Why a key cannot be used, before it is known whose it is.
#[derive(Debug)]
struct Refusal {
    problem: String,
    cure: &'static str,
}

impl Refusal {
    fn new(problem: impl Into<String>, cure: &'static str) -> Self {
        Self { problem: problem.into(), cure }
    }
}

#[cfg(test)]
mod tests;
