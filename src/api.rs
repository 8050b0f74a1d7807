//! The API that the vendor's SDKs speak: self, customers, connections.
//! Never shows a secret but to an admin who asks for one connection's.

pub mod connections;
pub mod customer;
pub mod rejection;
pub mod view;
use crate::http::Body;
use crate::token::Caller;
use http::{Request, Response};
use std::sync::Arc;
/// skeleton; shared, runs on the shared runtime
pub struct Api {}
impl Api {
    pub fn new(
        _catalog: Arc<arc_swap::ArcSwap<crate::connector::Catalog>>,
        _store: crate::store::Store,
        _refresher: Arc<crate::refresh::Refresher>,
        _clock: Arc<dyn crate::clock::Clock>,
        _telemetry: Arc<crate::telemetry::Telemetry>,
    ) -> Self {
        unimplemented!()
    }
    pub async fn handle(&self, _request: Request<Body>, _caller: Caller) -> Response<Body> {
        unimplemented!()
    }
}
