//! What a client signs so that it need not show a secret: a JWT about itself (RFC 7523 section 3, OpenID Connect Core
//! section 9).
//! Never sends it, and never reads a clock.

use std::time::Duration;

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::client_authentication::{Client, ClientAuthentication};
use super::error::ExchangeError;
use crate::clock::Timestamp;
use crate::token::keys::Algorithm;
use crate::token::mint::{SigningKey, mint};

/// How long it is good: it goes along with one request.
const LIFETIME: Duration = Duration::from_secs(60);

impl Client<'_> {
    /// One for `endpoint`, good for one use.
    pub(super) fn assertion(
        &self,
        endpoint: &str,
        now: Timestamp,
    ) -> Result<Zeroizing<String>, ExchangeError> {
        let impossible = |reason: String| ExchangeError::NotAllowed { reason };
        let mut nonce = [0; 16];
        rand::fill(&mut nonce).map_err(|_| impossible("there is no randomness for its assertion".into()))?;
        let claims = self.claims(endpoint, now, &nonce);
        let signed = match (self.authentication, self.private_key, self.secret) {
            (ClientAuthentication::PrivateKeyJwt, Some(key), _) => key.sign(&claims),
            (ClientAuthentication::ClientSecretJwt, _, Some(secret)) => {
                mint(&claims, Algorithm::HS256, &SigningKey::Secret(secret.duplicate()), None)
            }
            _ => return Err(impossible("the app has nothing to sign its assertion with".into())),
        };
        signed.map(Zeroizing::new).map_err(|error| impossible(error.to_string()))
    }

    fn claims(&self, endpoint: &str, now: Timestamp, nonce: &[u8]) -> Map<String, Value> {
        let claims = [
            ("iss", Value::from(self.id)),
            ("sub", Value::from(self.id)),
            ("aud", Value::from(self.audience.unwrap_or(endpoint))),
            ("jti", Value::from(URL_SAFE_NO_PAD.encode(nonce))),
            ("iat", Value::from(now.as_secs())),
            ("exp", Value::from(now.plus(LIFETIME).as_secs())),
        ];
        claims.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
