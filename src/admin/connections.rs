//! How customers' connections are doing, on the status page.
//! Never shows a credential, and of those that are well only their number.

use serde::Serialize;

use super::times::as_optional_text;
use crate::clock::Timestamp;

/// What the last look through the store saw.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// When that was; none: not yet.
    #[serde(serialize_with = "as_optional_text")]
    pub at: Option<Timestamp>,
    /// How many there are in each state.
    pub counts: Vec<Count>,
    /// The first of those that are not well.
    pub unwell: Vec<Unwell>,
}

/// How many connections are in a state.
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    /// The state.
    pub state: &'static str,
    /// How many.
    pub count: u64,
}

/// A connection that is not well.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unwell {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub customer: String,
    /// What it connects to.
    pub integration: String,
    /// How it is.
    pub state: &'static str,
    /// What its last failure means.
    pub error: String,
    /// When its token ends.
    #[serde(serialize_with = "as_optional_text")]
    pub expires_at: Option<Timestamp>,
    /// When it was last refreshed.
    #[serde(serialize_with = "as_optional_text")]
    pub refreshed_at: Option<Timestamp>,
    /// When it is refreshed next.
    #[serde(serialize_with = "as_optional_text")]
    pub next_refresh: Option<Timestamp>,
    /// How many exchanges were made for it.
    pub exchanges: u64,
    /// The version of its credentials.
    pub version: u64,
}
