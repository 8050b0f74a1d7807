//! Runs a connector's method, whatever it is written in, and gives what `connector` makes of its result.
//! Never stores anything, and never decides when a method is to run.

mod error;
mod request;
mod script;
mod subject;

use std::sync::Arc;

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

pub use error::{FailureKind, RunError};
pub use subject::{Account, Subject, User};

use crate::clock::Clock;
use crate::connector::{ApiClient, AuthType, Implementation, Method, MethodError, OAuth1Config, OAuthConfig};
use crate::formula::{Template, Value};
use crate::http::client::Client;
use crate::script::Scripts;
use crate::token::Verifier;

/// Runs methods. One per worker, so that what it sends stays on the worker; one for the shared runtime.
#[derive(Clone)]
pub struct Methods {
    client: Arc<Client>,
    keys: Keys,
    scripts: Arc<Scripts>,
    clock: Arc<dyn Clock>,
}

/// The keys of the workspaces, as they are now.
pub type Keys = Arc<ArcSwap<Verifier>>;

/// What testing a connection came to, where it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tested {
    /// The third party takes the credentials.
    Passed {
        /// The status of the answer that says so, where the test is one request.
        status: Option<u16>,
    },
    /// The connector has no test.
    NoTest,
}

/// What a method gave; None is "undefined".
type Made = Result<Option<Zeroizing<Value>>, RunError>;

impl Methods {
    /// `client`: what a method's requests are sent with, through the egress guard. `scripts`: what runs those in JavaScript.
    /// `keys`: what tokens of ours are signed with. `clock`: the time in signatures.
    #[must_use]
    pub fn new(client: Arc<Client>, scripts: Arc<Scripts>, keys: Keys, clock: Arc<dyn Clock>) -> Self {
        Self { client, keys, scripts, clock }
    }

    /// `makeApiClient`.
    ///
    /// # Errors
    /// If it gives no base URI, or anything that cannot be sent.
    pub async fn api_client(&self, subject: &Subject<'_>) -> Result<ApiClient, RunError> {
        let made = self.computed(Method::MakeApiClient, subject).await?.unwrap_or_else(nothing);
        let mut client = subject.option.api_client(&made)?;
        self.add_token(&mut client, subject)?;
        if subject.option.auth == AuthType::OAuth1 {
            let token = subject.option.oauth1_token(subject.input().credentials)?;
            client.signer = Some(self.oauth1_config(subject).await?.signer(Some(token)));
        }
        Ok(client)
    }

    /// Puts a token of ours in, where the third party wants one.
    fn add_token(&self, client: &mut ApiClient, subject: &Subject<'_>) -> Result<(), RunError> {
        if !subject.option.auth.is_minted() {
            return Ok(());
        }
        let (owner, fields) = subject.customer().ok_or(RunError::NoCustomer)?;
        let fields = fields.map_or_else(|| serde_json::json!({}), serde_json::Value::from);
        for name in subject.option.auth.token_headers() {
            let token = self.keys.load().mint_for(owner, fields.clone()).map_err(RunError::Token)?;
            client.headers.retain(|(other, _)| other != name);
            client.headers.push((name.clone(), token));
        }
        Ok(())
    }

    /// `getOAuthConfig`, of an oauth2 connector.
    ///
    /// # Errors
    /// If a required field is missing or malformed.
    pub async fn oauth_config(&self, subject: &Subject<'_>) -> Result<OAuthConfig, RunError> {
        let made = self.computed(Method::GetOAuthConfig, subject).await?.unwrap_or_else(nothing);
        Ok(subject.option.oauth_config(&made)?)
    }

    /// `getOAuthConfig`, of an oauth1 connector.
    ///
    /// # Errors
    /// If a required field is missing or malformed.
    pub async fn oauth1_config(&self, subject: &Subject<'_>) -> Result<OAuth1Config, RunError> {
        let made = self.computed(Method::GetOAuthConfig, subject).await?.unwrap_or_else(nothing);
        Ok(subject.option.oauth1_config(&made)?)
    }

    /// The credentials to store for what the customer typed in: `getCredentialsFromConnectionParameters`; without it, just that.
    ///
    /// # Errors
    /// If the method gives no object.
    pub async fn first_credentials(&self, subject: &Subject<'_>) -> Result<Zeroizing<Value>, RunError> {
        let method = Method::CredentialsFromParameters;
        match subject.option.implementation(method) {
            None => Ok(Zeroizing::new(subject.input().connection_parameters.clone())),
            Some(_) => self.credentials(method, subject).await,
        }
    }

    /// `getTokenData`: the first token response, where the standard exchange of a code does not fit. None without the method.
    ///
    /// # Errors
    /// If the method fails, or gives no object.
    pub async fn token_data(&self, subject: &Subject<'_>) -> Result<Option<Zeroizing<Value>>, RunError> {
        match subject.option.implementation(Method::GetTokenData) {
            None => Ok(None),
            Some(_) => self.credentials(Method::GetTokenData, subject).await.map(Some),
        }
    }

