//! The API that the vendor's SDKs speak: the customer itself, and its connections.
//! Never shows a secret but to an admin who asks for one connection's.

mod ask;
mod body;
mod connections;
mod customer;
mod query;
pub mod rejection;
mod seen;
mod selector;
mod view;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{Method, Request, Response};

use crate::clock::Clock;
use crate::connector::Catalog;
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::http::request_id::RequestIds;
use crate::method::Methods;
use crate::refresh::Refresher;
use crate::store::Store;
use crate::telemetry::Telemetry;
use crate::token::Caller;

use ask::Ask;
use rejection::Rejection;
use seen::Seen;

/// The API. One for all listeners; runs on the shared runtime.
pub struct Api {
    catalog: Arc<ArcSwap<Catalog>>,
    store: Store,
    refresher: Arc<Refresher>,
    methods: Methods,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    request_ids: RequestIds,
}

impl Api {
    /// Everything is shared with the other rooms of the service's side.
    #[must_use]
    pub fn new(
        catalog: Arc<ArcSwap<Catalog>>,
        store: Store,
        refresher: Arc<Refresher>,
        methods: Methods,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self { catalog, store, refresher, methods, clock, telemetry, request_ids: RequestIds::default() }
    }

    /// Answers one request of `caller`; one event either way.
    pub async fn handle(&self, request: Request<Body>, caller: Caller, arrival: Arrival) -> Response<Body> {
        let mut seen = Seen::of(&request, self.request_ids.of(request.headers()).value(), &caller, arrival);
        let (head, body) = request.into_parts();
        let ask = Ask::new(caller, &head.uri, body);
        let path = head.uri.path().to_owned();
        match self.route(&head.method, &path, ask, &mut seen).await {
            Ok(answer) => {
                self.telemetry.request(&seen.answered(&answer));
                seen.named(answer)
            }
            Err(rejection) => {
                self.telemetry.request(&seen.refused(&rejection, &seen::detail(&rejection)));
                seen.named(rejection.into_response())
            }
        }
    }

    /// The whole API, path by path.
    async fn route(
        &self,
        method: &Method,
        path: &str,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (segments.as_slice(), method) {
            (["self"], &Method::GET) => self.read_self(ask).await,
            (["self"], &Method::PATCH) => self.patch_self(ask).await,
            (["self"], _) => Err(Rejection::MethodNotAllowed { allow: "GET, PATCH" }),

            (["connections"], &Method::GET) => self.list_connections(ask).await,
            (["connections"], &Method::POST) => self.create_connection(ask, seen).await,
            (["connections"], _) => Err(Rejection::MethodNotAllowed { allow: "GET, POST" }),

            (["connections", one], &Method::GET) => self.read_connection(one, ask, seen).await,
            (["connections", one], &Method::PATCH | &Method::PUT) => {
                self.update_connection(one, ask, seen).await
            }
            (["connections", one], &Method::DELETE) => self.archive_connection(one, ask, seen).await,
            (["connections", _], _) => Err(Rejection::MethodNotAllowed { allow: "GET, PATCH, PUT, DELETE" }),

            (["connections", one, "refresh-credentials"], &Method::POST) => {
                self.refresh_connection(one, ask, seen).await
            }
            (["connections", _, "refresh-credentials"], _) => {
                Err(Rejection::MethodNotAllowed { allow: "POST" })
            }

            _ => Err(Rejection::NothingHere),
        }
    }
}

#[cfg(test)]
mod tests;
