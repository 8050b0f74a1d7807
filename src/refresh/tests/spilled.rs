//! Tokens that the store does not take, and a process that ends before it does: they are in a file, and come from there.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;

use super::scene::{HOUR, Scene, access_token, first_credentials, second_tokens, secrets};
use crate::clock::Clock as _;
use crate::connector::Rotation;
use crate::formula::Value;
use crate::names::Version;
use crate::oauth::hostile_server::when;
use crate::secret::Secret;
use crate::store::redb::Replaced;
use crate::store::{Health, Secrets};

const WINDOW: Duration = Duration::from_secs(600);
const PROVIDERS: [Rotation; 3] = [Rotation::Strict, Rotation::Reuse(WINDOW), Rotation::None];

fn file(scene: &Scene) -> PathBuf {
    scene.folder.spill().join("c1.sealed")
}

/// The files that are kept although they are of no use.
fn set_aside(scene: &Scene) -> usize {
    let entries = fs::read_dir(scene.folder.spill()).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().path().extension().unwrap() == "set-aside").count()
}

fn counts(scene: &Scene, outcome: &str) -> bool {
    let line = format!("sidegate_spills_total{{outcome=\"{outcome}\"}} 1");
    scene.telemetry.metrics.render().contains(&line)
}

/// The disk breaks between an exchange and its write; a caller has the new tokens all the same.
async fn unsaved(rotation: Rotation) -> Scene {
    unsaved_after(rotation, |_| ()).await
}

async fn unsaved_after(rotation: Rotation, meanwhile: impl Fn(&Scene)) -> Scene {
    broken(rotation, |scene| {
        meanwhile(scene);
        scene.disk.fails(ErrorKind::StorageFull);
    })
    .await
}

async fn broken(rotation: Rotation, breaks: impl Fn(&Scene)) -> Scene {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::rotating(when(&permitted, second_tokens()), rotation).await;
    let (refresher, seen) = (Arc::clone(&scene.refresher), scene.opened().await);
    let caller = tokio::spawn(async move { refresher.fresh(seen).await });
    scene.server.came(1).await;
    breaks(&scene);
    permitted.add_permits(2);
    assert_eq!(access_token(&caller.await.unwrap().unwrap()), "planted-a2");
    scene
}

/// The same, and the process has ended.
async fn left(rotation: Rotation) -> Scene {
    let scene = unsaved(rotation).await;
    scene.refresher.drain().await;
    assert!(file(&scene).exists() && counts(&scene, "written"));
    let scene = scene.reopened();
    assert_eq!(scene.stored().await, first_credentials());
    scene
}

async fn starts(scene: &Scene) {
    scene.refresher.recover().await;
    scene.refresher.settle().await;
}

/// The new tokens are in the store, the old one was sent once, and nothing else is left of it.
async fn is_whole(scene: &Scene) {
    let opened = scene.opened().await;
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    assert_eq!(opened.connection.health, Health::Ready);
    assert!(opened.connection.expires_at.is_some_and(|end| end > scene.clock.now()));
    assert_eq!(scene.server.requests(), 1);
    assert!(scene.store.open_spends().await.unwrap().is_empty());
    assert!(!file(scene).exists());
    assert_eq!(set_aside(scene), 0);
}

/// Another writer puts these credentials into the row.
async fn put(scene: &Scene, secrets: Secrets) {
    let seen = scene.opened().await;
    let written = scene.store.replace(&seen.connection, Secret::new(secrets), |_| ()).await.unwrap();
    assert!(matches!(written, Replaced::Stored(_)), "{written:?}");
}

#[tokio::test]
async fn what_is_unsaved_when_the_process_stops_is_stored_by_the_next() {
    for rotation in PROVIDERS {
        let scene = left(rotation).await;
        starts(&scene).await;
        is_whole(&scene).await;
        assert_eq!(scene.opened().await.connection.version, Version(2));
        assert!(counts(&scene, "stored"));
        assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
    }
}

#[tokio::test]
async fn who_asks_before_that_gets_them_without_a_second_exchange() {
    for rotation in PROVIDERS {
        let scene = left(rotation).await;
        assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
        scene.refresher.settle().await;
        is_whole(&scene).await;
    }
}

#[tokio::test]
async fn a_start_on_a_store_that_does_not_write_leaves_the_file_and_callers_wait() {
    let scene = left(Rotation::Reuse(WINDOW)).await;
    scene.disk.fails(ErrorKind::ReadOnlyFilesystem);
    assert_eq!(scene.code().await, "store_down");
    scene.refresher.drain().await;
    assert!(file(&scene).exists());
    let scene = scene.reopened();
    starts(&scene).await;
    is_whole(&scene).await;
}

#[tokio::test]
async fn the_file_goes_when_the_store_has_the_tokens() {
    let scene = unsaved(Rotation::Strict).await;
    assert!(file(&scene).exists());
    scene.disk.heals();
    scene.refresher.settle().await;
    is_whole(&scene).await;
}

#[tokio::test]
async fn a_store_that_hangs_is_one_that_does_not_take_them() {
    let scene = broken(Rotation::Strict, |scene| scene.disk.hangs()).await;
    assert!(file(&scene).exists());
    scene.disk.heals();
    scene.refresher.settle().await;
    is_whole(&scene).await;
}

