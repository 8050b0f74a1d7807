//! What the operator wrote, read once, checked whole, and turned into each room's own settings.
//! Never known to any room but app and main; no other room reads a file or a variable of its own.

mod check;
mod environment;
mod files;
mod fixed;
mod init;
mod interpolate;
mod layers;
mod path;
mod raw;
mod resolve;
mod schema;
mod secret_source;
mod show;
mod watched;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::connector::Integration;
use crate::document::Complaint;
use crate::http::listener;
use crate::inbound::{GateConfig, UpstreamConfig};
use crate::seal::keyring::SealingKey;
use crate::{connect, outbound, script, store, token};

pub use environment::{environment, log_level};
pub use fixed::Fixed;
pub use init::{InitError, init};
pub use path::Places;
pub use schema::schemas;
pub use show::show;
pub use watched::Watched;

/// Where a configuration comes from.
#[derive(Clone, Default)]
pub struct Sources {
    /// Files and folders, the later over the earlier.
    pub paths: Vec<PathBuf>,
    /// The flags that stand for keys.
    pub flags: Flags,
    /// The process environment, as [`environment`] reads it.
    pub environment: BTreeMap<String, String>,
}

/// Without the environment, which may hold secrets.
impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("paths", &self.paths)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// The short form for one upstream and one workspace, as typed on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--upstream`: where the API is.
    pub upstream: Option<String>,
    /// `--workspace`: the key of the workspace.
    pub workspace: Option<String>,
    /// `--workspace-secret-file`: the file that holds its secret.
    pub workspace_secret_file: Option<PathBuf>,
}

/// A configuration that holds: every file was read, every name resolves.
#[derive(Debug)]
pub struct Settings {
    /// Where Sidegate listens.
    pub listeners: Listeners,
    /// Worker threads of the traffic listeners, at least 1.
    pub workers: usize,
    /// How to stop.
    pub shutdown: Shutdown,
    /// How changed files are noticed.
    pub reload: Reload,
    /// Where the access log goes.
    pub access_log: AccessLogTo,
    /// How many of a hundred successful requests it gets.
    pub access_log_sample: u8,
    /// The issuers and their keys.
    pub tokens: token::Config,
    /// The APIs behind the inbound listener.
    pub upstreams: Vec<UpstreamConfig>,
    /// What concerns requests to all of them.
    pub gate: GateConfig,
    /// The third parties on the outbound side.
    pub integrations: Vec<Arc<Integration>>,
    /// What the outbound and the connect listener need; there whenever one of them listens.
    pub service: Option<ServiceSettings>,
    /// What deserves a look but stops nothing.
    pub warnings: Vec<Complaint>,
    /// Where each value was typed, for a room that finds fault with one.
    pub places: Places,
    /// What only a restart changes.
    pub fixed: Fixed,
    /// Where all of this comes from, to read it again.
    pub sources: Sources,
    /// Every file that it was read from.
    pub watched: Watched,
}

/// What came of reading a configuration.
#[derive(Debug)]
pub struct Reading {
    /// The settings, or every complaint that can be found at once, in the order of files and lines.
    pub settings: Result<Settings, Vec<Complaint>>,
    /// Every file that was read, or would have been.
    pub watched: Watched,
}

/// Where Sidegate listens; a listener that is not named is off.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For callers of the API.
    pub inbound: Vec<listener::Config>,
    /// For the service.
    pub outbound: Option<listener::Config>,
    /// For browsers.
    pub connect: Option<listener::Config>,
    /// For probes and metrics.
    pub health: Option<listener::Config>,
    /// For the operator.
    pub admin: Option<listener::Config>,
}

/// What the outbound and the connect listener need.
#[derive(Debug)]
pub struct ServiceSettings {
    /// Whom the outbound listener believes.
    pub outbound: outbound::Config,
    /// What it answers where credentials cannot be used.
    pub statuses: outbound::statuses::Statuses,
    /// What browsers may do.
    pub browsers: connect::Config,
    /// Where connections are kept.
    pub store: store::Config,
    /// The keys that seal them, at least one.
    pub sealing_keys: Vec<SealingKey>,
    /// How connectors' methods in JavaScript are run.
    pub scripts: script::Config,
}

/// How a process stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// How long new connections are still accepted, while readiness already fails.
    pub delay: Duration,
    /// How long requests in flight may take after that.
    pub grace: Duration,
}

/// How a running process notices that its configuration changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload {
    /// How often the files are looked at; never, if none.
    pub poll: Option<Duration>,
}

/// Where the access log goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogTo {
    /// To standard output, one JSON line for each request.
    Stdout,
    /// Nowhere.
    Off,
}

/// Reads, merges and resolves a configuration.
///
/// # Errors
/// Every complaint that can be found at once, in the order of files and lines.
pub fn load(sources: &Sources) -> Result<Settings, Vec<Complaint>> {
    read(sources).settings
}

/// The same, with the files that were read even where they do not hold together: whoever mends one of them wants it read
/// again.
#[must_use]
pub fn read(sources: &Sources) -> Reading {
    resolve::settings(layers::merge(sources), sources)
}
