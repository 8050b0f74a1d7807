//! What was typed: the shape of sidegate.yaml and of the files beside it, from which the JSON Schemas are made.
//! Knows nothing of what the values do; `resolve` turns them into the rooms' own types.

mod integration;
mod outbound;
mod refresh;
mod scalars;
mod scripts;
mod token_endpoint;
mod upstream;
mod workspace;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use integration::{App, ClientId, Connections, Hosts, Integration, OptionConfig, PinWord};
pub(super) use outbound::{Outbound, Statuses};
pub(super) use refresh::{Refresh, Rotation, RotationWord};
pub(super) use scalars::{Anything, DURATION_FORMAT, Literal, OneOrMany, SECRET_NAME, Secret, Span, Text};
pub(super) use scripts::Scripts;
pub(super) use token_endpoint::{Basic, ClientAuthentication, Encoding, ErrorCodes, TokenEndpoint, Unit};
pub(super) use upstream::{
    Allow, Cors, Host, Limits as UpstreamLimits, Mode, OnExpiry, Preflight, Protocol, Rule, Target, Upstream,
    UpstreamTls, Url,
};
pub(super) use workspace::{Algorithm, Jwks, KeyPolicy, Workspace};

/// Sidegate: the auth sidecar.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Sidegate {
    /// Where Sidegate listens; a listener that is not named is off.
    pub(super) listeners: Listeners,
    /// Worker threads of the traffic listeners. Default: the CPU count of the cgroup.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub(super) workers: Option<usize>,
    /// How Sidegate stops.
    pub(super) shutdown: Shutdown,
    /// How changed files are noticed.
    pub(super) reload: Reload,
    /// One line for each request.
    pub(super) access_log: AccessLog,
    /// What is kept in memory.
    pub(super) cache: Cache,
    /// What verifying tokens may cost.
    pub(super) verification: Verification,
    /// Issuers of tokens, by the key that their tokens carry.
    pub(super) workspaces: BTreeMap<String, Workspace>,
    /// Where customers and connections are kept; needed by the outbound listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store: Option<Store>,
    /// Addresses and networks of proxies in front whose Forwarded and X-Forwarded-* are believed; `unix` for those that
    /// connect to a Unix socket.
    pub(super) trusted_proxies: Vec<String>,
    /// How many requests may be on their way at once.
    pub(super) overload: Overload,
    /// How the JavaScript methods of connectors are run.
    pub(super) scripts: Scripts,
    /// The keys that seal stored credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) encryption: Option<Encryption>,
    /// The APIs behind the inbound listener, by name; each may also be a file upstreams/NAME.yaml.
    pub(super) upstreams: BTreeMap<String, Upstream>,
    /// Where browsers reach the connect listener, like https://auth.example.com.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_url: Option<Text>,
    /// Which web apps may use the SDK API and the connect pages from a browser.
    pub(super) cors: Origins,
    /// The connect pages.
    pub(super) connect: Connect,
    /// The third parties on the outbound side, by key; each may also be a file integrations/KEY.yaml.
    pub(super) integrations: BTreeMap<String, Integration>,
    /// Connector specs, by key; each may also be a folder connectors/KEY/.
    pub(super) connectors: BTreeMap<String, Anything>,
}

/// The listeners.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Listeners {
    /// For callers of the API: one listener, or a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inbound: Option<OneOrMany<Inbound>>,
    /// For the service itself: the SDK API and the way out to third parties.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outbound: Option<Outbound>,
    /// For browsers: connect pages, their events and the SDK API; never the credential proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) connect: Option<Inbound>,
    /// For probes and metrics: /healthz, /readyz, /metrics and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health: Option<Health>,
    /// For the operator: the status page, reload and drain; loopback and unix only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admin: Option<Admin>,
}

/// A listener that anybody may reach: for callers of the API, or for browsers.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Inbound {
    /// `IP:PORT`, or `unix:/path`.
    pub(super) address: String,
    /// Serves TLS; without it, plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<ServerTls>,
    /// What a caller may use up.
    #[serde(default)]
    pub(super) limits: Limits,
}

/// TLS of a listener; the paths are plain paths to PEM files.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ServerTls {
    /// The certificate chain, leaf first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<Text>,
    /// The private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Text>,
    /// More of them, chosen by the name that a caller asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) certificates: Vec<Certificate>,
    /// Asks callers for a certificate that one of these authorities signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_ca: Option<Text>,
}

/// A certificate of several.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Certificate {
    /// The certificate chain, leaf first.
    pub(super) certificate: Text,
    /// The private key.
    pub(super) key: Text,
}

