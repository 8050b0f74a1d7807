//! What is known of a visit while it is served, and how it is told.
//! Never holds a query, a form or a credential.

use http::header::{HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{Request, Response};

use super::rejection::Rejection;
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::served::Served;
use crate::report::report;
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};
use crate::token::Caller;

/// One visit as far as it is known.
pub(super) struct Seen {
    served: Served,
    refusal: Option<Refusal>,
}

struct Refusal {
    reason: &'static str,
    blame: Blame,
    detail: String,
}

impl Seen {
    pub(super) fn of(request: &Request<Body>, request_id: HeaderValue, arrival: Arrival) -> Self {
        Self { served: Served::of(request, request_id, Door::Connect, arrival), refusal: None }
    }

    /// Says less of what was asked for: the name at the end of the path is known to few.
    pub(super) fn nameless(&mut self) {
        self.served.nameless();
    }

    pub(super) fn caller(&mut self, caller: &Caller) {
        self.served.caller(caller.workspace(), caller.customer());
    }

    pub(super) fn integration(&mut self, integration: &str) {
        integration.clone_into(&mut self.served.integration);
    }

    /// What was to be connected, as far as that is known.
    pub(super) fn integration_key(&self) -> &str {
        &self.served.integration
    }

    /// That it came to nothing, whatever the browser is shown.
    pub(super) fn refused(&mut self, rejection: &Rejection) {
        let detail = report(rejection).to_string();
        self.refusal = Some(Refusal { reason: rejection.reason(), blame: rejection.blame(), detail });
    }

    pub(super) fn event(&self, status: u16) -> RequestEvent<'_> {
        match &self.refusal {
            None => self.served.event(status, "ok", Blame::None),
            Some(Refusal { reason, blame, detail }) => {
                RequestEvent { detail: Some(detail), ..self.served.event(status, reason, *blame) }
            }
        }
    }

    /// Puts the request's name on its answer. What is shown here holds a token: no page that it leads to learns where from.
    pub(super) fn named(&self, mut answer: Response<Body>) -> Response<Body> {
        self.served.name(&mut answer);
        let headers = answer.headers_mut();
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }
}
