//! Putting credentials into a request: pure, no I/O.
//! Never chooses the credentials or the target.

pub mod placement;
use http::{HeaderMap, Method};
use crate::connector::ApiClient;
use crate::http::pool::Origin;
/// A request as the caller wants it sent, credentials not in it yet. Path and query are the caller's bytes.
pub struct UnsignedRequest { pub method: Method, pub origin: Origin, pub path_and_query: String, pub headers: HeaderMap }
/// A request with credentials in it, ready to send. Made only by [`sign`].
pub struct SignedRequest { /* private */ }
#[derive(Debug, thiserror::Error)]
pub enum InjectError { #[error("placeholder")] Placeholder }
/// Removes every case and underscore variant of each injected header and each injected query name from the caller's request, then puts ours in.
pub fn sign(_request: &UnsignedRequest, _client: &ApiClient) -> Result<SignedRequest, InjectError> { unimplemented!() }
