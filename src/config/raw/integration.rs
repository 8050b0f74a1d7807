//! An integration as typed: a connector, its parameters and its OAuth apps.
//! Knows nothing of connector specs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Algorithm, Anything, Refresh, Secret, Span, Text, TokenEndpoint};

/// A third party on the outbound side.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct Integration {
    /// The connector: the name of its folder under connectors/.
    pub(in crate::config) connector: Text,
    /// Whose customers may use it; empty: all.
    #[serde(default)]
    pub(in crate::config) workspaces: Vec<String>,
    /// What formulas see as connectorParameters, with the app's clientId and clientSecret.
    #[serde(default)]
    pub(in crate::config) parameters: BTreeMap<String, Anything>,
    /// What is different for one of the connector's options, by its key.
    #[serde(default)]
    pub(in crate::config) options_config: BTreeMap<String, OptionConfig>,
    /// OAuth scopes, over those of the connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) scopes: Option<Vec<String>>,
    /// How the token endpoint departs from the standard.
    #[serde(default)]
    pub(in crate::config) token_endpoint: TokenEndpoint,
    /// OAuth apps: the first serves new connections.
    #[serde(default)]
    pub(in crate::config) apps: Vec<App>,
    /// Whether connections may be made and used.
    #[serde(default = "yes")]
    pub(in crate::config) enabled: bool,
    /// Where credentials may go: `HOST[:PORT]`, `*.SUFFIX`, or `connection`. Default: the literal host of baseUri.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) hosts: Option<Hosts>,
    /// How many connections a customer may have.
    #[serde(default)]
    pub(in crate::config) connections: Connections,
    /// When and how credentials are refreshed.
    #[serde(default)]
    pub(in crate::config) refresh: Refresh,
    /// The guard's two doors.
    #[serde(default)]
    pub(in crate::config) egress: Egress,
    /// How long calls may take.
    #[serde(default)]
    pub(in crate::config) timeouts: CallTimeouts,
    /// A transparent route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) route: Option<Route>,
    /// Your own page that the provider sends browsers back to; it must send them on to ours, /oauth-callback, with the
    /// query as it came.
    #[serde(default, rename = "oAuthCallbackUri", skip_serializing_if = "Option::is_none")]
    pub(in crate::config) oauth_callback_uri: Option<String>,
    /// The JSON Schema of credentials that are handed over as they are; for `internal-api`, the customer's own API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) credentials_schema: Option<Anything>,
}

/// What is different for one option of the connector.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct OptionConfig {
    /// Whether it is not offered to whoever connects.
    pub(in crate::config) disabled: bool,
    /// Over the integration's parameters.
    pub(in crate::config) parameters: BTreeMap<String, Anything>,
}

/// An OAuth app.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct App {
    /// Its name; connections stay with the app that granted them.
    pub(in crate::config) id: Text,
    /// The client id.
    pub(in crate::config) client_id: ClientId,
    /// The client secret; a public client has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) client_secret: Option<Secret>,
    /// What it signs assertions with: a private key in PEM form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) private_key: Option<Secret>,
    /// The id under which the third party knows the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) key_id: Option<Text>,
    /// How it signs. Default: RS256, ES256, ES384 or ES512, as the key is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) algorithm: Option<Algorithm>,
}

/// A client id: text, or where to find it.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum ClientId {
    Plain(Text),
    Source(Secret),
}

/// Where credentials may go.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Hosts {
    Listed(Vec<String>),
    Pinned(PinWord),
}

/// The word that pins the host.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum PinWord {
    /// The origin that was entered when the connection was made.
    Connection,
}

/// How many connections a customer may have.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Connections {
    /// A new one replaces the old.
    #[default]
    One,
    /// Several; a request must name the one it means.
    Many,
}

/// The guard's two doors, both shut by default.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Egress {
    /// Lets calls go to private and loopback addresses.
    pub(in crate::config) allow_private: bool,
    /// Lets calls go over plain HTTP.
    pub(in crate::config) allow_plain: bool,
}

/// How long calls may take.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct CallTimeouts {
    /// How long a WebSocket may be silent in both directions; 0s: for ever.
    pub(in crate::config) upgrade_idle: Span,
}

impl Default for CallTimeouts {
    fn default() -> Self {
        Self { upgrade_idle: Span::seconds(3600) }
    }
}

/// A transparent route on the outbound listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct Route {
    /// The front of the path; stripped before the call.
    pub(in crate::config) path_prefix: String,
}

fn yes() -> bool {
    true
}
