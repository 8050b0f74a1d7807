//! A configuration as the status page shows it.
//! Never shows a secret, nor a parameter that may be one.

use crate::admin::connections::{Connections, Count, Unwell};
use crate::admin::readiness::Unmet;
use crate::admin::status::{Integration, Key, Rule, Upstream, Workspace};
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::http::pool::Origin;
use crate::inbound::rules::RuleConfig;
use crate::inbound::{Mode, UpstreamConfig};
use crate::refresh::schedule::{self, Census};
use crate::store::{Connection, Health};
use crate::telemetry::labels::ConnectionState;
use crate::token::KeyStatus;

/// What is told of the configuration in force.
#[derive(Clone, Default)]
pub(super) struct Described {
    pub(super) upstreams: Vec<Upstream>,
    pub(super) integrations: Vec<Integration>,
}

impl Described {
    pub(super) fn of(settings: &Settings) -> Self {
        let integrations = settings.integrations.iter().map(|one| Integration {
            key: one.key.to_string(),
            connector: one.connector.key.to_string(),
            enabled: one.enabled,
        });
        Self {
            upstreams: settings.upstreams.iter().map(upstream).collect(),
            integrations: integrations.collect(),
        }
    }
}

/// How customers' connections were doing when they were counted last.
pub(super) fn connections(census: &Census) -> Connections {
    let counts = ConnectionState::ALL.iter().zip(census.counts);
    let counts = counts.map(|(state, count)| Count { state: state.as_str(), count }).collect();
    Connections { at: census.at, counts, unwell: census.unwell.iter().map(unwell).collect() }
}

fn unwell((connection, next_refresh): &(Connection, Option<Timestamp>)) -> Unwell {
    let failure = connection.refresh_failure();
    let error = match (&connection.health, failure) {
        (_, Some(failure)) => failure.class.as_str().to_owned(),
        (Health::Disconnected { code, .. }, None) => code.clone(),
        (Health::Ready, None) => String::new(),
    };
    Unwell {
        id: connection.id.to_string(),
        customer: connection.owner.customer.to_string(),
        integration: connection.integration.to_string(),
        state: schedule::state(connection).as_str(),
        error,
        expires_at: connection.expires_at,
        refreshed_at: connection.refreshed_at,
        next_refresh: *next_refresh,
        exchanges: connection.refreshing.exchanges,
        version: connection.version.0,
    }
}

/// The keys of a workspace as they are now.
pub(super) fn workspace(status: &KeyStatus) -> Workspace {
    let keys = status.keys.iter().map(|key| Key {
        kid: key.kid.as_ref().map(ToString::to_string),
        algorithms: key.algorithms.iter().map(ToString::to_string).collect(),
        source: key.name.clone(),
    });
    Workspace {
        key: status.workspace.to_string(),
        usable: status.loaded,
        required: status.required,
        keys: keys.collect(),
        fetched: status.last_success,
        error: status.last_error.clone(),
        revocations: status.revocations,
    }
}

/// A condition of readiness for each required workspace whose key set is not there. Once everything `was_ready`, only a
/// set that became too old counts: a workspace that a reload adds must not take all others out of service.
pub(super) fn unmet(workspaces: &[KeyStatus], was_ready: bool) -> Vec<Unmet> {
    let counts = |status: &&KeyStatus| !status.is_ready() && (!was_ready || status.last_success.is_some());
    let reason = |status: &KeyStatus| match &status.last_error {
        Some(error) => format!("the key set of the workspace `{}` is not there: {error}", status.workspace),
        None => format!("the key set of the workspace `{}` is not there yet", status.workspace),
    };
    let unmet = |status| Unmet { condition: "keys", reason: reason(status) };
    workspaces.iter().filter(counts).map(unmet).collect()
}

fn upstream(config: &UpstreamConfig) -> Upstream {
    let everything = [RuleConfig::everything_verified()];
    let rules = if config.rules.is_empty() { &everything[..] } else { &config.rules };
    let hosts = if config.hosts.is_empty() { "every host".into() } else { config.hosts.join(", ") };
    let paths = match config.path_prefix.trim_end_matches('/') {
        "" => "Every path".into(),
        prefix => format!("{prefix} and below"),
    };
    Upstream {
        name: config.name.to_string(),
        url: url(&config.origin),
        mode: match config.mode {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
        },
        serves: format!("{paths} of {hosts}"),
        rules: rules.iter().map(rule).collect(),
    }
}

fn rule(config: &RuleConfig) -> Rule {
    let mut allow = format!("{:?}", config.allow).to_lowercase();
    if !config.claims.is_empty() {
        allow.push_str(" with certain claims");
    }
    if config.when.is_some() {
        allow.push_str(" on a condition");
    }
    Rule {
        path: config.path.clone(),
        methods: config.methods.iter().map(ToString::to_string).collect(),
        allow,
    }
}

fn url(origin: &Origin) -> String {
    match origin {
        Origin::Unix(path) => format!("unix:{}", path.display()),
        Origin::Tcp { host, port, tls } => {
            let scheme = if *tls { "https" } else { "http" };
            let host = if host.contains(':') && !host.starts_with('[') {
                format!("[{host}]")
            } else {
                host.to_string()
            };
            format!("{scheme}://{host}:{port}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn status(loaded: bool, required: bool, last_success: Option<u64>) -> KeyStatus {
        KeyStatus {
            workspace: "acme".into(),
            loaded,
            required,
            keys: Vec::new(),
            revocations: 0,
            generation: 1,
            last_success: last_success.map(Timestamp::from_secs),
            last_error: None,
        }
    }

    #[test]
    fn a_required_set_that_was_never_read_keeps_traffic_away_at_the_start_only() {
        let missing = [status(false, true, None)];
        assert_eq!(unmet(&missing, false)[0].condition, "keys");
        assert!(unmet(&missing, true).is_empty());
        assert!(unmet(&[status(false, false, None), status(true, true, Some(1))], false).is_empty());
    }

    #[test]
    fn a_required_set_that_became_too_old_keeps_traffic_away_at_any_time() {
        let stale = [status(false, true, Some(1))];
        assert_eq!((unmet(&stale, false).len(), unmet(&stale, true).len()), (1, 1));
    }
}