    /// What the first token response adds to the credentials, if the connector has a method for it:
    /// `getCredentialsFromAccessTokenResponse`. It sees `tokenResponse`.
    ///
    /// # Errors
    /// If the method gives no object.
    pub async fn from_access_token_response(
        &self,
        subject: &Subject<'_>,
        response: &Value,
    ) -> Result<Option<Zeroizing<Value>>, RunError> {
        self.of_response(&[Method::CredentialsFromAccessToken], subject, response).await
    }

    /// What a later token response adds to the credentials, if the connector has a method for it:
    /// `getCredentialsFromRefreshTokenResponse`, else the one for access tokens. It sees `tokenResponse`.
    ///
    /// # Errors
    /// If the method gives no object.
    pub async fn from_refresh_token_response(
        &self,
        subject: &Subject<'_>,
        response: &Value,
    ) -> Result<Option<Zeroizing<Value>>, RunError> {
        let methods = [Method::CredentialsFromRefreshToken, Method::CredentialsFromAccessToken];
        self.of_response(&methods, subject, response).await
    }

    /// What the first of these methods that there is makes of a token response.
    async fn of_response(
        &self,
        methods: &[Method],
        subject: &Subject<'_>,
        response: &Value,
    ) -> Result<Option<Zeroizing<Value>>, RunError> {
        let mut methods = methods.iter().copied();
        let method = methods.find(|method| subject.option.implementation(*method).is_some());
        let Some(method) = method else { return Ok(None) };
        let more = [("tokenResponse", response)];
        let made = self.run(method, subject, &more).await?.unwrap_or_else(nothing);
        Ok(Some(subject.option.credentials(method, made)?))
    }

    /// `refreshCredentials`: what is new of the credentials, to be laid over the old. None without the method.
    ///
    /// # Errors
    /// If the method fails, or gives no object.
    pub async fn refreshed(&self, subject: &Subject<'_>) -> Result<Option<Zeroizing<Value>>, RunError> {
        let method = Method::RefreshCredentials;
        match subject.option.implementation(method) {
            None => Ok(None),
            Some(_) => self.credentials(method, subject).await.map(Some),
        }
    }

    /// `test`: fails where it says no.
    ///
    /// # Errors
    /// If the third party refuses, or the method gives what counts as false.
    pub async fn test(&self, subject: &Subject<'_>) -> Result<Tested, RunError> {
        let Some(test) = subject.option.implementation(Method::Test) else { return Ok(Tested::NoTest) };
        let (made, status) = match test {
            Implementation::Request(mapping) => {
                let (made, status) = self.request(Method::Test, mapping, subject.whose(Method::Test)).await?;
                (made, Some(status.as_u16()))
            }
            _ => (self.run(Method::Test, subject, &[]).await?, None),
        };
        match made {
            Some(made) if made.truthy() => Ok(Tested::Passed { status }),
            // The vendor's older scripts return nothing, and throw where the credentials do not work.
            None if matches!(test, Implementation::Script(_)) => Ok(Tested::Passed { status }),
            _ => Err(RunError::TestSaysNo { status }),
        }
    }

    /// `disconnect`. False without the method.
    ///
    /// # Errors
    /// If the method fails.
    pub async fn disconnect(&self, subject: &Subject<'_>) -> Result<bool, RunError> {
        if subject.option.implementation(Method::Disconnect).is_none() {
            return Ok(false);
        }
        self.run(Method::Disconnect, subject, &[]).await.map(|_| true)
    }

    /// A method whose result is credentials, or a part of them.
    async fn credentials(&self, method: Method, subject: &Subject<'_>) -> Result<Zeroizing<Value>, RunError> {
        let made = self.run(method, subject, &[]).await?.unwrap_or_else(nothing);
        Ok(subject.option.credentials(method, made)?)
    }

    /// Runs any method. `more`: what it sees beside the usual variables.
    async fn run(&self, method: Method, subject: &Subject<'_>, more: &[(&str, &Value)]) -> Made {
        let subject = subject.whose(method);
        match subject.option.implementation(method) {
            Some(Implementation::Request(mapping)) => {
                self.request(method, mapping, subject).await.map(|(made, _)| made)
            }
            Some(Implementation::Mapping(mapping)) => evaluate(method, mapping, subject, more),
            Some(Implementation::Script(script)) => self.script(method, script, subject, more).await,
            None => Ok(None),
        }
    }

    /// Runs a method that no request of its own connector may stand behind: requests need its result.
    async fn computed(&self, method: Method, subject: &Subject<'_>) -> Made {
        let subject = subject.whose(method);
        match subject.option.implementation(method) {
            Some(Implementation::Mapping(mapping)) => evaluate(method, mapping, subject, &[]),
            Some(Implementation::Script(script)) => self.script(method, script, subject, &[]).await,
            Some(Implementation::Request(_)) | None => Ok(None),
        }
    }
}

fn evaluate(method: Method, mapping: &Template, subject: &Subject<'_>, more: &[(&str, &Value)]) -> Made {
    let mut variables = subject.variables(method);
    for (name, value) in more {
        variables.set(name, value);
    }
    let made = mapping.evaluate(&variables);
    let made = made.map_err(|source| MethodError::Formula { method: method.name(), source })?;
    Ok(made.map(Zeroizing::new))
}

/// An undefined result counts as an empty object.
fn nothing() -> Zeroizing<Value> {
    Zeroizing::new(Value::empty_object())
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
