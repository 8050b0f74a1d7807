//! The first tokens of a connection whose customer consented: the code it brought back, exchanged once.
//! Never stores anything, and never asks for a code.

mod oauth1;

use std::time::Duration;

use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::connector::{Integration, OAuthConfig};
use crate::formula::Value;
use crate::method::{Account, RunError, Subject};
use crate::oauth::{ExchangeError, Grant, TokenRequest, TokenResponse};
use crate::secret::Secret;
use crate::telemetry::labels::RefreshOutcome;

use super::exchange::{self, client, encoding, lay_over, reading};
use super::freshness::Arrival;
use super::outcome::Failure;
use super::{RefreshError, Refresher, freshness};

/// What a customer's browser brought back.
pub struct Consented<'a> {
    /// What authorizes.
    pub code: &'a Secret<String>,
    /// What the code is redeemed with (RFC 7636), where the provider was told of it.
    pub verifier: Option<&'a Secret<String>>,
    /// Where the browser was told to come back to.
    pub callback: &'a str,
    /// All that it brought, as the connector's methods see it: `queryParameters`.
    pub query: &'a Value,
}

/// What the first exchange brought.
pub struct FirstTokens {
    /// What the provider said.
    pub reply: Zeroizing<Value>,
    /// The status of its answer; none where the connector's own method asked.
    pub status: Option<u16>,
    /// The scopes that it named, if it did.
    pub scopes: Option<Vec<String>>,
    /// When it came.
    pub arrival: Arrival,
}

/// The first credentials.
pub struct FirstCredentials {
    /// What the provider said, with what the connector makes of it over that.
    pub credentials: Zeroizing<Value>,
    /// When they end, if that is known.
    pub expires_at: Option<Timestamp>,
}

/// A token that the client's own credentials brought.
pub struct FirstToken {
    /// How long it lives, if that is known.
    pub lifetime: Option<Duration>,
}

