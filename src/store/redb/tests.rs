use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::formula::Value;
use crate::seal::SealingKey;
use crate::store::{Health, SecretChanges};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sidegate-store-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("store.redb")
    }

    fn open(&self, keys: &[(&str, u8)]) -> Result<Store, StoreError> {
        let keys: Vec<_> = keys
            .iter()
            .map(|(id, byte)| SealingKey { id: (*id).into(), key: STANDARD.encode([*byte; 32]).into() })
            .collect();
        let config = Config { path: self.file(), cached_credentials: 100 };
        Store::open(&config, Keyring::new(&keys).unwrap(), Arc::new(ManualClock::at(NOW)))
    }

    fn store(&self) -> Store {
        self.open(&[("k1", 1)]).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn owner(customer: &str) -> Owner {
    Owner { workspace: "w".into(), customer: customer.into() }
}

fn connection(id: &str) -> Connection {
    Connection {
        id: id.into(),
        owner: owner("anna"),
        integration: "crm".into(),
        key: None,
        name: id.to_owned(),
        app: None,
        version: Version::FIRST,
        health: Health::Ready,
        pinned_origin: None,
        expires_at: None,
        refresh_at: None,
        refreshed_at: None,
        granted_scopes: None,
        is_test: false,
        meta: None,
        created_at: NOW,
        updated_at: NOW,
        archived_at: None,
    }
}

fn secrets(token: &str) -> Secret<Secrets> {
    Secret::new(Secrets {
        credentials: Value::from(json!({ "access_token": token })),
        input: Value::empty_object(),
        connector_parameters: Value::empty_object(),
    })
}

fn token(opened: &Opened) -> String {
    let token = opened.secrets.expose().credentials.get("access_token");
    token.map(Value::text).unwrap_or_default()
}

async fn ids(store: &Store, filter: Filter) -> (Vec<String>, Option<String>) {
    let (page, cursor) = store.list(filter).await.unwrap();
    (page.into_iter().map(|connection| connection.id.to_string()).collect(), cursor)
}

fn of_anna() -> Filter {
    Filter { owner: Some(owner("anna")), ..Filter::default() }
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let folder = Folder::new();
    folder.store().insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let opened = folder.store().open_secrets(&"c1".into()).await.unwrap().unwrap();
    assert_eq!((token(&opened).as_str(), opened.connection.version), ("t1", Version::FIRST));
}

#[tokio::test]
async fn the_file_is_for_its_owner_only_and_is_made_so_again() {
    let folder = Folder::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(folder.store());
    assert_eq!(mode(&folder.file()), 0o600);
    fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o644)).unwrap();
    drop(folder.store());
    assert_eq!(mode(&folder.file()), 0o600);
}

#[tokio::test]
async fn a_second_opener_is_told_who_holds_the_file() {
    let folder = Folder::new();
    let held = folder.store();
    let error = folder.open(&[("k1", 1)]).err().unwrap();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("another process holds"), "{error}");
    drop(held);
    folder.store();
}

#[tokio::test]
async fn a_wrong_sealing_key_is_told_at_the_start() {
    let folder = Folder::new();
    drop(folder.store());
    for wrong in [&[("k1", 2)][..], &[("k2", 1)], &[("k2", 2), ("k1", 3)]] {
        let error = folder.open(wrong).err().unwrap();
        assert!(matches!(error, StoreError::WrongKey { .. }), "{error:?}");
        assert!(error.to_string().contains("is not the one the store"), "{error}");
    }
    folder.store();
}

#[tokio::test]
async fn a_newer_key_in_front_opens_what_the_older_one_sealed() {
    let folder = Folder::new();
    folder.store().insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let rotated = folder.open(&[("k2", 2), ("k1", 1)]).unwrap();
    let opened = rotated.open_secrets(&"c1".into()).await.unwrap().unwrap();
    let secrets = opened.secrets_with(SecretChanges::default());
    rotated.replace(Version::FIRST, connection("c1"), secrets.into()).await.unwrap();
    drop(rotated);
    let without_the_older = folder.open(&[("k2", 2)]).unwrap();
    assert_eq!(token(&without_the_older.open_secrets(&"c1".into()).await.unwrap().unwrap()), "t1");
}

#[test]
fn a_file_of_something_else_is_not_touched() {
    let folder = Folder::new();
    let text = "not a store, but somebody's notes\n".repeat(100);
    fs::write(folder.file(), &text).unwrap();
    let error = folder.open(&[("k1", 1)]).err().unwrap();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(folder.file()).unwrap(), text);
}

