//! Tokens of our own for a customer's API, so that it knows for whom a request is made.
//! Never decides who gets one.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Verifier;
use super::keys::Algorithm;
use super::mint::{MintError, SigningKey, mint};
use crate::names::{Owner, WorkspaceKey};
use crate::secret::Secret;

/// How long a token is good: it goes along with one request.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// The workspace is unknown, or has public keys only.
    #[error("the workspace `{0}` has no secret to sign tokens with")]
    NoSecret(WorkspaceKey),
    /// It could not be signed.
    #[error("the token could not be signed")]
    Mint(#[source] MintError),
}

impl Verifier {
    /// A token for this customer with `iss`, `sub`, `fields`, `iat` and `exp`, signed with its workspace's secret; also where
    /// that is disabled for callers' tokens. HS256, unless `algorithms` lists others only.
    ///
    /// # Errors
    /// If the workspace has no secret.
    pub fn mint_for(&self, owner: &Owner, fields: Value) -> Result<Secret<String>, NoToken> {
        let no_secret = || NoToken::NoSecret(owner.workspace.clone());
        let config = &self.workspaces.get(&owner.workspace).ok_or_else(no_secret)?.config;
        let secret = config.secret.as_ref().ok_or_else(no_secret)?;
        let listed = config.algorithms.iter().find(|algorithm| Algorithm::HMAC.contains(algorithm));
        let now = self.clock.now();
        let seconds = |at: crate::clock::Timestamp| Value::from(at.as_secs_f64() as u64);
        let claims: Map<String, Value> = [
            ("iss", Value::from(owner.workspace.as_str())),
            ("sub", Value::from(owner.customer.as_str())),
            ("fields", fields),
            ("iat", seconds(now)),
            ("exp", seconds(now.plus(LIFETIME))),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect();
        let key = SigningKey::Secret(Secret::new(secret.expose().clone()));
        let algorithm = listed.copied().unwrap_or(Algorithm::HS256);
        mint(&claims, algorithm, &key, None).map(Secret::new).map_err(NoToken::Mint)
    }
}
