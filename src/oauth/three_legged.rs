//! The two exchanges of OAuth 1.0a around a customer's consent (RFC 5849 section 2): temporary credentials, then a token.
//! Never sends the customer anywhere, and never keeps what it got.

use http::HeaderValue;
use serde_json::Value as Json;
use url::Url;

use crate::http::egress::Egress;
use crate::oauth1::{Request, Signer, Stamp, Token};

use super::error::{ExchangeError, Sent};
use super::http_request::{Encoding, HttpRequest, admit};
use super::reading::Reading;
use super::token_endpoint::TokenEndpoint;
use super::token_reply::{OwnSecrets, TokenResponse, understand};

/// What both replies hold.
const TOKEN: [&str; 2] = ["oauth_token", "oauth_token_secret"];

/// A signed request for credentials.
pub struct OAuth1Request<'a> {
    /// The address to ask.
    pub uri: &'a str,
    /// Signs it: for the app alone, or with the temporary credentials that the customer has authorized.
    pub signer: &'a Signer,
    /// Its own, for this one request.
    pub stamp: Stamp,
    /// Where it may go.
    pub egress: Egress,
}

/// Temporary credentials, as they came.
#[derive(Debug)]
pub struct Temporary {
    /// The credentials.
    pub token: Token,
    /// The status of the reply that held them.
    pub status: u16,
}

impl TokenEndpoint {
    /// Asks for temporary credentials; the customer will be sent back to `callback`.
    ///
    /// # Errors
    /// What the refusal, or the missing answer, means; also if the provider does not confirm the callback, as those do
    /// that speak OAuth 1.0 without the letter: an attacker could have his own account connected.
    pub async fn temporary_credentials(
        &self,
        request: &OAuth1Request<'_>,
        callback: &str,
    ) -> Result<Temporary, ExchangeError> {
        let response = self.signed(request, ("oauth_callback", callback)).await?;
        let text = |name| response.fields().get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        if text("oauth_callback_confirmed") != "true" {
            let reason = String::from("it does not confirm the callback");
            return Err(ExchangeError::Transient { reason, retry_after: None, sent: Sent::Perhaps });
        }
        let token = Token { key: text("oauth_token"), secret: text("oauth_token_secret").into() };
        Ok(Temporary { token, status: response.status() })
    }

    /// Asks for the customer's token, with the temporary credentials and the `verifier` that came back with the customer.
    /// The reply's fields keep the provider's names (`oauth_token`, `oauth_token_secret`, …).
    ///
    /// # Errors
    /// What the refusal, or the missing answer, means.
    pub async fn token_credentials(
        &self,
        request: &OAuth1Request<'_>,
        verifier: &str,
    ) -> Result<TokenResponse, ExchangeError> {
        self.signed(request, ("oauth_verifier", verifier)).await
    }

    async fn signed(
        &self,
        request: &OAuth1Request<'_>,
        parameter: (&str, &str),
    ) -> Result<TokenResponse, ExchangeError> {
        let uri = admit(request.uri, request.egress)?;
        let authorization = Some(authorization(request, &uri, parameter)?);
        let (form, encoding) = (String::new(), Encoding::Form);
        let asked = HttpRequest { uri: &uri, authorization, form, encoding, egress: request.egress };
        let reply = self.sent(asked).await?;
        understand(&reply, Reading::default(), &TOKEN, &OwnSecrets::of_signer(request.signer, parameter.1))
    }
}

/// The signature of a POST without a body.
fn authorization(
    request: &OAuth1Request<'_>,
    uri: &Url,
    parameter: (&str, &str),
) -> Result<HeaderValue, ExchangeError> {
    let signed = Request {
        method: "POST",
        https: uri.scheme() == "https",
        host: uri.host_str().unwrap_or_default().trim_matches(['[', ']']),
        port: uri.port_or_known_default().unwrap_or_default(),
        path_and_query: &uri[url::Position::BeforePath..url::Position::AfterQuery],
        form: b"",
    };
    let value = request.signer.authorization(&signed, &[parameter], &request.stamp);
    let refused = |_| ExchangeError::NotAllowed { reason: "the signature does not fit into a header".into() };
    let mut value = HeaderValue::from_str(&value).map_err(refused)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where the customer consents (RFC 5849 section 2.2): the address with the temporary token, `scope` with commas between as
/// Trello reads it, and `extra`. Neither can replace the token.
///
/// # Errors
/// If `authorize_uri` is no absolute URL.
pub fn authorize_url(
    authorize_uri: &str,
    token: &Token,
    scopes: &[String],
    extra: &[(String, String)],
) -> Result<Url, url::ParseError> {
    let mut url = Url::parse(authorize_uri)?;
    let mut query = url.query_pairs_mut();
    query.append_pair("oauth_token", &token.key);
    if !scopes.is_empty() {
        query.append_pair("scope", &scopes.join(","));
    }
    query.extend_pairs(extra.iter().filter(|(name, _)| name != "oauth_token"));
    drop(query);
    Ok(url)
}

#[cfg(test)]
mod tests;
