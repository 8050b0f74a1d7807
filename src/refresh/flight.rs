//! One flight: read the row, exchange once, store before anyone uses what came.
//! Runs in its own task to its end; never knows who waits for it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::connector::Integration;
use crate::method::Subject;
use crate::names::{ConnectionId, Version};
use crate::report::report;
use crate::secret::Secret;
use crate::store::redb::Replaced;
use crate::store::{Connection, Customer, Health, Opened, SecretChanges, Secrets, StoreError};
use crate::telemetry::labels::RefreshOutcome;

use super::exchange::{Granted, Plan, Reply};
use super::failed::Tried;
use super::freshness::{Freshness, Jitter, refresh_at};
use super::lease::{self, Asked, Held, Purpose};
use super::outcome::{Failure, RefreshError};
use super::row::{account, gone, good_for_use, held_token, open};
use super::single_flight::{Landing, Outcome};
use super::{Cause, Refresher, late};

/// What could not be stored is tried again after pauses that double from the first to the last.
const SAVE_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A store that takes longer is one that does not take them. If it does in the end, the next try finds them there.
const SAVE_WITHIN: Duration = Duration::from_secs(10);

impl Refresher {
    /// The flight for a caller who saw version `seen`.
    pub(super) async fn fly(
        self: Arc<Self>,
        id: ConnectionId,
        seen: Version,
        cause: Cause,
        landing: Landing,
    ) {
        loop {
            let ready = match self.ready(&id, seen, cause).await {
                Ok(ready) => ready,
                Err(outcome) => return landing.land(*outcome),
            };
            let (started, begun) = (Instant::now(), self.clock.steady());
            if let Some(brought) = &ready.left_over {
                return self.save_left_over(&ready, brought, landing).await;
            }
            let reply = ready.held.during(self.exchange(&ready)).await;
            let at = self.clock.steady();
            let failure = match reply {
                Ok(reply) => {
                    self.succeeded(&ready, cause);
                    return self.save(&ready, &Brought { reply, at }, started, landing).await;
                }
                Err(failure) => failure,
            };
            let spent = ready.held.spends && failure.leaves_open();
            let label = if spent { RefreshOutcome::Unknown } else { failure.label() };
            self.record(&ready.current.connection, label, started, &failure.detail());
            if !spent {
                let tried = Tried { integration: &ready.integration, plan: &ready.plan, begun };
                let outcome = self.failed(&ready.current, &tried, &failure, at).await;
                return self.give_back(&ready.held, outcome, landing).await;
            }
            if let Err(error) = ready.held.give_back(true).await {
                return landing.land(Err(store_down(&error)));
            }
            // Whether the token may be sent once more is for the journal to say.
        }
    }

    /// All that an exchange needs, the lease among it; or how the flight ends without one.
    async fn ready(&self, id: &ConnectionId, seen: Version, cause: Cause) -> Result<Ready, Box<Outcome>> {
        loop {
            let current = self.row(id).await.map_err(|error| Box::new(Err(error)))?;
            if self.has_moved(&current, seen) {
                return Err(Box::new(Ok(current)));
            }
            let left_over = self.left_over(&current).await.map_err(|error| Box::new(Err(error)))?;
            let admitted = match left_over {
                None => self.admit(&current, cause).await,
                Some(_) => self.planned(&current).await,
            };
            let (integration, plan) = admitted.map_err(|error| Box::new(Err(error)))?;
            let purpose = left_over
                .as_ref()
                .map_or(Purpose::Exchange(integration.refresh.rotation), |_| Purpose::Store);
            let token = held_token(&current).filter(|_| plan.uses_refresh_token());
            // The journal is kept by the system's clock.
            let now = self.clock.now();
            match lease::ask(&self.store, &current.connection, token, purpose, now).await {
                Ok(Asked::Held(held)) => return Ok(Ready { current, integration, plan, held, left_over }),
                Ok(Asked::Busy) if self.flights.is_draining() => {
                    return Err(Box::new(Err(RefreshError::Stopping)));
                }
                Ok(Asked::Busy) => tokio::time::sleep(lease::LOOK_AGAIN).await,
                Ok(Asked::Overtaken) => {}
                Ok(Asked::Spent(spend)) => {
                    return Err(Box::new(
                        self.in_doubt(&current, &integration, &spend, self.clock.steady()).await,
                    ));
                }
                Err(error) => return Err(Box::new(Err(store_down(&error)))),
            }
        }
    }

    /// The row as it is stored now: the only input of the exchange.
    async fn row(&self, id: &ConnectionId) -> Outcome {
        match self.store.open_secrets(id).await {
            Ok(Some(current)) => good_for_use(current),
            Ok(None) => Err(gone()),
            Err(error) => Err(store_down(&error)),
        }
    }

    /// Whether somebody stored other credentials since, which are good for use.
    fn has_moved(&self, current: &Opened, seen: Version) -> bool {
        let connection = &current.connection;
        connection.version != seen && Freshness::of(connection, self.clock.steady()) != Freshness::Ended
    }

