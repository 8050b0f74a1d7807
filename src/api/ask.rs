//! One request on its way through this room: who asks, with which query, with which body.
//! Never knows what is asked for; that is the router's.

use http::Uri;

use super::body::JsonBody;
use super::query::Query;
use super::rejection::Rejection;
use crate::http::Body;
use crate::names::Owner;
use crate::token::Caller;

/// One request, its caller known.
pub(super) struct Ask {
    pub(super) caller: Caller,
    pub(super) query: Query,
    body: Body,
}

impl Ask {
    pub(super) fn new(caller: Caller, uri: &Uri, body: Body) -> Self {
        Self { caller, query: Query::of(uri), body }
    }

    /// The customer that the caller speaks for, where there must be one.
    pub(super) fn customer(&self) -> Result<Owner, Rejection> {
        self.caller.owner().ok_or(Rejection::CustomerRequired)
    }

    /// The body, read whole.
    pub(super) async fn body(self) -> Result<JsonBody, Rejection> {
        JsonBody::read(self.body).await
    }
}
