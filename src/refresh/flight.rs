//! One flight: read the row, exchange once, store before anyone uses what came.
//! Runs in its own task to its end; never knows who waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Timestamp;
use crate::connector::Integration;
use crate::method::{Account, RunError, Subject};
use crate::names::{ConnectionId, Version};
use crate::report::report;
use crate::secret::Secret;
use crate::store::redb::Replaced;
use crate::store::{Connection, Opened, SecretChanges, Secrets, StoreError};
use crate::telemetry::labels::RefreshOutcome;

use super::exchange::{Granted, Plan, Reply};
use super::failed::Tried;
use super::freshness::{Freshness, Jitter, refresh_at};
use super::outcome::{Failure, RefreshError};
use super::single_flight::{Landing, Outcome};
use super::{Cause, Refresher, connected};

/// How often tokens that could not be stored are tried again: from the first, doubling, to the last.
const SAVE_AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));

impl Refresher {
    /// The flight for a caller who saw version `seen`.
    pub(super) async fn fly(
        self: Arc<Self>,
        id: ConnectionId,
        seen: Version,
        cause: Cause,
        landing: Landing,
    ) {
        let current = match self.row(&id).await {
            Ok(current) => current,
            Err(error) => return landing.land(Err(error)),
        };
        if self.has_moved(&current, seen) {
            return landing.land(Ok(current));
        }
        let (integration, plan) = match self.admit(&current, cause).await {
            Ok(admitted) => admitted,
            Err(error) => return landing.land(Err(error)),
        };
        let (started, begun) = (Instant::now(), self.clock.steady());
        let reply = self.exchange(&integration, &plan, &current).await;
        let at = self.clock.steady();
        match reply {
            Ok(reply) => {
                self.succeeded(&current.connection, &integration, &plan, cause);
                let brought = Brought { integration, plan, reply, at };
                self.save(&current, &brought, started, landing).await;
            }
            Err(error) => {
                self.record(&current.connection, error.label(), started, &error.detail());
                let tried = Tried { integration: &integration, plan: &plan, begun };
                landing.land(self.failed(&current, &tried, &error, at).await);
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
    fn succeeded(&self, connection: &Connection, integration: &Integration, plan: &Plan, cause: Cause) {
        let (memory, now) = (&self.memory, self.clock.steady());
        memory.succeeded(&connection.id);
        plan.app(integration).iter().for_each(|app| memory.apps.works(app));
        plan.endpoint().iter().for_each(|endpoint| memory.endpoints.works(endpoint, now));
        if cause == Cause::Rejection {
            memory.forced(&connection.id, connection.version, now);
        }
    }

    async fn exchange(
        &self,
        integration: &Integration,
        plan: &Plan,
        current: &Opened,
    ) -> Result<Reply, Failure> {
        let subject = Subject::new(integration, account(current)).map_err(Failure::Method)?;
        plan.send(&self.sources, &subject).await
    }

    /// Stores the new tokens, and only then hands them out. While the store does not take them they are in memory
    /// alone: callers are served from there, and this task goes on trying, so that the spent refresh token is never
    /// sent again.
    async fn save(&self, current: &Opened, brought: &Brought, started: Instant, landing: Landing) {
        let granted = self.granted(current, brought).await;
        if let Some(complaint) = &granted.complaint {
            let connection = current.connection.id.as_str();
            tracing::warn!(
                connection,
                complaint,
                "the connector's method failed on a token reply; the tokens are kept"
            );
        }
        let error = match self.store_over(current, brought).await {
            Err(error @ RefreshError::StoreDown { .. }) => error,
            outcome => {
                self.record(&current.connection, RefreshOutcome::Refreshed, started, "");
                return landing.land(outcome);
            }
        };
        self.record(&current.connection, RefreshOutcome::NotSaved, started, &error.to_string());
        self.telemetry.metrics.unsaved_tokens.inc();
        landing.announce(Ok(granted.not_stored(current, brought.at)));
        let outcome = self.store_at_last(current, brought).await;
        self.telemetry.metrics.unsaved_tokens.dec();
        landing.land(outcome);
    }

    async fn store_at_last(&self, current: &Opened, brought: &Brought) -> Outcome {
        let (mut pause, longest) = SAVE_AGAIN;
        loop {
            tokio::time::sleep(pause).await;
            match self.store_over(current, brought).await {
                Err(RefreshError::StoreDown { .. }) => {}
                outcome => return outcome,
            }
            if let Ok(None) = self.store.connection(&current.connection.id).await {
                return Err(gone());
            }
            pause = (pause * 2).min(longest);
        }
    }

    /// What is stored afterwards: ours, or credentials of another grant that somebody put there first. A write that came
    /// first and left the spent grant in place knew nothing of the exchange: ours go over it.
    async fn store_over(&self, current: &Opened, brought: &Brought) -> Outcome {
        #[cfg(test)]
        if self.writes_fail.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(RefreshError::StoreDown { reason: "a test broke it".into() });
        }
        let mut base = current.clone();
        loop {
            let granted = self.granted(&base, brought).await;
            let (secrets, at) = (granted.secrets(&base), brought.at);
            let change = move |connection: &mut Connection| granted.write(connection, at);
            match self.store.replace(&base.connection, secrets, change).await {
                Ok(Replaced::Overtaken(other)) if brought.plan.spends(open(&other)) => base = other,
                Ok(Replaced::Stored(stored) | Replaced::Overtaken(stored)) => return good_for_use(stored),
                Err(error) => return Err(store_down(&error)),
            }
        }
    }

    /// What the reply makes of a connection.
    async fn granted(&self, base: &Opened, brought: &Brought) -> Granted {
        brought.reply.granted(&self.sources.methods, &brought.integration, account(base), brought.at).await
    }

    fn record(&self, connection: &Connection, outcome: RefreshOutcome, started: Instant, detail: &str) {
        let (integration, id) = (connection.integration.as_str(), connection.id.as_str());
        self.telemetry.refresh(integration, id, outcome, started.elapsed(), detail);
    }
}

/// An exchange that succeeded.
struct Brought {
    integration: Arc<Integration>,
    plan: Plan,
    reply: Reply,
    at: Timestamp,
}

impl Granted {
    fn secrets(&self, base: &Opened) -> Secret<Secrets> {
        let credentials = Some(self.credentials.clone());
        base.secrets_with(SecretChanges { credentials, ..SecretChanges::default() }).into()
    }

    fn write(self, connection: &mut Connection, at: Timestamp) {
        let jitter = Jitter::of(&connection.id);
        connection.expires_at = self.expires_at;
        connection.refresh_at = self.expires_at.map(|end| refresh_at(end, end.since(at), jitter));
        connection.refreshed_at = Some(at);
        connection.refreshing.succeeded();
        connection.granted_scopes = self.scopes.or(connection.granted_scopes.take());
    }

    /// The connection as it would be stored.
    fn not_stored(self, base: &Opened, at: Timestamp) -> Opened {
        let secrets = Arc::new(self.secrets(base));
        let mut connection = Connection::clone(&base.connection);
        self.write(&mut connection, at);
        connection.version = connection.version.next();
        Opened { connection: Arc::new(connection), secrets }
    }
}

/// Credentials to go on with: those of a connection that lives.
pub(super) fn good_for_use(opened: Opened) -> Outcome {
    if opened.connection.archived_at.is_some() {
        return Err(gone());
    }
    connected(&opened).map(|()| opened)
}

pub(super) fn open(opened: &Opened) -> &Secrets {
    opened.secrets.expose()
}

/// The connection as its connector's methods see it.
pub(super) fn account(opened: &Opened) -> Account<'_> {
    let (connection, secrets) = (&opened.connection, open(opened));
    Account {
        option: connection.auth_option.as_deref(),
        app: connection.app.as_ref(),
        connector_parameters: &secrets.connector_parameters,
        input: &secrets.input,
        credentials: Some(&secrets.credentials),
        pinned_origin: connection.pinned_origin.as_deref(),
        customer: Some((&connection.owner, None)),
    }
}

/// The connector does not fit the connection any more.
pub(super) fn misfit(error: &RunError) -> RefreshError {
    RefreshError::MisconfiguredApp { reason: error.to_string() }
}

fn gone() -> RefreshError {
    RefreshError::NeedsReconnect { reason: "the connection is gone".into() }
}

fn store_down(error: &StoreError) -> RefreshError {
    RefreshError::StoreDown { reason: report(error).to_string() }
}
