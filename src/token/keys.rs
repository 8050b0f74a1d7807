//! The keys of each workspace: what the configuration gives, and what is prepared from it once.
//! Never knows of tokens' claims or of requests; does no file or network I/O.

mod algorithm;
mod jwk;
mod material;
mod pem;
mod set;
mod strength;

use std::path::PathBuf;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use set::{Key, KeySet};

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
    pub jwks: Option<JwksSource>,
    /// Narrows what the keys allow; empty: whatever the keys allow.
    pub algorithms: Vec<Algorithm>,
    /// How strong its keys must be.
    pub key_policy: KeyPolicy,
    /// The audiences one of which `aud` must name; empty: `aud` is not looked at.
    pub audiences: Vec<String>,
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
        }
    }
}

/// A PEM public key (SPKI, PKCS#1, or X.509 certificate).
#[derive(Debug, Clone)]
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

/// A JWK set (RFC 7517 section 5) as read from a file.
#[derive(Debug, Clone)]
pub struct JwksSource {
    /// Where the text was read from, for complaints.
    pub file: PathBuf,
    /// The text of the file.
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
