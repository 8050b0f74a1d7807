//! skeleton
use std::time::Duration;
use crate::secret::Secret;
/// How the client proves itself: exactly one way (RFC 6749 section 2.3), both only where the integration says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication { Header, Body, Both, None }
pub enum Grant<'a> { RefreshToken(&'a Secret<String>), ClientCredentials }
pub struct TokenRequest<'a> { pub token_uri: &'a str, pub client_id: &'a str, pub client_secret: Option<&'a Secret<String>>, pub authentication: ClientAuthentication, pub grant: Grant<'a>, pub scope: Option<String>, pub egress: crate::http::egress::Egress }
/// What the answer means, with what the caller of Sidegate may know.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    #[error("the grant is dead: {code}")] DeadGrant { code: String, description: String },
    #[error("the app is refused: {code}")] DeadApp { code: String, description: String },
    #[error("the token endpoint did not answer as it should: {reason}")] Transient { reason: String, retry_after: Option<Duration> },
    #[error("the token endpoint refused: {status} {code}")] Unknown { status: u16, code: String },
}
/// The one tolerant token client: exactly one POST per exchange.
pub struct TokenEndpoint {}
impl TokenEndpoint {
    pub fn new(_timeout: Duration, _tls: std::sync::Arc<rustls::ClientConfig>) -> Self { unimplemented!() }
    /// The reply's fields in provider form (access_token, refresh_token, expires_in, …).
    pub async fn exchange(&self, _request: &TokenRequest<'_>) -> Result<Secret<TokenResponse>, ExchangeError> { unimplemented!() }
}
/// fields in order, and when the token ends, from whichever form of expiry the reply used (seconds from receipt)
pub struct TokenResponse { pub fields: indexmap::IndexMap<String, serde_json::Value>, pub expires_in: Option<Duration> }
impl zeroize::Zeroize for TokenResponse { fn zeroize(&mut self) { unimplemented!() } }
