//! Configuration: what is written is what is meant, every mistake is told at once with its place, no secret shows.

mod integrations;
mod layers;
mod lenders;
mod mistakes;
mod policy;
mod private_keys;
mod spill;
mod token_endpoint;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sidegate::config::{self, AccessLogTo, Flags, Settings, Sources};
use sidegate::connector::{Connections, Hosts};
use sidegate::document;
use sidegate::http::listener::Address;
use sidegate::inbound::identity::Property;
use sidegate::inbound::rules::Allow;

pub(crate) const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
pub(crate) const SECRET: &str =
    "a workspace secret that is long enough for every algorithm there is, HS512 too";

/// A folder that is gone when the test is.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name =
            format!("sidegate-config-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(std::env::temp_dir().join(name));
        fs::create_dir_all(&folder.0).unwrap();
        for (path, text) in files {
            folder.write(path, text);
        }
        folder
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn sources(&self, variables: &[(&str, &str)]) -> Sources {
        let environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Sources { paths: vec![self.0.clone()], environment, flags: Flags::default() }
    }

    fn settings(&self, variables: &[(&str, &str)]) -> Settings {
        config::load(&self.sources(variables)).unwrap_or_else(|complaints| panic!("{complaints:#?}"))
    }

    /// The complaints as an operator sees them, paths relative to the folder.
    fn complaints(&self, variables: &[(&str, &str)]) -> Vec<String> {
        let complaints =
            config::load(&self.sources(variables)).expect_err("the configuration should be refused");
        let folder = format!("{}/", self.0.display());
        complaints.iter().map(|complaint| complaint.to_string().replace(&folder, "")).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const SMALL: &str = "\
listeners: {inbound: {address: 127.0.0.1:8080}}
workspaces: {my-workspace: {secret: {file: workspace}}}
upstreams: {api: {upstream: http://127.0.0.1:3000}}
";

fn small() -> Folder {
    Folder::with(&[("sidegate.yaml", SMALL), ("workspace", SECRET)])
}

#[track_caller]
fn contains(complaints: &[String], wanted: &str) {
    assert!(
        complaints.iter().any(|complaint| complaint.contains(wanted)),
        "no {wanted:?} in {complaints:#?}"
    );
}

#[test]
fn what_is_not_said_has_its_documented_default() {
    let settings = small().settings(&[]);
    assert!(settings.workers >= 1);
    assert_eq!(
        (settings.shutdown.delay, settings.shutdown.grace),
        (Duration::from_secs(5), Duration::from_secs(25))
    );
    assert_eq!(settings.access_log, AccessLogTo::Stdout);
    assert_eq!(settings.tokens.cache_entries, 10_000);
    let [upstream] = settings.upstreams.as_slice() else { panic!("one upstream") };
    let headers: Vec<_> = upstream.token_headers.iter().map(http::HeaderName::as_str).collect();
    assert_eq!(headers, ["x-membrane-token", "x-integration-app-token"]);
    assert!(
        matches!(upstream.rules.as_slice(), [rule] if rule.path == "/*" && rule.allow == Allow::Verified)
    );
    let told: Vec<_> =
        upstream.identity.iter().map(|(name, property)| (name.as_str(), property.clone())).collect();
    let wanted = [
        ("x-sidegate-admin", Property::IsAdmin),
        ("x-sidegate-customer", Property::Id),
        ("x-sidegate-workspace", Property::Workspace),
    ];
    assert_eq!(told, wanted);
    assert!(upstream.preserve_host && !upstream.forward_token && !upstream.policy.require_expiry);
    assert_eq!(upstream.response_head_timeout, Duration::from_secs(60));
    assert_eq!(upstream.upgrade_idle_timeout, Some(Duration::from_secs(3600)));
    assert!(settings.service.is_none() && settings.listeners.health.is_none());
}

#[test]
fn every_example_of_the_documentation_is_understood() {
    let folder = small();
    folder.write(
        "upstreams/full.yaml",
        "\
upstream: {url: https://api.internal, tls: {ca: ../ca.pem, serverName: api}, host: upstream, stripPrefix: /v1, addPrefix: /api}
match: {hosts: [Orders.example.com], pathPrefix: /}
token: {workspaces: [my-workspace], headers: [Authorization], leeway: 1m 30s, requireExpiry: true}
rules:
  - {path: /x/*, methods: [GET, POST], allow: customer, claims: {fields.plan: [pro, 7, true], /odd~1name: [x]}}
identity: {X-Plan: fields.plan}
forwardToken: true
timeouts: {connect: 100ms, responseHead: 2s, upgradeIdle: 0s}
limits: {}
",
    );
    folder.write("ca.pem", "");
    let settings = folder.settings(&[]);
    let full = settings.upstreams.iter().find(|upstream| upstream.name.as_str() == "full").unwrap();
    assert_eq!(full.tls.ca.as_deref(), Some(folder.0.join("upstreams/../ca.pem").as_path()));
    assert_eq!(full.hosts, ["orders.example.com"]);
    assert_eq!(full.policy.leeway, Duration::from_secs(90));
    assert_eq!(
        full.rules[0].claims[1].1,
        [serde_json::json!("pro"), serde_json::json!(7), serde_json::json!(true)]
    );
    assert_eq!(full.identity[0].1, Property::Claim("fields.plan".into()));
    assert!(!full.preserve_host && full.forward_token);
    assert_eq!(full.upgrade_idle_timeout, None);
}

#[test]
fn a_fresh_configuration_passes_and_is_never_written_over() {
    let folder = Folder::with(&[]);
    let written = config::init(&folder.0).unwrap();
    let mode = |name: &str| fs::metadata(folder.0.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("secrets/workspace"), mode("secrets/sealing-key"), mode("secrets")),
        (0o600, 0o600, 0o700)
    );
    assert_eq!(written.len(), 4);
    let settings = folder.settings(&[]);
    assert!(settings.warnings.is_empty(), "{:#?}", settings.warnings);
    let before = fs::read(folder.0.join("secrets/workspace")).unwrap();
    assert!(config::init(&folder.0).is_err());
    assert_eq!(fs::read(folder.0.join("secrets/workspace")).unwrap(), before);
}

#[test]
fn the_committed_schemas_are_those_of_the_code() {
    for (name, schema) in config::schemas() {
        let path = repository().join("config").join(&name);
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("SIDEGATE_WRITE_SCHEMAS").is_some() {
            fs::write(&path, &text).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(committed, text, "config/{name} is old: run the test once with SIDEGATE_WRITE_SCHEMAS=1");
    }
}

#[test]
fn every_key_of_the_schemas_is_documented() {
    let documented = fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    for (name, schema) in config::schemas() {
        let mut keys = Vec::new();
        collect_keys(&schema, &mut keys);
        for key in keys {
            assert!(
                documented.contains(&format!("`{key}`")) || documented.contains(&format!(".{key}`")),
                "{name}: {key}"
            );
        }
    }
}

#[test]
fn the_samples_pass() {
    let folder = Folder::with(&[]);
    copy(&repository().join("config"), &folder.0);
    folder.write("secrets/workspace", SECRET);
    folder.write("secrets/sealing-key", SEALING_KEY);
    folder.write("secrets/hubspot", "a client secret");
    let settings = folder.settings(&[("HUBSPOT_CLIENT_ID", "id")]);
    let keys: Vec<_> = settings.integrations.iter().map(|integration| integration.key.as_str()).collect();
    let entered = ["freshdesk", "pipedrive", "sendgrid", "session-login", "wordpress"];
    let consented = ["github", "google", "hubspot", "salesforce", "slack", "trello", "xero"];
    let mut all = [&entered[..], &consented].concat();
    all.sort_unstable();
    assert_eq!(keys, all);
    assert!(settings.service.is_some());
    // Connectors may be warned about for what this version does not run; the samples of this room must be clean.
    let ours: Vec<_> =
        settings.warnings.iter().filter(|warning| !warning.file.contains("/connectors/")).collect();
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn the_configurations_inside_the_manifests_pass() {
    for manifest in ["compose.yaml", "kubernetes-native-sidecar.yaml", "kubernetes-plain-container.yaml"] {
        let text = fs::read_to_string(repository().join("config/deploy").join(manifest)).unwrap();
        // One document at a time; the configuration is the one literal block in the first.
        let first = text.split("\n---\n").next().unwrap();
        let root = document::parse(manifest, first).unwrap();
        let inside = root.get("data").and_then(|data| data.get("sidegate.yaml"));
        let compose = || root.get("configs")?.get("sidegate")?.get("content");
        let inside = inside.or_else(compose).and_then(document::Node::text).expect("a configuration inside");
        let folder = Folder::with(&[("run/workspace", SECRET), ("run/sealing-key", SEALING_KEY)]);
        let run = folder.0.join("run").display().to_string();
        folder.write(
            "sidegate.yaml",
            &inside.replace("/run/secrets/sidegate", &run).replace("/run/secrets", &run),
        );
        let settings = folder.settings(&[]);
        assert_eq!(settings.upstreams.len(), 1, "{manifest}");
        assert!(
            settings.service.is_some() && settings.warnings.is_empty(),
            "{manifest}: {:#?}",
            settings.warnings
        );
    }
}

pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn collect_keys(schema: &serde_json::Value, keys: &mut Vec<String>) {
    match schema {
        serde_json::Value::Object(object) => {
            if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| collect_keys(value, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_keys(item, keys)),
        _ => {}
    }
}
