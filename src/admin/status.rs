//! What the operator is shown of a running Sidegate, and how it is controlled.
//! Never holds a secret, and nothing that a caller sent but the reason for which it was refused.

use serde::Serialize;

use super::connections::Connections;
use super::preview::{Preview, Wanted};
use super::readiness::Unmet;
use super::sealing::{KeyRows, Rotation, Sealing};
use super::times::{as_optional_text, as_text};
use crate::clock::Timestamp;

/// What the admin listener needs of the process.
pub trait Operations: Send + Sync + 'static {
    /// Everything as it is now.
    fn status(&self) -> Status;
    /// Reads the configuration again.
    fn reload(&self) -> impl Future<Output = Reloaded> + Send;
    /// Begins to stop, as the first SIGTERM does.
    fn drain(&self);
    /// Begins to seal everything anew under the first key, or finds that it is under way; none without a store.
    fn rotate(&self) -> Option<Rotation>;
    /// The request that a call would send, secrets masked; else why there is none.
    fn preview(&self, wanted: Wanted) -> impl Future<Output = Result<Preview, String>> + Send;
    /// What is under each sealing key; none without a store, or if it cannot be read, which is logged.
    fn keys(&self) -> impl Future<Output = Option<Vec<KeyRows>>> + Send;
}

/// Everything on the status page.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The running version.
    pub version: &'static str,
    /// When this was put together.
    #[serde(serialize_with = "as_text")]
    pub now: Timestamp,
    /// When the process started.
    #[serde(serialize_with = "as_text")]
    pub started: Timestamp,
    /// What keeps traffic away; nothing when ready.
    pub unmet: Vec<Unmet>,
    /// The generation of the configuration in force.
    pub generation: u64,
    /// How the last reload ended, if there was one.
    pub last_reload: Option<Reloaded>,
    /// Where Sidegate listens.
    pub listeners: Vec<Listener>,
    /// Requests that were decided, by door and reason.
    pub requests: Vec<Requests>,
    /// Requests in flight, by door.
    pub in_flight: Vec<InFlight>,
    /// Whose tokens are verified, with which keys.
    pub workspaces: Vec<Workspace>,
    /// The APIs behind the inbound listener.
    pub upstreams: Vec<Upstream>,
    /// The third parties on the outbound side.
    pub integrations: Vec<Integration>,
    /// How customers' connections are doing, if there is a store.
    pub connections: Option<Connections>,
    /// The keys of the store, if there is one.
    pub sealing: Option<Sealing>,
}

/// How a reload ended.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// When.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    /// Who wanted it.
    pub cause: &'static str,
    /// Whether what was read is in force.
    pub applied: bool,
    /// The generation in force since then.
    pub generation: u64,
    /// Why it was refused, each mistake at its place.
    pub complaints: Vec<String>,
    /// What deserves a look.
    pub warnings: Vec<String>,
    /// What was changed and takes a restart.
    pub needs_restart: Vec<String>,
}

/// An open listener.
#[derive(Clone, Debug, Serialize)]
pub struct Listener {
    /// `inbound`, `outbound`, `health` or `admin`.
    pub name: &'static str,
    /// The address it really has.
    pub address: String,
}

/// Requests that ended alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// The listener they came in by.
    pub door: String,
    /// `ok`, or why they were refused.
    pub reason: String,
    /// How many, since the start.
    pub count: u64,
}

/// Requests that are not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InFlight {
    /// The listener they came in by.
    pub door: String,
    /// How many, now.
    pub count: u64,
}

/// An issuer of tokens.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workspace {
    /// Its key, the tokens' issuer.
    pub key: String,
    /// Whether it has a key to verify with.
    pub usable: bool,
    /// Whether Sidegate is not ready without one.
    pub required: bool,
    /// Its keys.
    pub keys: Vec<Key>,
    /// When its key set was last read, where it comes from a URL.
    #[serde(serialize_with = "as_optional_text")]
    pub fetched: Option<Timestamp>,
    /// Why the last attempt to read it failed, if it did.
    pub error: Option<String>,
    /// How many revocations apply to its tokens.
    pub revocations: usize,
}

/// A key to verify with: its name, never what it is.
#[derive(Clone, Debug, Serialize)]
pub struct Key {
    /// The `kid` it answers to; none: any token without one.
    pub kid: Option<String>,
    /// What it verifies.
    pub algorithms: Vec<String>,
    /// Where it comes from.
    pub source: String,
}

/// An API behind the inbound listener.
#[derive(Clone, Debug, Serialize)]
pub struct Upstream {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// `enforce`, or `observe`: nothing is refused.
    pub mode: &'static str,
    /// Which hosts and paths are its own.
    pub serves: String,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

/// What a path demands.
#[derive(Clone, Debug, Serialize)]
pub struct Rule {
    /// The path, as configured.
    pub path: String,
    /// The methods; empty: all.
    pub methods: Vec<String>,
    /// Who is let through.
    pub allow: String,
}

/// A third party.
#[derive(Clone, Debug, Serialize)]
pub struct Integration {
    /// Its key.
    pub key: String,
    /// How it is spoken to.
    pub connector: String,
    /// Whether it may be used.
    pub enabled: bool,
}

impl Status {
    /// One word for all of it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self.unmet.first() {
            None => "ready",
            Some(Unmet { condition: "draining", .. }) => "draining",
            Some(_) => "not ready",
        }
    }
}
