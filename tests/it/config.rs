//! Configuration: what is written is what is meant, every mistake is told at once with its place, no secret shows.

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
fn eleven_mistakes_are_told_at_once_each_with_its_place_and_a_cure() {
    let folder = Folder::with(&[
        (
            "sidegate.yaml",
            "\
listeners:
  inbound: {adress: 127.0.0.1:8080}
  health: {address: localhost}
workers: many
shutdown: {delay: 5}
worksapces: {}
workspaces:
  one: {secret: {file: nowhere}}
  two: {secret: {value: x, env: Y}, algorithms: [HS265]}
",
        ),
        (
            "upstreams/api.yaml",
            "\
upstream: ftp://127.0.0.1
rules:
  - {path: orders, allow: verified}
  - {path: /*, methods: [get], allow: everyone}
",
        ),
    ]);
    let complaints = folder.complaints(&[]);
    let wanted = [
        ("sidegate.yaml:2:13:", "did you mean `address`?"),
        ("sidegate.yaml:3:21:", "write IP:PORT"),
        ("sidegate.yaml:4:10:", "write a whole number"),
        ("sidegate.yaml:5:19:", "a duration with its unit"),
        ("sidegate.yaml:6:1:", "did you mean `workspaces`?"),
        ("sidegate.yaml:8:24:", "create the file"),
        ("sidegate.yaml:9:17:", "keep exactly one"),
        ("sidegate.yaml:9:50:", "did you mean `HS256`?"),
        ("upstreams/api.yaml:1:11:", "write http://"),
        ("upstreams/api.yaml:3:12:", "write an exact path"),
        ("upstreams/api.yaml:4:39:", "write one of `public`"),
    ];
    for (place, cure) in wanted {
        let found =
            complaints.iter().any(|complaint| complaint.starts_with(place) && complaint.contains(cure));
        assert!(found, "no complaint at {place} with the cure {cure:?} in {complaints:#?}");
    }
    assert_eq!(complaints.len(), wanted.len(), "{complaints:#?}");
}

#[test]
fn every_rule_is_checked_for_what_it_means() {
    let folder = small();
    folder.write(
        "upstreams/orders.yaml",
        "\
upstream: http://127.0.0.1:3001
match: {pathPrefix: /orders}
token: {workspaces: [my-workspcae], headers: ['X Token']}
rules:
  - {path: orders, allow: verified}
  - {path: /a/*/b, allow: verified}
  - {path: /c, methods: [get], allow: customer}
  - {path: /d, allow: public, claims: {fields.plan: [pro]}}
identity: {Content-Length: id, X-Admin: isadmin}
",
    );
    let complaints = folder.complaints(&[]);
    contains(
        &complaints,
        "upstreams/orders.yaml:3:22: there is no workspace `my-workspcae`; did you mean `my-workspace`?",
    );
    contains(&complaints, "upstreams/orders.yaml:3:47: `X Token` is not a header name");
    contains(
        &complaints,
        "upstreams/orders.yaml:5:12: `upstreams.orders.rules[0].path` does not begin with `/`",
    );
    contains(&complaints, "upstreams/orders.yaml:6:12:");
    contains(
        &complaints,
        "upstreams/orders.yaml:7:26: `get` is not a method that is known here; did you mean `GET`?",
    );
    contains(&complaints, "upstreams/orders.yaml:8:39: a public rule ignores tokens");
    contains(
        &complaints,
        "upstreams/orders.yaml:9:28: the header `content-length` carries the message itself",
    );
    contains(
        &complaints,
        "upstreams/orders.yaml:9:41: `isadmin` is not a property of a token; did you mean `isAdmin`?",
    );
    assert_eq!(complaints.len(), 8, "{complaints:#?}");
}

#[test]
fn a_bad_entry_of_a_list_hides_no_mistake_of_its_neighbours() {
    let folder = small();
    folder.write("k3.pem", "-----BEGIN PRIVATE KEY-----\n");
    folder.write(
        "sidegate.yaml",
        "\
listeners: {inbound: [{adress: 127.0.0.1:1}, {address: nowhere}]}
workspaces:
  my-workspace:
    publicKeys:
      - {name: one}
      - {name: two, file: k2.pem}
      - {name: three, file: k3.pem}
store: {redb: {path: x}}
encryption: {keys: [{id: k1}, {id: k2, key: {value: short}}]}
",
    );
    folder.write(
        "upstreams/api.yaml",
        "\
upstream: http://127.0.0.1:3000
match: {hosts: [[], 'a b']}
token: {headers: [{}, 'X Token']}
rules:
  - {path: /a, allow: everyone}
  - {path: b, allow: verified}
  - {path: /c, allow: verified, methods: [{}, get]}
",
    );
    folder.write("connectors/crm/spec.yml", CONNECTOR);
    folder.write(
        "integrations/crm.yaml",
        "\
connector: crm
apps:
  - {clientId: x}
  - {id: own, clientId: {env: NOT_SET}}
hosts: [[], 'https://x']
",
    );
    let complaints = folder.complaints(&[]);
    for (place, problem) in [
        ("sidegate.yaml:1:24:", "did you mean `address`?"),
        ("sidegate.yaml:1:56:", "`listeners.inbound[1].address` is not an address"),
        ("sidegate.yaml:5:9:", "`workspaces.my-workspace.publicKeys[0].file` is missing"),
        ("sidegate.yaml:6:27:", "`workspaces.my-workspace.publicKeys[1].file` names k2.pem"),
        ("sidegate.yaml:7:29:", "k3.pem holds a private key"),
        ("sidegate.yaml:9:21:", "`encryption.keys[0].key` is missing"),
        ("sidegate.yaml:9:45:", "`encryption.keys[1].key` is not base64 of 32 bytes"),
        ("upstreams/api.yaml:2:17:", "`upstreams.api.match.hosts[0]` is a list"),
        ("upstreams/api.yaml:2:21:", "`a b` is not a host name"),
        ("upstreams/api.yaml:3:19:", "`upstreams.api.token.headers[0]` is a mapping"),
        ("upstreams/api.yaml:3:23:", "`X Token` is not a header name"),
        ("upstreams/api.yaml:5:23:", "`upstreams.api.rules[0].allow` is not a word"),
        ("upstreams/api.yaml:6:12:", "`upstreams.api.rules[1].path` does not begin with `/`"),
        ("upstreams/api.yaml:7:43:", "`upstreams.api.rules[2].methods[0]` is a mapping"),
        ("upstreams/api.yaml:7:47:", "`get` is not a method"),
        ("integrations/crm.yaml:3:5:", "`integrations.crm.apps[0].id` is missing"),
        ("integrations/crm.yaml:4:31:", "the environment variable NOT_SET is not set"),
        ("integrations/crm.yaml:5:9:", "`integrations.crm.hosts[0]` is a list"),
        ("integrations/crm.yaml:5:13:", "`integrations.crm.hosts[1]` is not a host pattern"),
    ] {
        let found =
            complaints.iter().any(|complaint| complaint.starts_with(place) && complaint.contains(problem));
        assert!(found, "no {problem:?} at {place} in {complaints:#?}");
    }
    assert_eq!(complaints.len(), 19, "{complaints:#?}");
}

#[test]
fn a_rule_that_is_never_reached_is_a_warning() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        &SMALL.replace(
            "{upstream: http://127.0.0.1:3000}",
            "{upstream: http://127.0.0.1:3000, rules: [{path: /*, allow: customer}, {path: /healthz, allow: public}]}",
        ),
    );
    let warnings = folder.settings(&[]).warnings;
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].problem.contains("never reached"), "{warnings:#?}");
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
timeouts: {connect: 100ms, responseHead: 2s}
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
}

