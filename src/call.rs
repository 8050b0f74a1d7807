//! One call to a third party: open, refresh, inject, send, replay once.
//! Never knows who asked or how the answer is rendered.

mod error;
mod open;
mod prepared;
pub mod preview;
mod replay;
pub mod send;

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response};

pub use error::CallError;

pub use crate::inject::target::Requested;

use crate::clock::Clock;
use crate::connector::{Integration, Staleness};
use crate::http::Body;
use crate::http::client::Client;
use crate::http::forward::upgrade::{Terms, Upgrade};
use crate::inject::target::locate;
use crate::inject::{self, SignedRequest, UnsignedRequest};
use crate::method::Methods;
use crate::names::ConnectionId;
use crate::refresh::{RefreshError, Refresher, Trial};
use crate::store::{Opened, Store};

use prepared::{Clients, Prepared};

/// An answer and how it came about, for the event.
pub struct Answer {
    /// The third party's response, streaming.
    pub response: Response<Body>,
    /// The request was sent a second time.
    pub replayed: bool,
    /// Newer credentials were there after the third party refused the first.
    pub refreshed: bool,
    /// Why there are no newer credentials, or why their state is not stored; the third party's own answer goes back.
    pub refresh_failure: Option<RefreshError>,
}

/// Makes calls; one per worker.
pub struct Calls {
    store: Store,
    refresher: Arc<Refresher>,
    methods: Methods,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
    replay_limit: usize,
    clients: Clients,
}

/// What stays the same when a request is sent again.
struct Ask<'a> {
    integration: &'a Arc<Integration>,
    requested: &'a Requested,
    method: Method,
    headers: HeaderMap,
    upgrade: Option<Upgrade>,
}

impl Ask<'_> {
    /// The wish, with what holds for a tunnel.
    fn upgrade(&self) -> Option<(Upgrade, Terms)> {
        let terms = Terms { idle: self.integration.upgrade_idle, ..Terms::default() };
        self.upgrade.clone().map(|upgrade| (upgrade, terms))
    }
}

/// A response, and what it says of the credentials that were sent.
struct Attempt {
    response: Response<Body>,
    staleness: Staleness,
}

impl Calls {
    /// `replay_limit`: the longest request body, in bytes, that is kept to be sent again.
    #[must_use]
    pub fn new(
        store: Store,
        refresher: Arc<Refresher>,
        methods: Methods,
        client: Arc<Client>,
        clock: Arc<dyn Clock>,
        replay_limit: usize,
    ) -> Self {
        Self { store, refresher, methods, client, clock, replay_limit, clients: Clients::new() }
    }

    /// Sends `request` to the third party with the connection's credentials in it, or with an `upgrade` asks for that
    /// protocol. Its URI is ignored; its headers travel, so the caller has removed what must not.
    ///
    /// # Errors
    /// If there is no answer of the third party's to give back.
    pub async fn call(
        &self,
        integration: &Arc<Integration>,
        connection: &ConnectionId,
        requested: &Requested,
        request: Request<Body>,
        upgrade: Option<Upgrade>,
    ) -> Result<Answer, CallError> {
        let opened = open::open(&self.store, connection).await?;
        let opened = self.refresher.fresh(opened).await.map_err(|error| self.not_fresh(error))?;
        let (head, body) = request.into_parts();
        let mut ask = Ask { integration, requested, method: head.method, headers: head.headers, upgrade };
        let can_refresh = open::can_refresh(integration, &opened);
        let is_signed = open::signs(integration, &opened) && inject::is_form(&ask.headers);
        let replays = can_refresh && integration.refresh.replay;
        // A body is kept only where a second attempt is possible or its form is signed; otherwise it just streams.
        let (body, copy) = match replays || is_signed {
            true => replay::keep(body, self.replay_limit, is_signed).await?,
            false => (body, None),
        };
        let headers = if copy.is_some() { ask.headers.clone() } else { std::mem::take(&mut ask.headers) };
        let first = self.attempt(&ask, headers, &opened, body).await?;
        match first.staleness {
            Staleness::AccessTokenExpired if can_refresh => {
                self.once_more(ask, &opened, first.response, copy.filter(|_| replays)).await
            }
            Staleness::ConnectionIsDefunct => {
                let failure = self.mark_defunct(&opened).await;
                Ok(Answer { refresh_failure: failure, ..Answer::at_once(first.response) })
            }
            Staleness::Fine | Staleness::AccessTokenExpired => Ok(Answer::at_once(first.response)),
        }
    }

