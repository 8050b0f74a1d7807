//! What is known of a request while it is served: the material of its one event, and the name on its answer.
//! Never holds a query, a body or a credential.

use std::fmt::Display;

use aws_lc_rs::rand;
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Request, Response};

use super::rejection::Rejection;
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::request_id::X_REQUEST_ID;
use crate::names::{ConnectionId, IntegrationKey};
use crate::report::report;
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};
use crate::token::Caller;

/// One request as far as it is known. Names that are not known are empty.
pub(super) struct Seen {
    request_id: HeaderValue,
    method: String,
    path: String,
    arrival: Arrival,
    workspace: String,
    customer: String,
    integration: String,
    connection: String,
}

impl Seen {
    pub(super) fn of(
        request: &Request<Body>,
        request_id: HeaderValue,
        caller: Option<&Caller>,
        arrival: Arrival,
    ) -> Self {
        let customer = caller.and_then(Caller::customer);
        Self {
            request_id,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            arrival,
            workspace: caller.map(|caller| caller.workspace().to_string()).unwrap_or_default(),
            customer: customer.map(ToString::to_string).unwrap_or_default(),
            integration: String::new(),
            connection: String::new(),
        }
    }

    /// Says less of what was asked for: the name at the end of the path is known to few.
    pub(super) fn nameless(&mut self) {
        if let Some(end) = self.path.rfind('/') {
            self.path.replace_range(end + 1.., "*");
        }
    }

    pub(super) fn integration(&mut self, integration: &IntegrationKey) {
        self.integration = integration.to_string();
    }

    pub(super) fn connection(&mut self, connection: &ConnectionId) {
        self.connection = connection.to_string();
    }

    /// The event of a request that was served.
    pub(super) fn answered(&self, answer: &Response<Body>) -> RequestEvent<'_> {
        self.event(answer.status().as_u16(), "ok", Blame::None, None)
    }

    /// The event of one that was not.
    pub(super) fn refused<'a>(&'a self, rejection: &Rejection, detail: &'a impl Display) -> RequestEvent<'a> {
        self.event(rejection.status().as_u16(), rejection.code(), rejection.blame(), Some(detail))
    }

    /// Puts the request's name on its answer; answers of this room are not for caches.
    pub(super) fn named(&self, mut answer: Response<Body>) -> Response<Body> {
        let headers = answer.headers_mut();
        headers.insert(&X_REQUEST_ID, self.request_id.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        answer
    }

    fn event<'a>(
        &'a self,
        status: u16,
        reason: &'static str,
        blame: Blame,
        detail: Option<&'a dyn Display>,
    ) -> RequestEvent<'a> {
        RequestEvent {
            request_id: self.request_id.to_str().unwrap_or_default(),
            method: &self.method,
            path: &self.path,
            target: &self.integration,
            workspace: &self.workspace,
            customer: &self.customer,
            connection: &self.connection,
            peer: self.arrival.peer,
            duration: self.arrival.at.elapsed(),
            detail,
            ..RequestEvent::new(Door::Api, reason, status, blame)
        }
    }
}

/// The chain of causes, for the log.
pub(super) fn detail(rejection: &Rejection) -> String {
    report(rejection).to_string()
}

/// 128 random bits in hexadecimal.
pub(super) fn random_id() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the operating system has randomness once it runs");
    format!("{:032x}", u128::from_be_bytes(bytes))
}
