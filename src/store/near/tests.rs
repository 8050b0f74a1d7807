use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use crate::clock::{Clock, ManualClock, Timestamp};
use crate::formula::Value;
use crate::names::Owner;
use crate::secret::Secret;
use crate::store::testing::{self, Folder};
use crate::store::{Connection, Reach, Replaced, Secrets, Selected, Store};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::at(NOW))
}

fn secrets(token: &str) -> Secret<Secrets> {
    let empty = Value::empty_object;
    let credentials = Value::from(json!({ "access_token": token }));
    Secret::new(Secrets { credentials, input: empty(), connector_parameters: empty() })
}

fn ada() -> Reach {
    Reach::Customer(Owner { workspace: "acme".into(), customer: "ada".into() })
}

/// The id and name of what is selected, by every way to select it; they agree.
async fn selected(store: &Store, selectors: &[&str]) -> Option<(String, String)> {
    let mut found = vec![store.select_only(&ada(), &"crm".into()).await.unwrap()];
    for selector in selectors {
        found.push(store.select(&ada(), selector).await.unwrap());
    }
    let found: Vec<_> = found
        .iter()
        .map(|selected| match selected {
            Selected::One(one) => Some((one.id.to_string(), one.name.clone())),
            Selected::Nothing => None,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(found.windows(2).all(|pair| pair[0] == pair[1]), "{found:?}");
    found[0].clone()
}

async fn changed(store: &Store, id: &str, change: impl FnOnce(&mut Connection) + Send + 'static) {
    let seen = store.connection(&id.into()).await.unwrap().unwrap();
    let Replaced::Stored(_) = store.update(&seen, change).await.unwrap() else { panic!("nobody else wrote") };
}

#[tokio::test]
async fn whatever_is_written_is_selected_by_from_then_on() {
    let folder = Folder::new();
    let store = folder.store(clock());
    assert_eq!(selected(&store, &["crm"]).await, None);
    let first = Connection { name: "first".into(), ..testing::connection("c1", NOW) };
    store.insert(first, secrets("t1"), false).await.unwrap();
    for _ in 0..2 {
        assert_eq!(selected(&store, &["crm", "c1"]).await, Some(("c1".into(), "first".into())));
    }
    changed(&store, "c1", |one| one.name = "renamed".into()).await;
    assert_eq!(selected(&store, &["crm", "c1"]).await, Some(("c1".into(), "renamed".into())));
    let second = Connection { name: "second".into(), ..testing::connection("c2", NOW) };
    store.insert(second, secrets("t2"), true).await.unwrap();
    assert_eq!(selected(&store, &["crm", "c2"]).await, Some(("c2".into(), "second".into())));
    assert!(matches!(store.select(&ada(), "c1").await.unwrap(), Selected::Nothing), "it is archived");
    changed(&store, "c2", |one| one.archived_at = Some(NOW)).await;
    assert_eq!(selected(&store, &["crm", "c2"]).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn who_reads_while_others_write_never_gets_what_was_there_before_an_answered_write() {
    let folder = Folder::new();
    let store = folder.store(clock());
    store.insert(testing::connection("c1", NOW), secrets("0"), false).await.unwrap();
    let answered = Arc::new(AtomicU64::new(0));
    let readers = (0..2).map(|_| {
        let (store, answered) = (store.clone(), Arc::clone(&answered));
        tokio::spawn(async move {
            loop {
                let written = answered.load(Ordering::SeqCst);
                let Selected::One(one) = store.select(&ada(), "c1").await.unwrap() else {
                    panic!("it is there")
                };
                let opened = store.open_secrets(&"c1".into()).await.unwrap().unwrap();
                let token = opened.secrets.expose().credentials.get("access_token").map(Value::text);
                let token: u64 = token.unwrap().parse().unwrap();
                assert!(one.version.0 > written && token >= written, "{one:?} {token} {written}");
                assert_eq!(opened.connection.version.0, token + 1, "row and secrets are of one version");
                if written == 300 {
                    return;
                }
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    for number in 1..=300_u64 {
        let seen = store.connection(&"c1".into()).await.unwrap().unwrap();
        let Replaced::Stored(_) = store.replace(&seen, secrets(&number.to_string()), |_| ()).await.unwrap()
        else {
            panic!("nobody else wrote")
        };
        answered.store(number, Ordering::SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}
