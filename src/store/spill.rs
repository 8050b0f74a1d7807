//! A folder beside the store, for what the store does not take: one sealed file for each connection, until the store has it.
//! Never knows what a record says, nor whether it is still of use.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::redb::Store;
use super::reseal::Resealed;
use super::row::{RowId, read};
use super::sealed::{spill_context, wiped_json};
use crate::names::ConnectionId;
use crate::seal::{Keyring, key_id};

/// What the name of a record's file ends with. Files with other names are nobody's business here.
const SEALED: &str = "sealed";
/// That of a record which is being written.
const UNFINISHED: &str = "unfinished";
/// That of one which is of no use.
const SET_ASIDE: &str = "set-aside";
/// How long the folder's disk may take (a test's, as long as the machine wants). One that hangs must not hold up what goes well
/// without it,
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 600 } else { 5 });
/// nor keep more threads than this.
const AT_ONCE: u32 = 16;

/// The open folder.
pub(super) struct Spill {
    folder: PathBuf,
    /// Whose records may be there.
    left: Mutex<BTreeMap<ConnectionId, Left>>,
    /// For work at the folder. Nobody works twice on one record at a time: a connection has one exchange, and whoever
    /// seals anew takes all the room.
    room: Arc<Semaphore>,
    /// How often a record was written.
    attempts: AtomicU64,
}

/// A record that may be there.
#[derive(Clone)]
struct Left {
    /// The id of the key that it is sealed with; empty if it is no sealed record.
    key: String,
    /// It was to be removed: nobody asks for it any more, even if its disk let it stay.
    is_forgotten: bool,
}

impl Store {
    /// The connections that have a record in the folder, and where.
    #[must_use]
    pub fn spilled(&self) -> Vec<(ConnectionId, PathBuf)> {
        let Some(spill) = self.spill_folder() else { return Vec::new() };
        spill.left().keys().map(|id| (id.clone(), spill.path(id))).collect()
    }

    /// Puts a record of the connection into the folder, in place of one before it: when this returns, it is on the disk.
    /// False: no folder is configured.
    ///
    /// # Errors
    /// It could not be written in time; it may be there all the same.
    pub async fn spill(&self, id: &ConnectionId, record: &impl Serialize) -> Result<bool, StoreError> {
        if self.spill_folder().is_none() {
            return Ok(false);
        }
        let (id, plain) = (id.clone(), wiped_json(record)?);
        self.at_the_folder(1, move |spill, ring| spill.write(ring, &id, &plain)).await.map(|()| true)
    }

    /// The connection's record, if there is one.
    ///
    /// # Errors
    /// It cannot be read now; or, if [`StoreError::is_of_a_row`], it was changed and never will be.
    pub async fn read_spilled<T: DeserializeOwned>(
        &self,
        id: &ConnectionId,
    ) -> Result<Option<T>, StoreError> {
        let is_of_use = |spill: &Spill| spill.left().get(id).is_some_and(|left| !left.is_forgotten);
        if !self.spill_folder().is_some_and(is_of_use) {
            return Ok(None);
        }
        let whose = id.clone();
        let plain = self.at_the_folder(1, move |spill, ring| spill.open(ring, &whose)).await?;
        plain.map(|plain| read(&plain, || RowId::Spilled(id.clone()))).transpose()
    }

    /// Removes the connection's record, if there is one: the store has what it says, or something newer.
    ///
    /// # Errors
    /// It may still be there.
    pub async fn forget_spilled(&self, id: &ConnectionId) -> Result<(), StoreError> {
        let Some(spill) = self.spill_folder() else { return Ok(()) };
        match spill.left().get_mut(id) {
            None => return Ok(()),
            Some(left) => left.is_forgotten = true,
        }
        let id = id.clone();
        self.at_the_folder(1, move |spill, _| spill.take_away(&id, |path| fs::remove_file(path))).await
    }

    /// Gives the connection's record a name under which nobody looks for it, and says which.
    ///
    /// # Errors
    /// It may still be where it was.
    pub async fn set_spilled_aside(&self, id: &ConnectionId) -> Result<PathBuf, StoreError> {
        let (id, now) = (id.clone(), self.now().as_millis());
        self.at_the_folder(1, move |spill, _| {
            let aside = spill.path(&id).with_extension(format!("{now}.{SET_ASIDE}"));
            spill.take_away(&id, |path| fs::rename(path, &aside)).map(|()| aside)
        })
        .await
    }

    /// Seals the records anew that are not under the first key.
    pub async fn reseal_spilled(&self) -> Resealed {
        if self.spill_folder().is_none() {
            return Resealed::default();
        }
        let resealed = self.at_the_folder(AT_ONCE, |spill, ring| Ok(spill.reseal(ring))).await;
        resealed.unwrap_or_else(|error| Resealed { rows: 0, failures: vec![error] })
    }

