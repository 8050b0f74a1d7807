//! An upstream as typed: the API behind the inbound listener, and who may reach what.
//! Knows nothing of how rules are matched.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Anything, Span, Text};

/// An API behind the inbound listener.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct Upstream {
    /// Where the API is: `http://HOST:PORT`, `https://…`, `unix:/path`, or a mapping with more.
    pub(in crate::config) upstream: Url,
    /// Which requests are for it; default: all.
    #[serde(default, rename = "match")]
    pub(in crate::config) matching: Match,
    /// Whether what the rules refuse is refused, or forwarded and only logged and counted.
    #[serde(default)]
    pub(in crate::config) mode: Mode,
    /// Which tokens count.
    #[serde(default)]
    pub(in crate::config) token: Token,
    /// Protocols that a request may switch to.
    #[serde(default = "default_upgrades")]
    pub(in crate::config) upgrades: Vec<String>,
    /// Path and methods choose the first rule that fits; then it admits or refuses.
    #[serde(default = "everything_verified")]
    pub(in crate::config) rules: Vec<Rule>,
    /// Headers that tell the API who calls, and what each holds; callers cannot set them.
    #[serde(default = "default_identity")]
    pub(in crate::config) identity: BTreeMap<String, String>,
    /// Hands the token on to the API as well.
    #[serde(default)]
    pub(in crate::config) forward_token: bool,
    /// What becomes of browsers' preflights, and which origins may read answers.
    #[serde(default)]
    pub(in crate::config) cors: Cors,
    /// How long the API may take.
    #[serde(default)]
    pub(in crate::config) timeouts: Timeouts,
    /// Limits of this API; those of callers stand with the listener.
    #[serde(default)]
    pub(in crate::config) limits: Limits,
}

/// Where an API is.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum Url {
    Plain(String),
    Full(Box<Target>),
}

/// Where an API is, and how to speak to it.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct Target {
    /// `http://HOST:PORT`, `https://…` or `unix:/path`.
    pub(in crate::config) url: String,
    /// TLS towards an `https` upstream.
    #[serde(default)]
    pub(in crate::config) tls: UpstreamTls,
    /// What is spoken with the API.
    #[serde(default)]
    pub(in crate::config) protocol: Protocol,
    /// Which Host the API sees.
    #[serde(default)]
    pub(in crate::config) host: Host,
    /// Removed from the front of the path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) strip_prefix: Option<Text>,
    /// Put in front of the path, after stripPrefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) add_prefix: Option<Text>,
}

/// TLS towards an upstream; the paths are plain paths to PEM files.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct UpstreamTls {
    /// The authorities to trust, instead of the machine's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) ca: Option<Text>,
    /// Our client certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) certificate: Option<Text>,
    /// The client certificate's private key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) key: Option<Text>,
    /// The name the certificate must have; default: the host of the URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) server_name: Option<Text>,
}

/// What is spoken with an upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2, which gRPC needs: by ALPN over `https`, taken for granted otherwise.
    Http2,
}

/// Which Host an upstream sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Host {
    /// The caller's.
    #[default]
    Preserve,
    /// The upstream's own.
    Upstream,
}

/// Which requests are for an upstream.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Match {
    /// Exact host names; empty takes any.
    pub(in crate::config) hosts: Vec<String>,
    /// The front of the path, by whole segments; the longest wins.
    pub(in crate::config) path_prefix: String,
}

impl Default for Match {
    fn default() -> Self {
        Self { hosts: Vec::new(), path_prefix: "/".into() }
    }
}

/// What becomes of a request that the rules do not admit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is forwarded without an identity, and what would have been answered is logged and counted.
    Observe,
}

/// Which tokens count at an upstream.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Token {
    /// Whose tokens; empty takes those of all workspaces.
    pub(in crate::config) workspaces: Vec<String>,
    /// Headers that may hold the token; a header that is not listed is neither read nor removed.
    pub(in crate::config) headers: Vec<String>,
    /// How far the issuer's clock may differ from ours.
    pub(in crate::config) leeway: Span,
    /// Refuses tokens without `exp`.
    pub(in crate::config) require_expiry: bool,
    /// What becomes of a WebSocket when the token that opened it expires.
    pub(in crate::config) on_expiry: OnExpiry,
}

/// What becomes of a tunnel when its token expires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum OnExpiry {
    /// It goes on.
    #[default]
    Keep,
    /// It is closed, after the leeway.
    Close,
}

impl Default for Token {
    fn default() -> Self {
        Self {
            workspaces: Vec::new(),
            headers: vec!["X-Membrane-Token".into(), "X-Integration-App-Token".into()],
            leeway: Span::seconds(0),
            require_expiry: false,
            on_expiry: OnExpiry::Keep,
        }
    }
}

