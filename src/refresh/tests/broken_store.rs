//! A store that fails at the worst time: when tokens have come and are not written yet.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::scene::{NOW, Scene, access_token, credentials, second_tokens};
use crate::clock::ManualClock;
use crate::oauth::hostile_server::when;

fn unsaved(scene: &Scene) -> bool {
    scene.telemetry.metrics.render().contains("sidegate_unsaved_tokens 1")
}

/// The store fails between an exchange and its write, and is whole again later.
async fn survives(breaks: impl Fn(&Scene), mends: impl Fn(&Scene)) {
    let permitted = Arc::new(Semaphore::new(0));
    let scene = Scene::start(when(&permitted, second_tokens())).await;
    let (refresher, seen) = (Arc::clone(&scene.refresher), scene.opened().await);
    let caller = tokio::spawn({
        let seen = seen.clone();
        async move { refresher.fresh(seen).await }
    });
    scene.server.came(1).await;
    breaks(&scene);
    permitted.add_permits(1);
    assert_eq!(access_token(&caller.await.unwrap().unwrap()), "planted-a2");
    assert!(unsaved(&scene));
    for _ in 0..3 {
        assert_eq!(access_token(&scene.refresher.fresh(seen.clone()).await.unwrap()), "planted-a2");
        assert_eq!(access_token(&scene.refresher.force(&seen).await.unwrap()), "planted-a2");
    }
    mends(&scene);
    scene.refresher.drain().await;
    assert!(!unsaved(&scene));
    assert_eq!(scene.server.requests(), 1);
    // As a restart finds it.
    let Scene { store, refresher, folder, .. } = scene;
    drop((store, refresher));
    let store = folder.store(Arc::new(ManualClock::at(NOW)));
    let stored = store.open_secrets(&"c1".into()).await.unwrap().unwrap();
    assert_eq!(credentials(&stored)["refresh_token"], "planted-r2");
    assert!(store.open_spends().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_disk_that_is_full_loses_no_token() {
    survives(|scene| scene.disk.fails(ErrorKind::StorageFull), |scene| scene.disk.heals()).await;
}

#[tokio::test]
async fn a_disk_that_turns_read_only_loses_no_token() {
    survives(|scene| scene.disk.fails(ErrorKind::ReadOnlyFilesystem), |scene| scene.disk.heals()).await;
}

#[tokio::test]
async fn a_disk_that_goes_away_and_comes_back_loses_no_token() {
    let elsewhere = |scene: &Scene| scene.folder.file().with_extension("unplugged");
    let goes = |scene: &Scene| {
        fs::rename(scene.folder.file(), elsewhere(scene)).unwrap();
        scene.disk.fails(ErrorKind::NotConnected);
    };
    let comes = |scene: &Scene| {
        fs::rename(elsewhere(scene), scene.folder.file()).unwrap();
        scene.disk.heals();
    };
    survives(goes, comes).await;
}

#[tokio::test]
async fn nothing_is_sent_while_the_store_does_not_write() {
    let scene = Scene::start(second_tokens()).await;
    let seen = scene.opened().await;
    scene.disk.fails(ErrorKind::ReadOnlyFilesystem);
    for _ in 0..3 {
        assert_eq!(scene.refresher.fresh(seen.clone()).await.err().unwrap().code(), "store_down");
    }
    assert_eq!(scene.server.requests(), 0);
    scene.disk.heals();
    // It is opened again aside.
    while scene.store.connection(&seen.connection.id).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(access_token(&scene.refresher.fresh(seen).await.unwrap()), "planted-a2");
    assert_eq!(scene.stored().await["refresh_token"], "planted-r2");
}
