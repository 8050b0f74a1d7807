use std::sync::Arc;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::formula::Value;
use crate::store::testing::{Folder, connection};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TERM: Duration = Duration::from_secs(120);

fn secrets() -> Secret<Secrets> {
    let empty = Value::empty_object;
    Secret::new(Secrets { credentials: empty(), input: empty(), connector_parameters: empty() })
}

fn token() -> Option<TokenDigest> {
    Some(TokenDigest::of(&"c1".into(), "r1"))
}

async fn store(folder: &Folder) -> Store {
    let store = folder.store(Arc::new(ManualClock::at(NOW)));
    store.insert(connection("c1", NOW), secrets(), false).await.unwrap();
    store
}

async fn asked(store: &Store) -> Leasing {
    let seen = store.connection(&"c1".into()).await.unwrap().unwrap();
    store.lease(&seen, token(), TERM, |_| false).await.unwrap()
}

async fn taken(store: &Store) -> Lease {
    match asked(store).await {
        Leasing::Taken(lease) => lease,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_write_under_a_lease_ends_it_and_strikes_the_spend_out() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let lease = taken(&store).await;
    assert!(matches!(asked(&store).await, Leasing::Held(_)));
    assert_eq!(store.open_spends().await.unwrap(), ["c1".into()]);
    let seen = connection("c1", NOW);
    let written = store.replace_under(&lease, &seen, secrets(), |_| ()).await.unwrap();
    assert!(matches!(written, Replaced::Stored(_)));
    assert!(store.open_spends().await.unwrap().is_empty());
    assert!(!store.renew_lease(&lease, TERM).await.unwrap());
    let again = taken(&store).await;
    assert!(again.title.fence > lease.title.fence);
}

#[tokio::test]
async fn a_write_under_a_lease_that_another_one_has_taken_stores_nothing() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let lease = taken(&store).await;
    store.release_lease(lease.clone(), false).await.unwrap();
    let other = taken(&store).await;
    let seen = connection("c1", NOW);
    let refused = store.replace_under(&lease, &seen, secrets(), |_| ()).await;
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    store.release_lease(lease.clone(), false).await.unwrap();
    assert!(store.renew_lease(&other, TERM).await.unwrap(), "a late release changed another's lease");
    assert_eq!(store.open_spends().await.unwrap(), ["c1".into()]);
}

#[tokio::test]
async fn a_connection_that_has_changed_is_not_leased() {
    let folder = Folder::new();
    let store = store(&folder).await;
    let seen = connection("c1", NOW);
    store.replace(&seen, secrets(), |_| ()).await.unwrap();
    let asked = store.lease(&seen, token(), TERM, |_| false).await.unwrap();
    assert!(matches!(asked, Leasing::Overtaken));
    assert!(store.open_spends().await.unwrap().is_empty());
}

#[tokio::test]
async fn leases_end_with_their_process_and_what_they_spent_stays_known() {
    let folder = Folder::new();
    let first = store(&folder).await;
    let lease = taken(&first).await;
    drop(first);
    let store = folder.store(Arc::new(ManualClock::at(NOW)));
    assert_eq!(store.open_spends().await.unwrap(), ["c1".into()]);
    assert!(matches!(asked(&store).await, Leasing::Spent(_)));
    assert!(!store.renew_lease(&lease, TERM).await.unwrap());
    let seen = store.connection(&"c1".into()).await.unwrap().unwrap();
    match store.lease(&seen, token(), TERM, |spend| spend.times == 1).await.unwrap() {
        Leasing::Taken(again) => assert!(again.title.fence > lease.title.fence),
        other => panic!("{other:?}"),
    }
}