/// Limits of a listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Limits {
    /// Time for the TLS handshake.
    pub(super) handshake: Span,
    /// Time for a request head to arrive.
    pub(super) request_head: Span,
    /// How long an idle connection is kept.
    pub(super) keep_alive: Span,
    /// How long a request may go without a byte moving in either direction.
    pub(super) stream_idle: Span,
    /// How long a client may let us wait for a byte of a request's body.
    pub(super) body_idle: Span,
    /// The lowest rate of a request's body in bytes a second; 0 is any.
    #[schemars(range(max = 1_000_000_000))]
    pub(super) min_body_rate: u64,
    /// Bytes of a request head.
    #[schemars(range(min = 8192, max = 1_048_576))]
    pub(super) max_head_bytes: usize,
    /// Header fields of a request.
    #[schemars(range(min = 8, max = 1000))]
    pub(super) max_headers: usize,
    /// Connections open at once.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) max_connections: usize,
    /// How long a connection is used for; it then finishes what it has begun. For ever if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_connection_age: Option<Span>,
    /// Requests at once on an HTTP/2 connection.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) max_streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let limits = crate::http::listener::Limits::default();
        Self {
            handshake: Span(limits.handshake),
            request_head: Span(limits.request_head),
            keep_alive: Span(limits.keep_alive),
            stream_idle: Span(limits.stream_idle),
            body_idle: Span(limits.body_idle),
            min_body_rate: limits.min_body_rate,
            max_head_bytes: limits.max_head_bytes,
            max_headers: limits.max_headers,
            max_connections: limits.max_connections,
            max_connection_age: limits.max_connection_age.map(Span),
            max_streams: limits.max_streams,
        }
    }
}

/// The listener for probes and metrics.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Health {
    /// `IP:PORT`, or `unix:/path`.
    pub(super) address: String,
}

/// The listener for the operator.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Admin {
    /// `IP:PORT` of this machine alone, or `unix:/path`.
    pub(super) address: String,
}

/// Web apps that may ask from a browser.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Origins {
    /// Their origins, like https://app.example.com; without any, browsers are refused.
    pub(super) origins: Vec<String>,
}

/// The connect pages.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Connect {
    /// Where a browser may be sent afterwards, like https://app.example.com/done; it may bring a query of its own.
    pub(super) redirect_uris: Vec<String>,
}

/// When requests are turned away, so that those on their way are served.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Overload {
    /// Requests on their way to all upstreams at once.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(super) max_requests: usize,
    /// When a caller who is turned away may come again.
    pub(super) retry_after: Span,
}

impl Default for Overload {
    fn default() -> Self {
        let overload = crate::inbound::Overload::default();
        Self { max_requests: overload.max_requests, retry_after: Span(overload.retry_after) }
    }
}

/// How Sidegate stops.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Shutdown {
    /// How long new connections are still accepted after SIGTERM, while readiness already fails.
    pub(super) delay: Span,
    /// How long requests in flight may take after that.
    pub(super) grace: Span,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { delay: Span::seconds(5), grace: Span::seconds(25) }
    }
}

/// Reloading.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Reload {
    /// How often every file that was read is looked at for changes; 0s is never.
    pub(super) poll: Span,
}

impl Default for Reload {
    fn default() -> Self {
        Self { poll: Span::seconds(5) }
    }
}

/// The access log.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct AccessLog {
    /// Where the lines go.
    pub(super) to: LogTarget,
    /// How many of a hundred successful requests are written; whatever was refused or failed is always written.
    #[schemars(range(min = 0, max = 100))]
    pub(super) sample: u8,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { to: LogTarget::default(), sample: 100 }
    }
}

/// Where the access log goes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) enum LogTarget {
    #[default]
    Stdout,
    Off,
}

/// What is kept in memory.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Cache {
    /// Verified tokens; 0 verifies each request anew.
    pub(super) tokens: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self { tokens: 10_000 }
    }
}

/// What verifying tokens may cost.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Verification {
    /// The share of each worker's time, in percent, that costly signatures which do not hold may take; 100 is no limit.
    #[schemars(range(min = 0, max = 100))]
    pub(super) bad_signatures: u8,
}

impl Default for Verification {
    fn default() -> Self {
        Self { bad_signatures: 4 }
    }
}

/// Where customers and connections are kept.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Store {
    /// The embedded store.
    pub(super) redb: Redb,
    /// A folder on another disk, for new tokens that the store does not take; made if it is not there.
    pub(super) spill: Option<Text>,
}

/// The embedded store: one file.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Redb {
    /// The file; created if it is not there.
    pub(super) path: Text,
}

/// Encryption at rest.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Encryption {
    /// The first key seals, all of them open.
    #[schemars(length(min = 1))]
    pub(super) keys: Vec<SealingKey>,
}

/// A sealing key.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SealingKey {
    /// Its name in sealed records; never reuse one for another key.
    pub(super) id: Text,
    /// Base64 of 32 random bytes.
    pub(super) key: Secret,
}