    /// What an exchange that succeeded says of the connection, its app and its endpoint.
    fn succeeded(&self, Ready { current, integration, plan, .. }: &Ready, cause: Cause) {
        let (connection, memory, now) = (&current.connection, &self.memory, self.clock.steady());
        memory.succeeded(&connection.id);
        plan.app(integration).iter().for_each(|app| memory.apps.works(app));
        plan.endpoint().iter().for_each(|endpoint| memory.endpoints.works(endpoint, now));
        if cause == Cause::Rejection {
            memory.forced(&connection.id, connection.version, now);
        }
    }

    async fn exchange(&self, ready: &Ready) -> Result<Reply, Failure> {
        let customer = self.customer(&ready.integration, &ready.current).await;
        let account = account(&ready.current, customer.as_ref());
        let subject = Subject::new(&ready.integration, account).map_err(Failure::Method)?;
        let sent = ready.plan.send(&self.sources, &subject, self.clock.now());
        tokio::time::timeout_at(ready.held.deadline, sent).await.unwrap_or_else(|_| Err(late()))
    }

    /// Stores the new tokens, and only then hands them out.
    async fn save(&self, ready: &Ready, brought: &Brought, started: Instant, landing: Landing) {
        let connection = &ready.current.connection;
        let granted = self.granted(ready, &ready.current, brought).await;
        if let Some(complaint) = &granted.complaint {
            let connection = connection.id.as_str();
            tracing::warn!(
                connection,
                complaint,
                "the connector's method failed on a token reply; the tokens are kept"
            );
        }
        let outcome = self.store_over(ready, brought).await;
        match &outcome {
            Err(error) if is_store_down(&outcome) => {
                self.record(connection, RefreshOutcome::NotSaved, started, &error.to_string());
            }
            _ => self.record(connection, RefreshOutcome::Refreshed, started, ""),
        }
        self.hand_out(ready, brought, outcome, landing).await;
    }

    /// Stores what an earlier exchange brought.
    async fn save_left_over(&self, ready: &Ready, brought: &Brought, landing: Landing) {
        let outcome = self.store_over(ready, brought).await;
        if outcome.is_ok() {
            self.telemetry.metrics.spills.stored.inc();
            let connection = ready.current.connection.id.as_str();
            tracing::info!(connection, "new tokens that the store had not taken are stored");
        }
        self.hand_out(ready, brought, outcome, landing).await;
    }

    /// Lands with what is stored. While the store does not take the new tokens, they are in memory, and in a file if there
    /// is a folder for that: callers are served from memory, and this task goes on trying, so that the spent refresh token
    /// is never sent again.
    async fn hand_out(&self, ready: &Ready, brought: &Brought, outcome: Outcome, landing: Landing) {
        let mut outcome = outcome;
        if is_store_down(&outcome) {
            let spilled = self.spill(ready, brought).await;
            self.telemetry.metrics.unsaved_tokens.inc();
            let granted = self.granted(ready, &ready.current, brought).await;
            landing.announce(Ok(granted.not_stored(
                &ready.current,
                ready.integration.refresh.ahead,
                brought.at,
            )));
            outcome = ready.held.during(self.store_at_last(ready, brought, spilled)).await;
            self.telemetry.metrics.unsaved_tokens.dec();
        }
        if !is_store_down(&outcome) {
            self.forget_spilled(&ready.current.connection.id).await;
        }
        landing.land(outcome);
    }

    /// Tries until the store takes it; or until Sidegate stops, if it is in a file where the next start finds it.
    async fn store_at_last(&self, ready: &Ready, brought: &Brought, spilled: bool) -> Outcome {
        let (mut pause, mut spilled) = (SAVE_AGAIN.0, spilled);
        loop {
            tokio::time::sleep(pause).await;
            pause = longer(pause);
            match self.store_over(ready, brought).await {
                Err(RefreshError::StoreDown { .. }) if !spilled || !self.flights.is_draining() => {}
                outcome => return outcome,
            }
            spilled = spilled || self.spill(ready, brought).await;
            if let Ok(None) = self.store.connection(&ready.current.connection.id).await {
                return Err(gone());
            }
        }
    }

    /// [`Self::stored_over`], if the store answers in time.
    async fn store_over(&self, ready: &Ready, brought: &Brought) -> Outcome {
        let stored = tokio::time::timeout(SAVE_WITHIN, self.stored_over(ready, brought)).await;
        stored.unwrap_or_else(|_| Err(RefreshError::StoreDown { reason: "it does not answer".into() }))
    }

