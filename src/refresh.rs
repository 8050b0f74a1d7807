//! Keeping credentials fresh: when to refresh, one exchange per connection, what each answer means.
//! Never sends a customer's request, never knows who asked.

mod admit;
mod apps;
mod endpoints;
mod exchange;
mod failed;
mod first;
mod flight;
pub mod freshness;
mod lease;
mod memory;
pub mod outcome;
mod pauses;
mod row;
pub mod schedule;
mod single_flight;
mod spilled;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::connector::{Catalog, Integration};
use crate::method::{Account, Methods, Subject, User};
use crate::names::AppId;
use crate::oauth::{ExchangeError, Sent, TokenEndpoint};
use crate::store::{Health, Opened, Secrets, Store};
use crate::telemetry::Telemetry;
use crate::telemetry::labels::RefreshOutcome;

use exchange::Plan;
pub use first::{CodeError, Consented, FirstCredentials, FirstToken, FirstTokens};
pub use freshness::Freshness;
use memory::Memory;
pub use memory::Trial;
use outcome::Failure;
pub use outcome::RefreshError;
pub use row::account;
use schedule::Census;
use single_flight::{Seat, SingleFlight};

/// Why a refresh is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The token is near its end, or past it.
    Expiry,
    /// The third party refused the token.
    Rejection,
    /// Somebody asked for it.
    Wish,
}

/// Where new credentials come from.
pub struct Sources {
    /// OAuth's token endpoints.
    pub tokens: TokenEndpoint,
    /// The connectors' own methods.
    pub methods: Methods,
}

/// Refreshes connections; shared through `Arc` by all who call third parties.
pub struct Refresher {
    catalog: Arc<ArcSwap<Catalog>>,
    store: Store,
    sources: Sources,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    flights: SingleFlight,
    memory: Memory,
    census: ArcSwap<Census>,
    /// The only way to make a sound store refuse just the write of new tokens.
    #[cfg(test)]
    writes_fail: std::sync::atomic::AtomicBool,
}

impl Refresher {
    /// `runtime`: where exchanges run to their end, whatever becomes of the caller.
    #[must_use]
    pub fn new(
        catalog: Arc<ArcSwap<Catalog>>,
        store: Store,
        sources: Sources,
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
        runtime: Handle,
    ) -> Arc<Self> {
        let flights = SingleFlight::new(runtime);
        Arc::new(Self {
            catalog,
            store,
            sources,
            clock,
            telemetry,
            flights,
            memory: Memory::new(),
            census: ArcSwap::default(),
            #[cfg(test)]
            writes_fail: std::sync::atomic::AtomicBool::new(false),
        })
    }

    /// Credentials that are good for use. Fresh: as they are, at once. Stale: as they are, refreshed behind. Ended:
    /// refreshed first.
    ///
    /// # Errors
    /// The connection is disconnected, or its token has ended and could not be refreshed in time.
    pub async fn fresh(self: &Arc<Self>, opened: Opened) -> Result<Opened, RefreshError> {
        let opened = self.announced(&opened).unwrap_or(opened);
        connected(&opened)?;
        match Freshness::of(&opened.connection, self.clock.steady()) {
            Freshness::Fresh => Ok(opened),
            Freshness::Stale => {
                self.refresh_behind(&opened);
                Ok(opened)
            }
            Freshness::Ended => self.renewed(&opened, Cause::Expiry).await,
        }
    }

    /// Credentials to use instead of `rejected`, which the third party refused: what is stored, if that is newer;
    /// else what a refresh brings.
    ///
    /// # Errors
    /// There are none to be had.
    pub async fn force(self: &Arc<Self>, rejected: &Opened) -> Result<Opened, RefreshError> {
        if let Some(newer) = self.announced(rejected) {
            return Ok(newer);
        }
        self.renewed(rejected, Cause::Rejection).await
    }

    /// Credentials newer than `seen`, whatever the third party thinks of them: somebody asked for that.
    ///
    /// # Errors
    /// There are none to be had.
    pub async fn renew(self: &Arc<Self>, seen: &Opened) -> Result<Opened, RefreshError> {
        if let Some(newer) = self.announced(seen) {
            return Ok(newer);
        }
        self.renewed(seen, Cause::Wish).await
    }

    /// What became of the token that `force` brought. If the third party did not take it, or nobody could tell, refreshing
    /// does not help, and for a minute `force` does not try: a caller who lacks a right would cause a refresh with each
    /// request. Only who sends can tell such a token from one that was good and has been revoked.
    pub fn tried(&self, renewed: &Opened, trial: Trial) {
        self.memory.tried(&renewed.connection.id, trial);
    }

