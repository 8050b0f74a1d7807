//! The public listener: lets in what a rule admits, with the verified identity in headers.
//! Cannot reach the store or a call: it holds no third-party secret.

pub mod forward;
pub mod identity;
pub mod rejection;
pub mod rules;
pub mod token_header;

use std::sync::Arc;
use http::{Request, Response};
use hyper::body::Incoming;
use crate::http::listener::{Arrival, Handler};
use crate::http::Body;
use crate::telemetry::Telemetry;
use crate::token::Verifier;

/// One API behind the listener.
#[derive(Clone, Debug)]
pub struct UpstreamConfig {
    pub name: crate::names::UpstreamName,
    pub origin: crate::http::pool::Origin,
    pub tls: crate::http::tls::ClientTls,
    /// preserve (true) or the upstream's own host
    pub preserve_host: bool,
    pub strip_prefix: Option<String>,
    pub add_prefix: Option<String>,
    /// exact hosts, lower case; empty: any
    pub hosts: Vec<String>,
    pub path_prefix: String,
    /// header names in order
    pub token_headers: Vec<http::HeaderName>,
    pub policy: crate::token::Policy,
    pub rules: Vec<rules::RuleConfig>,
    pub identity: Vec<(http::HeaderName, identity::Property)>,
    pub forward_token: bool,
    pub connect_timeout: std::time::Duration,
    pub response_head_timeout: std::time::Duration,
}
/// Routes ready to use; shared by the workers.
pub struct Routes {}
impl Routes { /// hosts exact, then longest prefix; a tie is an error
    pub fn new(_upstreams: Vec<UpstreamConfig>) -> Result<Self, String> { unimplemented!() }
    /// For `token explain`: upstream and rule for this request line.
    pub fn find(&self, _host: &str, _method: &http::Method, _path: &str) -> Result<(&UpstreamConfig, usize), rejection::Rejection> { unimplemented!() }
}
/// One worker's side of the listener: its own pools.
pub struct Inbound {}
impl Inbound { pub fn new(_routes: Arc<Routes>, _verifier: Arc<Verifier>, _telemetry: Arc<Telemetry>) -> Result<Self, crate::http::tls::TlsError> { unimplemented!() } }
impl Handler for Inbound { async fn handle(&self, _request: Request<Incoming>, _arrival: Arrival) -> Response<Body> { unimplemented!() } }
