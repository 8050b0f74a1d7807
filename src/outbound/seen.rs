//! What is known of a request while it is served: the material of its one event, and of a rejection's body.
//! Never holds a query, a body or a credential.

use http::{HeaderValue, Method, Request, StatusCode};

use super::rejection::{Rejection, Subject};
use super::target::Target;
use crate::call::{Answer, Requested};
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::names::{ConnectionId, CustomerId, IntegrationKey, WorkspaceKey};
use crate::report::report;
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};
use crate::token::Caller;

/// One request as far as it is known. Names that are not known are empty.
#[derive(Debug)]
pub(super) struct Seen {
    request_id: HeaderValue,
    method: Method,
    /// What is asked of the third party, without its query; set once that is known.
    requested: Option<String>,
    path: String,
    door: Door,
    arrival: Arrival,
    workspace: Option<WorkspaceKey>,
    customer: Option<CustomerId>,
    integration: Option<IntegrationKey>,
    connection: Option<ConnectionId>,
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
        Self {
            request_id,
            method: request.method().clone(),
            requested: None,
            path: without_secrets(request.uri().path()),
            door,
            arrival,
            workspace: None,
            customer: None,
            integration: None,
            connection: None,
        }
    }

    pub(super) fn caller(&mut self, caller: &Caller) {
        self.workspace = Some(caller.workspace().clone());
        self.customer = caller.customer().cloned();
    }

    pub(super) fn target(&mut self, target: &Target) {
        self.integration = Some(target.integration.key.clone());
        self.connection = Some(target.connection.clone());
        let (Requested::Path(text) | Requested::Url(text)) = &target.requested;
        self.requested = Some(without_secrets(text));
    }

    /// What its rejection is about.
    pub(super) fn subject(&self) -> Subject<'_> {
        let url = self.requested.as_deref();
        Subject { request_id: &self.request_id, method: self.method.as_str(), url }
    }

    pub(super) fn event<'a>(&'a self, outcome: &'a Outcome) -> RequestEvent<'a> {
        RequestEvent {
            request_id: self.request_id.to_str().unwrap_or_default(),
            method: self.method.as_str(),
            path: &self.path,
            target: self.integration.as_ref().map_or("", IntegrationKey::as_str),
            workspace: self.workspace.as_ref().map_or("", WorkspaceKey::as_str),
            customer: self.customer.as_ref().map_or("", CustomerId::as_str),
            connection: self.connection.as_ref().map_or("", ConnectionId::as_str),
            peer: self.arrival.peer,
            duration: self.arrival.at.elapsed(),
            replayed: outcome.replayed,
            refreshed: outcome.refreshed,
            detail: (!outcome.detail.is_empty()).then_some(&outcome.detail as _),
            ..RequestEvent::new(self.door, outcome.reason, outcome.status, outcome.blame)
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
    pub(super) fn of_rejection(rejection: &Rejection, status: StatusCode) -> Self {
        Self {
            status: status.as_u16(),
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
    if !text.contains(':') {
        return text.to_owned(); // most are paths, and looking for one sign costs least
    }
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{scheme}://{host}{path}")
}