#[test]
fn a_redb_file_of_another_program_is_refused() {
    let folder = Folder::new();
    let theirs = ::redb::Database::create(folder.file()).unwrap();
    let transaction = theirs.begin_write().unwrap();
    transaction.open_table(::redb::TableDefinition::<'_, u64, u64>::new("theirs")).unwrap();
    transaction.commit().unwrap();
    drop(theirs);
    assert!(matches!(folder.open(&[("k1", 1)]), Err(StoreError::NotAStore { .. })));
}

#[test]
fn a_missing_folder_is_named() {
    let config = Config { path: "/nowhere/at/all/store.redb".into(), cached_credentials: 1 };
    let key = SealingKey { id: "k1".into(), key: STANDARD.encode([1; 32]).into() };
    let clock = Arc::new(ManualClock::at(NOW));
    let error = Store::open(&config, Keyring::new(&[key]).unwrap(), clock).err().unwrap();
    assert!(error.to_string().contains("/nowhere/at/all/store.redb"), "{error}");
}

#[tokio::test]
async fn a_row_moved_to_another_connection_does_not_open_and_names_it() {
    let folder = Folder::new();
    let store = folder.store();
    for id in ["c1", "c2"] {
        store.insert(connection(id), secrets(id), false).await.unwrap();
    }
    let (one, two) = store
        .0
        .file
        .read(|transaction| {
            Ok((tables::secrets(transaction, &"c1".into())?, tables::secrets(transaction, &"c2".into())?))
        })
        .unwrap();
    let swapped = move |tables: &mut Tables<'_>| {
        tables.put(&connection("c1"), two.as_deref())?;
        tables.put(&connection("c2"), one.as_deref())
    };
    store.0.writer.write(swapped).await.unwrap();
    store.0.opened.invalidate_all();
    for id in ["c1", "c2"] {
        let error = store.open_secrets(&id.into()).await.unwrap_err();
        assert!(matches!(&error, StoreError::TamperedConnection { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("`{id}`")), "{error}");
    }
}

#[tokio::test]
async fn of_two_writers_that_saw_the_same_version_one_is_overtaken() {
    let folder = Folder::new();
    let store = folder.store();
    store.insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let (one, two) = tokio::join!(
        store.replace(Version::FIRST, connection("c1"), secrets("left")),
        store.replace(Version::FIRST, connection("c1"), secrets("right")),
    );
    let (winner, loser) = match (one.unwrap(), two.unwrap()) {
        (Replaced::Stored(winner), Replaced::Overtaken(loser))
        | (Replaced::Overtaken(loser), Replaced::Stored(winner)) => (winner, loser),
        both => panic!("{both:?}"),
    };
    assert_eq!(winner.connection.version, Version(2));
    assert_eq!((token(&loser), loser.connection.version), (token(&winner), Version(2)));
}

#[tokio::test]
async fn an_update_keeps_version_and_secrets() {
    let folder = Folder::new();
    let store = folder.store();
    store.insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let renamed = Connection { name: "new".into(), ..connection("c1") };
    let Replaced::Stored(opened) = store.update(Version::FIRST, renamed.clone()).await.unwrap() else {
        panic!("nobody else wrote")
    };
    assert_eq!((opened.connection.name.as_str(), opened.connection.version), ("new", Version::FIRST));
    assert_eq!(token(&opened), "t1");
    let stale = store.update(Version(7), renamed).await.unwrap();
    assert!(matches!(stale, Replaced::Overtaken(_)), "{stale:?}");
}

#[tokio::test]
async fn an_archived_connection_has_lost_its_secrets_and_cannot_be_revived() {
    let folder = Folder::new();
    let store = folder.store();
    store.insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let archived = Connection { archived_at: Some(NOW), ..connection("c1") };
    store.update(Version::FIRST, archived).await.unwrap();
    let opened = store.open_secrets(&"c1".into()).await.unwrap().unwrap();
    assert_eq!((token(&opened).as_str(), opened.connection.version), ("", Version(2)));
    for seen in [Version::FIRST, Version(2)] {
        let late = store.replace(seen, connection("c1"), secrets("t2")).await.unwrap();
        assert!(matches!(late, Replaced::Overtaken(_)), "{late:?}");
    }
    assert_eq!(ids(&store, of_anna()).await.0, Vec::<String>::new());
    assert_eq!(ids(&store, Filter { include_archived: true, ..of_anna() }).await.0, ["c1"]);
}

#[tokio::test]
async fn a_new_connection_replaces_the_owners_others_of_its_integration_only() {
    let folder = Folder::new();
    let store = folder.store();
    store.insert(connection("old"), secrets("t"), false).await.unwrap();
    store
        .insert(Connection { integration: "mail".into(), ..connection("mail") }, secrets("t"), false)
        .await
        .unwrap();
    store
        .insert(Connection { owner: owner("bob"), ..connection("bobs") }, secrets("t"), false)
        .await
        .unwrap();
    store.insert(connection("new"), secrets("t"), true).await.unwrap();
    assert_eq!(ids(&store, of_anna()).await.0, ["mail", "new"]);
    let everybodys = Filter { workspace: Some("w".into()), ..Filter::default() };
    assert_eq!(ids(&store, everybodys).await.0, ["bobs", "mail", "new"]);
}

#[tokio::test]
async fn pages_follow_each_other_in_order_of_creation_without_gaps() {
    let folder = Folder::new();
    let store = folder.store();
    // Seven at three points in time, stored in another order.
    for number in [5_u64, 0, 3, 6, 1, 4, 2] {
        let created_at = Timestamp::from_secs(1000 + number / 3);
        let connection = Connection { created_at, ..connection(&format!("c{number}")) };
        store.insert(connection, secrets("t"), false).await.unwrap();
    }
    let mut filter = Filter { limit: 3, ..of_anna() };
    let mut pages = Vec::new();
    loop {
        let (page, cursor) = ids(&store, filter.clone()).await;
        pages.push(page.join(" "));
        filter.cursor = cursor;
        if filter.cursor.is_none() {
            break;
        }
    }
    assert_eq!(pages, ["c0 c1 c2", "c3 c4 c5", "c6"]);
    let odd = Filter { cursor: Some("odd".into()), ..of_anna() };
    assert!(matches!(store.list(odd).await, Err(StoreError::BadCursor)));
    assert_eq!(ids(&store, Filter::default()).await.0, Vec::<String>::new(), "no scope, no rows");
}

#[tokio::test]
async fn a_customer_keeps_what_two_changes_at_once_set() {
    let folder = Folder::new();
    let store = folder.store();
    let fresh = || Customer {
        owner: owner("anna"),
        id: "1".into(),
        name: None,
        fields: None,
        credentials: None,
        created_at: NOW,
        last_active_at: NOW,
    };
    let secret = |text: &str| Some(Secret::new(Value::from(text)));
    let anna = owner("anna");
    let (one, two) = tokio::join!(
        store.change_customer(&anna, move |known| Customer {
            fields: secret("f"),
            ..known.unwrap_or_else(fresh)
        }),
        store.change_customer(&anna, move |known| Customer {
            credentials: secret("c"),
            ..known.unwrap_or_else(fresh)
        }),
    );
    assert!(one.is_ok() && two.is_ok());
    drop(store);
    let customer = folder.store().customer(&owner("anna")).await.unwrap().unwrap();
    assert_eq!(customer.fields.unwrap().expose(), &Value::from("f"));
    assert_eq!(customer.credentials.unwrap().expose(), &Value::from("c"));
    assert!(folder.store().customer(&owner("bob")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_write_goes_through_although_its_caller_left() {
    let folder = Folder::new();
    let store = folder.store();
    {
        let insert = store.insert(connection("c1"), secrets("t1"), false);
        let mut insert = std::pin::pin!(insert);
        // Polled once, it has handed its write over; then its caller hangs up.
        std::future::poll_fn(|context| {
            let _ = insert.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    store.ping().await.unwrap();
    assert!(store.connection(&"c1".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn writing_to_an_unknown_connection_is_an_error_that_names_it() {
    let folder = Folder::new();
    let store = folder.store();
    let error = store.replace(Version::FIRST, connection("c9"), secrets("t")).await.unwrap_err();
    assert!(matches!(&error, StoreError::NoConnection { id } if id.as_str() == "c9"), "{error:?}");
}

#[tokio::test]
async fn debug_output_of_an_opened_connection_has_no_secret() {
    let folder = Folder::new();
    let opened = folder.store().insert(connection("c1"), secrets("planted-t1"), false).await.unwrap();
    assert!(!format!("{opened:?}").contains("planted"));
}
