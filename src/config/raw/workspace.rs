//! A workspace as typed: an issuer of tokens and where its keys are.
//! Knows nothing of how tokens are verified.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Secret, Span, Text};

/// An issuer of tokens and its keys.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Workspace {
    /// The shared secret for HS256, HS384 and HS512: its raw UTF-8 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) secret: Option<Secret>,
    /// Refuses tokens that the secret signed; it still signs tokens of our own.
    pub(in crate::config) secret_disabled: bool,
    /// Public keys of the issuer.
    pub(in crate::config) public_keys: Vec<PublicKey>,
    /// A JWK set of the issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) jwks: Option<Jwks>,
    /// Narrows what the keys allow; empty allows what the keys allow.
    pub(in crate::config) algorithms: Vec<Algorithm>,
    /// How strong keys must be.
    pub(in crate::config) key_policy: KeyPolicy,
    /// Tokens must be meant for one of these; empty does not check.
    pub(in crate::config) audiences: Vec<String>,
    /// The `typ` of a token's header must be one of these; empty does not check.
    pub(in crate::config) types: Vec<String>,
    /// The longest time from a token's issue to its expiry; a token without expiry is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) max_lifetime: Option<Span>,
    /// A file that lists tokens to refuse though their signature holds; read again when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) revoked: Option<Text>,
}

/// A public key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct PublicKey {
    /// A label for messages.
    pub(in crate::config) name: Text,
    /// A PEM file: SPKI, PKCS#1 or an X.509 certificate.
    pub(in crate::config) file: Text,
    /// Serves only tokens with this `kid`; without it, any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) kid: Option<Text>,
}

/// A JWK set (RFC 7517 section 5): at a URL or in a file.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Jwks {
    /// The URL that the set is published at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) url: Option<Text>,
    /// A file that holds the set; read again when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) file: Option<Text>,
    /// Lets the URL be at a private or loopback address.
    pub(in crate::config) allow_private: bool,
    /// Lets the URL be http.
    pub(in crate::config) allow_plain: bool,
    /// How often the URL is read, unless its server asks for more often.
    pub(in crate::config) refresh: Span,
    /// How long after a token's unknown `kid` had the set read another one may.
    pub(in crate::config) cooldown: Span,
    /// How long a set is used that cannot be read again.
    pub(in crate::config) stale_limit: Span,
    /// Not ready without the set.
    pub(in crate::config) required: bool,
}

impl Default for Jwks {
    fn default() -> Self {
        Self {
            url: None,
            file: None,
            allow_private: false,
            allow_plain: false,
            refresh: Span::seconds(10 * 60),
            cooldown: Span::seconds(30),
            stale_limit: Span::seconds(24 * 60 * 60),
            required: true,
        }
    }
}

/// A signature algorithm (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema)]
pub(in crate::config) enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    ES256,
    ES384,
    ES512,
    PS256,
    PS384,
    PS512,
}

/// How strong keys must be.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum KeyPolicy {
    /// Refuses secrets under 16 bytes and RSA under 2048 bits; warns below the size of the hash.
    #[default]
    Compatible,
    /// RFC 7518: secrets at least as long as the hash.
    Strict,
}
