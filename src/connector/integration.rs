//! skeleton
use std::sync::Arc;
use crate::formula::Value;
use crate::names::{AppId, IntegrationKey, WorkspaceKey};
use crate::secret::Secret;
use super::Connector;
#[derive(Debug)]
pub struct App { pub id: AppId, pub client_id: String, pub client_secret: Option<Secret<String>> }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Connections { #[default] One, Many }
/// Where credentials may go: host[:port] or *.suffix patterns, or the origin pinned on the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts { /// the literal host of baseUri
    OfBaseUri, /// any listed
    Listed(Vec<HostPattern>), /// the origin entered at connect time
    Connection }
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern { /* private: exact or suffix, optional port */ }
impl HostPattern { pub fn parse(_text: &str) -> Result<Self, String> { unimplemented!() } pub fn matches(&self, _host: &str, _port: u16, _default_port: bool) -> bool { unimplemented!() } }
/// One configured third party.
#[derive(Debug)]
pub struct Integration {
    pub key: IntegrationKey,
    pub connector: Arc<Connector>,
    /// empty: all
    pub workspaces: Vec<WorkspaceKey>,
    /// may hold secrets: a formula Value behind Secret
    pub parameters: Secret<Value>,
    pub scopes: Option<Vec<String>>,
    pub apps: Vec<App>,
    pub enabled: bool,
    pub hosts: Hosts,
    pub connections: Connections,
    pub allow_private: bool,
    pub allow_plain: bool,
    /// transparent route prefix, e.g. `/hubspot`
    pub route: Option<String>,
}
impl Integration {
    /// parameters merged with the app's clientId/clientSecret and the connection's own.
    pub fn connector_parameters(&self, _app: Option<&AppId>, _own: &Value) -> Value { unimplemented!() }
    pub fn app(&self, _id: Option<&AppId>) -> Option<&App> { unimplemented!() }
    pub fn serves(&self, _workspace: &WorkspaceKey) -> bool { unimplemented!() }
}
