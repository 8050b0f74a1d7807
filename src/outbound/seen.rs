//! What is known of a request while it is served: the material of its one event, and of a rejection's body.
//! Never holds a query, a body or a credential.

use aws_lc_rs::rand;
use http::{HeaderMap, Request};

use super::rejection::{Rejection, Subject};
use super::target::Target;
use crate::call::{Answer, Requested};
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::names::RequestId;
use crate::report::report;
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};
use crate::token::Caller;

/// The longest request id of a caller's that is taken over.
const MAX_REQUEST_ID: usize = 128;

/// One request as far as it is known. Names that are not known are empty.
#[derive(Debug)]
pub(super) struct Seen {
    request_id: RequestId,
    method: String,
    /// What is asked of the third party, without its query; set once that is known.
    requested: Option<String>,
    path: String,
    door: Door,
    arrival: Arrival,
    workspace: String,
    customer: String,
    kid: String,
    integration: String,
    connection: String,
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
    pub(super) fn of(request: &Request<Body>, door: Door, arrival: Arrival) -> Self {
        Self {
            request_id: request_id(request.headers()),
            method: request.method().to_string(),
            requested: None,
            path: request.uri().path().to_owned(),
            door,
            arrival,
            workspace: String::new(),
            customer: String::new(),
            kid: String::new(),
            integration: String::new(),
            connection: String::new(),
        }
    }

    pub(super) fn caller(&mut self, caller: &Caller) {
        self.workspace = caller.workspace().to_string();
        self.customer = caller.customer().map(ToString::to_string).unwrap_or_default();
    }

    pub(super) fn target(&mut self, target: &Target) {
        self.integration = target.integration.key.to_string();
        self.connection = target.connection.to_string();
        let (Requested::Path(text) | Requested::Url(text)) = &target.requested;
        self.requested = Some(text.split(['?', '#']).next().unwrap_or_default().to_owned());
    }

    /// What its rejection is about.
    pub(super) fn subject(&self) -> Subject<'_> {
        let url = self.requested.as_deref();
        Subject { request_id: &self.request_id, method: &self.method, url }
    }

    pub(super) fn event<'a>(&'a self, outcome: &'a Outcome) -> RequestEvent<'a> {
        RequestEvent {
            door: self.door,
            request_id: self.request_id.as_str(),
            method: &self.method,
            path: &self.path,
            status: outcome.status,
            reason: outcome.reason,
            blame: outcome.blame,
            target: &self.integration,
            rule: "",
            workspace: &self.workspace,
            customer: &self.customer,
            kid: &self.kid,
            algorithm: "",
            connection: &self.connection,
            peer: self.arrival.peer,
            duration: self.arrival.at.elapsed(),
            upstream: None,
            replayed: outcome.replayed,
            refreshed: outcome.refreshed,
            detail: &outcome.detail,
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

/// The caller's own request id, so that one name runs through all logs; a new one where it sent none that is fit for them.
fn request_id(headers: &HeaderMap) -> RequestId {
    let fit = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    match headers.get("x-request-id").and_then(|id| id.to_str().ok()).filter(fit) {
        Some(id) => RequestId::from(id),
        None => RequestId::from(random_id()),
    }
}

fn random_id() -> String {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).expect("the operating system has randomness once it runs");
    format!("{:032x}", u128::from_be_bytes(bytes))
}
