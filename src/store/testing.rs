//! What tests of several rooms share: a store in a folder of its own, and a connection to put into it.
//! Never part of a build.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Config, Connection, Consent, Store, StoreError};
use crate::clock::{Clock, Timestamp};
use crate::formula::Value;
use crate::names::Owner;
use crate::seal::{Keyring, SealingKey};
use crate::secret::Secret;
use crate::steps::Steps;

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("sidegate-unit-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// One that another process made.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The store's file.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("store.redb")
    }

    /// The folder for what the store does not take.
    pub(crate) fn spill(&self) -> PathBuf {
        self.0.join("spill")
    }

    /// Opens the store in it.
    pub(crate) fn store(&self, clock: Arc<dyn Clock>) -> Store {
        self.open(&[("k1", 1)], clock).unwrap()
    }

    /// A key of 32 such bytes.
    pub(crate) fn key(id: &str, byte: u8) -> SealingKey {
        SealingKey { id: id.into(), key: STANDARD.encode([byte; 32]).into() }
    }

    /// Opens it with these keys, each an id and the byte that it is made of.
    pub(crate) fn open(&self, keys: &[(&str, u8)], clock: Arc<dyn Clock>) -> Result<Store, StoreError> {
        let keys: Vec<_> = keys.iter().map(|(id, byte)| Self::key(id, *byte)).collect();
        let config = Config { path: self.file(), spill: Some(self.spill()), cached_credentials: 100 };
        Store::open(&config, Keyring::new(&keys).unwrap(), clock)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Ada's connection as it is before it is stored.
pub(crate) fn connection(id: &str, now: Timestamp) -> Connection {
    let owner = Owner { workspace: "acme".into(), customer: "ada".into() };
    Connection::new(id.into(), owner, "crm".into(), "Ada".into(), now)
}

/// A consent of this name, begun at `now`.
pub(crate) fn consent(name: &str, now: Timestamp) -> Consent {
    Consent {
        owner: Owner { workspace: "acme".into(), customer: "ada".into() },
        integration: "crm".into(),
        connection: None,
        app: None,
        wanted: [("input", Value::from("planted-input"))].into_iter().collect(),
        callback: "https://auth.example.com/oauth-callback".into(),
        state: format!("{name}:planted-custom"),
        temporary: None,
        proof: Some(Secret::new("planted-verifier".to_owned())),
        browser: vec![1, 2, 3],
        afterwards: Value::Null,
        steps: Steps::default(),
        created_at: now,
    }
}
