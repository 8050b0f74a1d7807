//! What `getOAuthConfig` gives: how to ask a provider for tokens.
//! Never asks.

use std::sync::Arc;

use super::fields::{Fields, MethodError, scalar};
use super::{App, TokenSettings};
use crate::formula::Value;
use crate::secret::Secret;
use crate::token::mint::PrivateKey;

/// The fields a `getOAuthConfig` mapping may have; `grantType` and `issuer` are ours.
pub(super) const KEYS: [&str; 15] = [
    "clientId",
    "clientSecret",
    "authorizeUri",
    "tokenUri",
    "scopes",
    "clientAuthLocation",
    "noRefreshToken",
    "skipPkce",
    "extra",
    "skipClientAuthInBody",
    "skipClientAuthInHeader",
    "skipClientAuthInHeaders",
    "grantType",
    "issuer",
    "args",
];

/// Where the client's credentials stand in a token request (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientAuthentication {
    /// HTTP Basic. The default: certified servers refuse a request that authenticates twice.
    #[default]
    Header,
    /// `client_id` and `client_secret` in the form.
    Body,
    /// Both, only where both skip flags are given and false.
    Both,
    /// Neither: both skip flags are true.
    None,
    /// An assertion signed with the app's private key instead (RFC 7523).
    PrivateKeyJwt,
    /// An assertion signed with its secret.
    ClientSecretJwt,
}

/// Which grant makes the first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GrantType {
    /// The customer's consent (RFC 6749 section 4.1).
    #[default]
    AuthorizationCode,
    /// The client's own credentials (RFC 6749 section 4.4).
    ClientCredentials,
}

/// `getOAuthConfig`'s result.
#[derive(Debug)]
pub struct OAuthConfig {
    /// The client's id.
    pub client_id: String,
    /// The client's secret; a public client has none.
    pub client_secret: Option<Secret<String>>,
    /// What the app signs assertions with.
    pub private_key: Option<Arc<PrivateKey>>,
    /// Where the customer consents; needed for the authorization code grant.
    pub authorize_uri: Option<String>,
    /// The token endpoint, an absolute http or https URL.
    pub token_uri: String,
    /// What to ask for; the integration's own list goes before it.
    pub scopes: Vec<String>,
    /// How the client authenticates.
    pub client_authentication: ClientAuthentication,
    /// Which grant makes the first token.
    pub grant_type: GrantType,
    /// The provider issues no refresh token.
    pub no_refresh_token: bool,
    /// The provider does not understand PKCE (RFC 7636).
    pub skip_pkce: bool,
    /// Who the provider says it is, where it says so (RFC 9207): then each of its answers must.
    pub issuer: Option<String>,
    /// More parameters of the authorize URL.
    pub extra: Vec<(String, String)>,
    /// What the integration says of the token endpoint.
    pub token_endpoint: Arc<TokenSettings>,
}

impl OAuthConfig {
    pub(super) fn from_result(result: &Value) -> Result<Self, MethodError> {
        let fields = Fields { method: "getOAuthConfig", result };
        let token_uri = fields.required(&["tokenUri"])?;
        fields.web_url("tokenUri", &token_uri)?;
        let authorize_uri = fields.text(&["authorizeUri"])?;
        if let Some(uri) = &authorize_uri {
            fields.web_url("authorizeUri", uri)?;
        }
        Ok(Self {
            client_id: fields.required(&["clientId"])?,
            client_secret: fields.text(&["clientSecret"])?.map(Secret::new),
            private_key: None,
            authorize_uri,
            token_uri,
            scopes: scopes(&fields)?,
            client_authentication: client_authentication(&fields)?,
            grant_type: grant_type(&fields)?,
            no_refresh_token: fields.truthy(&["noRefreshToken"]).unwrap_or(false),
            skip_pkce: fields.truthy(&["skipPkce"]).unwrap_or(false),
            issuer: fields.text(&["issuer"])?,
            extra: extra(&fields)?,
            token_endpoint: Arc::default(),
        })
    }

    /// With what the integration says of the token endpoint, which goes before what the connector says, and of its app.
    #[must_use]
    pub fn with(mut self, token_endpoint: &Arc<TokenSettings>, app: Option<&App>) -> Self {
        self.private_key = app.and_then(|app| app.private_key.clone());
        self.client_authentication =
            token_endpoint.client_authentication.unwrap_or(self.client_authentication);
        self.token_endpoint = Arc::clone(token_endpoint);
        self
    }

    /// Further fields of the request for the first tokens. `extra` belongs to the authorize URL; a grant without one has its
    /// own there (`audience`).
    #[must_use]
    pub fn first_parameters(&self) -> Vec<(String, String)> {
        let own = if self.grant_type == GrantType::ClientCredentials { self.extra.as_slice() } else { &[] };
        own.iter().chain(&self.token_endpoint.parameters).cloned().collect()
    }
}

pub(super) fn scopes(fields: &Fields<'_>) -> Result<Vec<String>, MethodError> {
    let Some(scopes) = fields.get(&["scopes"]) else { return Ok(Vec::new()) };
    scopes_of(scopes).ok_or_else(|| fields.wrong("scopes", "a list of texts"))
}

/// A list of texts, or one text with blanks between.
pub(super) fn scopes_of(scopes: &Value) -> Option<Vec<String>> {
    match scopes {
        Value::String(text) => Some(text.split_whitespace().map(str::to_owned).collect()),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// `clientAuthLocation` decides, else the older skip flags, else the header alone.
fn client_authentication(fields: &Fields<'_>) -> Result<ClientAuthentication, MethodError> {
    match fields.text(&["clientAuthLocation"])?.as_deref() {
        Some("headers" | "header") => return Ok(ClientAuthentication::Header),
        Some("body") => return Ok(ClientAuthentication::Body),
        Some(_) => return Err(fields.wrong("clientAuthLocation", "`headers` or `body`")),
        None => {}
    }
    let skip_header = fields.truthy(&["skipClientAuthInHeader", "skipClientAuthInHeaders"]);
    let skip_body = fields.truthy(&["skipClientAuthInBody"]);
    Ok(match (skip_header, skip_body) {
        (Some(true), Some(true)) => ClientAuthentication::None,
        (Some(true), _) => ClientAuthentication::Body,
        (Some(false), Some(false)) => ClientAuthentication::Both,
        _ => ClientAuthentication::Header,
    })
}

fn grant_type(fields: &Fields<'_>) -> Result<GrantType, MethodError> {
    match fields.text(&["grantType"])?.as_deref() {
        None | Some("authorization_code") => Ok(GrantType::AuthorizationCode),
        Some("client_credentials") => Ok(GrantType::ClientCredentials),
        Some(_) => Err(fields.wrong("grantType", "`authorization_code` or `client_credentials`")),
    }
}

pub(super) fn extra(fields: &Fields<'_>) -> Result<Vec<(String, String)>, MethodError> {
    let mut extra = Vec::new();
    for (name, value) in fields.members(&["extra"])? {
        let text = scalar(value).ok_or_else(|| fields.wrong(&format!("extra parameter {name}"), "text"))?;
        extra.push((name.to_owned(), text));
    }
    Ok(extra)
}
