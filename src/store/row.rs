//! Rows as the tables hold them: bytes, open and sealed.
//! Never opens a seal, and never knows where a row is kept.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use super::error::StoreError;
use crate::names::{ConnectionId, Owner};

/// Which row, in words for people: its kind and its id, nothing of its content. In the order in which rows are walked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowId {
    /// A connection's.
    Connection(ConnectionId),
    /// A customer's.
    Customer(Owner),
    /// A connection's in the folder of what the store does not take: no row of the file.
    Spilled(ConnectionId),
    /// That of a request to connect.
    Request,
    /// That of a consent that a customer was sent away for: its birth and the digest of its name.
    Consent(u64, Vec<u8>),
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => f.write_str("request to connect"),
            Self::Consent(..) => f.write_str("consent under way"),
            Self::Spilled(id) => write!(f, "connection `{id}` in `store.spill`"),
            Self::Connection(id) => write!(f, "connection `{id}`"),
            Self::Customer(Owner { workspace, customer }) => {
                write!(f, "customer `{customer}` of workspace `{workspace}`")
            }
        }
    }
}

/// A customer's row.
pub(super) struct CustomerRow {
    pub(super) open: Vec<u8>,
    pub(super) sealed: Vec<u8>,
}

impl CustomerRow {
    pub(super) fn of((open, sealed): (&[u8], &[u8])) -> Self {
        Self { open: open.to_vec(), sealed: sealed.to_vec() }
    }
}

/// Reads a row; `whose` is for the error.
pub(super) fn read<'a, T: Deserialize<'a>>(
    json: &'a [u8],
    whose: impl FnOnce() -> RowId,
) -> Result<T, StoreError> {
    serde_json::from_slice(json)
        .map_err(|source| StoreError::Unreadable { row: whose(), source: Arc::new(source) })
}