    /// What is stored afterwards: ours, or credentials of another grant that somebody put there first. A write that came
    /// first and left the spent grant in place knew nothing of the exchange: ours go over it.
    async fn stored_over(&self, ready: &Ready, brought: &Brought) -> Outcome {
        #[cfg(test)]
        if self.writes_fail.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(RefreshError::StoreDown { reason: "a test broke it".into() });
        }
        let mut base = ready.current.clone();
        loop {
            let granted = self.granted(ready, &base, brought).await;
            let secrets = granted.secrets(&base);
            let (ahead, at) = (ready.integration.refresh.ahead, brought.at);
            let change = move |connection: &mut Connection| granted.write(connection, ahead, at);
            match self.store.replace_under(&ready.held.lease, &base.connection, secrets, change).await {
                Ok(Replaced::Stored(stored)) => return good_for_use(stored),
                Ok(Replaced::Overtaken(other)) if ready.plan.spends(open(&other)) => base = other,
                Ok(Replaced::Overtaken(other)) => {
                    // The journal is about a token that nobody has any more; a lease that stays a while harms nobody.
                    let _ = ready.held.give_back(false).await;
                    return good_for_use(other);
                }
                Err(StoreError::LeaseLost { .. }) => return self.too_late(ready).await,
                Err(error) => return Err(store_down(&error)),
            }
        }
    }

    /// Another exchange was made since our lease ended: what it brought stands.
    async fn too_late(&self, ready: &Ready) -> Outcome {
        let connection = ready.current.connection.id.as_str();
        tracing::warn!(connection, "new tokens came after the lease had ended and are dropped");
        self.row(&ready.current.connection.id).await
    }

    /// Lands after a failed exchange. The journal must not go on saying that the token may be spent: while the store does
    /// not take that, callers know the outcome, and this task goes on trying, until Sidegate stops.
    async fn give_back(&self, held: &Held, outcome: Outcome, landing: Landing) {
        let mut pause = SAVE_AGAIN.0;
        while held.give_back(false).await.is_err() && held.spends && !self.flights.is_draining() {
            landing.announce(outcome.clone());
            tokio::time::sleep(pause).await;
            pause = longer(pause);
        }
        landing.land(outcome);
    }

    /// What the reply makes of a connection.
    async fn granted(&self, ready: &Ready, base: &Opened, brought: &Brought) -> Granted {
        let customer = self.customer(&ready.integration, base).await;
        let account = account(base, customer.as_ref());
        brought.reply.granted(&self.sources.methods, &ready.integration, account, brought.at).await
    }

    /// What the customer's tokens say of it, where the methods see that. A store that cannot say it stops no refresh.
    pub(super) async fn customer(&self, integration: &Integration, current: &Opened) -> Option<Customer> {
        let option = integration.connector.option(current.connection.auth_option.as_deref())?;
        match integration.sees_user(option) {
            true => self.store.customer(&current.connection.owner).await.ok()?,
            false => None,
        }
    }

    fn record(&self, connection: &Connection, outcome: RefreshOutcome, started: Instant, detail: &str) {
        let (integration, id) = (connection.integration.as_str(), connection.id.as_str());
        self.telemetry.refresh(integration, id, outcome, started.elapsed(), detail);
    }
}

/// All that an exchange needs.
pub(super) struct Ready {
    /// The row as it is under the lease: the only input of the exchange.
    pub(super) current: Opened,
    integration: Arc<Integration>,
    plan: Plan,
    held: Held,
    /// What an earlier exchange brought and the store has not taken: it stands for this one.
    left_over: Option<Brought>,
}

/// An exchange that succeeded.
#[derive(Serialize, Deserialize)]
pub(super) struct Brought {
    reply: Reply,
    at: Timestamp,
}

impl Granted {
    fn secrets(&self, base: &Opened) -> Secret<Secrets> {
        let credentials = Some(self.credentials.clone());
        base.secrets_with(SecretChanges { credentials, ..SecretChanges::default() }).into()
    }

    fn write(self, connection: &mut Connection, ahead: Duration, at: Timestamp) {
        let jitter = Jitter::of(&connection.id);
        if connection.health.is_outcome_unknown() {
            connection.health = Health::Ready;
        }
        connection.expires_at = self.expires_at;
        connection.refresh_at = self.expires_at.map(|end| refresh_at(end, end.since(at), ahead, jitter));
        connection.refreshed_at = Some(at);
        connection.refreshing.succeeded();
        connection.granted_scopes = self.scopes.or(connection.granted_scopes.take());
    }

    /// The connection as it would be stored.
    fn not_stored(self, base: &Opened, ahead: Duration, at: Timestamp) -> Opened {
        let secrets = Arc::new(self.secrets(base));
        let mut connection = Connection::clone(&base.connection);
        self.write(&mut connection, ahead, at);
        connection.version = connection.version.next();
        Opened { connection: Arc::new(connection), secrets }
    }
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(SAVE_AGAIN.1)
}

fn is_store_down(outcome: &Outcome) -> bool {
    matches!(outcome, Err(RefreshError::StoreDown { .. }))
}

pub(super) fn store_down(error: &StoreError) -> RefreshError {
    RefreshError::StoreDown { reason: report(error).to_string() }
}
