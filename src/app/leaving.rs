//! A listener's last answers: while the process drains, each asks its caller to come back on another connection.
//! Never closes anything itself, and never changes what is answered.

use std::sync::Arc;

use http::{Request, Response};

use crate::admin::readiness::Readiness;
use crate::http::Body;
use crate::http::listener::{Arrival, Handler};

/// A handler that is leaving from the moment the process drains: whoever balances the load opens the next connection,
/// elsewhere, and no request meets a connection that is about to be closed. HTTP/2 has no word for that in an answer; its
/// connections are told to go away when the listener stops.
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
    fn handle(
        &self,
        request: Request<Body>,
        arrival: Arrival,
    ) -> impl Future<Output = Response<Body>> + Send {
        self.handler.handle(request, arrival)
    }

    fn is_leaving(&self) -> bool {
        self.readiness.is_draining()
    }
}
