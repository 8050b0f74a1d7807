//! What is known of a request while it is served, and how it is told.
//! Never holds a query, a body or a credential.

use std::fmt::Display;

use aws_lc_rs::rand;
use http::header::HeaderValue;
use http::{Request, Response};

use super::rejection::Rejection;
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::served::Served;
use crate::names::{ConnectionId, IntegrationKey};
use crate::report::report;
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};
use crate::token::Caller;

/// One request as far as it is known.
pub(super) struct Seen(Served);

impl Seen {
    pub(super) fn of(
        request: &Request<Body>,
        request_id: HeaderValue,
        caller: Option<&Caller>,
        arrival: Arrival,
    ) -> Self {
        let mut served = Served::of(request, request_id, Door::Api, arrival);
        if let Some(caller) = caller {
            served.caller(caller.workspace(), caller.customer());
        }
        Self(served)
    }

    /// Says less of what was asked for: the name at the end of the path is known to few.
    pub(super) fn nameless(&mut self) {
        self.0.nameless();
    }

    pub(super) fn integration(&mut self, integration: &IntegrationKey) {
        self.0.integration = integration.to_string();
    }

    pub(super) fn connection(&mut self, connection: &ConnectionId) {
        self.0.connection = connection.to_string();
    }

    /// The event of a request that was served.
    pub(super) fn answered(&self, answer: &Response<Body>) -> RequestEvent<'_> {
        self.0.event(answer.status().as_u16(), "ok", Blame::None)
    }

    /// The event of one that was not.
    pub(super) fn refused<'a>(&'a self, rejection: &Rejection, detail: &'a impl Display) -> RequestEvent<'a> {
        let event = self.0.event(rejection.status().as_u16(), rejection.code(), rejection.blame());
        RequestEvent { detail: Some(detail), ..event }
    }

    /// Puts the request's name on its answer.
    pub(super) fn named(&self, mut answer: Response<Body>) -> Response<Body> {
        self.0.name(&mut answer);
        answer
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
