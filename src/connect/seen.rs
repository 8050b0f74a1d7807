//! What is known of a visit while it is served: the material of its one event, and the name on its answer.
//! Never holds a query, a form or a credential.

use http::header::{CACHE_CONTROL, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{Request, Response};

use super::rejection::Rejection;
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::request_id::X_REQUEST_ID;
use crate::report::report;
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};
use crate::token::Caller;

/// One visit as far as it is known. Names that are not known are empty.
pub(super) struct Seen {
    request_id: HeaderValue,
    method: String,
    path: String,
    arrival: Arrival,
    workspace: String,
    customer: String,
    integration: String,
    refusal: Option<Refusal>,
}

struct Refusal {
    reason: &'static str,
    blame: Blame,
    detail: String,
}

impl Seen {
    pub(super) fn of(request: &Request<Body>, request_id: HeaderValue, arrival: Arrival) -> Self {
        Self {
            request_id,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            arrival,
            workspace: String::new(),
            customer: String::new(),
            integration: String::new(),
            refusal: None,
        }
    }

    pub(super) fn caller(&mut self, caller: &Caller) {
        self.workspace = caller.workspace().to_string();
        self.customer = caller.customer().map(ToString::to_string).unwrap_or_default();
    }

    pub(super) fn integration(&mut self, integration: &str) {
        integration.clone_into(&mut self.integration);
    }

    /// That it came to nothing, whatever the browser is shown.
    pub(super) fn refused(&mut self, rejection: &Rejection) {
        let detail = report(rejection).to_string();
        self.refusal = Some(Refusal { reason: rejection.reason(), blame: rejection.blame(), detail });
    }

    pub(super) fn event(&self, status: u16) -> RequestEvent<'_> {
        let (reason, blame) = match &self.refusal {
            Some(refusal) => (refusal.reason, refusal.blame),
            None => ("ok", Blame::None),
        };
        RequestEvent {
            request_id: self.request_id.to_str().unwrap_or_default(),
            method: &self.method,
            path: &self.path,
            target: &self.integration,
            workspace: &self.workspace,
            customer: &self.customer,
            peer: self.arrival.peer,
            duration: self.arrival.at.elapsed(),
            detail: self.refusal.as_ref().map(|refusal| &refusal.detail as _),
            ..RequestEvent::new(Door::Connect, reason, status, blame)
        }
    }

    /// Puts the request's name on its answer. What is shown here holds a token: it is not for caches, and no page that it
    /// leads to learns where from.
    pub(super) fn named(&self, mut answer: Response<Body>) -> Response<Body> {
        let headers = answer.headers_mut();
        headers.insert(&X_REQUEST_ID, self.request_id.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }
}
