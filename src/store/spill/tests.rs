use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::secret::Secret;
use crate::store::testing::{Folder, connection};
use crate::store::{Config, KeyUse, Rows, Secrets};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RECORD: &str = "planted-r2";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

fn path(folder: &Folder, id: &str) -> PathBuf {
    folder.spill().join(format!("{id}.sealed"))
}

async fn record(store: &Store, id: &str) -> Result<Option<String>, StoreError> {
    store.read_spilled(&id.into()).await
}

/// A folder whose store has put a record of c1 aside, and has been closed.
async fn spilled() -> Folder {
    let folder = Folder::new();
    let store = folder.store(clock());
    assert!(store.spill(&"c1".into(), &RECORD).await.unwrap());
    folder
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_record_outlives_the_process_for_its_owner_only_and_sealed() {
    let folder = spilled().await;
    assert_eq!((mode(&folder.spill()), mode(&path(&folder, "c1"))), (0o700, 0o600));
    let bytes = fs::read(path(&folder, "c1")).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("planted"));
    let store = folder.store(clock());
    assert_eq!(store.spilled(), [("c1".into(), path(&folder, "c1"))]);
    assert_eq!(record(&store, "c1").await.unwrap().as_deref(), Some(RECORD));
    assert_eq!(record(&store, "c2").await.unwrap(), None);

    assert!(store.spill(&"c1".into(), &"newer").await.unwrap());
    assert_eq!(record(&store, "c1").await.unwrap().as_deref(), Some("newer"));
    store.forget_spilled(&"c1".into()).await.unwrap();
    store.forget_spilled(&"c1".into()).await.unwrap();
    assert_eq!(record(&store, "c1").await.unwrap(), None);
    assert_eq!(fs::read_dir(folder.spill()).unwrap().count(), 0);
}

#[tokio::test]
async fn without_the_setting_nothing_is_kept() {
    let folder = Folder::new();
    let config = Config { path: folder.file(), spill: None, cached_credentials: 1 };
    let keys = [crate::seal::SealingKey { id: "k1".into(), key: "A".repeat(43).into() }];
    let store = Store::open(&config, Keyring::new(&keys).unwrap(), clock()).unwrap();
    assert!(!store.spill(&"c1".into(), &RECORD).await.unwrap());
    assert!(store.spilled().is_empty());
    assert_eq!(record(&store, "c1").await.unwrap(), None);
    store.forget_spilled(&"c1".into()).await.unwrap();
    assert_eq!(store.reseal_spilled().await.rows, 0);
}

#[tokio::test]
async fn a_record_that_was_changed_cut_short_or_renamed_does_not_open() {
    let folder = spilled().await;
    let whole = fs::read(path(&folder, "c1")).unwrap();
    let flipped = (0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    });
    let cut = (0..whole.len()).map(|length| whole[..length].to_vec());
    let store = folder.store(clock());
    for bytes in flipped.chain(cut) {
        fs::write(path(&folder, "c1"), &bytes).unwrap();
        let error = record(&store, "c1").await.unwrap_err();
        assert!(error.is_of_a_row(), "{error:?}");
        assert_eq!(error.to_string(), "the secrets of connection `c1` in `store.spill` cannot be opened");
    }
    drop(store);
    fs::remove_file(path(&folder, "c1")).unwrap();
    fs::write(path(&folder, "c2"), &whole).unwrap();
    let store = folder.store(clock());
    let error = record(&store, "c2").await.unwrap_err();
    assert!(error.is_of_a_row(), "{error:?}");

    let aside = store.set_spilled_aside(&"c2".into()).await.unwrap();
    assert_eq!(aside, folder.spill().join("c2.1800000000000.set-aside"));
    assert_eq!(fs::read(&aside).unwrap(), whole);
    assert_eq!(record(&store, "c2").await.unwrap(), None);
    drop(store);
    assert!(folder.store(clock()).spilled().is_empty());
}

#[tokio::test]
async fn what_was_half_written_is_removed_and_other_files_stay() {
    let folder = spilled().await;
    for name in ["c2.unfinished", "notes.txt", "c3.1.set-aside"] {
        fs::write(folder.spill().join(name), "x").unwrap();
    }
    assert_eq!(folder.store(clock()).spilled().len(), 1);
    let mut names: Vec<_> =
        fs::read_dir(folder.spill()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["c1.sealed", "c3.1.set-aside", "notes.txt"]);
}

