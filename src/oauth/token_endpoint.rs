//! The one token client: a grant goes out in exactly one POST, and what comes back is understood or refused.
//! Never stores, never repeats, and never puts a token, a secret or a reply's body into an error.

mod probe;

use std::sync::Arc;
use std::time::Duration;

use url::form_urlencoded::Serializer;

use crate::http::egress::Names;

use super::client_authentication::Proof;
use super::error::ExchangeError;
use super::http_request::{HttpRequest, Reply, admit};
use super::token_reply::{OwnSecrets, TokenResponse, understand};
use super::token_request::TokenRequest;

/// Fields of the protocol, which no further field can replace. `scope` is another where none is sent.
pub const RESERVED: [&str; 9] = [
    "grant_type",
    "refresh_token",
    "code",
    "redirect_uri",
    "code_verifier",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
];

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
        let proof = request.client.proof(request.token_uri, request.now)?;
        let own = OwnSecrets::of(request, &proof);
        let form = form(request, &proof);
        let (authorization, encoding) = (proof.authorization, request.encoding);
        let asked = HttpRequest { uri: &uri, authorization, form, encoding, egress: request.egress };
        let reply = self.sent(asked).await?;
        understand(&reply, request.reading, &["access_token"], &own)
    }

    /// Sends it once.
    pub(super) async fn sent(&self, request: HttpRequest<'_>) -> Result<Reply, ExchangeError> {
        request.send(self.deadline, &self.tls, &self.names).await
    }
}

fn form(request: &TokenRequest<'_>, proof: &Proof<'_>) -> String {
    let mut form = Serializer::new(String::new());
    request.grant.write(&mut form);
    if let Some(scope) = &request.scope {
        form.append_pair("scope", scope);
    }
    form.extend_pairs(proof.fields.iter().map(|(name, value)| (name, value.as_str())));
    let names = [request.client.id_name, request.client.secret_name];
    let is_ours = |name: &str| {
        RESERVED.contains(&name) || names.contains(&name) || (name == "scope" && request.scope.is_some())
    };
    form.extend_pairs(request.extra.iter().filter(|(name, _)| !is_ours(name)));
    form.finish()
}

#[cfg(test)]
mod tests;
