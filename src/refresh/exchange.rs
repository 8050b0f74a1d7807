//! What an exchange is made from, and what its reply makes of the credentials.
//! Pure; never sends, never stores.

use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::connector::{self, AuthType, GrantType, Integration, MethodError, MethodInput, OAuthConfig};
use crate::formula::Value;
use crate::http::egress::Egress;
use crate::names::AppId;
use crate::oauth::{ClientAuthentication, Grant, TokenRequest, TokenResponse};
use crate::report::report;
use crate::secret::Secret;
use crate::store::Secrets;

use super::freshness;
use super::outcome::RefreshError;

/// An exchange that is ready to be sent.
pub(super) struct Plan {
    config: OAuthConfig,
    /// None: the grant is the client's own.
    refresh_token: Option<Secret<String>>,
    scope: Option<String>,
    egress: Egress,
}

/// What a successful exchange brought.
pub(super) struct Granted {
    /// The existing credentials with the reply over them.
    pub(super) credentials: Value,
    pub(super) expires_at: Option<Timestamp>,
    /// The scopes the reply names, if it does.
    pub(super) scopes: Option<Vec<String>>,
    /// The tokens are good, but the connector's own method failed on the reply.
    pub(super) complaint: Option<String>,
}

impl Plan {
    /// For stored credentials.
    pub(super) fn of(
        integration: &Integration,
        app: Option<&AppId>,
        secrets: &Secrets,
    ) -> Result<Self, RefreshError> {
        let not_refreshable = |reason| Err(RefreshError::NotRefreshable { reason });
        if integration.connector.auth != AuthType::OAuth2 {
            return not_refreshable("this kind of credentials has no refresh");
        }
        let config = config(integration, app, secrets)?;
        if config.grant_type == GrantType::ClientCredentials {
            return Ok(Self::client_credentials(integration, config));
        }
        if config.no_refresh_token {
            return not_refreshable("the connector says that there is no refresh token");
        }
        match secrets.credentials.get("refresh_token").and_then(Value::as_str) {
            None | Some("") => not_refreshable("there is no refresh token"),
            Some(token) => {
                let refresh_token = Some(Secret::new(token.to_owned()));
                Ok(Self { config, refresh_token, scope: None, egress: egress(integration) })
            }
        }
    }

    /// For a connection that is being created; none if its first token comes another way.
    pub(super) fn first(
        integration: &Integration,
        app: Option<&AppId>,
        secrets: &Secrets,
    ) -> Result<Option<Self>, RefreshError> {
        if integration.connector.auth != AuthType::OAuth2 {
            return Ok(None);
        }
        let config = config(integration, app, secrets)?;
        let own = config.grant_type == GrantType::ClientCredentials;
        Ok(own.then(|| Self::client_credentials(integration, config)))
    }

    fn client_credentials(integration: &Integration, config: OAuthConfig) -> Self {
        let scopes = integration.scopes.as_ref().unwrap_or(&config.scopes).join(" ");
        let scope = Some(scopes).filter(|scopes| !scopes.is_empty());
        Self { config, refresh_token: None, scope, egress: egress(integration) }
    }

    /// Whether `secrets` hold the grant that the exchange spends.
    pub(super) fn spends(&self, secrets: &Secrets) -> bool {
        let held = secrets.credentials.get("refresh_token").and_then(Value::as_str);
        matches!((&self.refresh_token, held), (Some(spent), Some(held)) if spent.matches(held.as_bytes()))
    }

