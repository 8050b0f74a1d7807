//! What an exchange is made from, and what its reply makes of the credentials.
//! Never stores, and never decides when to ask.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::connector::{self, AuthType, GrantType, Integration, OAuthConfig};
use crate::formula::Value;
use crate::http::egress::Egress;
use crate::method::{Account, Methods, RunError, Subject};
use crate::oauth::{
    AppFingerprint, Basic, Client, ClientAuthentication, Encoding, Grant, Reading, TokenRequest,
    TokenResponse,
};
use crate::report::report;
use crate::secret::Secret;
use crate::store::Secrets;

use super::endpoints::Endpoint;
use super::freshness::Arrival;
use super::outcome::{Failure, RefreshError};
use super::{Sources, freshness};

/// An exchange that is ready to be sent.
pub(super) enum Plan {
    /// A token request.
    Tokens(Box<TokenPlan>),
    /// The connector's `refreshCredentials`, with the credentials that it sees.
    Method(Zeroizing<Value>),
}

/// A token request that is ready to be sent.
pub(super) struct TokenPlan {
    config: OAuthConfig,
    /// None: the grant is the client's own.
    refresh_token: Option<Secret<String>>,
    scope: Option<String>,
    /// Further fields.
    parameters: Vec<(String, String)>,
    egress: Egress,
}

/// What came back.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// A token response, its fields by the provider's names; and when it was sent, by the provider's clock.
    Tokens(Zeroizing<Value>, Option<Timestamp>),
    /// What `refreshCredentials` gave.
    Method(Zeroizing<Value>),
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
    /// For stored credentials. A connector's own method goes before the standard exchange.
    pub(super) async fn of(
        methods: &Methods,
        borrower: &Subject<'_>,
        secrets: &Secrets,
    ) -> Result<Self, RefreshError> {
        let subject = borrower.for_app_owner();
        let not_refreshable = |reason| Err(RefreshError::NotRefreshable { reason });
        if subject.option.has_refresh_method() {
            check_app(subject)?;
            return Ok(Self::Method(Zeroizing::new(secrets.credentials.clone())));
        }
        if subject.option.auth != AuthType::OAuth2 {
            return not_refreshable("this kind of credentials has no refresh");
        }
        let mut config = config(methods, subject).await?;
        if config.grant_type == GrantType::ClientCredentials {
            return Ok(Self::client_credentials(borrower, config));
        }
        if config.no_refresh_token {
            return not_refreshable("the connector says that there is no refresh token");
        }
        match refresh_token(&secrets.credentials) {
            None => not_refreshable("there is no refresh token"),
            Some(token) => {
                let refresh_token = Some(Secret::new(token.to_owned()));
                let egress = subject.allowed().egress;
                let settings = Arc::clone(&config.token_endpoint);
                config.token_uri = settings.refresh_uri.clone().unwrap_or(config.token_uri);
                let parameters = settings.refresh_parameters.clone();
                let plan = TokenPlan { config, refresh_token, scope: None, parameters, egress };
                Ok(Self::Tokens(Box::new(plan)))
            }
        }
    }

    /// For a connection that is being created; none if its first token comes another way.
    pub(super) async fn first(
        methods: &Methods,
        borrower: &Subject<'_>,
    ) -> Result<Option<Self>, RefreshError> {
        let subject = borrower.for_app_owner();
        if subject.option.auth != AuthType::OAuth2 {
            return Ok(None);
        }
        let config = config(methods, subject).await?;
        let own = config.grant_type == GrantType::ClientCredentials;
        Ok(own.then(|| Self::client_credentials(borrower, config)))
    }

    fn client_credentials(subject: &Subject<'_>, config: OAuthConfig) -> Self {
        let scopes = subject.scopes().unwrap_or(&config.scopes).join(" ");
        let scope = Some(scopes).filter(|scopes| !scopes.is_empty());
        let egress = subject.for_app_owner().allowed().egress;
        let parameters = config.first_parameters();
        Self::Tokens(Box::new(TokenPlan { config, refresh_token: None, scope, parameters, egress }))
    }

    /// Whether `secrets` hold what the exchange spends.
    pub(super) fn spends(&self, secrets: &Secrets) -> bool {
        match self {
            Self::Tokens(plan) => {
                let held = refresh_token(&secrets.credentials);
                matches!((&plan.refresh_token, held), (Some(spent), Some(held)) if spent.matches(held.as_bytes()))
            }
            Self::Method(seen) => secrets.credentials == **seen,
        }
    }

    /// Whether it uses the refresh token that the credentials have. A connector's own method may.
    pub(super) fn uses_refresh_token(&self) -> bool {
        match self {
            Self::Tokens(plan) => plan.refresh_token.is_some(),
            Self::Method(_) => true,
        }
    }

    /// The app that it speaks for; none where a connector's own method asks.
    pub(super) fn app(&self, integration: &Integration) -> Option<AppFingerprint> {
        match self {
            Self::Tokens(plan) => {
                let TokenPlan { config, parameters, .. } = &**plan;
                let (whose, uri) = (integration.key.as_str(), &config.token_uri);
                Some(AppFingerprint::of(whose, uri, &client(config), encoding(config), parameters))
            }
            Self::Method(_) => None,
        }
    }

    /// Where it goes; none where a connector's own method asks.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        match self {
            Self::Tokens(plan) => {
                Some(Endpoint { uri: plan.config.token_uri.as_str().into(), egress: plan.egress })
            }
            Self::Method(_) => None,
        }
    }

    /// Sends it once, at `now`.
    pub(super) async fn send(
        &self,
        sources: &Sources,
        subject: &Subject<'_>,
        now: Timestamp,
    ) -> Result<Reply, Failure> {
        match self {
            Self::Tokens(plan) => {
                let response =
                    sources.tokens.exchange(&plan.request(now)).await.map_err(Failure::Exchange)?;
                Ok(Reply::Tokens(fields(&response), response.date()))
            }
            Self::Method(_) => {
                let made = sources.methods.refreshed(subject).await.map_err(Failure::Method)?;
                Ok(Reply::Method(made.unwrap_or_else(|| Zeroizing::new(Value::empty_object()))))
            }
        }
    }
}

