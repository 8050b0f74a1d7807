//! The one token client: a grant goes out in exactly one POST, and what comes back is understood or refused.
//! Never stores, never repeats, and never puts a token, a secret or a reply's body into an error.

mod probe;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER, USER_AGENT};
use url::Url;
use url::form_urlencoded::Serializer;
use zeroize::Zeroizing;

use crate::http::client::{guarded, own_calls};
use crate::http::egress::{Egress, Names};
use crate::report::report;

use super::client_authentication::ClientAuthentication;
use super::error::{ExchangeError, Sent};
use super::token_reply::{OwnSecrets, Reply, TokenResponse};
use super::token_request::TokenRequest;

/// A reply of more bytes is refused: token replies are a few kilobytes.
const REPLY_LIMIT: usize = 1 << 20;

/// Some providers refuse requests that do not name their sender (GitHub does).
const OUR_NAME: &str = concat!("sidegate/", env!("CARGO_PKG_VERSION"));

/// The one tolerant token client: exactly one POST per exchange, on a fresh connection, with no redirects, no
/// retries and an absolute deadline.
pub struct TokenEndpoint {
    deadline: Duration,
    tls: Arc<rustls::ClientConfig>,
    names: Names,
}

impl TokenEndpoint {
    /// `deadline` bounds a whole exchange, from dialling to the reply's last byte.
    #[must_use]
    pub fn new(deadline: Duration, tls: Arc<rustls::ClientConfig>, names: Names) -> Self {
        Self { deadline, tls, names }
    }

    /// Sends the request once. The reply's fields keep the provider's names (`access_token`, `expires_in`, …).
    ///
    /// # Errors
    /// What the refusal, or the missing answer, means: [`ExchangeError`].
    pub async fn exchange(&self, request: &TokenRequest<'_>) -> Result<TokenResponse, ExchangeError> {
        let uri = admit(request.token_uri, request.egress)?;
        let client = own_calls(request.egress, self.names.clone(), self.deadline, Arc::clone(&self.tls))
            .map_err(|error| broken(error, Sent::No))?;
        let authentication = request.authentication.given(request.client_secret);
        let mut post = client
            .post(uri)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, OUR_NAME)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form(request, authentication));
        if let Some(value) = authentication.header(request.client_id, request.client_secret) {
            post = post.header(AUTHORIZATION, value);
        }
        let response = post.send().await.map_err(|error| {
            let sent = if error.is_connect() { Sent::No } else { Sent::Perhaps };
            broken(error, sent)
        })?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = read(response).await?;
        Reply { status, retry_after, body: &body }.understand(&OwnSecrets::of(request))
    }
}

/// The token endpoint's address, if it may be called.
fn admit(token_uri: &str, egress: Egress) -> Result<Url, ExchangeError> {
    let refused = |error: &dyn Error| ExchangeError::NotAllowed { reason: error.to_string() };
    let uri = Url::parse(token_uri).map_err(|error| refused(&error))?;
    guarded(&uri, egress).map_err(|error| refused(&error))?;
    Ok(uri)
}

fn form(request: &TokenRequest<'_>, authentication: ClientAuthentication) -> String {
    const RESERVED: [&str; 10] = [
        "grant_type",
        "refresh_token",
        "code",
        "redirect_uri",
        "code_verifier",
        "scope",
        "client_id",
        "client_secret",
        "client_assertion",
        "client_assertion_type",
    ];
    let mut form = Serializer::new(String::new());
    request.grant.write(&mut form);
    if let Some(scope) = &request.scope {
        form.append_pair("scope", scope);
    }
    authentication.write(&mut form, request.client_id, request.client_secret);
    form.extend_pairs(request.extra.iter().filter(|(name, _)| !RESERVED.contains(&name.as_str())));
    form.finish()
}

/// The whole body, up to the limit.
async fn read(mut response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, ExchangeError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(error, Sent::Perhaps))? {
        if body.len() + chunk.len() > REPLY_LIMIT {
            let reason = format!("its reply is longer than {REPLY_LIMIT} bytes");
            return Err(ExchangeError::Transient { reason, retry_after: None, sent: Sent::Perhaps });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without the address, whose query may hold a secret.
fn broken(error: reqwest::Error, sent: Sent) -> ExchangeError {
    let reason = report(&error.without_url()).to_string();
    ExchangeError::Transient { reason, retry_after: None, sent }
}

/// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3). A date is measured against the reply's own `Date`,
/// so that a difference between the clocks does not matter.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let sent_at = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    until.duration_since(sent_at).ok()
}

#[cfg(test)]
mod tests;
