//! What the operator is shown of the sealing keys: which there are, what is under each, and how a rotation goes.
//! Never knows a key, only its id; and of a row its kind and id.

use serde::Serialize;

use super::times::{as_optional_text, as_text};
use crate::clock::Timestamp;

/// The sealing keys of the store, on the status page.
#[derive(Clone, Debug, Serialize)]
pub struct Sealing {
    /// Their ids, the one that seals first.
    pub keys: Vec<String>,
    /// The rotation that runs, or the last one since the start.
    pub rotation: Option<Rotation>,
}

/// What is under one key.
#[derive(Clone, Debug, Serialize)]
pub struct KeyRows {
    /// The key's id.
    pub id: String,
    /// Whether it is configured; rows under one that is not cannot be opened.
    pub configured: bool,
    /// Whether it seals what is written from now on.
    pub seals: bool,
    /// Connections under it, archived ones too.
    pub connections: u64,
    /// Customers under it.
    pub customers: u64,
    /// Consents under way under it.
    pub consents: u64,
}

impl KeyRows {
    /// All rows under it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.connections + self.customers + self.consents
    }
}

/// Sealing everything anew under the first key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// The id of the key that rows are put under.
    pub key: String,
    /// Whether it is under way.
    pub running: bool,
    /// When it began.
    #[serde(serialize_with = "as_text")]
    pub started: Timestamp,
    /// When it ended, if it has.
    #[serde(serialize_with = "as_optional_text")]
    pub ended: Option<Timestamp>,
    /// Rows that were under another key when it began.
    pub found: u64,
    /// Rows that it has put under the first key.
    pub resealed: u64,
    /// Rows that do not open, and were left as they are.
    pub failed: u64,
    /// The first of these, each named.
    pub failures: Vec<String>,
    /// What kept it from its end. What it did before stands; another one goes on from there.
    pub error: Option<String>,
}

impl Rotation {
    /// Whether every row is under the first key now.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.running && self.failed == 0 && self.error.is_none()
    }
}