#[test]
fn a_variable_stands_over_a_file_and_keeps_its_text() {
    let folder = small();
    let settings = folder.settings(&[
        ("SIDEGATE_WORKERS", "3"),
        ("SIDEGATE_CACHE__TOKENS", "0"),
        ("SIDEGATE_SHUTDOWN__DELAY", "100ms"),
        ("SIDEGATE_ACCESS_LOG__TO", "off"),
        ("SIDEGATE_WORKSPACES__MY_WORKSPACE__AUDIENCES", "0123, true"),
        ("SIDEGATE_UPSTREAMS__API__TOKEN__REQUIRE_EXPIRY", "true"),
        ("SIDEGATE_LISTENERS__HEALTH__ADDRESS", "unix:/run/health.sock"),
        ("SIDEGATE_LOG", "debug"),
        ("SIDEGATE_PORT", "tcp://10.0.0.1:80"),
        ("SIDEGATE_SERVICE_HOST", "10.0.0.1"),
    ]);
    assert_eq!((settings.workers, settings.tokens.cache_entries), (3, 0));
    assert_eq!(settings.shutdown.delay, Duration::from_millis(100));
    assert_eq!(settings.access_log, AccessLogTo::Off);
    assert_eq!(settings.tokens.workspaces[0].audiences, ["0123", "true"]);
    assert!(settings.upstreams[0].policy.require_expiry);
    assert_eq!(settings.listeners.health.unwrap().address, Address::Unix("/run/health.sock".into()));
}

