//! What can go wrong with the store, each with what to do about it.
//! Never holds what was stored.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keys::KeyUse;
use super::row::RowId;
use crate::names::ConnectionId;
use crate::seal::SealError;

/// Why the store did not do as it was told.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Another process has the file open.
    #[error(
        "another process holds the store {}; stop it first, or give each its own `store.redb.path`",
        path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The configured keys are not those of this file.
    #[error(
        "the sealing key `{key}` is not the one the store {} was written with; configure that one, \
         behind a newer one if there is",
        path.display()
    )]
    WrongKey {
        /// The key at fault.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the seal said.
        #[source]
        source: SealError,
    },
    /// A file of something else.
    #[error("{} is not a store of Sidegate; correct `store.redb.path`, or move the file away", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// A store whose file is damaged.
    #[error("the store {} is damaged; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: Arc<::redb::Error>,
    },
    /// A file of another version of Sidegate.
    #[error("the store {} has format {found}, this Sidegate reads format {known}", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: String,
        /// The format that is known here.
        known: &'static str,
    },
    /// The file cannot be opened or created.
    #[error("the store {} cannot be opened; its folder must exist, both must be writable", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The disk, a quota or a limit on the file's size leaves no room. Nothing was stored.
    #[error("there is no room to store it; free space on the disk of the store")]
    Full(#[source] Arc<::redb::Error>),
    /// Reading or writing the file failed. Nothing was stored.
    #[error("the store's file cannot be read or written")]
    Io(#[source] Arc<::redb::Error>),
    /// The folder of `store.spill`, or a file in it, cannot be read or written.
    #[error("{} cannot be read or written; it, or `store.spill`, must be a folder of Sidegate's own", path.display())]
    Spill {
        /// The folder or the file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// A row's secrets do not open: they were changed, cut short or moved in the file, or their key is missing.
    #[error("the secrets of {row} cannot be opened")]
    Tampered {
        /// Whose.
        row: RowId,
        /// What the seal said.
        #[source]
        source: SealError,
    },
    /// A row is not what this version writes.
    #[error("the stored row of {row} cannot be read")]
    Unreadable {
        /// Whose.
        row: RowId,
        /// What is wrong with it; the position only.
        #[source]
        source: Arc<serde_json::Error>,
    },
    /// A row stands where another belongs: somebody copied or moved it in the file.
    #[error("in place of {row} the store has the row of another connection")]
    Misplaced {
        /// Whose place it is.
        row: RowId,
    },
    /// A row has secrets and nothing else, or has none: the other part was taken from the file.
    #[error("a part of {row} is missing in the store")]
    Incomplete {
        /// Whose.
        row: RowId,
    },
    /// Keys that were used before and are not configured any more, though rows are sealed with them.
    #[error(
        "{missing}, not configured any more, in the store {}; put it back into `encryption.keys` behind the first, and \
         take it out when `sidegate key rotate` has finished",
        path.display()
    )]
    MissingKeys {
        /// The keys, and how many rows each is needed for.
        missing: KeyUse,
        /// The file.
        path: PathBuf,
    },
    /// Sealing failed.
    #[error("the secrets cannot be sealed")]
    Seal(#[source] SealError),
    /// There is no such connection.
    #[error("there is no connection `{id}`")]
    NoConnection {
        /// The id that was asked for.
        id: ConnectionId,
    },
    /// Another exchange for the connection was begun since this lease ended. Nothing was stored.
    #[error("the lease on connection `{id}` has been taken by another one")]
    LeaseLost {
        /// The connection.
        id: ConnectionId,
    },
    /// Another live connection of the owner's has this key.
    #[error("another connection of this customer has the key `{key}`")]
    KeyTaken {
        /// The key.
        key: String,
    },
    /// A record cannot be written as JSON.
    #[error("the record cannot be encoded")]
    Encode(#[source] Arc<serde_json::Error>),
    /// The cursor of a list is not one that a list gave.
    #[error("the cursor is not one that a list gave")]
    BadCursor,
    /// Sidegate failed in the middle of a write. Nothing was stored.
    #[error("writing failed inside Sidegate")]
    Panicked,
    /// The store has been closed; only while Sidegate stops.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether it is about one row that was damaged or changed in the file. Asking again does not help.
    #[must_use]
    pub fn is_of_a_row(&self) -> bool {
        matches!(
            self,
            Self::Tampered { .. }
                | Self::Unreadable { .. }
                | Self::Misplaced { .. }
                | Self::Incomplete { .. }
        )
    }

    /// Whether reading or writing the file failed, and not what was asked of it.
    pub(super) fn is_of_the_file(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Io(_))
    }

    /// Whether a write that ended so may have been half done.
    pub(super) fn leaves_a_part(&self) -> bool {
        self.is_of_the_file() || matches!(self, Self::Panicked)
    }

    pub(super) fn of_spill(path: &Path, source: io::Error) -> Self {
        Self::Spill { path: path.to_owned(), source: Arc::new(source) }
    }

    pub(super) fn encode(error: serde_json::Error) -> Self {
        Self::Encode(Arc::new(error))
    }

    /// From what redb said, told apart by whether space is the problem.
    pub(super) fn storage(error: &Arc<::redb::Error>) -> Self {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        match &**error {
            ::redb::Error::Io(cause)
                if matches!(cause.kind(), StorageFull | QuotaExceeded | FileTooLarge) =>
            {
                Self::Full(Arc::clone(error))
            }
            _ => Self::Io(Arc::clone(error)),
        }
    }
}

/// redb has one error type per operation; here they are one.
macro_rules! from_redb {
    ($($error:ident)*) => {$(
        impl From<::redb::$error> for StoreError {
            fn from(error: ::redb::$error) -> Self {
                Self::storage(&Arc::new(error.into()))
            }
        }
    )*};
}

from_redb!(StorageError TableError TransactionError CommitError);
