//! What a token holds and what would become of it, for a person who wonders why it is refused.
//! Never shows a value of `fields`, a signature or a key.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::claims;
use super::error::TokenError;
use super::jws::{self, json};
use super::keys::{Algorithm, Key, KeySet};
use super::policy::Policy;
use super::verify::{Verified, Verifier};
use crate::names::WorkspaceKey;

/// What a token holds and what would become of it: for `sidegate token explain`.
#[derive(Debug)]
pub struct Explanation {
    /// The header, if it can be read at all.
    pub header: Option<Value>,
    /// The claims, with the values of `fields` redacted.
    pub claims: Option<Value>,
    /// The key that verifies it, `secret of workspace acme`; `None` if none would.
    pub key: Option<String>,
    /// What [`Verifier::verify`] says.
    pub outcome: Result<Verified, TokenError>,
    /// One line per remark: what is wrong and what to do.
    pub remarks: Vec<String>,
}

impl Verifier {
    /// Takes a token apart and says what would become of it, and why.
    #[must_use]
    pub fn explain(&self, token: &str, policy: &Policy) -> Explanation {
        let mut parts = token.split('.').map(object);
        let (header, claims) = (parts.next().flatten(), parts.next().flatten());
        let named = claims.as_ref().and_then(|claims| claims::workspace(claims).ok().flatten());
        let state = named.and_then(|named| self.workspaces.get(named)).map(|issuer| issuer.state());
        let keys = state.as_ref().map(|state| &state.keys);
        let outcome = self.verify(token, policy);
        let mut remarks: Vec<String> =
            outcome.as_ref().err().map(|error| self.remark(token, *error, keys)).into_iter().collect();
        if claims.as_ref().is_some_and(|claims| !claims.contains_key("exp")) {
            remarks.push("it has no `exp`, so it never expires; issuers should set one".to_owned());
        }
        Explanation {
            key: keys.zip(named).and_then(|(keys, named)| key_name(token, keys, named)),
            header: header.map(Value::Object),
            claims: claims.map(redacted),
            outcome,
            remarks,
        }
    }

    fn remark(&self, token: &str, error: TokenError, keys: Option<&KeySet>) -> String {
        let advice = match error {
            TokenError::Malformed(_) if token.trim_start().to_ascii_lowercase().starts_with("bearer ") => {
                "give the token alone, without `Bearer`".to_owned()
            }
            TokenError::Malformed(_) => {
                "a token is three base64url parts with two dots between them".to_owned()
            }
            TokenError::NoWorkspace | TokenError::UnknownWorkspace => {
                let known: Vec<&str> = self.workspaces.keys().map(WorkspaceKey::as_str).collect();
                format!("`iss` must be one of the configured workspaces: {}", known.join(", "))
            }
            TokenError::WorkspaceNotAllowed => {
                "add the workspace under the upstream's `token.workspaces`".to_owned()
            }
            TokenError::AlgorithmNotAllowed | TokenError::UnknownKid => {
                format!("the workspace's keys are: {}", describe(keys))
            }
            TokenError::BadSignature => format!(
                "it was signed with another key, or changed on its way; a secret is used as it stands, not \
                 base64-decoded; the workspace's keys are: {}",
                describe(keys)
            ),
            TokenError::Expired | TokenError::NotActive => {
                "compare the clocks of issuer and gate; the upstream's `token.leeway` may bridge a difference"
                    .to_owned()
            }
            TokenError::Audience => {
                "the workspace's `audiences` must list one of the token's `aud`".to_owned()
            }
            TokenError::Type => "the workspace's `types` must list the header's `typ`".to_owned(),
            TokenError::Lifetime => {
                "the issuer must make tokens that end sooner, or the workspace's `maxLifetime` must allow it"
                    .to_owned()
            }
            TokenError::Revoked => "the file under the workspace's `revoked` names it".to_owned(),
            TokenError::KeysUnavailable => format!(
                "{}; without it the workspace's keys are: {}",
                self.last_error(token).unwrap_or_else(|| "the key set was not read yet".to_owned()),
                describe(keys)
            ),
            TokenError::Saturated => "ask again".to_owned(),
            TokenError::BadClaim(_) | TokenError::ConflictingClaims(..) | TokenError::NoExpiry => {
                "the issuer must correct it".to_owned()
            }
            TokenError::TooLong => "move large values out of the token".to_owned(),
            TokenError::Crit | TokenError::UnsupportedHeader(_) | TokenError::UnsupportedAlgorithm => {
                "the issuer must sign a plain JWT with one of the twelve algorithms".to_owned()
            }
            TokenError::NoKey => "give the workspace a key".to_owned(),
        };
        format!("{error}; {advice}")
    }
}

impl Verifier {
    /// Why the key set of the token's workspace could not be read.
    fn last_error(&self, token: &str) -> Option<String> {
        let claims = object(token.split('.').nth(1)?)?;
        self.workspaces.get(claims::workspace(&claims).ok()??)?.status().last_error
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    json::object(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn key_name(token: &str, keys: &KeySet, workspace: &str) -> Option<String> {
    let jws = jws::parse(token).ok()?;
    let key = keys.verify(&jws).ok()?;
    Some(format!("{} of workspace {workspace}", key.name()))
}

fn describe(keys: Option<&KeySet>) -> String {
    let describe = |key: &Arc<Key>| {
        let algorithms: Vec<&str> = key.algorithms().map(Algorithm::as_str).collect();
        let kid = key.kid().map_or(String::new(), |kid| format!(", kid {kid}"));
        format!("{} ({}{kid})", key.name(), algorithms.join(" "))
    };
    keys.map_or(String::new(), |keys| keys.keys().iter().map(describe).collect::<Vec<_>>().join("; "))
}

fn redacted(mut claims: Map<String, Value>) -> Value {
    match claims.get_mut("fields") {
        Some(Value::Object(fields)) => {
            for value in fields.values_mut() {
                *value = "[secret]".into();
            }
        }
        Some(other) => *other = "[secret]".into(),
        None => {}
    }
    Value::Object(claims)
}

#[cfg(test)]
mod tests;