#[tokio::test]
async fn a_file_that_is_not_removed_then_is_in_nobodys_way() {
    let scene = unsaved(Rotation::Strict).await;
    fs::remove_file(file(&scene)).unwrap();
    fs::create_dir(file(&scene)).unwrap();
    scene.disk.heals();
    scene.refresher.settle().await;
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    scene.clock.advance(2 * HOUR);
    scene.fresh().await.unwrap();
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_changes_nothing_else() {
    let scene = unsaved_after(Rotation::Strict, |scene| {
        fs::remove_dir_all(scene.folder.spill()).unwrap();
    })
    .await;
    assert!(counts(&scene, "failed"));
    assert!(scene.telemetry.metrics.render().contains("sidegate_unsaved_tokens 1"));
    scene.disk.heals();
    scene.refresher.drain().await;
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
    assert_eq!(scene.server.requests(), 1);
}

#[tokio::test]
async fn a_folder_that_can_be_written_later_gets_the_tokens_then() {
    let scene = unsaved_after(Rotation::Strict, |scene| {
        fs::remove_dir_all(scene.folder.spill()).unwrap();
    })
    .await;
    fs::create_dir(scene.folder.spill()).unwrap();
    // It waits for the one or the other.
    scene.refresher.drain().await;
    assert!(file(&scene).exists());
    let scene = scene.reopened();
    starts(&scene).await;
    is_whole(&scene).await;
}

#[tokio::test]
async fn a_file_that_was_changed_is_not_used_and_kept() {
    let scene = left(Rotation::Strict).await;
    let mut bytes = fs::read(file(&scene)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file(&scene), bytes).unwrap();
    let scene = scene.reopened();
    starts(&scene).await;
    assert_eq!(scene.code().await, "outcome_unknown");
    assert_eq!((scene.server.requests(), set_aside(&scene)), (1, 1));
    assert!(counts(&scene, "set_aside"));
}

#[tokio::test]
async fn the_file_of_another_connection_is_not_used() {
    let scene = left(Rotation::Strict).await;
    scene.another("c2").await;
    fs::rename(file(&scene), scene.folder.spill().join("c2.sealed")).unwrap();
    let scene = scene.reopened();
    starts(&scene).await;
    let c2 = scene.store.open_secrets(&"c2".into()).await.unwrap().unwrap();
    assert_eq!(c2.connection.version, Version(1));
    assert_eq!((scene.server.requests(), set_aside(&scene)), (1, 1));
}

#[tokio::test]
async fn a_file_of_no_connection_stays_where_it_is() {
    let scene = left(Rotation::Strict).await;
    let elsewhere = scene.folder.spill().join("c9.sealed");
    fs::rename(file(&scene), &elsewhere).unwrap();
    let scene = scene.reopened();
    starts(&scene).await;
    assert!(elsewhere.exists());
    assert_eq!(scene.code().await, "outcome_unknown");
}

#[tokio::test]
async fn while_a_file_cannot_be_read_nothing_is_sent() {
    let scene = left(Rotation::Reuse(WINDOW)).await;
    let elsewhere = scene.folder.path().join("elsewhere");
    fs::rename(file(&scene), &elsewhere).unwrap();
    fs::create_dir(file(&scene)).unwrap();
    assert_eq!(scene.code().await, "store_down");
    assert_eq!(scene.server.requests(), 1);
    fs::remove_dir(file(&scene)).unwrap();
    fs::rename(&elsewhere, file(&scene)).unwrap();
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
    scene.refresher.settle().await;
    is_whole(&scene).await;
}

#[tokio::test]
async fn credentials_that_came_since_stand() {
    let scene = left(Rotation::Strict).await;
    put(&scene, secrets(json!({"access_token": "planted-a9", "refresh_token": "planted-r9"}))).await;
    starts(&scene).await;
    assert_eq!(scene.stored().await["refresh_token"], "planted-r9");
    assert_eq!((scene.server.requests(), set_aside(&scene)), (1, 1));
}

#[tokio::test]
async fn a_write_that_knew_nothing_of_the_exchange_is_kept_beside_its_tokens() {
    let scene = left(Rotation::Strict).await;
    let input = Value::from(json!({"region": "eu"}));
    put(&scene, Secrets { input: input.clone(), ..secrets(first_credentials()) }).await;
    starts(&scene).await;
    is_whole(&scene).await;
    let opened = scene.opened().await;
    assert_eq!((opened.connection.version, &opened.secrets.expose().input), (Version(3), &input));
}

#[tokio::test]
async fn a_file_that_is_found_late_ends_the_doubt() {
    let scene = left(Rotation::Strict).await;
    let elsewhere = scene.folder.path().join("elsewhere");
    fs::rename(file(&scene), &elsewhere).unwrap();
    let scene = scene.reopened();
    starts(&scene).await;
    assert_eq!(scene.code().await, "outcome_unknown");
    fs::rename(&elsewhere, file(&scene)).unwrap();
    let scene = scene.reopened();
    starts(&scene).await;
    is_whole(&scene).await;
    assert_eq!(access_token(&scene.fresh().await.unwrap()), "planted-a2");
}

#[tokio::test]
async fn a_connection_that_was_removed_gets_no_tokens() {
    let scene = left(Rotation::Strict).await;
    let now = scene.clock.now();
    scene.change(move |connection| connection.archived_at = Some(now)).await;
    starts(&scene).await;
    assert!(scene.opened().await.connection.archived_at.is_some());
    assert_eq!((scene.server.requests(), set_aside(&scene)), (1, 1));
}
