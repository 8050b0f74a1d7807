//! What a browser sees: the SDKs' connect request, the forms that customers type credentials into, and the events that
//! tell how it ended. Never makes a connection but through the API, and never shows a secret.

mod ask;
mod browser;
mod consent;
mod embed;
mod ending;
mod events;
mod field;
mod flow;
mod form;
mod page;
pub mod rejection;
mod requested;
mod result;
mod seen;
mod subject;
mod wish;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::HeaderValue;
use http::{Method, Request, Response};

use crate::api::Api;
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::request_id::RequestIds;
use crate::telemetry::Telemetry;
use crate::token::{Caller, Policy, Verifier};

use ask::Visit;
use events::Events;
use rejection::Rejection;
use seen::Seen;

/// What browsers may do here.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where browsers reach these pages, without a slash at its end.
    pub public_url: Option<String>,
    /// Origins whose pages may hold ours in a frame and are told how connecting ended.
    pub origins: Vec<HeaderValue>,
    /// Where a browser may be sent afterwards.
    pub redirects: Vec<Redirect>,
}

/// Where a browser may be sent, compared with what is asked for byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Without query and fragment.
    pub url: String,
    /// Scheme, host and port.
    pub origin: String,
}

/// The connect pages. One for all workers; runs on the shared runtime.
pub struct Connect {
    api: Arc<Api>,
    verifier: ArcSwap<Verifier>,
    config: ArcSwap<Config>,
    events: Events,
    telemetry: Arc<Telemetry>,
    request_ids: RequestIds,
}

/// What a path asks for.
enum Place<'p> {
    /// The SDKs' request to connect something, without a form.
    Flow,
    /// The form to connect an integration.
    New(&'p str),
    /// The form to connect something again.
    Again(&'p str),
    /// The form that a connection request leads to.
    Requested,
    /// Where providers send browsers back to.
    Callback,
    /// How a request to connect ended.
    Events(&'p str),
}

impl<'p> Place<'p> {
    fn of(path: &'p str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match *segments.as_slice() {
            ["connect" | "connection-popup"] => Some(Self::Flow),
            ["embed" | "screens", "integrations", integration, "connect"] => Some(Self::New(integration)),
            ["embed" | "screens", "connections", connection, "refresh"] => Some(Self::Again(connection)),
            ["screens", "connections"] => Some(Self::Requested),
            ["oauth-callback"] => Some(Self::Callback),
            ["sse", "connection-events", request] => Some(Self::Events(request)),
            _ => None,
        }
    }
}

impl Connect {
    /// Connections are made by `api`.
    #[must_use]
    pub fn new(api: Arc<Api>, verifier: Arc<Verifier>, config: Config, telemetry: Arc<Telemetry>) -> Self {
        Self {
            api,
            verifier: ArcSwap::new(verifier),
            config: ArcSwap::from_pointee(config),
            events: Events::default(),
            telemetry,
            request_ids: RequestIds::default(),
        }
    }

    /// Knows other keys from the next request on, and other places to go if there is a `config`.
    pub fn reload(&self, verifier: Arc<Verifier>, config: Option<Config>) {
        self.verifier.store(verifier);
        if let Some(config) = config {
            self.config.store(Arc::new(config));
        }
    }

    /// Ends every stream of events, so that none holds up a stop.
    pub fn leave(&self) {
        self.events.end();
    }

    /// Whether a path is one of these pages.
    #[must_use]
    pub fn is_mine(path: &str) -> bool {
        Place::of(path).is_some()
    }

    /// Answers one request; one event either way.
    pub async fn handle(&self, request: Request<Body>, arrival: Arrival) -> Response<Body> {
        let mut seen = Seen::of(&request, self.request_ids.of(request.headers()).value(), arrival);
        let answer = self.serve(request, arrival, &mut seen).await;
        let answer = answer.unwrap_or_else(|rejection| {
            seen.refused(&rejection);
            rejection.page()
        });
        self.telemetry.request(&seen.event(answer.status().as_u16()));
        seen.named(answer)
    }

    async fn serve(
        &self,
        request: Request<Body>,
        arrival: Arrival,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let (head, body) = request.into_parts();
        let place = Place::of(head.uri.path()).ok_or(Rejection::NothingHere)?;
        if let Place::Events(request) = place {
            seen.nameless();
            return self.follow(&head, request, arrival, seen).await;
        }
        if let Place::Callback = place {
            return self.callback(&head, body, arrival, seen).await;
        }
        if !matches!(head.method, Method::GET | Method::POST) {
            return Err(Rejection::MethodNotAllowed { allow: "GET, POST" });
        }
        let visit = Visit::read(&head, body, arrival).await?;
        match place {
            Place::Flow => self.connect(visit, seen).await,
            Place::New(integration) => self.new_connection(integration, visit, seen).await,
            Place::Requested => self.requested(visit, seen).await,
            Place::Again(connection) => self.connect_again(connection, visit, seen).await,
            Place::Events(_) | Place::Callback => Err(Rejection::NothingHere),
        }
    }

    /// Who asks, by the token that came along.
    async fn caller(&self, token: Option<&str>, seen: &mut Seen) -> Result<Caller, Rejection> {
        let token = token.ok_or(Rejection::NoToken)?;
        let verified = self.verifier.load_full().verify_or_fetch(token, &Policy::default()).await?;
        let caller = Caller::from_token(verified);
        seen.caller(&caller);
        Ok(caller)
    }
}

#[cfg(test)]
mod tests;