#[test]
fn a_variable_that_names_nothing_is_told_with_what_it_may_have_meant() {
    let complaints = small().complaints(&[
        ("SIDEGATE_WORKER", "3"),
        ("SIDEGATE_CACHE__TOKEN", "0"),
        ("SIDEGATE_WORKSPACES__OTHER__SECRET", "x"),
        ("SIDEGATE_SHUTDOWN", "5s"),
        ("SIDEGATE_CACHE__TOKENS", "many"),
    ]);
    contains(
        &complaints,
        "environment SIDEGATE_WORKER: this version does not know `WORKER`; did you mean `WORKERS`?",
    );
    contains(
        &complaints,
        "environment SIDEGATE_CACHE__TOKEN: this version does not know `TOKEN` in `cache`; did you mean `TOKENS`?",
    );
    contains(
        &complaints,
        "environment SIDEGATE_WORKSPACES__OTHER__SECRET: this version does not know `OTHER` in `workspaces`",
    );
    contains(&complaints, "environment SIDEGATE_SHUTDOWN: `shutdown` is a group of keys; add `__`");
    contains(
        &complaints,
        "environment SIDEGATE_CACHE__TOKENS: `cache.tokens` cannot be read; write a whole number",
    );
    assert_eq!(complaints.len(), 5, "{complaints:#?}");
}

#[test]
fn a_secret_that_looks_like_a_number_stays_text() {
    let folder = small();
    folder.write("sidegate.yaml", &SMALL.replace("{file: workspace}", "{value: 0012345678901234567890}"));
    assert_eq!(secret_of(&folder.settings(&[])), "0012345678901234567890");
    for text in ["12345678901234567890123", "true", "1e3", "[a, b]"] {
        let settings = folder.settings(&[("SIDEGATE_WORKSPACES__MY_WORKSPACE__SECRET", text)]);
        assert_eq!(secret_of(&settings), text);
    }
}

#[test]
fn a_secret_has_a_file_twin_in_the_environment_and_replaces_the_files_own() {
    let folder = small();
    folder.write("other", "from the other file\n");
    let other = folder.0.join("other").display().to_string();
    let settings = folder.settings(&[("SIDEGATE_WORKSPACES__MY_WORKSPACE__SECRET_FILE", &other)]);
    assert_eq!(secret_of(&settings), "from the other file");
    let settings = folder.settings(&[("SIDEGATE_WORKSPACES__MY_WORKSPACE__SECRET", "typed")]);
    assert_eq!(secret_of(&settings), "typed");
}

#[test]
fn a_secret_file_loses_one_trailing_newline_and_may_not_be_empty() {
    let folder = small();
    folder.write("workspace", "two newlines\n\n");
    assert_eq!(secret_of(&folder.settings(&[])), "two newlines\n");
    folder.write("workspace", "\n");
    contains(
        &folder.complaints(&[]),
        "sidegate.yaml:2:37: the secret of `workspaces.my-workspace.secret` is empty",
    );
}

