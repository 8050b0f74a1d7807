//! The file of the store: made for its owner only, locked, and opened again after an error of the disk.
//! Never knows what the tables hold.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ::redb::{
    Builder, Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase as _, StorageError,
    WriteTransaction,
};

use super::error::StoreError;
use crate::report::report;

/// Pages kept in memory; the file of ten thousand connections fits.
const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Read and written by its owner only.
const MODE: u32 = 0o600;

/// An open file. redb refuses everything after an error of the disk until the file is opened again, so it is: at once
/// by whoever saw the error, or within a second of its being possible.
pub(super) struct StoreFile {
    path: PathBuf,
    /// Locked for writing only while the file is opened again.
    database: RwLock<Option<Database>>,
    writes: AtomicU64,
}

impl StoreFile {
    /// Opens the file, or makes it, and takes its lock.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let database = RwLock::new(Some(database(path, made(path))?));
        Ok(Self { path: path.to_owned(), database, writes: AtomicU64::new(0) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file from everybody but its owner, and says so. To be called once it is known to be ours.
    pub(super) fn keep_private(&self) {
        let path = self.path.display();
        let Ok(mode) = fs::metadata(&self.path).map(|file| file.permissions().mode() & 0o777) else { return };
        if mode & !MODE == 0 {
            return;
        }
        match fs::set_permissions(&self.path, Permissions::from_mode(MODE)) {
            Ok(()) => tracing::warn!(%path, "the store was open to others (mode {mode:o}); it is 600 now"),
            Err(error) => {
                tracing::warn!(%path, %error, "the store is open to others (mode {mode:o}) and cannot be made 600");
            }
        }
    }

    /// Rises with each write, before that is answered: what was read while it was the same is so still.
    pub(super) fn generation(&self) -> u64 {
        self.writes.load(Ordering::Acquire)
    }

    /// Runs `work` on what is stored now; a write under way neither waits for it nor shows in it.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(StoreError::Closed)?;
        work(&database.begin_read()?)
    }

    /// Runs `work` in a transaction that is on the disk when this returns, or has left no trace.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.mend()?;
        let result = self.transact(work);
        self.writes.fetch_add(1, Ordering::Release);
        if result.as_ref().is_err_and(StoreError::is_of_the_file) {
            self.close();
            if let Err(error) = self.mend() {
                tracing::error!(error = %report(&error), "the store stays closed until it can be opened again");
            }
        }
        result
    }

    fn transact<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(StoreError::Closed)?;
        let mut transaction = database.begin_write()?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(|error| StoreError::Io(Arc::new(error.into())))?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Whether an error of the disk has closed it.
    pub(super) fn is_closed(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Opens the file again if it is closed.
    pub(super) fn mend(&self) -> Result<(), StoreError> {
        if !self.is_closed() {
            return Ok(());
        }
        let mut guard = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            // Not made anew if it is gone: an empty store would be taken for the real one.
            *guard = Some(database(&self.path, existing(&self.path))?);
        }
        Ok(())
    }

    fn close(&self) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The file as it is, or a new one.
fn made(path: &Path) -> io::Result<File> {
    if path.exists() {
        return existing(path);
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(MODE).open(path)?;
    // The file will be on the disk; its name must be too.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file)
}

fn existing(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

fn database(path: &Path, file: io::Result<File>) -> Result<Database, StoreError> {
    let file = file.map_err(|source| StoreError::Open { path: path.to_owned(), source: Arc::new(source) })?;
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    #[cfg(not(test))]
    let database = builder.create_file(file);
    #[cfg(test)]
    let database = super::faulty_disk::open(&builder, path, file);
    database.map_err(|error| refused(path, error))
}

fn refused(path: &Path, error: DatabaseError) -> StoreError {
    let path = path.to_owned();
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::Locked { path },
        DatabaseError::UpgradeRequired(found) => {
            StoreError::OtherFormat { path, found: format!("redb {found}"), known: "redb 3" }
        }
        DatabaseError::Storage(StorageError::Corrupted(_)) => {
            StoreError::Damaged { path, source: Arc::new(error.into()) }
        }
        DatabaseError::Storage(StorageError::Io(source)) if source.kind() == io::ErrorKind::InvalidData => {
            StoreError::NotAStore { path }
        }
        other => StoreError::storage(&Arc::new(other.into())),
    }
}
