//! A disk that fails, or takes the process with it, where a test says so.
//! Never part of a build.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use redb::backends::FileBackend;
use redb::{BackendError, Builder, Database, DatabaseError, StorageBackend};
use rustix::process::{Signal, getpid, kill_process};

static DISKS: Mutex<BTreeMap<PathBuf, Arc<Disk>>> = Mutex::new(BTreeMap::new());

/// Under one file of a store.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// At which change from now something happens to it; 0: nothing does.
    changes: AtomicU64,
    /// Whether it fails then, and does not take the process with it.
    fails_then: AtomicBool,
    fault: Mutex<Option<io::ErrorKind>>,
    hangs: Mutex<bool>,
    healed: Condvar,
}

impl Disk {
    /// The one under the store that is opened at `path` from now on.
    pub(crate) fn under(path: &Path) -> Arc<Self> {
        let disk = Arc::new(Self::default());
        DISKS.lock().unwrap().insert(path.to_owned(), Arc::clone(&disk));
        disk
    }

    /// Kills this process, with no chance to tidy up, in place of the n-th change from now: a write, a change of the
    /// length, or a sync.
    pub(crate) fn kill_at(&self, change: u64) {
        self.changes.store(change, Ordering::SeqCst);
    }

    /// Takes no change any more from the n-th on.
    pub(crate) fn fails_at(&self, change: u64) {
        self.fails_then.store(true, Ordering::SeqCst);
        self.changes.store(change, Ordering::SeqCst);
    }

    /// Whether it fails now.
    pub(crate) fn is_failing(&self) -> bool {
        self.fault.lock().unwrap().is_some()
    }

    /// From now on nothing can be changed, for this reason.
    pub(crate) fn fails(&self, reason: io::ErrorKind) {
        *self.fault.lock().unwrap() = Some(reason);
    }

    /// From now on a change does not come to an end.
    pub(crate) fn hangs(&self) {
        *self.hangs.lock().unwrap() = true;
    }

    /// It is as good as new.
    pub(crate) fn heals(&self) {
        *self.fault.lock().unwrap() = None;
        *self.hangs.lock().unwrap() = false;
        self.healed.notify_all();
    }

    fn change(&self) -> io::Result<()> {
        let counted = |left: u64| left.checked_sub(1);
        if self.changes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, counted) == Ok(1) {
            match self.fails_then.load(Ordering::SeqCst) {
                true => self.fails(io::ErrorKind::StorageFull),
                false => die(),
            }
        }
        drop(self.healed.wait_while(self.hangs.lock().unwrap(), |hangs| *hangs).unwrap());
        match *self.fault.lock().unwrap() {
            Some(reason) => Err(reason.into()),
            None => Ok(()),
        }
    }
}

/// Ends this process as kill -9 does: nothing is tidied up.
pub(crate) fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    loop {
        std::thread::park();
    }
}

/// Opens the file on the disk that a test has put under it, if it has.
pub(super) fn open(builder: &Builder, path: &Path, file: File) -> Result<Database, DatabaseError> {
    match DISKS.lock().unwrap().get(path) {
        None => builder.create_file(file),
        Some(disk) => {
            builder.create_with_backend(OnDisk { file: FileBackend::new(file)?, disk: Arc::clone(disk) })
        }
    }
}

#[derive(Debug)]
struct OnDisk {
    file: FileBackend,
    disk: Arc<Disk>,
}

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.change()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.change()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