#[test]
fn a_secret_that_everybody_can_read_is_a_warning() {
    let folder = small();
    fs::set_permissions(folder.0.join("workspace"), fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = folder.settings(&[]).warnings;
    assert!(warnings.iter().any(|warning| warning.problem.contains("every user")), "{warnings:#?}");
}

#[test]
fn variables_in_a_file_are_put_in_and_missed() {
    let folder = small();
    folder
        .write("sidegate.yaml", &SMALL.replace("http://127.0.0.1:3000", "\"http://${HOST}:${PORT:-3000}\""));
    let settings = folder.settings(&[("HOST", "10.0.0.1")]);
    assert!(format!("{:?}", settings.upstreams[0].origin).contains("10.0.0.1"));
    contains(&folder.complaints(&[]), "sidegate.yaml:3:29: the environment variable HOST is not set; set it");
}

#[test]
fn no_file_is_needed_for_one_upstream() {
    let folder = Folder::with(&[("secret", SECRET)]);
    let flags = Flags {
        upstream: Some("http://127.0.0.1:3000".into()),
        workspace: Some("my-workspace".into()),
        workspace_secret_file: Some(folder.0.join("secret")),
    };
    let from_flags = Sources { flags, ..Sources::default() };
    let file = folder.0.join("secret").display().to_string();
    let variables = [
        ("SIDEGATE_UPSTREAM", "http://127.0.0.1:3000"),
        ("SIDEGATE_WORKSPACE", "my-workspace"),
        ("SIDEGATE_WORKSPACE_SECRET_FILE", &file),
    ];
    let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let from_environment = Sources { environment, ..Sources::default() };
    for sources in [from_flags, from_environment] {
        let settings = config::load(&sources).unwrap();
        assert_eq!(settings.listeners.inbound[0].address, Address::Tcp("0.0.0.0:8080".parse().unwrap()));
        assert_eq!(
            settings.listeners.health.as_ref().unwrap().address,
            Address::Tcp("127.0.0.1:9091".parse().unwrap())
        );
        assert_eq!(settings.upstreams[0].name.as_str(), "default");
        assert_eq!(secret_of(&settings), SECRET);
    }
    let nothing = config::load(&Sources::default()).unwrap_err();
    assert!(nothing[0].to_string().contains("nothing listens"), "{nothing:#?}");
}

#[test]
fn the_same_name_twice_is_told_with_both_places() {
    let folder = small();
    folder.write("upstreams/api.yaml", "upstream: http://127.0.0.1:3001\n");
    let complaints = folder.complaints(&[]);
    contains(
        &complaints,
        "upstreams/api.yaml:1:1: `upstreams.api` is here a second time, the first is at sidegate.yaml:3:18",
    );
}

#[test]
fn a_key_of_a_later_version_is_refused() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        &format!("{SMALL}publicUrl: https://auth.example.com\ncors: {{origins: []}}\n"),
    );
    let complaints = folder.complaints(&[]);
    contains(&complaints, "sidegate.yaml:4:1: this version does not know `publicUrl` here");
    contains(&complaints, "sidegate.yaml:5:1: this version does not know `cors` here");
}

#[test]
fn a_key_without_a_value_is_not_taken_for_an_absent_one() {
    let folder = small();
    folder.write("sidegate.yaml", &SMALL.replace("{secret: {file: workspace}}", "{secret: }"));
    contains(&folder.complaints(&[]), "`workspaces.my-workspace.secret` has no value");
}

