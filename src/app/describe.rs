//! A configuration as the status page shows it.
//! Never shows a secret, nor a parameter that may be one.

use crate::admin::status::{Integration, Key, Rule, Upstream, Workspace};
use crate::config::Settings;
use crate::http::pool::Origin;
use crate::inbound::rules::RuleConfig;
use crate::inbound::{Mode, UpstreamConfig};
use crate::token::WorkspaceConfig;

/// What is told of the configuration in force.
#[derive(Clone, Default)]
pub(super) struct Described {
    pub(super) workspaces: Vec<Workspace>,
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
            workspaces: settings.tokens.workspaces.iter().map(workspace).collect(),
            upstreams: settings.upstreams.iter().map(upstream).collect(),
            integrations: integrations.collect(),
        }
    }
}

/// The keys that are named one by one; those of a set are known once it was read.
fn workspace(config: &WorkspaceConfig) -> Workspace {
    let named = |kid: Option<String>, source: String| Key { kid, algorithms: Vec::new(), source };
    let secret = config.secret.as_ref().filter(|_| !config.secret_disabled);
    let secret = secret.map(|_| named(None, "the workspace secret".into()));
    let public = config.public_keys.iter().map(|key| {
        named(key.kid.as_ref().map(ToString::to_string), format!("{}, {}", key.name, key.file.display()))
    });
    Workspace {
        key: config.key.to_string(),
        usable: true,
        required: true,
        keys: secret.into_iter().chain(public).collect(),
        fetched: None,
        error: None,
    }
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
