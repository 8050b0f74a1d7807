//! skeleton
use std::sync::Arc;
use std::path::PathBuf;
use crate::names::WorkspaceKey;
use crate::secret::Secret;

/// One of the twelve signature algorithms (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Algorithm { HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512, PS256, PS384, PS512 }

/// How strong a key must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum KeyPolicy {
    /// Refuses secrets under 16 bytes and RSA under 2048 bits; warns below the hash size.
    #[default]
    Compatible,
    /// RFC 7518: secrets at least as long as the hash.
    Strict,
}

/// All issuers.
#[derive(Debug)]
pub struct Config {
    /// By issuer.
    pub workspaces: Vec<WorkspaceConfig>,
    /// Verified tokens kept; 0 turns the cache off.
    pub cache_entries: u64,
}

/// One issuer and its key sources, already read from disk by the caller (config): this room does no file I/O.
#[derive(Debug)]
pub struct WorkspaceConfig {
    pub key: WorkspaceKey,
    pub secret: Option<Secret<String>>,
    pub secret_disabled: bool,
    pub public_keys: Vec<PublicKey>,
    /// The text of a JWK set file.
    pub jwks: Option<JwksSource>,
    /// Narrows what the keys allow; empty: whatever the keys allow.
    pub algorithms: Vec<Algorithm>,
    pub key_policy: KeyPolicy,
    pub audiences: Vec<String>,
}

/// A PEM public key (SPKI, PKCS#1, or X.509 certificate).
#[derive(Debug, Clone)]
pub struct PublicKey { pub name: String, pub kid: Option<String>, pub file: PathBuf, pub pem: String }
/// A JWK set (RFC 7517 section 5) as read from a file.
#[derive(Debug, Clone)]
pub struct JwksSource { pub file: PathBuf, pub text: String }

/// A key that was refused, or that deserves a warning.
#[derive(Debug, thiserror::Error)]
#[error("workspace `{workspace}`, {source_name}: {problem}")]
pub struct KeyComplaint { pub workspace: WorkspaceKey, /** `secret`, `publicKeys[0]`, `jwks kid=…` */ pub source_name: String, pub problem: String, pub cure: String, pub fatal: bool }
#[allow(dead_code)]
pub(crate) struct _Unused(Arc<str>);
