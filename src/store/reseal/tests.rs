use std::sync::Arc;

use ::redb::{Database, TableDefinition};
use serde_json::json;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::formula::Value;
use crate::seal::SealingKey;
use crate::secret::Secret;
use crate::store::testing::{self, Folder, connection};
use crate::store::{Connection, Customer, Replaced, Secrets};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const OLD: &[(&str, u8)] = &[("k1", 1)];
const BOTH: &[(&str, u8)] = &[("k2", 2), ("k1", 1)];
const NEW: &[(&str, u8)] = &[("k2", 2)];

fn opened(folder: &Folder, keys: &[(&str, u8)]) -> Result<Store, StoreError> {
    folder.open(keys, Arc::new(ManualClock::at(NOW)))
}

fn ring(keys: &[(&str, u8)]) -> Keyring {
    use base64::Engine as _;
    let key = |byte: u8| base64::engine::general_purpose::STANDARD.encode([byte; 32]);
    let keys: Vec<_> =
        keys.iter().map(|(id, byte)| SealingKey { id: (*id).into(), key: key(*byte).into() }).collect();
    Keyring::new(&keys).unwrap()
}

fn secrets(token: &str) -> Secret<Secrets> {
    Secret::new(Secrets {
        credentials: Value::from(json!({ "token": token })),
        input: Value::empty_object(),
        connector_parameters: Value::empty_object(),
    })
}

fn customer(id: &str) -> Customer {
    Customer {
        owner: Owner { workspace: "acme".into(), customer: id.into() },
        id: id.into(),
        name: None,
        fields: Some(Secret::new(Value::from(format!("fields of {id}").as_str()))),
        credentials: None,
        created_at: NOW,
        last_active_at: NOW,
    }
}

/// A store under the old key: three connections and two customers.
async fn filled(folder: &Folder) {
    let store = opened(folder, OLD).unwrap();
    for id in ["c1", "c2", "c3"] {
        store.insert(connection(id, NOW), secrets(id), false).await.unwrap();
    }
    for id in ["anna", "bob"] {
        store.put_customer(customer(id)).await.unwrap();
    }
}

async fn rows(store: &Store) -> Vec<(String, u64)> {
    store.key_use().await.unwrap().0.into_iter().map(|(id, rows)| (id, rows.total())).collect()
}

/// Seals everything anew, `limit` rows at a time.
async fn rotated(store: &Store, limit: usize) -> Resealed {
    let (mut after, mut all) = (None, Resealed::default());
    loop {
        let next = store.outdated(after.clone(), limit).await.unwrap();
        let Some(last) = next.last() else { return all };
        after = Some(last.clone());
        let done = store.reseal(next).await.unwrap();
        all.rows += done.rows;
        all.failures.extend(done.failures);
    }
}

