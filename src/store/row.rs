//! Rows as the tables hold them: bytes, open and sealed.
//! Never opens a seal, and never knows where a row is kept.

use std::sync::Arc;

use serde::Deserialize;

use super::error::StoreError;

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

/// Reads a row; `name` is for the error.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a [u8], name: &str) -> Result<T, StoreError> {
    serde_json::from_slice(json)
        .map_err(|source| StoreError::Unreadable { row: name.to_owned(), source: Arc::new(source) })
}
