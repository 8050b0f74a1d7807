use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::formula::Value;
use crate::seal::SealingKey;
use crate::store::SecretChanges;
use crate::store::testing::{self, Folder};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn owner(customer: &str) -> Owner {
    Owner { workspace: "w".into(), customer: customer.into() }
}

fn connection(id: &str) -> Connection {
    Connection { owner: owner("anna"), ..testing::connection(id, NOW) }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(NOW))
}

fn at_version(version: u64) -> Connection {
    Connection { version: Version(version), ..connection("c1") }
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
    folder.store(clock()).insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let opened = folder.store(clock()).open_secrets(&"c1".into()).await.unwrap().unwrap();
    assert_eq!((token(&opened).as_str(), opened.connection.version), ("t1", Version::FIRST));
}

#[tokio::test]
async fn the_file_is_for_its_owner_only_and_is_made_so_again() {
    let folder = Folder::new();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    drop(folder.store(clock()));
    assert_eq!(mode(&folder.file()), 0o600);
    fs::set_permissions(folder.file(), fs::Permissions::from_mode(0o644)).unwrap();
    drop(folder.store(clock()));
    assert_eq!(mode(&folder.file()), 0o600);
}

#[tokio::test]
async fn a_second_opener_is_told_who_holds_the_file() {
    let folder = Folder::new();
    let held = folder.store(clock());
    let error = folder.open(&[("k1", 1)], clock()).err().unwrap();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert!(error.to_string().contains("another process holds"), "{error}");
    drop(held);
    folder.store(clock());
}

#[tokio::test]
async fn a_wrong_sealing_key_is_told_at_the_start() {
    let folder = Folder::new();
    drop(folder.store(clock()));
    for wrong in [&[("k1", 2)][..], &[("k2", 1)], &[("k2", 2), ("k1", 3)]] {
        let error = folder.open(wrong, clock()).err().unwrap();
        assert!(matches!(error, StoreError::WrongKey { .. }), "{error:?}");
        assert!(error.to_string().contains("is not the one the store"), "{error}");
    }
    folder.store(clock());
}

#[tokio::test]
async fn a_newer_key_in_front_opens_what_the_older_one_sealed() {
    let folder = Folder::new();
    folder.store(clock()).insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let rotated = folder.open(&[("k2", 2), ("k1", 1)], clock()).unwrap();
    let opened = rotated.open_secrets(&"c1".into()).await.unwrap().unwrap();
    let secrets = opened.secrets_with(SecretChanges::default());
    rotated.replace(&opened.connection, secrets.into(), |_| ()).await.unwrap();
    drop(rotated);
    let without_the_older = folder.open(&[("k2", 2)], clock()).unwrap();
    assert_eq!(token(&without_the_older.open_secrets(&"c1".into()).await.unwrap().unwrap()), "t1");
}

#[test]
fn a_file_of_something_else_is_not_touched() {
    let folder = Folder::new();
    let text = "not a store, but somebody's notes\n".repeat(100);
    fs::write(folder.file(), &text).unwrap();
    let error = folder.open(&[("k1", 1)], clock()).err().unwrap();
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
    assert!(matches!(folder.open(&[("k1", 1)], clock()), Err(StoreError::NotAStore { .. })));
}

#[test]
fn a_missing_folder_is_named() {
    let config = Config { path: "/nowhere/at/all/store.redb".into(), spill: None, cached_credentials: 1 };
    let key = SealingKey { id: "k1".into(), key: STANDARD.encode([1; 32]).into() };
    let clock = Arc::new(ManualClock::at(NOW));
    let error = Store::open(&config, Keyring::new(&[key]).unwrap(), clock).err().unwrap();
    assert!(error.to_string().contains("/nowhere/at/all/store.redb"), "{error}");
}

#[tokio::test]
async fn a_row_moved_to_another_connection_does_not_open_and_names_it() {
    let folder = Folder::new();
    let store = folder.store(clock());
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
    store.0.near.forget();
    for id in ["c1", "c2"] {
        let error = store.open_secrets(&id.into()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Tampered { .. }), "{error:?}");
        assert!(error.to_string().contains(&format!("`{id}`")), "{error}");
    }
}

