//! The service's way out: a request to a third party, credentials put in on the way.
//! Never holds a credential itself.

pub mod caller;
pub mod rejection;
pub mod target;
use std::sync::Arc;
use http::{Request, Response};
use crate::http::listener::Arrival;
use crate::http::Body;
/// skeleton
#[derive(Debug)]
pub struct Config { pub trust_caller: bool, pub service_secret: Option<crate::secret::Secret<String>> }
/// One worker's side.
pub struct Outbound {}
impl Outbound {
    pub fn new(_config: Arc<Config>, _catalog: Arc<arc_swap::ArcSwap<crate::connector::Catalog>>, _store: crate::store::Store, _verifier: Arc<crate::token::Verifier>, _calls: crate::call::Calls, _telemetry: Arc<crate::telemetry::Telemetry>) -> Self { unimplemented!() }
    /// ANY /connections/{sel}/proxy/… and transparent routes. `is_mine` tells app whether to hand a path here or to the API (API paths win).
    pub fn is_mine(&self, _path: &str) -> bool { unimplemented!() }
    pub async fn handle(&self, _request: Request<Body>, _arrival: Arrival) -> Response<Body> { unimplemented!() }
}
