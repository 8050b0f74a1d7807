//! How a connection's credentials are kept fresh, for whoever wonders why it fails.
//! Never shows what the credentials are.

use serde::Serialize;

use super::rfc3339;
use crate::store::{Connection, RefreshFailure};

/// Of a connection whose credentials can be refreshed, or were.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RefreshView<'a> {
    /// Rises with each write of the credentials.
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_at: Option<String>,
    exchanges: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FailureView<'a> {
    class: &'static str,
    message: &'a str,
    in_a_row: u32,
    since: String,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try: Option<String>,
}

impl<'a> RefreshView<'a> {
    /// None where there is nothing to tell.
    pub(super) fn of(connection: &'a Connection, can_refresh: bool) -> Option<Self> {
        let exchanges = connection.refreshing.exchanges;
        let told = can_refresh || exchanges > 0 || connection.expires_at.is_some();
        told.then(|| Self {
            version: connection.version.0,
            expires_at: connection.expires_at.map(rfc3339),
            last_at: connection.refreshed_at.map(rfc3339),
            exchanges,
            failure: connection.refresh_failure().map(FailureView::of),
        })
    }
}

impl<'a> FailureView<'a> {
    fn of(failure: &'a RefreshFailure) -> Self {
        Self {
            class: failure.class.as_str(),
            message: &failure.message,
            in_a_row: failure.in_a_row,
            since: rfc3339(failure.since),
            at: rfc3339(failure.at),
            next_try: failure.next_try.map(rfc3339),
        }
    }
}
