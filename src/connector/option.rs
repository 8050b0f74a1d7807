//! One way to authenticate with a third party: the connector's own, or one of its `options`.
//! Never holds a customer's credentials, never runs a method.

use std::collections::BTreeMap;

use http::HeaderName;
use zeroize::Zeroizing;

use super::api_client::ApiClient;
use super::fields::MethodError;
use super::implementation::{Implementation, Method};
use super::lender::Lender;
use super::methods::MethodInput;
use super::oauth_config::{self, OAuthConfig};
use super::oauth1_config::{self, OAuth1Config};
use super::response::ResponseHandlers;
use super::schema::{Flaw, Schema};
use crate::formula::{Template, Value, Variables};
use crate::oauth1::Token;
use crate::script::Script;

/// What kind of credentials a third party takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// What the customer typed in: an API key, a user name and password, a token.
    ClientCredentials,
    /// OAuth 2.0 (RFC 6749): tokens that are refreshed.
    OAuth2,
    /// OAuth 1.0a (RFC 5849): a token that does not end, and a signature on each request.
    OAuth1,
    /// Those of another integration, whose app is used. Of an integration, the type is the lender's.
    Proxy,
    /// A token of ours that says for which customer the request is, in `X-Integration-App-Token`.
    IntegrationAppToken,
    /// The same, in `X-Membrane-Token` too.
    MembraneToken,
}

impl AuthType {
    /// The vendor's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client-credentials",
            Self::OAuth2 => "oauth2",
            Self::OAuth1 => "oauth1",
            Self::Proxy => "proxy",
            Self::IntegrationAppToken => "integration-app-token",
            Self::MembraneToken => "membrane-token",
        }
    }
}

/// The newer first: a connector of the older type gets only the second.
static TOKEN_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-membrane-token"), HeaderName::from_static("x-integration-app-token")];

impl AuthType {
    /// The headers that hold a token of ours; empty for credentials of the customer's.
    #[must_use]
    pub fn token_headers(self) -> &'static [HeaderName] {
        match self {
            Self::ClientCredentials | Self::OAuth2 | Self::OAuth1 | Self::Proxy => &[],
            Self::IntegrationAppToken => &TOKEN_HEADERS[1..],
            Self::MembraneToken => &TOKEN_HEADERS,
        }
    }

    /// Whether the customer gives its consent to an app.
    #[must_use]
    pub fn is_oauth(self) -> bool {
        matches!(self, Self::OAuth2 | Self::OAuth1)
    }

    /// Whether nothing of the customer's is needed: what authenticates is made for each request.
    #[must_use]
    pub fn is_minted(self) -> bool {
        !self.token_headers().is_empty()
    }
}

/// What a customer is shown when it connects.
#[derive(Debug, Default, Clone)]
pub struct Ui {
    /// The JSON Schema of what it types in, in the order in which it is to be shown.
    pub schema: Option<Value>,
    /// What this is and what is needed.
    pub description: Option<String>,
    /// Where more is written.
    pub help_uri: Option<String>,
}

/// One way to authenticate. Where it is one of a connector's `options`, what it leaves out is the connector's.
#[derive(Clone, Debug)]
pub struct AuthOption {
    /// Its key among the `options`; none for the connector's own way.
    pub key: Option<String>,
    /// The kind of credentials.
    pub auth: AuthType,
    /// A name for people.
    pub title: Option<String>,
    /// A sentence for people.
    pub description: Option<String>,
    /// What a customer is shown.
    pub ui: Ui,
    /// The JSON Schema of what a customer types in: `inputSchema`, else that of `ui`.
    pub input_schema: Option<Value>,
    /// The JSON Schema of the connector parameters.
    pub parameters_schema: Option<Value>,
    /// For the type `proxy`: the key that names the lender.
    pub proxy_key: Option<String>,
    pub(super) lender: Option<Lender>,
    pub(super) enabled: Option<Template>,
    pub(super) methods: BTreeMap<Method, Implementation>,
    pub(super) response_handlers: ResponseHandlers,
}

impl AuthOption {
    /// Whether it is to be offered: `enabled`, a formula over `connectorParameters`, is missing or gives what counts as true.
    #[must_use]
    pub fn is_enabled(&self, connector_parameters: &Value) -> bool {
        let Some(enabled) = &self.enabled else { return true };
        let none = Value::empty_object();
        let input =
            MethodInput { connector_parameters, connection_parameters: &none, credentials: None, user: None };
        enabled.evaluate(&input.variables()).ok().flatten().is_some_and(|value| value.truthy())
    }

