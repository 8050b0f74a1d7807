//! skeleton
use std::sync::Arc;
use std::time::Duration;
use http::{Request, Response};
use hyper::body::Incoming;
use super::egress::Egress;
use super::pool::{Origin, SendError};
use super::Body;

/// Pools by origin and egress policy, bounded; for calls to third parties. One per worker (or one shared); Send + Sync.
pub struct Client {}
impl Client {
    pub fn new(_tls: Arc<rustls::ClientConfig>, _connect_timeout: Duration, _response_head_timeout: Duration) -> Self { unimplemented!() }
    /// The request's target must be origin-form, Host set. No redirects are followed.
    pub async fn send(&self, _origin: &Origin, _egress: Egress, _request: Request<Body>) -> Result<Response<Incoming>, SendError> { unimplemented!() }
}

/// Small calls of our own (token endpoints): reqwest with no redirects, no proxy, no retries, a fresh connection, dialled through the egress guard; response capped by the reader.
pub fn own_calls(_egress: Egress, _timeout: Duration, _tls: Arc<rustls::ClientConfig>) -> Result<reqwest::Client, reqwest::Error> { unimplemented!() }