    /// The third party refused the credentials: gets newer ones and, if the body can be had again, sends once more.
    /// Whatever comes then goes back. Without newer credentials the refusal itself does.
    async fn once_more(
        &self,
        mut ask: Ask<'_>,
        refused: &Opened,
        refusal: Response<Body>,
        copy: Option<replay::Copy>,
    ) -> Result<Answer, CallError> {
        let newer = match self.refresher.force(refused).await {
            Ok(newer) => newer,
            Err(failure) => return Ok(Answer { refresh_failure: Some(failure), ..Answer::at_once(refusal) }),
        };
        let Some(body) = copy.and_then(replay::Copy::again) else {
            self.refresher.tried(&newer, Trial::Untried); // it shows with the next request
            return Ok(Answer { refreshed: true, ..Answer::at_once(refusal) });
        };
        drop(refusal); // closes its connection, which is cheaper than reading a body of unknown length to its end
        let headers = std::mem::take(&mut ask.headers);
        let second = self.attempt(&ask, headers, &newer, body).await;
        let taken = |second: &Attempt| Trial::of(second.staleness == Staleness::Fine);
        self.refresher.tried(&newer, second.as_ref().map_or(Trial::Untried, taken));
        let second = second?;
        let failure = match second.staleness {
            Staleness::ConnectionIsDefunct => self.mark_defunct(&newer).await,
            Staleness::Fine | Staleness::AccessTokenExpired => None,
        };
        Ok(Answer { response: second.response, replayed: true, refreshed: true, refresh_failure: failure })
    }

    /// Notes the third party's verdict. Its answer goes back even if the store fails, with the failure beside it.
    async fn mark_defunct(&self, opened: &Opened) -> Option<RefreshError> {
        let failure = open::mark_defunct(&self.store, opened, self.clock.now()).await.err()?;
        Some(RefreshError::StoreDown { reason: failure.to_string() })
    }

    /// One request with one version of the credentials: API client, target, injection, sending.
    async fn attempt(
        &self,
        ask: &Ask<'_>,
        headers: HeaderMap,
        opened: &Opened,
        body: Body,
    ) -> Result<Attempt, CallError> {
        let prepared = self.clients.get((&self.methods, &self.store), ask.integration, opened).await?;
        let signed = self.signed(ask, headers, opened, (&prepared, &body))?;
        let egress = open::allowed(ask.integration, opened).egress;
        let response = send::send(&self.client, egress, signed, body, ask.upgrade()).await?;
        let (mut response, data) = replay::read(&prepared.client, response).await?;
        let staleness = replay::staleness(&prepared.client, &response, data.as_deref());
        prepared.echo.take_back(response.headers_mut());
        Ok(Attempt { response, staleness })
    }

    /// The request for an admitted target, with the connection's credentials in it.
    fn signed(
        &self,
        ask: &Ask<'_>,
        headers: HeaderMap,
        opened: &Opened,
        (prepared, body): (&Prepared, &Body),
    ) -> Result<SignedRequest, CallError> {
        let target = locate(&prepared.base, ask.requested, &open::allowed(ask.integration, opened))?;
        let unsigned = UnsignedRequest {
            method: ask.method.clone(),
            origin: target.origin,
            path_and_query: target.path_and_query,
            headers,
            body: body.whole(),
        };
        Ok(inject::sign(unsigned, &prepared.client, &*self.clock)?)
    }

    /// With what a caller may wait for.
    fn not_fresh(&self, source: RefreshError) -> CallError {
        CallError::Refresh { retry_after: source.pause(self.clock.steady()), source }
    }
}

impl Answer {
    /// The first response, with nothing done about it.
    fn at_once(response: Response<Body>) -> Self {
        Self { response, replayed: false, refreshed: false, refresh_failure: None }
    }
}
