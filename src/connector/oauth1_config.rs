//! What `getOAuthConfig` gives for OAuth 1.0a: where to ask for a token, and what requests are signed with.
//! Never asks, and never signs.

use super::fields::{Fields, MethodError};
use super::oauth_config::{extra, scopes};
use crate::formula::Value;
use crate::oauth1::{SignatureMethod, Signer, Token};
use crate::secret::Secret;

/// The fields its mapping may have; `signatureMethod` and `realm` are ours.
pub(super) const KEYS: [&str; 10] = [
    "consumerKey",
    "consumerSecret",
    "requestTokenUri",
    "authorizeUri",
    "tokenUri",
    "scopes",
    "extra",
    "signatureMethod",
    "realm",
    "args",
];

/// What its mapping must have.
pub(super) const NEEDED: [&[&str]; 5] =
    [&["consumerKey"], &["consumerSecret"], &["requestTokenUri"], &["authorizeUri"], &["tokenUri"]];

/// `getOAuthConfig`'s result.
#[derive(Debug)]
pub struct OAuth1Config {
    /// The app.
    pub consumer_key: String,
    /// Its secret.
    pub consumer_secret: Secret<String>,
    /// Where temporary credentials come from (RFC 5849 section 2.1).
    pub request_token_uri: String,
    /// Where the customer consents (section 2.2).
    pub authorize_uri: String,
    /// Where its token comes from (section 2.3).
    pub token_uri: String,
    /// What to ask for.
    pub scopes: Vec<String>,
    /// More parameters of the authorize URL.
    pub extra: Vec<(String, String)>,
    /// How requests are signed.
    pub signature_method: SignatureMethod,
    /// The protection realm, if requests name one.
    pub realm: Option<String>,
}

impl OAuth1Config {
    pub(super) fn from_result(result: &Value) -> Result<Self, MethodError> {
        let fields = Fields { method: "getOAuthConfig", result };
        let uri = |name| {
            let uri = fields.required(&[name])?;
            fields.web_url(name, &uri).map(|_| uri)
        };
        Ok(Self {
            consumer_key: fields.required(&["consumerKey"])?,
            consumer_secret: Secret::new(fields.required(&["consumerSecret"])?),
            request_token_uri: uri("requestTokenUri")?,
            authorize_uri: uri("authorizeUri")?,
            token_uri: uri("tokenUri")?,
            scopes: scopes(&fields)?,
            extra: extra(&fields)?,
            signature_method: signature_method(&fields)?,
            realm: realm(&fields)?,
        })
    }

    /// What signs for the app, and with a token for the customer that gave it.
    #[must_use]
    pub fn signer(&self, token: Option<Token>) -> Signer {
        Signer {
            consumer_key: self.consumer_key.clone(),
            consumer_secret: self.consumer_secret.duplicate(),
            token,
            method: self.signature_method,
            realm: self.realm.clone(),
        }
    }
}

/// The customer's token among its credentials, under the protocol's own names.
pub(super) fn token(credentials: Option<&Value>) -> Result<Token, MethodError> {
    let text = |field| {
        let text = credentials?.get(field)?.as_str().filter(|text| !text.is_empty())?;
        Some(text.to_owned())
    };
    let needed = |field| text(field).ok_or(MethodError::Credential { field });
    Ok(Token { key: needed("oauth_token")?, secret: Secret::new(needed("oauth_token_secret")?) })
}

fn signature_method(fields: &Fields<'_>) -> Result<SignatureMethod, MethodError> {
    let expected = "`HMAC-SHA1`, `HMAC-SHA256` or `PLAINTEXT`";
    let Some(name) = fields.text(&["signatureMethod"])? else { return Ok(SignatureMethod::default()) };
    SignatureMethod::named(&name).ok_or_else(|| fields.wrong("signatureMethod", expected))
}

/// It stands in a quoted string of the header, where nothing escapes it.
fn realm(fields: &Fields<'_>) -> Result<Option<String>, MethodError> {
    let realm = fields.text(&["realm"])?;
    let stands = |c: char| (' '..='~').contains(&c) && c != '"' && c != '\\';
    match realm {
        Some(realm) if !realm.chars().all(stands) => {
            Err(fields.wrong("realm", "visible ASCII without quotes"))
        }
        realm => Ok(realm),
    }
}