/// The refresh token among credentials.
pub(super) fn refresh_token(credentials: &Value) -> Option<&str> {
    credentials.get("refresh_token").and_then(Value::as_str).filter(|token| !token.is_empty())
}

impl TokenPlan {
    fn request(&self, now: Timestamp) -> TokenRequest<'_> {
        TokenRequest {
            token_uri: &self.config.token_uri,
            client: client(&self.config),
            grant: self.refresh_token.as_ref().map_or(Grant::ClientCredentials, Grant::RefreshToken),
            scope: self.scope.clone(),
            extra: &self.parameters,
            encoding: encoding(&self.config),
            now,
            reading: reading(&self.config),
            egress: self.egress,
        }
    }
}

impl Reply {
    /// Lays the reply over the account's credentials. Whatever the connector's own method makes of it, the tokens are kept.
    pub(super) async fn granted(
        &self,
        methods: &Methods,
        integration: &Integration,
        account: Account<'_>,
        now: Timestamp,
    ) -> Granted {
        let mut credentials = account.credentials.cloned().unwrap_or_else(Value::empty_object);
        let (reply, date) = match self {
            Self::Tokens(reply, date) => (reply, *date),
            Self::Method(reply) => (reply, None),
        };
        lay_over(&mut credentials, reply);
        let mut expires_at = ends(integration, account, reply, Arrival { at: now, date });
        let mut complaint = None;
        if let Self::Tokens(reply, _) = self {
            let account = Account { credentials: Some(&credentials), ..account };
            match own_fields(methods, integration, account, reply).await {
                Ok(Some(own)) => {
                    lay_over(&mut credentials, &own);
                    expires_at = freshness::expiry(&own, Arrival::undated(now)).or(expires_at);
                }
                Ok(None) => {}
                Err(error) => complaint = Some(report(&error).to_string()),
            }
        }
        // A token that ended before it came says that somebody's clock or unit is wrong: use it until it is refused.
        expires_at = expires_at.filter(|end| *end > now);
        Granted { credentials, expires_at, scopes: reply.get("scope").and_then(scopes), complaint }
    }
}

/// When a token that came with `reply` ends: as that says, else as the integration does.
pub(super) fn ends(
    integration: &Integration,
    account: Account<'_>,
    reply: &Value,
    arrival: Arrival,
) -> Option<Timestamp> {
    let lifetime = || {
        let subject = Subject::new(integration, account).ok()?;
        subject.for_app_owner().integration.token_endpoint.lifetime
    };
    freshness::expiry(reply, arrival).or_else(|| lifetime().map(|lifetime| arrival.at.plus(lifetime)))
}

