//! OAuth 1.0a signatures (RFC 5849): one request and one set of credentials make one `Authorization` header.
//! Pure: never sends, never reads a clock, and never chooses the credentials.

mod base_string;
mod encoding;

use std::fmt::Write as _;

use aws_lc_rs::{hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::secret::Secret;

use base_string::base_string;
use encoding::encoded;

/// The protocol's own parameters (RFC 5849 section 3.1): a request may have each only once.
pub const PARAMETERS: [&str; 7] = [
    "oauth_consumer_key",
    "oauth_token",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_nonce",
    "oauth_version",
    "oauth_signature",
];

/// How a request is signed. The methods of RFC 5849 section 3.4 that need no key pair, and SHA-256 for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SignatureMethod {
    /// What nearly every provider takes.
    #[default]
    HmacSha1,
    /// For providers that refuse SHA-1.
    HmacSha256,
    /// No signature: the secrets themselves, for TLS only.
    Plaintext,
}

impl SignatureMethod {
    /// Its name in `oauth_signature_method`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC-SHA1",
            Self::HmacSha256 => "HMAC-SHA256",
            Self::Plaintext => "PLAINTEXT",
        }
    }

    /// The method of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::HmacSha1, Self::HmacSha256, Self::Plaintext].into_iter().find(|method| method.name() == name)
    }
}

/// What requests are signed with: an app, and mostly a token of one of its customers.
#[derive(Debug)]
pub struct Signer {
    /// The app.
    pub consumer_key: String,
    /// Its secret.
    pub consumer_secret: Secret<String>,
    /// None where the app speaks for itself: it asks for temporary credentials.
    pub token: Option<Token>,
    /// How it signs.
    pub method: SignatureMethod,
    /// The protection realm, sent as it is and not signed (RFC 5849 section 3.4.1.3.1). It holds no `"` and no `\`.
    pub realm: Option<String>,
}

/// Temporary credentials, or a customer's.
#[derive(Debug)]
pub struct Token {
    /// `oauth_token`.
    pub key: String,
    /// `oauth_token_secret`.
    pub secret: Secret<String>,
}

/// What of a request is signed.
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Whether it goes over TLS.
    pub https: bool,
    /// The host, an IPv6 address without brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// What stands in the request line.
    pub path_and_query: &'a str,
    /// The body, where it is a form; else nothing.
    pub form: &'a [u8],
}

/// What tells a request from every other, even from the same one sent again: no two may have the same (RFC 5849 section 3.3).
#[derive(Debug)]
pub struct Stamp {
    /// When it is sent.
    pub timestamp: Timestamp,
    /// Letters and digits that no other request has.
    pub nonce: String,
}

impl Stamp {
    /// For one request that is sent `now`: with a nonce of 128 random bits.
    ///
    /// # Panics
    /// If the operating system has no randomness, which it has once it runs.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).expect("the operating system has randomness once it runs");
        Self { timestamp: now, nonce: format!("{:032x}", u128::from_be_bytes(bytes)) }
    }
}

impl Signer {
    /// The value of `Authorization` for this request. `more`: further parameters of the protocol, such as `oauth_verifier`.
    #[must_use]
    pub fn authorization(
        &self,
        request: &Request<'_>,
        more: &[(&str, &str)],
        stamp: &Stamp,
    ) -> Zeroizing<String> {
        let timestamp = stamp.timestamp.as_secs().to_string();
        let mut protocol = vec![("oauth_consumer_key", self.consumer_key.as_str())];
        protocol.extend(self.token.as_ref().map(|token| ("oauth_token", token.key.as_str())));
        protocol.extend([
            ("oauth_signature_method", self.method.name()),
            ("oauth_timestamp", &timestamp),
            ("oauth_nonce", &stamp.nonce),
            ("oauth_version", "1.0"),
        ]);
        protocol.extend(more);
        let signature = self.signature(request, &protocol);
        protocol.push(("oauth_signature", &signature));
        header(self.realm.as_deref(), &protocol)
    }

    /// RFC 5849 section 3.4.
    fn signature(&self, request: &Request<'_>, protocol: &[(&str, &str)]) -> Zeroizing<String> {
        let token_secret = self.token.as_ref().map_or("", |token| token.secret.expose());
        let key = Zeroizing::new(format!(
            "{}&{}",
            encoded(self.consumer_secret.expose().as_bytes()),
            encoded(token_secret.as_bytes())
        ));
        let algorithm = match self.method {
            SignatureMethod::Plaintext => return key,
            SignatureMethod::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            SignatureMethod::HmacSha256 => hmac::HMAC_SHA256,
        };
        let key = hmac::Key::new(algorithm, key.as_bytes());
        Zeroizing::new(STANDARD.encode(hmac::sign(&key, base_string(request, protocol).as_bytes())))
    }
}

/// RFC 5849 section 3.5.1.
fn header(realm: Option<&str>, protocol: &[(&str, &str)]) -> Zeroizing<String> {
    let mut header = Zeroizing::new(String::from("OAuth "));
    if let Some(realm) = realm {
        let _ = write!(header, "realm=\"{realm}\", ");
    }
    for (position, (name, value)) in protocol.iter().enumerate() {
        let comma = if position == 0 { "" } else { ", " };
        let _ = write!(header, "{comma}{}=\"{}\"", encoded(name.as_bytes()), encoded(value.as_bytes()));
    }
    header
}

#[cfg(test)]
mod tests;
