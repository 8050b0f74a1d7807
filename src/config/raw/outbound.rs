//! The outbound listener as typed.
//! Knows nothing of tokens.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Secret;

/// The listener for the service.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct Outbound {
    /// `IP:PORT`, or `unix:/path`; keep it where only the service can reach it.
    pub(in crate::config) address: String,
    /// Believes the X-Sidegate-Workspace and X-Sidegate-Customer headers of whoever connects; loopback and unix only.
    #[serde(default)]
    pub(in crate::config) trust_caller: bool,
    /// Believes them from a caller that sends this secret as its bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) service_secret: Option<Secret>,
    /// What is answered where a connection's credentials cannot be used, over the usual statuses.
    #[serde(default)]
    pub(in crate::config) statuses: Statuses,
}

/// Statuses from 400 to 599, but not those that are about the caller's own token: 401 and 407.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Statuses {
    /// The connection waits for the customer to connect again. Default: 409.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) disconnected: Option<u16>,
    /// The provider has just ended the grant. Default: 409.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) needs_reconnect: Option<u16>,
    /// There is nothing to refresh with. Default: 409.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) not_refreshable: Option<u16>,
    /// A token that was just refreshed is refused too. Default: 502.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) rejected_while_fresh: Option<u16>,
    /// Nobody knows what became of the refresh token. Default: 502.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) outcome_unknown: Option<u16>,
    /// The token endpoint does not answer as it should. Default: 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) provider_down: Option<u16>,
    /// The token endpoint asked to be left alone. Default: 503.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) throttled_until: Option<u16>,
    /// The provider refuses the OAuth app. Default: 500.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) misconfigured_app: Option<u16>,
}
