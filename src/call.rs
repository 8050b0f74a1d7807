//! One call to a third party: open, refresh, inject, send, replay once.
//! Never knows who asked or how the answer is rendered.

pub mod open;
pub mod replay;
pub mod send;
pub mod target;

use std::sync::Arc;
use http::{Request, Response};
use crate::connector::Integration;
use crate::http::Body;
use crate::names::ConnectionId;

/// What is asked for, after the base URI: the caller's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested { /// joined to the base URI; may be empty or start with `?`
    Path(String), /// an absolute URL
    Url(String) }
#[derive(Debug, thiserror::Error)]
pub enum CallError { #[error("placeholder")] Placeholder /* TargetNotAllowed, Unusable(disconnected), Refresh(RefreshError), Method, Inject, Send(SendError), Store */ }
/// An answer and how it came about, for the event.
pub struct Answer { pub response: Response<Body>, pub replayed: bool, pub refreshed: bool, /// set when a refresh failed and the original answer goes back
    pub refresh_failure: Option<crate::refresh::RefreshError> }
/// skeleton: one per worker
pub struct Calls {}
impl Calls {
    pub fn new(_store: crate::store::Store, _refresher: Arc<crate::refresh::Refresher>, _client: crate::http::client::Client, _replay_limit: usize) -> Self { unimplemented!() }
    /// `request`: method, headers (the caller's, the room `outbound` has removed what must not travel) and body; its URI is ignored.
    pub async fn call(&self, _integration: &Arc<Integration>, _connection: &ConnectionId, _requested: &Requested, _request: Request<Body>) -> Result<Answer, CallError> { unimplemented!() }
}
