//! OAuth 1.0a's part of a consent: temporary credentials, and the verifier that comes back for them (RFC 5849 section 2).
//! Never decides what is connected, or whether the credentials work.

use url::Url;

use super::answer::Brought;
use super::rejection::ConsentError;
use super::trail::{self, Trail};
use super::{Away, Question, Redeemed, app_owner, wanted_scopes};
use crate::api::Api;
use crate::api::rejection::Rejection;
use crate::connector::OAuth1Config;
use crate::oauth::Temporary;
use crate::oauth::three_legged::authorize_url;
use crate::oauth1::Token;
use crate::refresh::RefreshError;
use crate::steps::{Payload, Stage};
use crate::store::Consent;

impl Api {
    /// Where to send the browser, with temporary credentials that are asked for at once.
    pub(super) async fn asked_by_oauth1(
        &self,
        question: &Question<'_>,
        trail: &mut Trail<'_>,
    ) -> Result<Away, Rejection> {
        trail.plan(Stage::OAUTH1);
        trail.begin(Stage::Settings);
        let config = self.oauth1_settings(question).await;
        let config = config.and_then(|config| {
            let (owner, option) = app_owner(question.with);
            match owner.admits_authorization_endpoint(option, &config.authorize_uri, &config.token_uri) {
                true => Ok(config),
                false => Err(self.misconfigured(super::NOT_ADMITTED)),
            }
        });
        let config = trail.ended(config, settings)?;
        trail.begin(Stage::RequestToken);
        let callback = with_state(question.callback, question.state);
        let subject = question.subject()?;
        let given = self.refresher.temporary_credentials(&subject, &config, &callback).await;
        let given = given.map_err(|error| self.not_redeemed(error));
        let told =
            |given: &Temporary| (Some(given.status), trail::query([("oauth_token", &given.token.key)]));
        let Temporary { token, .. } = trail.answered(given, told)?;
        trail.begin(Stage::Authorization);
        let scopes = wanted_scopes(question.with, &config.scopes);
        let place = authorize_url(&config.authorize_uri, &token, scopes, &config.extra);
        let place = place.map_err(|_| self.misconfigured("its authorizeUri is no URL"));
        let place = trail.ended(place, |place| trail::query(place.query_pairs()))?;
        Ok(Away { place, temporary: Some(token.key), proof: Some(token.secret) })
    }

    /// What the verifier that the browser brought back gives.
    pub(super) async fn redeemed_by_oauth1(
        &self,
        question: &Question<'_>,
        consent: &Consent,
        brought: &Brought,
        trail: &mut Trail<'_>,
    ) -> Result<Redeemed, Rejection> {
        let temporary = consent.temporary.as_deref().unwrap_or_default();
        let config = self.oauth1_settings(question).await;
        let brought_back = config.and_then(|config| Ok((brought.verifier(temporary)?, config)));
        let (verifier, config) = trail.ended(brought_back, |_| trail::query(brought.pairs()))?;
        trail.begin(Stage::Exchange);
        let secret = consent.proof.as_ref().ok_or(ConsentError::NoCode)?.duplicate();
        let token = Token { key: temporary.to_owned(), secret };
        let subject = question.subject()?;
        let tokens = self.refresher.redeem_verifier(&subject, &config, token, verifier).await;
        let tokens = tokens.map_err(|error| self.not_redeemed(error));
        let tokens = trail.exchanged(tokens)?;
        let asked = wanted_scopes(question.with, &config.scopes).to_vec();
        Ok(Redeemed { tokens, asked, granted: None, renews: false })
    }

    /// `getOAuthConfig`.
    async fn oauth1_settings(&self, question: &Question<'_>) -> Result<OAuth1Config, Rejection> {
        let config = self.refresher.oauth1_config(&question.subject()?).await;
        config.map_err(|error| self.not_refreshed(error))
    }

    fn misconfigured(&self, reason: &str) -> Rejection {
        self.not_refreshed(RefreshError::MisconfiguredApp { reason: reason.to_owned() })
    }
}

/// The protocol has no state of its own: ours stands in the query of the address to come back to.
fn with_state(callback: &str, state: &str) -> String {
    match Url::parse(callback) {
        Ok(mut url) => {
            url.query_pairs_mut().append_pair("state", state);
            url.into()
        }
        Err(_) => callback.to_owned(),
    }
}

fn settings(config: &OAuth1Config) -> Payload {
    trail::query([
        ("requestTokenUri", config.request_token_uri.as_str()),
        ("authorizeUri", config.authorize_uri.as_str()),
        ("tokenUri", config.token_uri.as_str()),
        ("oauth_signature_method", config.signature_method.name()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_comes_back_with_the_browser() {
        for (callback, expected) in [
            ("https://a.example/cb", "https://a.example/cb?state=1-2%3Ax"),
            ("https://a.example/cb?tenant=t", "https://a.example/cb?tenant=t&state=1-2%3Ax"),
        ] {
            assert_eq!(with_state(callback, "1-2:x"), expected);
        }
    }
}
