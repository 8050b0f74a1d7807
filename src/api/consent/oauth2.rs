//! OAuth 2.0's part of a consent: the authorize URL, and the code that comes back for it (RFC 6749 section 4.1).
//! Never decides what is connected, or whether the credentials work.

use url::Url;

use super::answer::Brought;
use super::trail::{self, Trail};
use super::{Away, Question, Redeemed, app_owner, wanted_scopes};
use crate::api::Api;
use crate::api::rejection::Rejection;
use crate::connector::{GrantType, OAuthConfig};
use crate::oauth::authorization::{AuthorizationRequest, code_verifier};
use crate::refresh::{Consented, RefreshError};
use crate::secret::Secret;
use crate::steps::Stage;
use crate::store::Consent;

impl Api {
    /// Where to send the browser. None if it is the app's own credentials that make the first token.
    pub(super) async fn asked_by_oauth2(
        &self,
        question: &Question<'_>,
        trail: &mut Trail<'_>,
    ) -> Result<Option<Away>, Rejection> {
        trail.plan(Stage::OAUTH2);
        trail.begin(Stage::Settings);
        let config = trail.ended(self.oauth2_settings(question).await, trail::settings)?;
        if config.grant_type == GrantType::ClientCredentials {
            trail.plan(&[]);
            return Ok(None);
        }
        trail.begin(Stage::Authorization);
        let made = authorization(question, &config).map_err(|error| self.not_refreshed(error));
        let (place, proof) = trail.ended(made, |(place, _)| trail::query(place.query_pairs()))?;
        Ok(Some(Away { place, temporary: None, proof }))
    }

    /// What the code that the browser brought back gives.
    pub(super) async fn redeemed_by_oauth2(
        &self,
        question: &Question<'_>,
        consent: &Consent,
        brought: &Brought,
        trail: &mut Trail<'_>,
    ) -> Result<Redeemed, Rejection> {
        let Question { with, secrets, callback, .. } = *question;
        let config = self.oauth2_settings(question).await;
        let code = config.and_then(|config| Ok((brought.code(&config)?, config)));
        let (code, config) = trail.ended(code, |_| trail::query(brought.pairs()))?;
        let (verifier, query) = (consent.proof.as_ref(), brought.query());
        let consented = Consented { code: &code, verifier, callback, query };
        trail.begin(Stage::Exchange);
        let account = with.account(secrets);
        let tokens = self.refresher.redeem(with.integration, account, &config, &consented).await;
        let tokens = tokens.map_err(|error| self.not_redeemed(error));
        let tokens = trail.exchanged(tokens)?;
        let asked = wanted_scopes(with, &config.scopes).to_vec();
        // RFC 6749 section 5.1: a reply that names no scope grants what was asked for.
        let granted = tokens.scopes.clone().unwrap_or_else(|| asked.clone());
        Ok(Redeemed { tokens, asked, granted: Some(granted), renews: !config.no_refresh_token })
    }

    /// `getOAuthConfig`.
    async fn oauth2_settings(&self, question: &Question<'_>) -> Result<OAuthConfig, Rejection> {
        let config = self.refresher.oauth_config(&question.subject()?).await;
        config.map_err(|error| self.not_refreshed(error))
    }
}

/// The address that asks for a consent, and what the code is to be redeemed with.
fn authorization(
    question: &Question<'_>,
    config: &OAuthConfig,
) -> Result<(Url, Option<Secret<String>>), RefreshError> {
    let misconfigured = |reason: &str| RefreshError::MisconfiguredApp { reason: reason.to_owned() };
    let Question { with, callback, state, .. } = *question;
    let Some(authorize_uri) = &config.authorize_uri else {
        return Err(misconfigured("the connector gives no authorizeUri"));
    };
    let (owner, option) = app_owner(with);
    if !owner.admits_authorization_endpoint(option, authorize_uri, &config.token_uri) {
        return Err(misconfigured(super::NOT_ADMITTED));
    }
    let verifier = (!config.skip_pkce).then(code_verifier);
    let request = AuthorizationRequest {
        authorize_uri,
        client_id: &config.client_id,
        client_id_name: config.token_endpoint.client_id_name(),
        redirect_uri: callback,
        scopes: wanted_scopes(with, &config.scopes),
        state,
        verifier: verifier.as_ref(),
        extra: &config.extra,
    };
    let url = request.url().map_err(|_| misconfigured("its authorizeUri is no URL"))?;
    Ok((url, verifier))
}
