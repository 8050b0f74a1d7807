//! Files, variables and flags: what stands over what, and where secrets come from.

use super::*;

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

fn secret_of(settings: &Settings) -> String {
    settings.tokens.workspaces[0].secret.as_ref().expect("a secret").expose().clone()
}