    /// Holds what a customer typed in against its schema. A schema with formulas in it, as the vendor allows, says nothing here.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check_input(&self, input: &Value) -> Result<(), Vec<Flaw>> {
        let schema = self.input_schema.as_ref().and_then(|schema| Schema::new(schema).ok());
        match schema.map(|schema| schema.flaws(input)).filter(|flaws| !flaws.is_empty()) {
            Some(flaws) => Err(flaws),
            None => Ok(()),
        }
    }

    /// How a method is written, if there is one that is supported.
    #[must_use]
    pub fn implementation(&self, method: Method) -> Option<&Implementation> {
        self.of(method).methods.get(&method)
    }

    /// Whose app, and whose methods, the credentials come from, if they are another integration's.
    #[must_use]
    pub fn lender(&self) -> Option<&Lender> {
        self.lender.as_ref()
    }

    /// Who lends this method, if it is not this way's own.
    #[must_use]
    pub fn lender_of(&self, method: Method) -> Option<&Lender> {
        self.lender.as_ref().filter(|_| !self.methods.contains_key(&method))
    }

    /// The same way, connected with what it borrows. What people are shown is its own, as far as it has that.
    pub(super) fn borrowing(&self, lender: Lender) -> Self {
        let its = lender.option();
        let schema = self.input_schema.as_ref().or(its.input_schema.as_ref()).cloned();
        let ui = Ui {
            schema: self.ui.schema.as_ref().or(its.ui.schema.as_ref()).cloned(),
            description: self.ui.description.as_ref().or(its.ui.description.as_ref()).cloned(),
            help_uri: self.ui.help_uri.as_ref().or(its.ui.help_uri.as_ref()).cloned(),
        };
        Self { auth: its.auth, input_schema: schema, ui, lender: Some(lender), ..self.clone() }
    }

    /// The way that has this method: this one, or the lender's.
    fn of(&self, method: Method) -> &Self {
        self.lender_of(method).map_or(self, |lender| lender.option().of(method))
    }

    /// What a method sees. The credentials of `makeApiClient` are laid over what the customer typed in.
    #[must_use]
    pub fn variables(&self, method: Method, input: &MethodInput<'_>) -> Variables {
        let mut variables = input.variables();
        if method == Method::MakeApiClient {
            let mut credentials = Variables::new();
            credentials.set_all(input.connection_parameters);
            if let Some(own) = input.credentials {
                credentials.set_all(own);
            }
            variables.set("credentials", &credentials);
        }
        variables
    }

    /// The API client that a result of `makeApiClient` describes.
    ///
    /// # Errors
    /// If it has no base URI, or anything that cannot be sent.
    pub fn api_client(&self, made: &Value) -> Result<ApiClient, MethodError> {
        let (own, made) = (self.of(Method::MakeApiClient), unnested(made));
        let handlers = match own.methods.get(&Method::MakeApiClient) {
            Some(Implementation::Script(_)) => ResponseHandlers::made(made.get("responseHandlers"))?,
            _ => own.response_handlers.clone(),
        };
        ApiClient::from_result(made, handlers)
    }

    /// The OAuth configuration that a result of `getOAuthConfig` describes.
    ///
    /// # Errors
    /// If a required field is missing or malformed.
    pub fn oauth_config(&self, made: &Value) -> Result<OAuthConfig, MethodError> {
        OAuthConfig::from_result(unnested(made))
    }

    /// The configuration that a result of `getOAuthConfig` describes, where it is for OAuth 1.0a.
    ///
    /// # Errors
    /// If a required field is missing or malformed.
    pub fn oauth1_config(&self, made: &Value) -> Result<OAuth1Config, MethodError> {
        OAuth1Config::from_result(unnested(made))
    }

    /// The token that OAuth 1.0a signs with, of these credentials.
    ///
    /// # Errors
    /// If they have none.
    pub fn oauth1_token(&self, credentials: Option<&Value>) -> Result<Token, MethodError> {
        oauth1_config::token(credentials)
    }

    /// Credentials, or a part of them, that a method gave.
    ///
    /// # Errors
    /// If they are no object.
    pub fn credentials(
        &self,
        method: Method,
        made: Zeroizing<Value>,
    ) -> Result<Zeroizing<Value>, MethodError> {
        match *made {
            Value::Object(_) => Ok(made),
            _ => Err(MethodError::Wrong {
                method: method.name(),
                field: "result".into(),
                expected: "an object",
            }),
        }
    }

    /// Whether credentials can be refreshed at all: where there is `refreshCredentials`; and those of oauth2, unless the spec
    /// says that its provider issues no refresh token and the first token does not come from the client's own credentials.
    #[must_use]
    pub fn can_refresh(&self) -> bool {
        if self.has_refresh_method() {
            return true;
        }
        if self.auth != AuthType::OAuth2 {
            return false;
        }
        let literal = |key| self.oauth_mapping()?.member(key)?.literal();
        let never = literal("noRefreshToken").is_some_and(|value| value.truthy());
        self.asks_for_consent() == Some(false) || !never
    }

    /// Whether a customer is sent to the third party for its consent, as by OAuth it is unless the grant is the client's own. None
    /// where a formula or a script decides that.
    #[must_use]
    pub fn asks_for_consent(&self) -> Option<bool> {
        if self.auth != AuthType::OAuth2 {
            return Some(self.auth.is_oauth());
        }
        let mapping = self.oauth_mapping()?;
        // Without this member, which is required, the mapping as a whole is a formula.
        mapping.member("tokenUri")?;
        match mapping.member("grantType") {
            None => Some(true),
            Some(grant) => Some(grant.literal()?.as_str() != Some("client_credentials")),
        }
    }

    /// Whether there is a `refreshCredentials`.
    #[must_use]
    pub fn has_refresh_method(&self) -> bool {
        self.implementation(Method::RefreshCredentials).is_some()
    }

    /// Whether there is a `test`.
    #[must_use]
    pub fn can_test(&self) -> bool {
        self.implementation(Method::Test).is_some()
    }

    /// The host and port of the base URI, where the mapping has it as a literal: what may be sent to by default.
    #[must_use]
    pub fn literal_base_host(&self) -> Option<(String, u16)> {
        literal_host(&unnested_mapping(self.mapping(Method::MakeApiClient)?), &["baseUri", "baseUrl"])
    }

    /// Whether the token endpoint is a literal of `getOAuthConfig`, so that nothing a customer typed in can move it; of
    /// OAuth 1.0a, both endpoints that are asked for tokens.
    #[must_use]
    pub fn has_literal_token_endpoint(&self) -> bool {
        let endpoints: &[&str] =
            if self.auth == AuthType::OAuth1 { &["requestTokenUri", "tokenUri"] } else { &["tokenUri"] };
        let mapping = self.oauth_mapping();
        mapping.is_some_and(|mapping| endpoints.iter().all(|name| literal_host(&mapping, &[*name]).is_some()))
    }

    /// Whether the authorization endpoint is a literal of `getOAuthConfig`.
    #[must_use]
    pub fn has_literal_authorization_endpoint(&self) -> bool {
        self.oauth_mapping().is_some_and(|mapping| literal_host(&mapping, &["authorizeUri"]).is_some())
    }

    /// The scopes that `getOAuthConfig` has as literals.
    #[must_use]
    pub fn literal_scopes(&self) -> Option<Vec<String>> {
        let scopes = self.oauth_mapping()?.member("scopes")?.literal()?;
        oauth_config::scopes_of(&scopes)
    }

    /// Its own methods that are scripts.
    pub fn scripts(&self) -> impl Iterator<Item = (Method, &Script)> {
        self.methods.iter().filter_map(|(method, implementation)| match implementation {
            Implementation::Script(script) => Some((*method, script)),
            Implementation::Mapping(_) | Implementation::Request(_) => None,
        })
    }

    /// `getOAuthConfig`, where it is a mapping.
    fn oauth_mapping(&self) -> Option<Template> {
        self.mapping(Method::GetOAuthConfig).map(unnested_mapping)
    }

    fn mapping(&self, method: Method) -> Option<&Template> {
        match self.implementation(method)? {
            Implementation::Mapping(template) => Some(template),
            Implementation::Request(_) | Implementation::Script(_) => None,
        }
    }
}

/// The older form nests the result under `args`.
fn unnested_mapping(mapping: &Template) -> Template {
    mapping.member("args").unwrap_or_else(|| mapping.clone())
}

/// The same of what it gave.
fn unnested(made: &Value) -> &Value {
    made.get("args").filter(|nested| nested.as_object().is_some()).unwrap_or(made)
}

/// The host and port of the URL that stands as a literal under one of `names`.
fn literal_host(mapping: &Template, names: &[&str]) -> Option<(String, u16)> {
    let uri = names.iter().find_map(|name| mapping.member(name))?.literal()?;
    let uri = url::Url::parse(uri.as_str()?).ok()?;
    Some((uri.host_str()?.to_owned(), uri.port_or_known_default()?))
}
