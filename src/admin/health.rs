//! skeleton
use std::sync::Arc;
use http::{Request, Response};
use hyper::body::Incoming;
use crate::http::listener::{Arrival, Handler};
use crate::http::Body;
/// /healthz /readyz /metrics and nothing else.
pub struct Health {}
impl Health { pub fn new(_telemetry: Arc<crate::telemetry::Telemetry>, _readiness: Readiness) -> Self { unimplemented!() } }
/// Whether traffic should come: not draining, every named condition met. Cheap to clone.
#[derive(Clone, Default)] pub struct Readiness {}
impl Readiness { pub fn set_ready(&self) {} pub fn set_draining(&self) {} }
impl Handler for Health { async fn handle(&self, _request: Request<Incoming>, _arrival: Arrival) -> Response<Body> { unimplemented!() } }