    /// The first token of a client-credentials grant for a connection that is being created, put into `secrets`. Other
    /// connections need none.
    ///
    /// # Errors
    /// What the exchange's failure means; `secrets` are as before.
    pub async fn first_token(
        &self,
        integration: &Integration,
        option: Option<&str>,
        app: Option<&AppId>,
        user: Option<User<'_>>,
        secrets: &mut Secrets,
    ) -> Result<Option<FirstToken>, RefreshError> {
        let account = Account {
            option,
            app,
            connector_parameters: &secrets.connector_parameters,
            input: &secrets.input,
            credentials: Some(&secrets.credentials),
            pinned_origin: None,
            user,
        };
        let subject = Subject::new(integration, account).map_err(|error| RefreshError::misfit(&error))?;
        let Some(plan) = Plan::first(&self.sources.methods, &subject).await? else { return Ok(None) };
        let started = Instant::now();
        let sent = plan.send(&self.sources, &subject, self.clock.now());
        let reply =
            tokio::time::timeout(integration.refresh.wait, sent).await.unwrap_or_else(|_| Err(late()));
        let now = self.clock.steady();
        let outcome = reply.as_ref().map_or_else(Failure::label, |_| RefreshOutcome::Refreshed);
        let detail = reply.as_ref().err().map(Failure::detail).unwrap_or_default();
        self.telemetry.refresh(integration.key.as_str(), "", outcome, started.elapsed(), &detail);
        let reply = reply.map_err(|error| error.meaning(now))?;
        let granted = reply.granted(&self.sources.methods, integration, account, now).await;
        drop(subject);
        secrets.credentials = granted.credentials;
        Ok(Some(FirstToken { lifetime: granted.expires_at.map(|end| end.since(now)) }))
    }

    /// Begins no exchange any more, and waits for those under way and for tokens that could not be stored yet; for a
    /// graceful stop.
    pub async fn drain(&self) {
        self.flights.drain().await;
    }

    /// Waits for the exchanges under way, and goes on.
    #[cfg(test)]
    async fn settle(&self) {
        self.flights.settle().await;
    }

    /// Credentials newer than `seen` that could not be stored yet: they are in this process only.
    fn announced(&self, seen: &Opened) -> Option<Opened> {
        let announced = self.flights.announced(&seen.connection.id)?.ok()?;
        (announced.connection.version > seen.connection.version).then_some(announced)
    }

    fn refresh_behind(self: &Arc<Self>, opened: &Opened) {
        let connection = &opened.connection;
        let Ok(integration) = self.integration(connection) else { return };
        if self.memory.paused(connection, &integration, self.clock.steady()).is_none() {
            drop(self.join(opened, Cause::Expiry));
        }
    }

    /// Waits for credentials of another version than `seen`. The exchange itself may take longer than its callers wait: its reply
    /// may hold the only refresh token that works from now on.
    async fn renewed(self: &Arc<Self>, seen: &Opened, cause: Cause) -> Result<Opened, RefreshError> {
        let wait = self.integration(&seen.connection)?.refresh.wait;
        let late = RefreshError::ProviderDown { reason: "no outcome in time".into(), status: None };
        tokio::time::timeout(wait, self.other_version(seen, cause)).await.unwrap_or(Err(late))
    }

    /// A flight that was started by a caller with older credentials than `seen` may land with just these: then one
    /// more is due. If that too ends so, the credentials are new but not stored yet, and cannot be refreshed again.
    async fn other_version(self: &Arc<Self>, seen: &Opened, cause: Cause) -> Result<Opened, RefreshError> {
        for _ in 0..2 {
            let renewed = self.join(seen, cause).outcome().await?;
            if renewed.connection.version != seen.connection.version {
                return Ok(renewed);
            }
        }
        Err(RefreshError::StoreDown { reason: "the last refresh is not stored yet".into() })
    }

    fn join(self: &Arc<Self>, seen: &Opened, cause: Cause) -> Seat {
        let (id, version) = (seen.connection.id.clone(), seen.connection.version);
        let refresher = Arc::clone(self);
        self.flights.join(&seen.connection.id, move |landing| refresher.fly(id, version, cause, landing))
    }
}

/// Nothing is lost with it: the grant is the client's own.
fn late() -> Failure {
    let reason = "no answer in time".into();
    Failure::Exchange(ExchangeError::Transient { reason, retry_after: None, sent: Sent::Perhaps })
}

fn connected(opened: &Opened) -> Result<(), RefreshError> {
    match &opened.connection.health {
        Health::Ready => Ok(()),
        Health::Disconnected { code, message, .. } => Err(RefreshError::disconnected(code, message)),
    }
}

#[cfg(test)]
mod tests;
