//! A token request before it is sent: which grant, for which client, to which address.
//! Never knows what comes back.

use url::form_urlencoded::Serializer;

use super::client_authentication::Client;
use super::http_request::Encoding;
use super::reading::Reading;
use crate::clock::Timestamp;
use crate::http::egress::Egress;
use crate::secret::Secret;

/// What is asked for.
pub enum Grant<'a> {
    /// A new access token for this refresh token (RFC 6749 section 6).
    RefreshToken(&'a Secret<String>),
    /// The first tokens, for the code that the customer's browser brought back (RFC 6749 section 4.1.3).
    AuthorizationCode {
        /// The callback's `code`.
        code: &'a Secret<String>,
        /// The address the code was sent to, exactly as the authorize request named it.
        redirect_uri: &'a str,
        /// Proves that the authorize request was ours (RFC 7636 section 4.5); none where it had no challenge.
        code_verifier: Option<&'a Secret<String>>,
    },
    /// A token for the client itself (RFC 6749 section 4.4).
    ClientCredentials,
}

impl Grant<'_> {
    /// Adds the grant's fields.
    pub(super) fn write(&self, form: &mut Serializer<'_, String>) {
        match self {
            Self::RefreshToken(token) => {
                form.append_pair("grant_type", "refresh_token").append_pair("refresh_token", token.expose());
            }
            Self::AuthorizationCode { code, redirect_uri, code_verifier } => {
                form.append_pair("grant_type", "authorization_code")
                    .append_pair("code", code.expose())
                    .append_pair("redirect_uri", redirect_uri);
                if let Some(verifier) = code_verifier {
                    form.append_pair("code_verifier", verifier.expose());
                }
            }
            Self::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
        }
    }

    /// What of it must not be shown.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret<String>> {
        let (first, second) = match self {
            Self::RefreshToken(token) => (Some(*token), None),
            Self::AuthorizationCode { code, code_verifier, .. } => (Some(*code), *code_verifier),
            Self::ClientCredentials => (None, None),
        };
        first.into_iter().chain(second)
    }
}

/// One token request.
pub struct TokenRequest<'a> {
    /// The token endpoint's address.
    pub token_uri: &'a str,
    /// The OAuth app.
    pub client: Client<'a>,
    /// What is asked for.
    pub grant: Grant<'a>,
    /// The `scope` parameter, if one is to be sent.
    pub scope: Option<String>,
    /// Further form fields, such as `audience`. None can replace a field of the protocol.
    pub extra: &'a [(String, String)],
    /// How its fields travel.
    pub encoding: Encoding,
    /// The time, for what says when it was made.
    pub now: Timestamp,
    /// How the reply is read.
    pub reading: Reading<'a>,
    /// Where the request may go.
    pub egress: Egress,
}
