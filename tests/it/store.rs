//! The store against what really happens to files: a process that is killed, a disk that is full, a reader of the
//! bytes.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;
use sidegate::clock::{SystemClock, Timestamp};
use sidegate::formula::Value;
use sidegate::names::Owner;
use sidegate::seal::{Keyring, SealingKey};
use sidegate::secret::Secret;
use sidegate::store::{Config, Connection, Customer, Secrets, Store, StoreError};

/// Where a helper process finds its store.
const FOLDER: &str = "SIDEGATE_TEST_STORE";
/// How many acknowledged writes a process lives for.
const WRITES: usize = 500;
/// How many writes are under way at once in the process that is killed.
const AT_ONCE: usize = 16;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sidegate-it-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn open(folder: &Path) -> Store {
    let key = SealingKey {
        id: "k1".into(),
        key: Secret::new("q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=".into()),
    };
    let config = Config { path: folder.join("store.redb"), spill: None, cached_credentials: 0 };
    Store::open(&config, Keyring::new(&[key]).unwrap(), Arc::new(SystemClock)).unwrap()
}

fn owner() -> Owner {
    Owner { workspace: "w".into(), customer: "anna".into() }
}

fn connection(number: usize) -> Connection {
    let at = Timestamp::from_secs(1_700_000_000);
    Connection::new(format!("c{number}").into(), owner(), "crm".into(), String::new(), at)
}

fn secrets(token: &str) -> Secret<Secrets> {
    Secret::new(Secrets {
        credentials: Value::from(json!({ "access_token": token })),
        input: Value::from(json!({ "password": token })),
        connector_parameters: Value::empty_object(),
    })
}

/// Runs one of the ignored tests below in a process of its own, with `folder` as its store.
fn helper(name: &str, folder: &Folder, wrapped: Option<&str>) -> Command {
    let this = std::env::current_exe().unwrap();
    let mut command = match wrapped {
        None => Command::new(this),
        Some(script) => {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]).arg(this);
            shell
        }
    };
    command.args([name, "--exact", "--ignored", "--nocapture"]).env(FOLDER, &folder.0);
    command
}

fn helpers_folder() -> PathBuf {
    std::env::var_os(FOLDER).expect("run by another test of this file").into()
}

#[test]
fn kill_9_in_the_middle_of_many_writes_loses_no_acknowledged_one() {
    let folder = Folder::new("kill");
    let mut writer = helper("store::writes_and_tells", &folder, None).stdout(Stdio::piped()).spawn().unwrap();
    let mut acknowledged = Vec::new();
    for line in BufReader::new(writer.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(number) = line.strip_prefix("stored ") {
            acknowledged.push(number.parse::<usize>().unwrap());
        }
        // Killed in mid-write; what it has said until then is still read from the pipe.
        if acknowledged.len() == WRITES {
            writer.kill().unwrap();
        }
    }
    let ended = writer.wait().unwrap();
    assert_eq!(ended.signal(), Some(9), "it was still writing: {ended}");
    assert!(acknowledged.len() >= WRITES, "{} acknowledged", acknowledged.len());

    let store = open(&folder.0);
    runtime().block_on(async {
        for number in acknowledged {
            let opened = store.open_secrets(&format!("c{number}").into()).await.unwrap();
            let opened = opened.unwrap_or_else(|| panic!("c{number} was acknowledged and is gone"));
            assert_eq!(credentials(&opened.secrets), format!(r#"{{"access_token":"t{number}"}}"#));
        }
    });
}

/// Not a test of its own: it is killed by the one above.
#[test]
#[ignore = "run by kill_9_in_the_middle_of_many_writes_loses_no_acknowledged_one"]
fn writes_and_tells() {
    let store = open(&helpers_folder());
    runtime().block_on(async {
        let writers = (0..AT_ONCE).map(|first| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in (first..).step_by(AT_ONCE) {
                    store.insert(connection(number), secrets(&format!("t{number}")), false).await.unwrap();
                    println!("\nstored {number}");
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    });
}

#[test]
fn a_full_disk_is_said_loses_nothing_and_is_survived_without_a_restart() {
    let folder = Folder::new("full");
    // A limit on the file's size meets the store as a full disk does, and needs no disk of its own to fill.
    let limited = r#"trap "" XFSZ; ulimit -S -f 4096; exec "$0" "$@""#;
    let output = helper("store::fills_its_disk", &folder, Some(limited)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Not a test of its own: it needs a limit that would hit the other tests too.
#[test]
#[ignore = "run by a_full_disk_is_said_loses_nothing_and_is_survived_without_a_restart"]
fn fills_its_disk() {
    let store = open(&helpers_folder());
    let large = "t".repeat(50_000);
    runtime().block_on(async {
        let mut stored = 0;
        let error = loop {
            match store.insert(connection(stored), secrets(&large), false).await {
                Ok(_) => stored += 1,
                Err(error) => break error,
            }
        };
        assert!(stored > 0, "the limit leaves room for something");
        assert!(matches!(error, StoreError::Full(_)), "{error:?}");
        assert_eq!(error.to_string(), "there is no room to store it; free space on the disk of the store");
        let all_open = async || {
            for number in 0..stored {
                let opened = store.open_secrets(&format!("c{number}").into()).await.unwrap();
                assert_eq!(credentials(&opened.unwrap().secrets), format!(r#"{{"access_token":"{large}"}}"#));
            }
        };
        all_open().await;
        assert!(store.connection(&format!("c{stored}").into()).await.unwrap().is_none(), "half a write");

        // Somebody makes room.
        let this = std::process::id().to_string();
        let lifted = Command::new("prlimit").args(["--pid", &this, "--fsize=unlimited"]).status().unwrap();
        assert!(lifted.success());
        store.insert(connection(stored), secrets(&large), false).await.unwrap();
        all_open().await;
    });
}

#[test]
fn a_planted_secret_is_nowhere_in_the_file() {
    const PLANTED: &str = "planted-7f3a91c2d8e64b05";
    let folder = Folder::new("planted");
    runtime().block_on(async {
        let store = open(&folder.0);
        store.insert(connection(0), secrets(PLANTED), false).await.unwrap();
        store.replace(&connection(0), secrets(PLANTED), |_| ()).await.unwrap();
        let planted = || Some(Secret::new(Value::from(json!({ "apiKey": PLANTED }))));
        let at = Timestamp::from_secs(1_700_000_000);
        let customer = Customer {
            owner: owner(),
            id: "1".into(),
            name: Some("Anna".into()),
            fields: planted(),
            credentials: planted(),
            created_at: at,
            last_active_at: at,
        };
        store.put_customer(customer).await.unwrap();
    });

    let file = std::fs::read(folder.0.join("store.redb")).unwrap();
    let holds = |needle: &str| file.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("Anna") && holds("crm"), "the open part is there to be found");
    for form in forms_of(PLANTED) {
        assert!(!holds(&form), "{form}");
    }
}

/// A secret as it is, in hex, and in base64 wherever it may begin within a group of three bytes.
fn forms_of(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![secret.to_owned(), hex.to_uppercase(), hex];
    for skipped in 0..3 {
        let inner = &secret[skipped..];
        let whole_groups = &inner[..inner.len() / 3 * 3];
        forms.extend([STANDARD_NO_PAD.encode(whole_groups), URL_SAFE_NO_PAD.encode(whole_groups)]);
    }
    forms
}

fn credentials(secrets: &Secret<Secrets>) -> String {
    serde_json::to_string(&secrets.expose().credentials).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}