/// Why a code brought no tokens.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The provider refused.
    #[error("the third party gave no tokens{}", said(.code, .description))]
    Refused {
        /// The status of its answer.
        status: u16,
        /// Its `error`; empty if it has none.
        code: String,
        /// Its `error_description`.
        description: String,
    },
    /// The provider does not take the OAuth app.
    #[error("the third party does not take the app{}", said(.code, .description))]
    App {
        /// The status of its answer.
        status: u16,
        /// Its `error`.
        code: String,
        /// Its `error_description`.
        description: String,
    },
    /// What it means as for any other exchange.
    #[error(transparent)]
    Exchange(#[from] RefreshError),
    /// The connector's own exchange failed.
    #[error("the connector's own exchange of the code failed: {0}")]
    Method(#[source] RunError),
}

impl Refresher {
    /// `getOAuthConfig` for a customer who is to consent, or has.
    ///
    /// # Errors
    /// The app is not configured as it must be.
    pub async fn oauth_config(&self, subject: &Subject<'_>) -> Result<OAuthConfig, RefreshError> {
        exchange::config(&self.sources.methods, subject.for_app_owner()).await
    }

    /// Exchanges a code for tokens, once: `getTokenData`, else the standard request. `account` has no credentials yet.
    ///
    /// # Errors
    /// There are none to be had for it.
    pub async fn redeem(
        &self,
        integration: &Integration,
        account: Account<'_>,
        config: &OAuthConfig,
        consented: &Consented<'_>,
    ) -> Result<FirstTokens, CodeError> {
        let subject = seen_by_methods(integration, account, consented)?;
        let own = self.sources.methods.token_data(&subject).await.map_err(CodeError::Method)?;
        let (reply, status, date) = match own {
            Some(reply) => (reply, None, None),
            None => {
                let response = self.exchanged(&subject, config, consented).await?;
                (exchange::fields(&response), Some(response.status()), response.date())
            }
        };
        let scopes = reply.get("scope").and_then(exchange::scopes);
        Ok(FirstTokens { reply, status, scopes, arrival: Arrival { at: self.clock.steady(), date } })
    }

    /// What the connector makes of the first tokens: its `getCredentialsFromAccessTokenResponse` over them. `query`: what the
    /// browser brought back.
    ///
    /// # Errors
    /// The method fails.
    pub async fn first_credentials(
        &self,
        integration: &Integration,
        account: Account<'_>,
        query: &Value,
        tokens: &FirstTokens,
    ) -> Result<FirstCredentials, RunError> {
        let mut credentials = Zeroizing::new(Value::empty_object());
        lay_over(&mut credentials, &tokens.reply);
        let mut expires_at = exchange::ends(integration, account, &tokens.reply, tokens.arrival);
        let seen = Account { credentials: Some(&credentials), ..account };
        let subject = Subject::new(integration, seen)?.with("queryParameters", query);
        let own = self.sources.methods.from_access_token_response(&subject, &tokens.reply).await?;
        drop(subject);
        if let Some(own) = own {
            lay_over(&mut credentials, &own);
            let made = Arrival::undated(tokens.arrival.at);
            expires_at = freshness::expiry(&own, made).or(expires_at);
        }
        // A token that ended before it came says that somebody's clock or unit is wrong: use it until it is refused.
        Ok(FirstCredentials { credentials, expires_at: expires_at.filter(|end| *end > self.clock.steady()) })
    }

    async fn exchanged(
        &self,
        subject: &Subject<'_>,
        config: &OAuthConfig,
        consented: &Consented<'_>,
    ) -> Result<TokenResponse, CodeError> {
        let Consented { code, verifier, callback, .. } = *consented;
        let request = TokenRequest {
            token_uri: &config.token_uri,
            client: client(config),
            grant: Grant::AuthorizationCode { code, redirect_uri: callback, code_verifier: verifier },
            scope: None,
            extra: &config.first_parameters(),
            encoding: encoding(config),
            now: self.clock.now(),
            reading: reading(config),
            egress: subject.for_app_owner().allowed().egress,
        };
        self.recorded(subject, self.sources.tokens.exchange(&request)).await
    }

    /// Waits for an exchange, notes how it went, and says what its failure means.
    async fn recorded<T>(
        &self,
        subject: &Subject<'_>,
        exchange: impl Future<Output = Result<T, ExchangeError>>,
    ) -> Result<T, CodeError> {
        let started = Instant::now();
        let reply = exchange.await.map_err(Failure::Exchange);
        let outcome = reply.as_ref().map_or_else(Failure::label, |_| RefreshOutcome::Refreshed);
        let detail = reply.as_ref().err().map(Failure::detail).unwrap_or_default();
        self.telemetry.refresh(subject.integration.key.as_str(), "", outcome, started.elapsed(), &detail);
        reply.map_err(|failure| match failure {
            Failure::Exchange(ExchangeError::DeadGrant { status, code, description }) => {
                CodeError::Refused { status, code, description }
            }
            Failure::Exchange(ExchangeError::Unknown { status, code }) => {
                let description = format!("status {status}");
                // That there is no code is told by one, which nobody must take for the provider's.
                let code = if code == "none" { String::new() } else { code };
                CodeError::Refused { status, code, description }
            }
            Failure::Exchange(ExchangeError::DeadApp { status, code, description }) => {
                CodeError::App { status, code, description }
            }
            failure => failure.meaning(self.clock.steady()).into(),
        })
    }
}

/// As `: invalid_grant (it was used before)`, as far as it is said.
fn said(code: &str, description: &str) -> String {
    match (code, description) {
        ("", "") => String::new(),
        (one, "") | ("", one) => format!(": {one}"),
        (code, description) => format!(": {code} ({description})"),
    }
}

/// A code is all that the connector's own exchange has, so it sees everything.
fn seen_by_methods<'a>(
    integration: &'a Integration,
    account: Account<'a>,
    consented: &Consented<'_>,
) -> Result<Subject<'a>, RefreshError> {
    let subject = Subject::new(integration, account).map_err(|error| RefreshError::misfit(&error))?;
    let subject = subject
        .with("queryParameters", consented.query)
        .with("redirectUri", &Value::from(consented.callback))
        .with_secret("code", consented.code);
    Ok(match consented.verifier {
        Some(verifier) => subject.with_secret("codeVerifier", verifier),
        None => subject,
    })
}