    pub(super) fn request(&self) -> TokenRequest<'_> {
        TokenRequest {
            token_uri: &self.config.token_uri,
            client_id: &self.config.client_id,
            client_secret: self.config.client_secret.as_ref(),
            authentication: match self.config.client_authentication {
                connector::ClientAuthentication::Header => ClientAuthentication::Header,
                connector::ClientAuthentication::Body => ClientAuthentication::Body,
                connector::ClientAuthentication::Both => ClientAuthentication::Both,
                connector::ClientAuthentication::None => ClientAuthentication::None,
            },
            grant: self.refresh_token.as_ref().map_or(Grant::ClientCredentials, Grant::RefreshToken),
            scope: self.scope.clone(),
            // `extra` belongs to the authorize URL; a grant without one sends it here (`audience`).
            extra: if self.refresh_token.is_some() { &[] } else { &self.config.extra },
            egress: self.egress,
        }
    }

    /// Lays the reply over the credentials. Whatever the connector's own method makes of it, the tokens are kept.
    pub(super) fn granted(
        &self,
        integration: &Integration,
        app: Option<&AppId>,
        secrets: &Secrets,
        reply: &TokenResponse,
        now: Timestamp,
    ) -> Granted {
        let fields = reply.fields().iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
        let reply = Zeroizing::new(Value::Object(fields.collect()));
        let mut credentials = secrets.credentials.clone();
        lay_over(&mut credentials, &reply);
        let (own, complaint) = match own_fields(integration, app, secrets, &credentials, &reply) {
            Ok(own) => (own.map(Zeroizing::new), None),
            Err(error) => (None, Some(report(&error).to_string())),
        };
        let mut expires_at = freshness::expiry(&reply, now);
        if let Some(own) = own {
            lay_over(&mut credentials, &own);
            expires_at = freshness::expiry(&own, now).or(expires_at);
        }
        // A token that ended before it came says that somebody's clock or unit is wrong: use it until it is refused.
        expires_at = expires_at.filter(|end| *end > now);
        Granted { credentials, expires_at, scopes: reply.get("scope").and_then(scopes), complaint }
    }
}

/// What the connector's own method makes of the reply.
fn own_fields(
    integration: &Integration,
    app: Option<&AppId>,
    secrets: &Secrets,
    credentials: &Value,
    reply: &Value,
) -> Result<Option<Value>, MethodError> {
    let parameters = integration.connector_parameters(app, &secrets.connector_parameters);
    let input = MethodInput {
        connector_parameters: &parameters,
        connection_parameters: &secrets.input,
        credentials: Some(credentials),
    };
    integration.connector.credentials_from_token_response(&input, reply)
}

fn config(
    integration: &Integration,
    app: Option<&AppId>,
    secrets: &Secrets,
) -> Result<OAuthConfig, RefreshError> {
    // A connection stays with the app that granted it: another app's secret would be refused, or worse, accepted.
    if let Some(id) = app
        && integration.app(Some(id)).is_none()
    {
        return Err(RefreshError::MisconfiguredApp { reason: format!("the app {id} is not configured") });
    }
    let parameters = integration.connector_parameters(app, &secrets.connector_parameters);
    let input = MethodInput {
        connector_parameters: &parameters,
        connection_parameters: &secrets.input,
        credentials: Some(&secrets.credentials),
    };
    let misconfigured = |reason| RefreshError::MisconfiguredApp { reason };
    let config = integration
        .connector
        .oauth_config(&input)
        .map_err(|error| misconfigured(report(&error).to_string()))?;
    if !integration.admits_token_endpoint(&config.token_uri) {
        return Err(misconfigured(
            "the token endpoint is computed, and the integration's `hosts` do not list it".into(),
        ));
    }
    Ok(config)
}

fn egress(integration: &Integration) -> Egress {
    Egress { allow_private: integration.allow_private, allow_plain: integration.allow_plain }
}

/// Shallow, as the vendor does it; but only a text that is not empty replaces a `refresh_token`.
fn lay_over(credentials: &mut Value, reply: &Value) {
    let Value::Object(new) = reply else { return };
    if let Value::Object(old) = credentials {
        for (name, value) in new {
            let is_token = value.as_str().is_some_and(|text| !text.is_empty());
            if name != "refresh_token" || is_token {
                old.insert(name.clone(), value.clone());
            }
        }
    } else {
        *credentials = reply.clone();
    }
}

/// A list, or text with spaces (RFC 6749 section 3.3) or commas.
fn scopes(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => {
            let parts = text.split([' ', ',']).filter(|scope| !scope.is_empty());
            Some(parts.map(str::to_owned).collect())
        }
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}