#[tokio::test]
async fn any_id_is_the_name_of_a_file() {
    let folder = Folder::new();
    let id = ConnectionId::from("../a/ä.sealed\0");
    assert!(folder.store(clock()).spill(&id, &RECORD).await.unwrap());
    assert_eq!(fs::read_dir(folder.spill()).unwrap().count(), 1);
    let store = folder.store(clock());
    assert_eq!(store.read_spilled::<String>(&id).await.unwrap().as_deref(), Some(RECORD));
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named() {
    let folder = Folder::new();
    fs::write(folder.spill(), "a file").unwrap();
    let error = folder.open(&[("k1", 1)], clock()).err().unwrap();
    assert!(matches!(&error, StoreError::Spill { path, .. } if *path == folder.spill()), "{error:?}");

    let folder = spilled().await;
    let store = folder.store(clock());
    fs::remove_dir_all(folder.spill()).unwrap();
    let error = store.spill(&"c1".into(), &RECORD).await.unwrap_err();
    let of_c1 = path(&folder, "c1");
    assert!(matches!(&error, StoreError::Spill { path, .. } if *path == of_c1), "{error:?}");
    // What is gone is no reason to stop.
    assert_eq!(record(&store, "c1").await.unwrap(), None);
}

#[tokio::test]
async fn a_key_that_a_record_needs_is_counted_and_not_withdrawn_until_the_record_is_sealed_anew() {
    let folder = spilled().await;
    let store = folder.open(&[("k2", 2), ("k1", 1)], clock()).unwrap();
    let one = Rows { connections: 1, ..Rows::default() };
    assert_eq!(store.key_use().await.unwrap(), KeyUse([("k1".into(), one)].into()));
    let only_k2 = || Keyring::new(&[Folder::key("k2", 2)]).unwrap();
    let error = store.rekey(only_k2()).unwrap_err();
    assert!(
        error.to_string().starts_with("1 connection and 0 customers are sealed with the key `k1`"),
        "{error}"
    );

    let resealed = store.reseal_spilled().await;
    assert_eq!((resealed.rows, resealed.failures.len()), (1, 0));
    assert_eq!(store.reseal_spilled().await.rows, 0);
    assert_eq!(store.key_use().await.unwrap(), KeyUse([("k2".into(), one)].into()));
    store.rekey(only_k2()).unwrap();
    assert_eq!(record(&store, "c1").await.unwrap().as_deref(), Some(RECORD));
    drop(store);
    let store = folder.open(&[("k2", 2)], clock()).unwrap();
    assert_eq!(record(&store, "c1").await.unwrap().as_deref(), Some(RECORD));
}

#[tokio::test]
async fn a_start_without_the_key_of_a_record_is_refused() {
    let folder = spilled().await;
    // A row under the other key, so that the store knows that one.
    let store = folder.open(&[("k2", 2), ("k1", 1)], clock()).unwrap();
    store.insert(connection("c1", NOW), Secret::new(Secrets::none()), false).await.unwrap();
    drop(store);
    let error = folder.open(&[("k2", 2)], clock()).err().unwrap();
    assert!(matches!(error, StoreError::MissingKeys { .. }), "{error:?}");
    assert!(folder.open(&[("k2", 2), ("k1", 1)], clock()).is_ok());
}

#[tokio::test]
async fn a_key_is_needed_until_another_is_on_the_disk() {
    let folder = spilled().await;
    let store = folder.open(&[("k2", 2), ("k1", 1)], clock()).unwrap();
    // The next attempt cannot be written under this name.
    let in_the_way = folder.spill().join("c1.0.unfinished");
    fs::create_dir(&in_the_way).unwrap();
    assert_eq!(store.reseal_spilled().await.failures.len(), 1);
    let only_k2 = || Keyring::new(&[Folder::key("k2", 2)]).unwrap();
    assert!(matches!(store.rekey(only_k2()), Err(StoreError::MissingKeys { .. })));

    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(store.reseal_spilled().await.rows, 1);
    store.rekey(only_k2()).unwrap();
    assert_eq!(record(&store, "c1").await.unwrap().as_deref(), Some(RECORD));
}