#[tokio::test]
async fn of_two_writers_that_saw_the_same_version_one_is_overtaken() {
    let folder = Folder::new();
    let store = folder.store(clock());
    store.insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let seen = connection("c1");
    let (one, two) = tokio::join!(
        store.replace(&seen, secrets("left"), |_| ()),
        store.replace(&seen, secrets("right"), |_| ()),
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
    let store = folder.store(clock());
    store.insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let rename = |one: &mut Connection| one.name = "new".into();
    let Replaced::Stored(opened) = store.update(&connection("c1"), rename).await.unwrap() else {
        panic!("nobody else wrote")
    };
    assert_eq!((opened.connection.name.as_str(), opened.connection.version), ("new", Version::FIRST));
    assert_eq!(token(&opened), "t1");
    let stale = store.update(&at_version(7), rename).await.unwrap();
    assert!(matches!(stale, Replaced::Overtaken(_)), "{stale:?}");
}

#[tokio::test]
async fn two_changes_of_the_open_part_at_once_are_both_kept() {
    let folder = Folder::new();
    let store = folder.store(clock());
    store.insert(connection("c1"), secrets("t1"), false).await.unwrap();
    let seen = connection("c1");
    let (one, two, three) = tokio::join!(
        store.update(&seen, |one| one.name = "new".into()),
        store.update(&seen, |one| one.key = Some("k".into())),
        store.replace(&seen, secrets("t2"), |one| one.expires_at = Some(NOW)),
    );
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    let stored = store.open_secrets(&"c1".into()).await.unwrap().unwrap();
    assert_eq!((stored.connection.name.as_str(), stored.connection.key.as_deref()), ("new", Some("k")));
    assert_eq!((token(&stored).as_str(), stored.connection.expires_at), ("t2", Some(NOW)));
}

#[tokio::test]
async fn of_connections_that_are_given_one_key_at_once_one_gets_it() {
    let folder = Folder::new();
    let store = folder.store(clock());
    let keyed = |id: &str| Connection { key: Some("k".into()), ..connection(id) };
    let taken = |result: &Result<_, _>| matches!(result, Err(StoreError::KeyTaken { key }) if key == "k");
    let (one, two) = tokio::join!(
        store.insert(keyed("c1"), secrets("t"), false),
        store.insert(keyed("c2"), secrets("t"), false),
    );
    assert!(one.is_ok() && taken(&two.map(drop)));
    store.insert(connection("c3"), secrets("t"), false).await.unwrap();
    let give = |one: &mut Connection| one.key = Some("k".into());
    assert!(taken(&store.update(&connection("c3"), give).await.map(drop)));
    assert!(taken(&store.replace(&connection("c3"), secrets("t"), give).await.map(drop)));
    assert!(store.update(&keyed("c1"), give).await.is_ok(), "its own key");

    let bobs = Connection { owner: owner("bob"), ..keyed("bobs") };
    assert!(store.insert(bobs, secrets("t"), false).await.is_ok(), "another customer's key");
    assert!(store.insert(keyed("c4"), secrets("t"), true).await.is_ok(), "the key of the one it replaces");
}

#[tokio::test]
async fn an_archived_connection_has_lost_its_secrets_and_cannot_be_revived() {
    let folder = Folder::new();
    let store = folder.store(clock());
    store.insert(connection("c1"), secrets("t1"), false).await.unwrap();
    store.update(&connection("c1"), |one| one.archived_at = Some(NOW)).await.unwrap();
    let opened = store.open_secrets(&"c1".into()).await.unwrap().unwrap();
    assert_eq!((token(&opened).as_str(), opened.connection.version), ("", Version(2)));
    for seen in [1, 2] {
        let late = store.replace(&at_version(seen), secrets("t2"), |_| ()).await.unwrap();
        assert!(matches!(late, Replaced::Overtaken(_)), "{late:?}");
    }
    assert_eq!(ids(&store, of_anna()).await.0, Vec::<String>::new());
    assert_eq!(ids(&store, Filter { include_archived: true, ..of_anna() }).await.0, ["c1"]);
}

#[tokio::test]
async fn a_new_connection_replaces_the_owners_others_of_its_integration_only() {
    let folder = Folder::new();
    let store = folder.store(clock());
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
    let store = folder.store(clock());
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
    let beyond = Filter { cursor: Some(format!("{}.zzz", u64::MAX)), ..of_anna() };
    assert_eq!(ids(&store, beyond).await, (Vec::new(), None));
    assert_eq!(ids(&store, Filter::default()).await.0, Vec::<String>::new(), "no scope, no rows");
}

#[tokio::test]
async fn a_customer_keeps_what_two_changes_at_once_set() {
    let folder = Folder::new();
    let store = folder.store(clock());
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
    let customer = folder.store(clock()).customer(&owner("anna")).await.unwrap().unwrap();
    assert_eq!(customer.fields.unwrap().expose(), &Value::from("f"));
    assert_eq!(customer.credentials.unwrap().expose(), &Value::from("c"));
    assert!(folder.store(clock()).customer(&owner("bob")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_write_goes_through_although_its_caller_left() {
    let folder = Folder::new();
    let store = folder.store(clock());
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
    store.insert(connection("c2"), secrets("t2"), false).await.unwrap();
    assert!(store.connection(&"c1".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_write_that_panics_ends_with_itself() {
    let folder = Folder::new();
    let store = folder.store(clock());
    let broken = store.change_customer(&owner("anna"), |_| panic!("a bug")).await;
    assert!(matches!(broken, Err(StoreError::Panicked)), "{broken:?}");
    store.insert(connection("c2"), secrets("t2"), false).await.unwrap();
}

#[tokio::test]
async fn writing_to_an_unknown_connection_is_an_error_that_names_it() {
    let folder = Folder::new();
    let store = folder.store(clock());
    let error = store.replace(&connection("c9"), secrets("t"), |_| ()).await.unwrap_err();
    assert!(matches!(&error, StoreError::NoConnection { id } if id.as_str() == "c9"), "{error:?}");
}

#[tokio::test]
async fn debug_output_of_an_opened_connection_has_no_secret() {
    let folder = Folder::new();
    let opened = folder.store(clock()).insert(connection("c1"), secrets("planted-t1"), false).await.unwrap();
    assert!(!format!("{opened:?}").contains("planted"));
}
