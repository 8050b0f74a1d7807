//! A listener's last answers: while the process drains, each asks its caller to come back on another connection.
//! Never closes anything itself, and never changes what is answered.

use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response, StatusCode, Version};

use crate::admin::readiness::Readiness;
use crate::http::Body;
use crate::http::listener::{Arrival, Handler};

/// A handler with `Connection: close` on its answers from the moment the process drains: whoever balances the load opens
/// the next connection, elsewhere, and no request meets a connection that is about to be closed. HTTP/2 has no such
/// header; its connections are told to go away when the listener stops.
pub(super) struct Leaving<H> {
    handler: Arc<H>,
    readiness: Readiness,
}

impl<H> Leaving<H> {
    pub(super) fn new(handler: Arc<H>, readiness: Readiness) -> Arc<Self> {
        Arc::new(Self { handler, readiness })
    }
}

impl<H: Handler> Handler for Leaving<H> {
    async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        let version = request.version();
        let mut answer = self.handler.handle(request, arrival).await;
        if self.readiness.is_draining()
            && version <= Version::HTTP_11
            && answer.status() != StatusCode::SWITCHING_PROTOCOLS
        {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }
}
