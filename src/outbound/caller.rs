//! Who asks: a token's owner, or the customer that a trusted service names.
//! Never looks at what is asked for.

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode;

use super::Config;
use super::rejection::Rejection;
use crate::names::{CustomerId, Owner, WorkspaceKey};
use crate::token::{Caller, Policy, Verifier};

/// Headers that hold nothing but a token.
static TOKEN_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-membrane-token"),
    HeaderName::from_static("x-integration-app-token"),
    HeaderName::from_static("x-sidegate-token"),
];
/// The pair by which a trusted service names its customer, as the inbound side named it to the service.
static WORKSPACE: HeaderName = HeaderName::from_static("x-sidegate-workspace");
static CUSTOMER: HeaderName = HeaderName::from_static("x-sidegate-customer");

/// Finds out who asks. Shared by the credential proxy and the API; a reload swaps it whole.
pub struct Callers {
    config: Arc<Config>,
    verifier: Arc<Verifier>,
    policy: Policy,
}

impl Callers {
    /// Tokens of every workspace are taken.
    #[must_use]
    pub fn new(config: Config, verifier: Arc<Verifier>) -> Self {
        Self { config: Arc::new(config), verifier, policy: Policy::default() }
    }

    /// The same after a reload: other keys, and another service secret if there is a `config`. Whether whoever connects is
    /// trusted stays as it is, for the address that makes it safe stays too.
    #[must_use]
    pub fn reloaded(&self, verifier: Arc<Verifier>, config: Option<Config>) -> Self {
        let config = match config {
            Some(config) => Arc::new(Config { trust_caller: self.config.trust_caller, ..config }),
            None => Arc::clone(&self.config),
        };
        Self { config, verifier, policy: Policy::default() }
    }

    /// The caller. Several tokens must be the same; a pair beside a token must name the token's own customer.
    ///
    /// # Errors
    /// Without a caller, with more than one, or with a token that does not verify.
    pub async fn identify(&self, headers: &HeaderMap) -> Result<Caller, Rejection> {
        let pair = pair(headers)?;
        match (self.token(headers)?, pair) {
            (Some(token), pair) => {
                let caller = Caller::from_token(self.verifier.verify_or_fetch(token, &self.policy).await?);
                if pair.is_some() && pair != caller.owner() {
                    return Err(Rejection::CallersDisagree);
                }
                Ok(caller)
            }
            (None, Some(_)) if !self.trusts(headers) => Err(Rejection::CallerNotTrusted),
            (None, Some(Owner { workspace, customer })) => Ok(Caller::trusted(workspace, customer)),
            (None, None) => Err(Rejection::NoCaller),
        }
    }

    /// The one token that was sent. In Authorization only what has a token's three parts counts: clients put their own
    /// placeholder keys there, and the service secret stands there too.
    fn token<'h>(&self, headers: &'h HeaderMap) -> Result<Option<&'h str>, Rejection> {
        let bearers = bearers(headers).filter(|bearer| {
            !self.is_service_secret(bearer) && bearer.iter().filter(|byte| **byte == b'.').count() == 2
        });
        let named = TOKEN_HEADERS.iter().flat_map(|name| headers.get_all(name)).map(HeaderValue::as_bytes);
        let mut tokens = bearers.chain(named);
        let Some(token) = tokens.next() else { return Ok(None) };
        if tokens.any(|other| other != token) {
            return Err(Rejection::TokenHeadersDisagree);
        }
        std::str::from_utf8(token).map(Some).map_err(|_| Rejection::UnreadableToken)
    }

    /// Whether the pair is believed. With a service secret configured, only from who knows it.
    fn trusts(&self, headers: &HeaderMap) -> bool {
        match self.config.service_secret {
            Some(_) => bearers(headers).any(|bearer| self.is_service_secret(bearer)),
            None => self.config.trust_caller,
        }
    }

    fn is_service_secret(&self, bearer: &[u8]) -> bool {
        self.config.service_secret.as_ref().is_some_and(|secret| secret.matches(bearer))
    }
}

/// What follows `Bearer` in each Authorization header (RFC 6750 section 2.1; the scheme in any case).
fn bearers(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(AUTHORIZATION).iter().filter_map(|value| {
        let (scheme, bearer) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| bearer.trim_ascii())
    })
}

/// The pair, both or neither, percent-decoded.
fn pair(headers: &HeaderMap) -> Result<Option<Owner>, Rejection> {
    match (named(headers, &WORKSPACE)?, named(headers, &CUSTOMER)?) {
        (Some(workspace), Some(customer)) => {
            Ok(Some(Owner { workspace: WorkspaceKey::from(workspace), customer: CustomerId::from(customer) }))
        }
        (None, None) => Ok(None),
        _ => Err(Rejection::MalformedPair("one of the two is missing")),
    }
}

fn named(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, Rejection> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::MalformedPair("one of the two was sent twice"));
    }
    match percent_decode(value.as_bytes()).decode_utf8() {
        Ok(text) if !text.is_empty() => Ok(Some(text.into_owned())),
        _ => Err(Rejection::MalformedPair("one of the two is empty or not UTF-8")),
    }
}

#[cfg(test)]
mod tests;