    async fn at_the_folder<T: Send + 'static>(
        &self,
        room: u32,
        work: impl FnOnce(&Spill, &Keyring) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let spill = self.spill_folder().ok_or(StoreError::Closed)?;
        let done = async {
            let room = Arc::clone(&spill.room).acquire_many_owned(room).await;
            self.read_aside(move |store| {
                // Until the work is done, however long somebody waits for it.
                let _room = room;
                let spill = store.spill.as_ref().ok_or(StoreError::Closed)?;
                work(spill, &store.keyring.load())
            })
            .await
        };
        let hangs = |_| Err(StoreError::of_spill(&spill.folder, ErrorKind::TimedOut.into()));
        tokio::time::timeout(PATIENCE, done).await.unwrap_or_else(hangs)
    }
}

impl Spill {
    /// Opens the folder, or makes it, for its owner only; and looks whose records are there.
    pub(super) fn open_folder(folder: &Path) -> Result<Self, StoreError> {
        let made = DirBuilder::new().mode(0o700).create(folder);
        if let Err(source) = made.or_else(|error| if folder.is_dir() { Ok(()) } else { Err(error) }) {
            return Err(StoreError::of_spill(folder, source));
        }
        let left = found(folder)?;
        let room = Arc::new(Semaphore::new(AT_ONCE as usize));
        Ok(Self { folder: folder.to_owned(), left: Mutex::new(left), room, attempts: AtomicU64::new(0) })
    }

    /// The keys that are needed to open the records: one for each record.
    pub(super) fn keys(&self) -> Vec<String> {
        self.left().values().map(|left| left.key.clone()).filter(|key| !key.is_empty()).collect()
    }

    fn write(&self, ring: &Keyring, id: &ConnectionId, plain: &[u8]) -> Result<(), StoreError> {
        let path = self.path(id);
        let sealed = ring.seal(plain, &spill_context(id)).map_err(StoreError::Seal)?;
        // Before it is there: the key must not be withdrawn meanwhile.
        let left = Left { key: ring.sealing().to_owned(), is_forgotten: false };
        let before = self.left().insert(id.clone(), left);
        let written = self.put(&path, &sealed).map_err(|source| StoreError::of_spill(&path, source));
        // Nor must that of a file which may still be there.
        if let (Err(_), Some(before)) = (&written, before) {
            self.left().insert(id.clone(), before);
        }
        written
    }

    /// The whole file is on the disk before it has its name.
    fn put(&self, path: &Path, sealed: &[u8]) -> io::Result<()> {
        // An earlier attempt may hang, and come to its end in a file of its own.
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        let unfinished = path.with_extension(format!("{attempt}.{UNFINISHED}"));
        let finished = finish(&unfinished, sealed).and_then(|()| fs::rename(&unfinished, path));
        if finished.is_err() {
            let _ = fs::remove_file(unfinished);
        }
        finished?;
        File::open(&self.folder)?.sync_all()
    }

    fn open(&self, ring: &Keyring, id: &ConnectionId) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let path = self.path(id);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::of_spill(&path, error)),
        };
        let refused = |source| StoreError::Tampered { row: RowId::Spilled(id.clone()), source };
        ring.open(&sealed, &spill_context(id)).map(Some).map_err(refused)
    }

    fn reseal(&self, ring: &Keyring) -> Resealed {
        let mut resealed = Resealed::default();
        let others = self.left().clone().into_iter().filter(|(_, left)| left.key != ring.sealing());
        for (id, _) in others {
            let plain = self.open(ring, &id);
            let sealed = plain.and_then(|plain| plain.map(|plain| self.write(ring, &id, &plain)).transpose());
            match sealed {
                Ok(sealed) => resealed.rows += u64::from(sealed.is_some()),
                Err(error) => resealed.failures.push(error),
            }
        }
        resealed
    }

    fn take_away(
        &self,
        id: &ConnectionId,
        how: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        let path = self.path(id);
        match how(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::of_spill(&path, error));
            }
            _ => {}
        }
        self.left().remove(id);
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| StoreError::of_spill(&path, source))
    }

    fn left(&self) -> MutexGuard<'_, BTreeMap<ConnectionId, Left>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, id: &ConnectionId) -> PathBuf {
        self.folder.join(format!("{}.{SEALED}", utf8_percent_encode(id.as_str(), NON_ALPHANUMERIC)))
    }
}

fn finish(path: &Path, sealed: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(sealed)?;
    file.sync_all()
}

/// The records in the folder, with the keys that they say they are sealed with.
fn found(folder: &Path) -> Result<BTreeMap<ConnectionId, Left>, StoreError> {
    let mut left = BTreeMap::new();
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(|source| StoreError::of_spill(folder, source))? {
        let path = entry.path();
        let of_it = |source| StoreError::of_spill(&path, source);
        let (Some(stem), Some(end)) = (path.file_stem(), path.extension()) else { continue };
        if end == UNFINISHED {
            tracing::warn!(path = %path.display(), "tokens that were half written are removed");
            fs::remove_file(&path).map_err(of_it)?;
        }
        if end == SEALED
            && let Ok(id) = percent_decode_str(&stem.to_string_lossy()).decode_utf8()
        {
            let sealed = fs::read(&path).map_err(of_it)?;
            let key = key_id(&sealed).unwrap_or_default().to_owned();
            left.insert(ConnectionId::from(&*id), Left { key, is_forgotten: false });
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests;
