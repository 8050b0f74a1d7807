//! The API that the vendor's SDKs speak: the customer itself, and its connections.
//! Never shows a secret but to an admin who asks for one connection's.

mod ask;
mod body;
mod connections;
mod consent;
mod cors;
mod customer;
mod customers;
mod integrations;
mod options;
mod own_api;
mod place;
mod progress;
mod query;
pub mod rejection;
mod requests;
mod seen;
mod selector;
mod view;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::request::Parts;
use http::{Request, Response};

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

pub use crate::store::{ConnectionRequest, Consent, Outcome};
pub use consent::{Asked, Brought, ConsentWish};
pub use cors::{Browsers, Reader};

use ask::Ask;
use place::Place;
use progress::Progress;
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
    browsers: ArcSwap<Browsers>,
    progress: Progress,
}

impl Api {
    /// Everything is shared with the other rooms of the service's side. Browsers are refused until they are admitted.
    #[must_use]
    pub fn new(
        catalog: Arc<ArcSwap<Catalog>>,
        store: Store,
        refresher: Arc<Refresher>,
        methods: Methods,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            catalog,
            store,
            refresher,
            methods,
            clock,
            telemetry,
            request_ids: RequestIds::default(),
            browsers: ArcSwap::default(),
            progress: Progress::default(),
        }
    }

    /// Answers one request of `caller`; one event either way.
    pub async fn handle(&self, request: Request<Body>, caller: Caller, arrival: Arrival) -> Response<Body> {
        let mut seen =
            Seen::of(&request, self.request_ids.of(request.headers()).value(), Some(&caller), arrival);
        let (head, body) = request.into_parts();
        let ask = Ask::new(caller, &head.uri, body);
        match self.route(&head, ask, &mut seen).await {
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

    /// The whole API, collection by collection.
    async fn route(&self, head: &Parts, ask: Ask, seen: &mut Seen) -> Result<Response<Body>, Rejection> {
        let place = Place::of(&head.uri, &ask.query).ok_or(Rejection::NothingHere)?;
        let (method, whole) = (&head.method, place.selector.is_none() && place.operation.is_empty());
        match place.collection {
            "self" if whole => self.on_self(method, ask).await,
            "customers" => self.on_customers(method, &place, ask).await,
            "connections" => self.on_connections(method, &place, ask, seen).await,
            "integrations" => self.on_integrations(method, &place, ask, seen).await,
            "connection-requests" => self.on_connection_requests(method, &place, ask, seen).await,
            "connection-options" if whole => self.on_connection_options(method, ask, seen).await,
            _ => Err(Rejection::NothingHere),
        }
    }
}

#[cfg(test)]
mod tests;