/// Changes the file behind the store's back.
fn meddle(folder: &Folder, change: impl FnOnce(&mut ::redb::Table<'_, &'static str, &'static [u8]>)) {
    meddle_with(folder, "secrets", change);
}

fn meddle_with(
    folder: &Folder,
    table: &str,
    change: impl FnOnce(&mut ::redb::Table<'_, &'static str, &'static [u8]>),
) {
    let database = Database::open(folder.file()).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&mut transaction.open_table(TableDefinition::new(table)).unwrap());
    transaction.commit().unwrap();
}

fn row(table: &::redb::Table<'_, &'static str, &'static [u8]>, id: &str) -> Vec<u8> {
    use ::redb::ReadableTable as _;
    table.get(id).unwrap().unwrap().value().to_vec()
}

async fn error_of(store: &Store, id: &str) -> String {
    crate::report::report(&store.open_secrets(&id.into()).await.unwrap_err()).to_string()
}

#[tokio::test]
async fn every_row_goes_to_the_first_key_whatever_the_size_of_a_batch() {
    for limit in [1, 2, 3, 100] {
        let folder = Folder::new();
        filled(&folder).await;
        let store = opened(&folder, BOTH).unwrap();
        assert_eq!(rows(&store).await, [("k1".into(), 5)]);
        let done = rotated(&store, limit).await;
        assert_eq!((done.rows, done.failures.len()), (5, 0), "{limit}");
        assert_eq!(rows(&store).await, [("k2".into(), 5)]);
        drop(store);
        let store = opened(&folder, NEW).unwrap();
        for id in ["c1", "c2", "c3"] {
            let opened = store.open_secrets(&id.into()).await.unwrap().unwrap();
            let token = opened.secrets.expose().credentials.get("token").map(Value::text);
            assert_eq!((token.as_deref(), opened.connection.version.0), (Some(id), 1));
        }
        let anna = store.customer(&customer("anna").owner).await.unwrap().unwrap();
        assert_eq!(anna.fields.unwrap().expose(), &Value::from("fields of anna"));
    }
}

#[tokio::test]
async fn a_consent_under_way_comes_to_its_end_under_the_new_key() {
    let folder = Folder::new();
    filled(&folder).await;
    let store = opened(&folder, OLD).unwrap();
    for name in ["one", "other"] {
        store.put_consent(name, testing::consent(name, NOW)).await.unwrap();
    }
    drop(store);
    let store = opened(&folder, BOTH).unwrap();
    assert_eq!(rows(&store).await, [("k1".into(), 7)]);
    let done = rotated(&store, 1).await;
    assert_eq!((done.rows, done.failures.len()), (7, 0));
    drop(store);
    let store = opened(&folder, NEW).unwrap();
    for name in ["one", "other"] {
        let taken = store.take_consent(name, NOW).await.unwrap().unwrap();
        assert!(taken.proof.as_ref().is_some_and(|proof| proof.matches(b"planted-verifier")), "{name}");
    }
}

#[tokio::test]
async fn a_consent_needs_its_key_until_it_is_too_old() {
    let folder = Folder::new();
    let store = opened(&folder, OLD).unwrap();
    store.put_consent("one", testing::consent("one", NOW)).await.unwrap();
    drop(store);
    drop(opened(&folder, BOTH).unwrap());
    let said = opened(&folder, NEW).err().unwrap().to_string();
    assert!(said.contains("0 connections and 0 customers and 1 consent under way"), "{said}");
    let later = NOW.plus(crate::store::redb::CONSENT_LIFETIME).plus(std::time::Duration::from_millis(1));
    folder.open(NEW, Arc::new(ManualClock::at(later))).unwrap();
}

#[tokio::test]
async fn what_was_begun_goes_on_where_it_stopped() {
    let folder = Folder::new();
    filled(&folder).await;
    let store = opened(&folder, BOTH).unwrap();
    let first = store.outdated(None, 2).await.unwrap();
    assert_eq!(store.reseal(first.clone()).await.unwrap().rows, 2);
    drop(store);
    let store = opened(&folder, BOTH).unwrap();
    assert_eq!(store.outdated(None, 100).await.unwrap().len(), 3);
    assert_eq!(store.reseal(first).await.unwrap().rows, 0, "done is done");
    assert_eq!(rotated(&store, 2).await.rows, 3);
}

#[tokio::test]
async fn a_key_that_rows_need_cannot_be_left_out_and_the_error_counts_them() {
    let folder = Folder::new();
    filled(&folder).await;
    let store = opened(&folder, BOTH).unwrap();
    store.reseal(store.outdated(None, 2).await.unwrap()).await.unwrap();
    let said = "1 connection and 2 customers are sealed with the key `k1`, not configured any more";
    let refused = store.rekey(ring(NEW)).unwrap_err().to_string();
    assert!(refused.contains(said), "{refused}");
    assert_eq!(store.sealing_keys(), ["k2", "k1"]);
    drop(store);
    let refused = opened(&folder, NEW).err().unwrap().to_string();
    assert!(refused.contains(said) && refused.contains("sidegate key rotate"), "{refused}");
}

#[tokio::test]
async fn keys_change_while_the_store_is_open() {
    let folder = Folder::new();
    filled(&folder).await;
    let store = opened(&folder, OLD).unwrap();
    store.rekey(ring(BOTH)).unwrap();
    assert_eq!(store.sealing_keys(), ["k2", "k1"]);
    assert_eq!(rotated(&store, 100).await.rows, 5);
    store.rekey(ring(NEW)).unwrap();
    assert!(store.open_secrets(&"c1".into()).await.unwrap().is_some());
    let other = store.rekey(ring(&[("k1", 9), ("k2", 2)])).unwrap_err();
    assert!(matches!(other, StoreError::WrongKey { .. }), "{other:?}");
    store.insert(connection("c4", NOW), secrets("c4"), false).await.unwrap();
    assert_eq!(rows(&store).await, [("k2".into(), 6)]);
}

#[tokio::test]
async fn rotating_beside_writers_loses_none_of_their_writes() {
    let folder = Folder::new();
    filled(&folder).await;
    let store = opened(&folder, BOTH).unwrap();
    let writer = async {
        let mut seen = connection("c2", NOW);
        for turn in 0..50 {
            let stored = store.replace(&seen, secrets(&format!("turn {turn}")), |_| ()).await.unwrap();
            let Replaced::Stored(opened) = stored else { panic!("nobody else writes versions: {stored:?}") };
            seen = Connection::clone(&opened.connection);
        }
    };
    let ((), done) = tokio::join!(writer, rotated(&store, 1));
    assert!(done.failures.is_empty(), "{:?}", done.failures);
    drop(store);
    let store = opened(&folder, NEW).unwrap();
    let opened = store.open_secrets(&"c2".into()).await.unwrap().unwrap();
    assert_eq!(opened.secrets.expose().credentials.get("token").map(Value::text).as_deref(), Some("turn 49"));
    assert_eq!(opened.connection.version.0, 51);
}

#[tokio::test]
async fn rows_that_were_meddled_with_name_themselves_and_stop_no_other() {
    let folder = Folder::new();
    filled(&folder).await;
    meddle(&folder, |table| {
        let (mut flipped, cut) = (row(table, "c1"), row(table, "c3"));
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        table.insert("c1", flipped.as_slice()).unwrap();
        table.insert("c3", &cut[..cut.len() / 2]).unwrap();
    });
    let store = opened(&folder, BOTH).unwrap();
    let done = rotated(&store, 2).await;
    assert_eq!((done.rows, done.failures.len()), (3, 2));
    let said = done.failures.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said, ["c1", "c3"].map(|id| format!("the secrets of connection `{id}` cannot be opened")));
    assert!(error_of(&store, "c1").await.contains("connection `c1`"));
    assert!(error_of(&store, "c3").await.contains("connection `c3`"));
}