#[test]
fn what_one_part_needs_from_another_is_missed() {
    let folder = small();
    folder.write(
        "sidegate.yaml",
        "\
listeners:
  inbound: [{address: 0.0.0.0:8080}, {address: 127.0.0.1:8080}]
  outbound: {address: 0.0.0.0:8081, trustCaller: true}
",
    );
    let complaints = folder.complaints(&[]);
    contains(
        &complaints,
        "sidegate.yaml:2:48: `listeners.inbound[1]` wants the same address as `listeners.inbound[0]`",
    );
    contains(&complaints, "sidegate.yaml:3:50: `trustCaller` would believe anybody");
    contains(&complaints, "sidegate.yaml:2:12: the inbound listener has no upstream");
    contains(&complaints, "sidegate.yaml:2:12: the inbound listener has no workspace");
    contains(&complaints, "sidegate.yaml:3:13: the outbound listener has no store");
    folder.write("sidegate.yaml", &format!("{SMALL}store: {{redb: {{path: x}}}}\n"));
    contains(&folder.complaints(&[]), "sidegate.yaml:4:8: the store has no key to seal credentials with");
}

#[test]
fn a_url_with_a_password_is_refused_without_showing_it() {
    let folder = small();
    folder.write("sidegate.yaml", &SMALL.replace("//127.0.0.1:3000", "//user:hunter2@127.0.0.1:3000"));
    let complaints = folder.complaints(&[]);
    contains(&complaints, "holds a user name or a password");
    assert!(!complaints.concat().contains("hunter2"));
}

