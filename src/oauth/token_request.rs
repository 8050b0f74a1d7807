//! A token request before it is sent: which grant, for which client, to which address.
//! Never knows what comes back.

use super::client_authentication::ClientAuthentication;
use crate::http::egress::Egress;
use crate::secret::Secret;

/// What is asked for.
pub enum Grant<'a> {
    /// A new access token for this refresh token (RFC 6749 section 6).
    RefreshToken(&'a Secret<String>),
    /// A token for the client itself (RFC 6749 section 4.4).
    ClientCredentials,
}

/// One token request.
pub struct TokenRequest<'a> {
    /// The token endpoint's address.
    pub token_uri: &'a str,
    /// The OAuth app.
    pub client_id: &'a str,
    /// Its secret; a public client has none.
    pub client_secret: Option<&'a Secret<String>>,
    /// How the client proves itself.
    pub authentication: ClientAuthentication,
    /// What is asked for.
    pub grant: Grant<'a>,
    /// The `scope` parameter, if one is to be sent.
    pub scope: Option<String>,
    /// Further form fields, such as `audience`. None can replace a field of the protocol.
    pub extra: &'a [(String, String)],
    /// Where the request may go.
    pub egress: Egress,
}
