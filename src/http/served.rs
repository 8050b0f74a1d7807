//! What is known of a request while it is served: the material of its one event, and the name on its answer.
//! Never holds a query, a body or a credential.

use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Request, Response};

use super::Body;
use super::listener::Arrival;
use super::request_id::X_REQUEST_ID;
use crate::names::{CustomerId, WorkspaceKey};
use crate::telemetry::RequestEvent;
use crate::telemetry::labels::{Blame, Door};

/// One request as far as it is known. Names that are not known are empty.
#[derive(Debug)]
pub struct Served {
    /// The request's name.
    pub request_id: HeaderValue,
    /// The method as sent.
    pub method: String,
    /// The path without its query.
    pub path: String,
    door: Door,
    arrival: Arrival,
    workspace: String,
    customer: String,
    /// The integration that it is about.
    pub integration: String,
    /// The connection that it is about.
    pub connection: String,
}

impl Served {
    /// What its head tells.
    #[must_use]
    pub fn of(request: &Request<Body>, request_id: HeaderValue, door: Door, arrival: Arrival) -> Self {
        Self {
            request_id,
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            door,
            arrival,
            workspace: String::new(),
            customer: String::new(),
            integration: String::new(),
            connection: String::new(),
        }
    }

    /// Who asks.
    pub fn caller(&mut self, workspace: &WorkspaceKey, customer: Option<&CustomerId>) {
        self.workspace = workspace.to_string();
        self.customer = customer.map(ToString::to_string).unwrap_or_default();
    }

    /// Says less of what was asked for: the name at the end of the path is known to few.
    pub fn nameless(&mut self) {
        if let Some(end) = self.path.rfind('/') {
            self.path.replace_range(end + 1.., "*");
        }
    }

    /// Its event.
    #[must_use]
    pub fn event(&self, status: u16, reason: &'static str, blame: Blame) -> RequestEvent<'_> {
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
            ..RequestEvent::new(self.door, reason, status, blame)
        }
    }

    /// Puts the request's name on its answer, which is not for caches.
    pub fn name(&self, answer: &mut Response<Body>) {
        let headers = answer.headers_mut();
        headers.insert(&X_REQUEST_ID, self.request_id.clone());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_known_to_few_is_not_told() {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/sse/connection-events/planted?token=planted".parse().unwrap();
        let arrival = Arrival { peer: None, tls: false, misdirected: false, at: std::time::Instant::now() };
        let mut served = Served::of(&request, HeaderValue::from_static("id"), Door::Connect, arrival);
        served.nameless();
        assert_eq!(served.event(200, "ok", Blame::None).path, "/sse/connection-events/*");
    }
}
