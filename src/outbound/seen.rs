//! What is known of a request while it is served: the material of its one event, and of a rejection's body.
//! Never holds a query, a body or a credential.

use http::{HeaderValue, Request};

use super::rejection::{Rejection, Subject};
use super::target::Target;
use crate::call::{Answer, Requested};
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::served::Served;
use crate::report::report;
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};
use crate::token::Caller;

/// One request as far as it is known.
#[derive(Debug)]
pub(super) struct Seen {
    served: Served,
    /// What is asked of the third party, without its query; set once that is known.
    requested: Option<String>,
}

/// How a request ended.
pub(super) struct Outcome {
    status: u16,
    reason: &'static str,
    blame: Blame,
    replayed: bool,
    refreshed: bool,
    detail: String,
}

impl Seen {
    pub(super) fn of(request: &Request<Body>, request_id: HeaderValue, door: Door, arrival: Arrival) -> Self {
        let mut served = Served::of(request, request_id, door, arrival);
        served.path = without_secrets(&served.path);
        Self { served, requested: None }
    }

    pub(super) fn caller(&mut self, caller: &Caller) {
        self.served.caller(caller.workspace(), caller.customer());
    }

    pub(super) fn target(&mut self, target: &Target) {
        self.served.integration = target.integration.key.to_string();
        self.served.connection = target.connection.to_string();
        let (Requested::Path(text) | Requested::Url(text)) = &target.requested;
        self.requested = Some(without_secrets(text));
    }

    /// What its rejection is about.
    pub(super) fn subject(&self) -> Subject<'_> {
        let url = self.requested.as_deref();
        Subject { request_id: &self.served.request_id, method: &self.served.method, url }
    }

    pub(super) fn event<'a>(&'a self, outcome: &'a Outcome) -> RequestEvent<'a> {
        RequestEvent {
            replayed: outcome.replayed,
            refreshed: outcome.refreshed,
            detail: (!outcome.detail.is_empty()).then_some(&outcome.detail as _),
            ..self.served.event(outcome.status, outcome.reason, outcome.blame)
        }
    }
}

impl Outcome {
    /// The third party answered. Where a refresh failed on the way, that is the reason.
    pub(super) fn of_answer(answer: &Answer) -> Self {
        let (reason, blame, detail) = match &answer.refresh_failure {
            None => ("ok", Blame::None, String::new()),
            Some(failure) => (failure.code(), failure.blame(), report(failure).to_string()),
        };
        Self {
            status: answer.response.status().as_u16(),
            reason,
            blame,
            replayed: answer.replayed,
            refreshed: answer.refreshed,
            detail,
        }
    }

    /// We answered.
    pub(super) fn of_rejection(rejection: &Rejection) -> Self {
        Self {
            status: rejection.status().as_u16(),
            reason: rejection.reason(),
            blame: rejection.blame(),
            replayed: false,
            refreshed: false,
            detail: report(rejection).to_string(),
        }
    }
}

/// A path or URL without its query, and without the user and password of the URL that stands in it: both hold secrets.
fn without_secrets(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}
