use super::*;
use crate::telemetry::labels::LoadOutcome;
use crate::token::keys::TextFile;

/// A folder of its own, removed at the end.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sidegate-token-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> TextFile {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        TextFile { path, text: text.to_owned() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits for the polls, whose timers run out as soon as nothing else is to be done.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(super::super::POLL).await;
    }
    panic!("it never came to pass: {what}");
}

fn secret_workspace() -> WorkspaceConfig {
    crate::token::testing::full_workspace("acme")
}

fn started(workspace: WorkspaceConfig) -> (Arc<Verifier>, DropGuard) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let config = Config { workspaces: vec![workspace], cache_entries: 100, ..Config::default() };
    let (verifier, _) = Verifier::new(config, clock).unwrap();
    let (verifier, stop) = (Arc::new(verifier), CancellationToken::new());
    verifier.start(&tokio::runtime::Handle::current(), &stop).unwrap();
    (verifier, stop.drop_guard())
}

fn outcome(verifier: &Verifier, token: &str) -> Result<(), TokenError> {
    verifier.verify(token, &Policy::default()).map(|_: Verified| ())
}

#[tokio::test(start_paused = true)]
async fn t32_a_revocation_acts_on_a_remembered_token_and_can_be_taken_back() {
    let folder = Folder::new("acts");
    let revoked = folder.file("revoked.yaml", "");
    let (verifier, _stop) = started(WorkspaceConfig { revoked: Some(revoked), ..secret_workspace() });
    let (anna, ben) = (token_of("k", "anna"), token_of("k", "ben"));
    for token in [&anna, &ben] {
        assert_eq!(outcome(&verifier, token), Ok(()));
    }
    folder.file("revoked.yaml", "- {customer: anna}\n");
    eventually("anna is revoked", || outcome(&verifier, &anna) == Err(TokenError::Revoked)).await;
    assert_eq!(outcome(&verifier, &ben), Ok(()));
    assert_eq!(verifier.key_status()[0].revocations, 1);
    folder.file("revoked.yaml", "- {kid: k}\n");
    eventually("the key is revoked", || outcome(&verifier, &ben) == Err(TokenError::Revoked)).await;
    folder.file("revoked.yaml", "[]\n");
    eventually("nobody is", || outcome(&verifier, &anna) == Ok(())).await;
}

#[tokio::test(start_paused = true)]
async fn t32_a_bad_list_leaves_the_last_good_one_in_use() {
    let folder = Folder::new("bad");
    let revoked = folder.file("revoked.yaml", "- {customer: anna}\n");
    let (verifier, _stop) = started(WorkspaceConfig { revoked: Some(revoked), ..secret_workspace() });
    let refused = |count: u64| {
        let metrics = &verifier.metrics;
        move || metrics.revoked_reads("acme", LoadOutcome::Refused) >= count
    };
    assert_eq!(outcome(&verifier, &token_of("k", "anna")), Err(TokenError::Revoked), "from the start");
    folder.file("revoked.yaml", "- {customer: ben}\n- {costumer: carl}\n");
    eventually("it was read", refused(1)).await;
    assert_eq!(outcome(&verifier, &token_of("k", "anna")), Err(TokenError::Revoked));
    assert_eq!(outcome(&verifier, &token_of("k", "ben")), Ok(()));
    std::fs::remove_file(folder.0.join("revoked.yaml")).unwrap();
    eventually("it is gone", || verifier.metrics.revoked_reads("acme", LoadOutcome::Failed) >= 1).await;
    assert_eq!(outcome(&verifier, &token_of("k", "anna")), Err(TokenError::Revoked));
    folder.file("revoked.yaml", "- {customer: ben}\n");
    eventually("a good one acts", || outcome(&verifier, &token_of("k", "ben")) == Err(TokenError::Revoked))
        .await;
}

#[tokio::test]
async fn t32_a_bad_list_stops_the_start() {
    let folder = Folder::new("start");
    let revoked = folder.file("revoked.yaml", "- {jit: t}\n");
    let config = Config {
        workspaces: vec![WorkspaceConfig { revoked: Some(revoked), ..secret_workspace() }],
        ..Config::default()
    };
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let complaints = Verifier::new(config, clock).unwrap_err();
    assert!(complaints[0].fatal && complaints[0].problem.contains("revoked.yaml:1:"), "{complaints:?}");
}

#[tokio::test(start_paused = true)]
async fn k6_a_set_in_a_file_is_read_again_when_it_changes_and_never_half() {
    let folder = Folder::new("set");
    let file = folder.file("jwks.json", &set(&["a"]));
    let jwks = Some(Jwks::new(JwksSource::File(file)));
    let (verifier, _stop) = started(WorkspaceConfig { jwks, ..WorkspaceConfig::named("acme") });
    assert_eq!(outcome(&verifier, &token("a")), Ok(()));
    let failing = || verifier.key_status()[0].last_error.is_some();
    let both = set(&["a", "b"]);
    for bad in ["", &both[..both.len() / 2], r#"{"keys": []}"#, "<html>"] {
        folder.file("jwks.json", bad);
        eventually("it is found bad", failing).await;
        assert_eq!(outcome(&verifier, &token("a")), Ok(()), "{bad}");
        folder.file("jwks.json", &set(&["a"]));
        eventually("it is good again", || !failing()).await;
    }
    std::fs::remove_file(folder.0.join("jwks.json")).unwrap();
    eventually("it is gone", failing).await;
    assert_eq!(outcome(&verifier, &token("a")), Ok(()));
    folder.file("jwks.json", &set(&["b"]));
    eventually("the new key serves", || outcome(&verifier, &token("b")) == Ok(())).await;
    assert_eq!(outcome(&verifier, &token("a")), Err(TokenError::UnknownKid));
}

#[tokio::test(start_paused = true)]
async fn k6_a_link_that_is_turned_over_is_seen() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new("link");
    for (version, kid) in [("v1", "a"), ("v2", "b")] {
        std::fs::create_dir(folder.0.join(version)).unwrap();
        folder.file(&format!("{version}/jwks.json"), &set(&[kid]));
    }
    // As Kubernetes mounts a secret: the file is a link into `..data`, and that is a link to the version.
    symlink("v1", folder.0.join("..data")).unwrap();
    symlink("..data/jwks.json", folder.0.join("jwks.json")).unwrap();
    let path = folder.0.join("jwks.json");
    let file = TextFile { text: std::fs::read_to_string(&path).unwrap(), path };
    let jwks = Some(Jwks::new(JwksSource::File(file)));
    let (verifier, _stop) = started(WorkspaceConfig { jwks, ..WorkspaceConfig::named("acme") });
    assert_eq!(outcome(&verifier, &token("a")), Ok(()));
    symlink("v2", folder.0.join("..data_tmp")).unwrap();
    std::fs::rename(folder.0.join("..data_tmp"), folder.0.join("..data")).unwrap();
    eventually("the new key serves", || outcome(&verifier, &token("b")) == Ok(())).await;
    assert_eq!(outcome(&verifier, &token("a")), Err(TokenError::UnknownKid));
}