/// What a path demands.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::config) struct Rule {
    /// Begins with `/`; `/x/*` is `/x` and everything below, without `*` it is exact.
    pub(in crate::config) path: String,
    /// Methods it is for; empty is all.
    #[serde(default)]
    pub(in crate::config) methods: Vec<String>,
    /// Who is admitted.
    pub(in crate::config) allow: Allow,
    /// Claims the token must have: a dotted path or a JSON pointer, and the values that are admitted.
    #[serde(default)]
    pub(in crate::config) claims: BTreeMap<String, Vec<serde_json::Value>>,
    /// A formula over id, workspace, name, fields, isAdmin and claims that must be true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::config) when: Option<Anything>,
}

/// CORS of an upstream.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Cors {
    /// What becomes of a preflight.
    pub(in crate::config) preflight: Preflight,
    /// The origins whose pages may read answers, exactly as browsers write them; `*` is any, without credentials.
    pub(in crate::config) origins: Vec<String>,
    /// The methods that an answered preflight allows.
    pub(in crate::config) methods: Vec<String>,
    /// The request headers that an answered preflight allows; empty: Content-Type and the token headers.
    pub(in crate::config) headers: Vec<String>,
    /// Lets cookies and client certificates go along.
    pub(in crate::config) credentials: bool,
    /// How long a browser may remember the answer to a preflight.
    pub(in crate::config) max_age: Span,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            preflight: Preflight::Refuse,
            origins: Vec::new(),
            methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(str::to_owned).to_vec(),
            headers: Vec::new(),
            credentials: false,
            max_age: Span::seconds(600),
        }
    }
}

/// What becomes of a preflight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Preflight {
    /// It is a request like any other: without a token most rules refuse it.
    #[default]
    Refuse,
    /// It goes to the API without a token and without an identity.
    Forward,
    /// Sidegate answers it, and says on every answer who may read it.
    Answer,
}

/// Who a rule admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Allow {
    /// Anybody; tokens are ignored.
    Public,
    /// Anybody without a token; a token that is present must verify.
    Optional,
    /// Any verified token.
    Verified,
    /// A verified token with an id.
    Customer,
    /// A verified admin token.
    Admin,
}

/// How long an upstream may take.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Timeouts {
    /// To connect.
    pub(in crate::config) connect: Span,
    /// From the request to the head of the response.
    pub(in crate::config) response_head: Span,
    /// Within the body of a response.
    pub(in crate::config) body_idle: Span,
    /// For which a connection is kept unused; keep it below the API's own.
    pub(in crate::config) pool_idle: Span,
    /// For which a WebSocket may be silent in both directions; 0s is for ever.
    pub(in crate::config) upgrade_idle: Span,
}

impl Default for Timeouts {
    fn default() -> Self {
        let minute = Span::seconds(60);
        // Below the five seconds after which Node's servers close: a request should not meet a closing connection.
        Self {
            connect: Span::seconds(1),
            response_head: minute,
            body_idle: minute,
            pool_idle: Span::seconds(4),
            // As Envoy's default for raw TCP, and as HAProxy's pages advise: far above the pings of those who send
            // some, and an end for those whose peer vanished without a word.
            upgrade_idle: Span::seconds(3600),
        }
    }
}

/// What an upstream takes.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Limits {
    /// Requests on their way to it at once.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub(in crate::config) max_requests: usize,
    /// Bytes of a request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) max_body_bytes: Option<u64>,
    /// What each customer may ask for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) per_customer: Option<PerCustomer>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_requests: 1024, max_body_bytes: None, per_customer: None }
    }
}

/// What each customer may ask for.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct PerCustomer {
    /// Requests a second on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) rate: Option<u32>,
    /// Requests at once after a pause; default: the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) burst: Option<u32>,
    /// Requests on their way at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(in crate::config) concurrency: Option<usize>,
}

fn default_upgrades() -> Vec<String> {
    vec!["websocket".into()]
}

fn everything_verified() -> Vec<Rule> {
    let (path, methods, claims) = ("/*".to_owned(), Vec::new(), BTreeMap::new());
    vec![Rule { path, methods, allow: Allow::Verified, claims, when: None }]
}

fn default_identity() -> BTreeMap<String, String> {
    [("X-Sidegate-Customer", "id"), ("X-Sidegate-Workspace", "workspace"), ("X-Sidegate-Admin", "isAdmin")]
        .map(|(header, property)| (header.to_owned(), property.to_owned()))
        .into()
}