#[test]
fn the_merged_configuration_shows_origins_and_no_secret() {
    let folder = small();
    folder.write("sidegate.yaml", &SMALL.replace("{file: workspace}", "{value: the-planted-secret-value}"));
    let shown = config::show(&folder.sources(&[("SIDEGATE_CACHE__TOKENS", "5")])).unwrap();
    let folder_name = folder.0.display().to_string();
    assert!(shown.contains("tokens: 5  # environment SIDEGATE_CACHE__TOKENS"), "{shown}");
    assert!(shown.contains(&format!("value: \"[secret]\"  # {folder_name}/sidegate.yaml:2:45")), "{shown}");
    assert!(shown.contains("delay: \"5s\"  # default"), "{shown}");
    assert!(!shown.contains("the-planted-secret-value"), "{shown}");
    document::parse("shown", &shown).expect("what is shown is YAML");
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

const CONNECTOR: &str = "\
name: CRM
auth:
  type: client-credentials
  makeApiClient:
    implementationType: mapping
    mapping: {baseUri: https://api.example.com, headers: {X-Key: {$var: credentials.key}}}
  test: {implementationType: mapping, mapping: {path: /me, method: get}}
";

fn with_integration(integration: &str) -> Folder {
    let folder = small();
    folder.write("connectors/crm/spec.yml", CONNECTOR);
    folder.write("integrations/crm.yaml", integration);
    folder
}

#[test]
fn an_integration_is_read_with_everything_that_it_may_say() {
    let folder = with_integration(
        "\
connector: crm
workspaces: [my-workspace]
parameters: {zeta: 1, alpha: two}
scopes: [read]
apps: [{id: own, clientId: {env: CRM_ID}, clientSecret: {file: ../workspace}}, {id: other, clientId: 0123}]
enabled: false
hosts: [api.example.com, '*.example.org']
connections: many
egress: {allowPrivate: true, allowPlain: true}
route: {pathPrefix: /crm}
",
    );
    let settings = folder.settings(&[("CRM_ID", "the id")]);
    let [crm] = settings.integrations.as_slice() else { panic!("one integration") };
    assert_eq!((crm.key.as_str(), crm.connector.key.as_str()), ("crm", "crm"));
    assert_eq!(serde_json::to_string(crm.parameters.expose()).unwrap(), r#"{"zeta":1,"alpha":"two"}"#);
    assert_eq!((crm.apps[0].client_id.as_str(), crm.apps[1].client_id.as_str()), ("the id", "0123"));
    assert_eq!(crm.apps[0].client_secret.as_ref().unwrap().expose(), SECRET);
    assert!(matches!(&crm.hosts, Hosts::Listed(patterns) if patterns.len() == 2));
    assert!(!crm.enabled && crm.allow_private && crm.allow_plain && crm.connections == Connections::Many);
    assert_eq!(crm.route.as_deref(), Some("/crm"));
}

#[test]
fn a_prefix_that_no_url_can_have_is_refused_before_a_request_meets_it() {
    let folder = small();
    for prefix in ["/a\u{9}b", "/a\u{1}b", "/\u{e9}", "/a b", "/../a", "a"] {
        let target = serde_json::json!({"url": "http://127.0.0.1:1", "addPrefix": prefix});
        folder.write("sidegate.yaml", &SMALL.replace("http://127.0.0.1:3000", &target.to_string()));
        contains(&folder.complaints(&[]), "`upstreams.api.upstream.addPrefix` is not a path prefix");
    }
}

#[test]
fn an_integration_is_checked_for_what_it_means() {
    let folder = with_integration("connector: cmr\nhosts: ['https://x']\nroute: {pathPrefix: crm}\n");
    let complaints = folder.complaints(&[]);
    contains(&complaints, "integrations/crm.yaml:1:12: there is no connector `cmr`; did you mean `crm`?");
    contains(&complaints, "integrations/crm.yaml:2:9: `integrations.crm.hosts[0]` is not a host pattern");
    contains(
        &complaints,
        "integrations/crm.yaml:3:21: `integrations.crm.route.pathPrefix` is not a path prefix",
    );
}

#[test]
fn a_computed_base_uri_needs_hosts() {
    let folder = with_integration("connector: crm\n");
    folder.settings(&[]);
    let computed = CONNECTOR.replace("https://api.example.com", "{$var: credentials.url}");
    folder.write("connectors/crm/spec.yml", &computed);
    contains(
        &folder.complaints(&[]),
        "`integrations.crm.hosts` is missing: the connector computes its baseUri",
    );
    folder.write("integrations/crm.yaml", "connector: crm\nhosts: connection\n");
    assert_eq!(folder.settings(&[]).integrations[0].hosts, Hosts::Connection);
}

#[test]
fn a_computed_token_endpoint_needs_listed_hosts() {
    let folder = with_integration("connector: oauth\n");
    let oauth = "name: O\nauth:\n  type: oauth2\n  test: {type: not-supported}\n  getOAuthConfig: {type: mapping, mapping: \
                 {clientId: c, authorizeUri: 'https://a.example/a', tokenUri: {$var: connectorParameters.tokenUri}}}\n  \
                 makeApiClient: {type: mapping, mapping: {baseUri: 'https://api.example.com'}}\n";
    folder.write("connectors/oauth/spec.yml", oauth);
    contains(
        &folder.complaints(&[]),
        "`integrations.crm.hosts` lists no host: the connector computes its tokenUri",
    );
    folder.write("integrations/crm.yaml", "connector: oauth\nhosts: [api.example.com, auth.example.com]\n");
    assert!(!folder.settings(&[]).integrations.is_empty());
}

#[test]
fn a_parameter_that_looks_like_a_secret_is_a_warning() {
    let folder = with_integration("connector: crm\nparameters: {apiKey: planted-key, region: eu}\n");
    let warnings = folder.settings(&[]).warnings;
    assert!(warnings.iter().any(|warning| warning.problem.contains("parameters.apiKey")), "{warnings:#?}");
    assert!(!config::show(&folder.sources(&[])).unwrap().contains("planted-key"));
}

#[test]
fn a_connector_may_stand_inline() {
    let folder = small();
    let inline = CONNECTOR.replace('\n', "\n    ");
    let text =
        format!("{SMALL}connectors:\n  crm:\n    {inline}\nintegrations: {{crm: {{connector: crm}}}}\n");
    folder.write("sidegate.yaml", &text);
    assert_eq!(folder.settings(&[]).integrations[0].connector.name, "CRM");
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
    assert_eq!(keys, ["freshdesk", "hubspot", "pipedrive", "sendgrid"]);
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

fn secret_of(settings: &Settings) -> String {
    settings.tokens.workspaces[0].secret.as_ref().expect("a secret").expose().clone()
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
