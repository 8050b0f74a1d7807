//! The first token of a connection by OAuth 1.0a: temporary credentials to send a browser away with, then the customer's own.
//! Never keeps either, and never sends a browser anywhere.

use crate::connector::OAuth1Config;
use crate::method::Subject;
use crate::oauth::{OAuth1Request, Temporary};
use crate::oauth1::{Stamp, Token};
use crate::refresh::exchange::{check_app, fields};
use crate::refresh::freshness::Arrival;
use crate::refresh::{CodeError, FirstTokens, RefreshError, Refresher};
use crate::report::report;

impl Refresher {
    /// `getOAuthConfig` of an oauth1 connector, for a customer who is to consent, or has.
    ///
    /// # Errors
    /// The app is not configured as it must be.
    pub async fn oauth1_config(&self, subject: &Subject<'_>) -> Result<OAuth1Config, RefreshError> {
        let subject = subject.for_app_owner();
        check_app(subject)?;
        let misconfigured = |reason| RefreshError::MisconfiguredApp { reason };
        let config = self.sources.methods.oauth1_config(subject).await;
        let config = config.map_err(|error| misconfigured(report(&error).to_string()))?;
        let admits = |uri: &String| subject.integration.admits_token_endpoint(subject.option, uri);
        if [&config.request_token_uri, &config.token_uri].into_iter().all(admits) {
            return Ok(config);
        }
        let why = "an endpoint that gives tokens is computed, and the integration's `hosts` do not list it";
        Err(misconfigured(why.into()))
    }

    /// Credentials to send a browser away with, which the provider will send back to `callback`.
    ///
    /// # Errors
    /// There are none to be had.
    pub async fn temporary_credentials(
        &self,
        subject: &Subject<'_>,
        config: &OAuth1Config,
        callback: &str,
    ) -> Result<Temporary, CodeError> {
        let request = OAuth1Request {
            uri: &config.request_token_uri,
            signer: &config.signer(None),
            stamp: Stamp::new(self.clock.now()),
            egress: subject.for_app_owner().allowed().egress,
        };
        let asked = self.sources.tokens.temporary_credentials(&request, callback);
        self.recorded(subject, asked).await
    }

    /// The customer's token, for the temporary one that it consented to and the verifier that came back. Once.
    ///
    /// # Errors
    /// There is none to be had for them.
    pub async fn redeem_verifier(
        &self,
        subject: &Subject<'_>,
        config: &OAuth1Config,
        temporary: Token,
        verifier: &str,
    ) -> Result<FirstTokens, CodeError> {
        let request = OAuth1Request {
            uri: &config.token_uri,
            signer: &config.signer(Some(temporary)),
            stamp: Stamp::new(self.clock.now()),
            egress: subject.for_app_owner().allowed().egress,
        };
        let asked = self.sources.tokens.token_credentials(&request, verifier);
        let reply = self.recorded(subject, asked).await?;
        let arrival = Arrival { at: self.clock.steady(), date: reply.date() };
        Ok(FirstTokens { reply: fields(&reply), status: Some(reply.status()), scopes: None, arrival })
    }
}