#[tokio::test]
async fn a_row_whose_key_was_flipped_keeps_nobody_from_starting() {
    let folder = Folder::new();
    filled(&folder).await;
    meddle(&folder, |table| {
        let mut flipped = row(table, "c1");
        flipped[3] = b'7';
        table.insert("c1", flipped.as_slice()).unwrap();
    });
    let store = opened(&folder, OLD).unwrap();
    let said = error_of(&store, "c1").await;
    assert!(said.contains("connection `c1`") && said.contains("`k7`, which is not configured"), "{said}");
    assert!(store.open_secrets(&"c2".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_copied_under_another_id_names_that_id() {
    let folder = Folder::new();
    filled(&folder).await;
    for table in ["connections", "secrets"] {
        meddle_with(&folder, table, |table| {
            let copy = row(table, "c1");
            table.insert("c2", copy.as_slice()).unwrap();
        });
    }
    let store = opened(&folder, OLD).unwrap();
    let said = error_of(&store, "c2").await;
    assert_eq!(said, "in place of connection `c2` the store has the row of another connection");
    assert!(store.connection(&"c2".into()).await.is_err(), "its open part neither");
    assert!(store.open_secrets(&"c1".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_was_pointed_elsewhere_in_the_file_does_not_open() {
    for (field, value) in [
        ("integration", "evil"),
        ("auth_option", "evil"),
        ("pinned_origin", "https://evil.example"),
        ("app", "evil"),
    ] {
        let folder = Folder::new();
        filled(&folder).await;
        meddle_with(&folder, "connections", |table| {
            let mut open: serde_json::Value = serde_json::from_slice(&row(table, "c1")).unwrap();
            open[field] = value.into();
            table.insert("c1", serde_json::to_vec(&open).unwrap().as_slice()).unwrap();
        });
        let store = opened(&folder, OLD).unwrap();
        assert!(error_of(&store, "c1").await.contains("the secrets of connection `c1`"), "{field}");
    }
}

#[tokio::test]
async fn what_secrets_are_bound_to_can_be_changed_by_the_store() {
    let folder = Folder::new();
    filled(&folder).await;
    let store = opened(&folder, OLD).unwrap();
    let change = |one: &mut Connection| one.app = Some("second".into());
    assert!(matches!(store.update(&connection("c1", NOW), change).await.unwrap(), Replaced::Stored(_)));
    drop(store);
    let opened = opened(&folder, OLD).unwrap().open_secrets(&"c1".into()).await.unwrap().unwrap();
    assert_eq!(opened.connection.app, Some("second".into()));
}

#[tokio::test]
async fn a_connection_that_lost_a_part_names_itself() {
    let folder = Folder::new();
    filled(&folder).await;
    meddle(&folder, |table| drop(table.remove("c1").unwrap()));
    meddle_with(&folder, "connections", |table| drop(table.remove("c2").unwrap()));
    let store = opened(&folder, BOTH).unwrap();
    assert_eq!(error_of(&store, "c1").await, "a part of connection `c1` is missing in the store");
    let done = rotated(&store, 100).await;
    let said = done.failures.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said, ["a part of connection `c2` is missing in the store"]);
}
