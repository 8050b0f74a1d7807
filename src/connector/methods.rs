//! skeleton
use crate::formula::Value;
use crate::secret::Secret;
use super::Connector;
/// What a method sees. connectorParameters = integration parameters merged with the chosen app (clientId, clientSecret) and the connection's own connectorParameters; both generations' names are offered.
pub struct MethodInput<'a> { pub connector_parameters: &'a Value, pub connection_parameters: &'a Value, pub credentials: Option<&'a Value> }
#[derive(Debug, thiserror::Error)]
pub enum MethodError { #[error("placeholder")] Placeholder }
/// makeApiClient's result: where to send and what to put in.
#[derive(Debug)]
pub struct ApiClient { pub base_uri: String, pub headers: Vec<(http::HeaderName, Secret<String>)>, pub query: Vec<(String, Secret<String>)>, pub basic: Option<(String, Secret<String>)>, /* response handlers: (match template…) */ }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientAuthentication { #[default] Header, Body, Both, None }
/// getOAuthConfig's result (membrane.md 9.1).
#[derive(Debug)]
pub struct OAuthConfig { pub client_id: String, pub client_secret: Option<Secret<String>>, pub authorize_uri: Option<String>, pub token_uri: String, pub scopes: Vec<String>, pub client_authentication: ClientAuthentication, pub grant_type: GrantType, pub no_refresh_token: bool, pub extra: Vec<(String, String)> }
/// Which grant makes the first token: authorization code comes from the connect flow (later issue).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GrantType { #[default] AuthorizationCode, ClientCredentials }
/// What a response means for the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness { Fine, AccessTokenExpired, ConnectionIsDefunct }
impl Connector {
    pub fn make_api_client(&self, _input: &MethodInput<'_>) -> Result<ApiClient, MethodError> { unimplemented!() }
    pub fn oauth_config(&self, _input: &MethodInput<'_>) -> Result<OAuthConfig, MethodError> { unimplemented!() }
    /// Without the method, the connection parameters themselves.
    pub fn credentials_from_parameters(&self, _input: &MethodInput<'_>) -> Result<Value, MethodError> { unimplemented!() }
    /// getCredentialsFromRefreshTokenResponse as mapping if given: extra credentials; None: nothing to add.
    pub fn credentials_from_token_response(&self, _input: &MethodInput<'_>, _response: &Value) -> Result<Option<Value>, MethodError> { unimplemented!() }
    pub fn can_refresh(&self) -> bool { unimplemented!() }
}