/// What the connector's own method makes of a token response.
async fn own_fields(
    methods: &Methods,
    integration: &Integration,
    account: Account<'_>,
    reply: &Value,
) -> Result<Option<Zeroizing<Value>>, RunError> {
    methods.from_refresh_token_response(&Subject::new(integration, account)?, reply).await
}

/// The app as the token client has it.
pub(super) fn client(config: &OAuthConfig) -> Client<'_> {
    let settings = &config.token_endpoint;
    Client {
        id: &config.client_id,
        secret: config.client_secret.as_ref(),
        private_key: config.private_key.as_deref(),
        authentication: authentication(config),
        id_name: settings.client_id_name(),
        secret_name: settings.client_secret_name(),
        audience: settings.audience.as_deref(),
    }
}

/// The connector's word for how the client proves itself, as the token client has it.
fn authentication(config: &OAuthConfig) -> ClientAuthentication {
    let basic = if config.token_endpoint.basic_is_raw { Basic::Raw } else { Basic::Encoded };
    match config.client_authentication {
        connector::ClientAuthentication::Header => ClientAuthentication::Header(basic),
        connector::ClientAuthentication::Body => ClientAuthentication::Body,
        connector::ClientAuthentication::Both => ClientAuthentication::Both(basic),
        connector::ClientAuthentication::None => ClientAuthentication::None,
        connector::ClientAuthentication::PrivateKeyJwt => ClientAuthentication::PrivateKeyJwt,
        connector::ClientAuthentication::ClientSecretJwt => ClientAuthentication::ClientSecretJwt,
    }
}

/// How the fields of a request travel.
pub(super) fn encoding(config: &OAuthConfig) -> Encoding {
    match config.token_endpoint.encoding {
        connector::Encoding::Form => Encoding::Form,
        connector::Encoding::Json => Encoding::Json,
        connector::Encoding::Query => Encoding::Query,
    }
}

/// How the provider's replies are read.
pub(super) fn reading(config: &OAuthConfig) -> Reading<'_> {
    let settings = &config.token_endpoint;
    Reading {
        fields: &settings.fields,
        milliseconds: settings.milliseconds,
        dead_grant: &settings.errors.dead_grant,
        dead_app: &settings.errors.dead_app,
        transient: &settings.errors.transient,
    }
}

pub(super) fn fields(response: &TokenResponse) -> Zeroizing<Value> {
    let fields = response.fields().iter().map(|(name, value)| (name.clone(), Value::from(value.clone())));
    Zeroizing::new(Value::Object(fields.collect()))
}

pub(super) async fn config(methods: &Methods, subject: &Subject<'_>) -> Result<OAuthConfig, RefreshError> {
    check_app(subject)?;
    let misconfigured = |reason| RefreshError::MisconfiguredApp { reason };
    let config = methods.oauth_config(subject).await;
    let config = config.map_err(|error| misconfigured(report(&error).to_string()))?;
    if !subject.integration.admits_token_endpoint(subject.option, &config.token_uri) {
        return Err(misconfigured(
            "the token endpoint is computed, and the integration's `hosts` do not list it".into(),
        ));
    }
    let integration = subject.integration;
    let app = subject.app().map_or_else(|| integration.apps.first(), |id| integration.app(id));
    Ok(config.with(&integration.token_endpoint, app))
}

/// A connection stays with the app that granted it: another app's secret would be refused, or worse, accepted.
pub(super) fn check_app(subject: &Subject<'_>) -> Result<(), RefreshError> {
    match subject.app() {
        Some(id) if subject.integration.app(id).is_none() => {
            Err(RefreshError::MisconfiguredApp { reason: format!("the app {id} is not configured") })
        }
        _ => Ok(()),
    }
}

/// Shallow, as the vendor does it; but only a text that is not empty replaces a `refresh_token`.
pub(super) fn lay_over(credentials: &mut Value, reply: &Value) {
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
pub(super) fn scopes(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => {
            let parts = text.split([' ', ',']).filter(|scope| !scope.is_empty());
            Some(parts.map(str::to_owned).collect())
        }
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    }
}
