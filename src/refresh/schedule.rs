//! Rounds through the store: credentials that nobody uses are kept alive where the integration wants it, and all
//! connections are counted.
//! Never holds more than a page of connections, and never decides how an exchange is made.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Timestamp;
use crate::connector::Integration;
use crate::names::{ConnectionId, IntegrationKey};
use crate::store::{Connection, Health, StoreError};
use crate::telemetry::labels::ConnectionState;

use super::{Cause, Refresher, freshness};

/// How many exchanges a round makes at a time.
const AT_ONCE: usize = 4;
/// The pause between two rounds, at least; and so many times as long as looking at all connections took, so that a large
/// store does not keep a thread busy.
const PAUSE: Duration = Duration::from_secs(60);
const IDLE_SHARE: u32 = 100;
/// Connections of a page.
const PAGE: usize = 500;
/// How many of the connections that are not well are kept for the operator to see.
const SHOWN: usize = 100;

/// What a round saw.
#[derive(Clone, Debug, Default)]
pub struct Census {
    /// When it began; none: it has not yet.
    pub at: Option<Timestamp>,
    /// Connections that are not archived, by state.
    pub counts: [u64; ConnectionState::ALL.len()],
    /// The first of those that are not well, and when each is refreshed next.
    pub unwell: Vec<(Connection, Option<Timestamp>)>,
}

/// What a connection's state counts as.
#[must_use]
pub fn state(connection: &Connection) -> ConnectionState {
    match (&connection.health, connection.refresh_failure()) {
        (Health::Disconnected { .. }, _) => ConnectionState::Disconnected,
        (Health::Ready, Some(_)) => ConnectionState::Failing,
        (Health::Ready, None) => ConnectionState::Ready,
    }
}

/// When a connection's credentials are refreshed next, as far as that is known: by their own end, or because nobody used them
/// for so long; in a pause after failures not before the next try. `integration` is what is configured now, if it still is.
#[must_use]
pub fn next_refresh(connection: &Connection, integration: Option<&Integration>) -> Option<Timestamp> {
    if connection.health != Health::Ready || connection.archived_at.is_some() {
        return None;
    }
    let unused = integration.and_then(|integration| due_unused(connection, integration));
    let due = [connection.refresh_at, unused].into_iter().flatten().min();
    // `None` is less than any moment.
    due.max(connection.refresh_failure().and_then(|failure| failure.next_try))
}

/// When they are refreshed though nobody asks, if the integration wants that.
fn due_unused(connection: &Connection, integration: &Integration) -> Option<Timestamp> {
    let option = integration.connector.option(connection.auth_option.as_deref())?;
    let refreshes = integration.enabled && option.can_refresh();
    let within = integration.refresh.keep_alive.filter(|_| refreshes)?;
    Some(freshness::due(connection, within))
}

impl Census {
    fn count(&mut self, connection: &Connection, integration: Option<&Integration>) {
        let state = state(connection);
        for (count, _) in self.counts.iter_mut().zip(ConnectionState::ALL).filter(|(_, of)| *of == state) {
            *count += 1;
        }
        if state != ConnectionState::Ready && self.unwell.len() < SHOWN {
            self.unwell.push((connection.clone(), next_refresh(connection, integration)));
        }
    }
}

/// Integrations whose exchanges fail in this round: the rest of their connections wait for the next.
type SetAside = Arc<Mutex<HashSet<IntegrationKey>>>;

impl Refresher {
    /// Goes round until it is stopped.
    pub async fn go_round(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let pause = match self.round(&stop).await {
                Ok(looking) => PAUSE.max(looking * IDLE_SHARE),
                Err(error) => {
                    tracing::warn!(
                        "the connections cannot be looked through: {}",
                        crate::report::report(&error)
                    );
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// What the last round saw.
    #[must_use]
    pub fn census(&self) -> Arc<Census> {
        self.census.load_full()
    }

    /// One round; how long the looking alone took.
    pub(super) async fn round(self: &Arc<Self>, stop: &CancellationToken) -> Result<Duration, StoreError> {
        let mut census = Census { at: Some(self.clock.now()), ..Census::default() };
        let (mut after, mut looking) = (None, Duration::ZERO);
        let (places, set_aside) = (Arc::new(Semaphore::new(AT_ONCE)), SetAside::default());
        let mut exchanges = JoinSet::new();
        loop {
            let begun = Instant::now();
            let page = self.store.of_all(after, PAGE).await?;
            looking += begun.elapsed();
            for connection in &page {
                census.count(connection, self.integration(connection).ok().as_deref());
                if !self.is_due(connection) || is_set_aside(&set_aside, &connection.integration) {
                    continue;
                }
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
                if stop.is_cancelled() {
                    return Ok(looking);
                }
                let (refresher, set_aside) = (Arc::clone(self), Arc::clone(&set_aside));
                let (id, integration) = (connection.id.clone(), connection.integration.clone());
                exchanges.spawn(async move {
                    if !refresher.keep_alive(&id).await {
                        set_aside.lock().unwrap_or_else(PoisonError::into_inner).insert(integration);
                    }
                    drop(place);
                });
            }
            after = page.last().map(|connection| connection.id.clone());
            if page.len() < PAGE {
                break;
            }
        }
        while exchanges.join_next().await.is_some() {}
        self.telemetry.metrics.customer_connections.set(&census.counts);
        self.census.store(Arc::new(census));
        Ok(looking)
    }

    /// Whether the integration wants it refreshed by now though nobody asked, and nothing speaks against it.
    fn is_due(&self, connection: &Connection) -> bool {
        let now = self.clock.steady();
        let Ok(integration) = self.integration(connection) else { return false };
        connection.health == Health::Ready
            && due_unused(connection, &integration).is_some_and(|due| due <= now)
            && self.memory.paused(connection, &integration, now).is_none()
    }

    /// Whether the next connection of the integration may be tried too.
    async fn keep_alive(self: &Arc<Self>, id: &ConnectionId) -> bool {
        let Ok(Some(opened)) = self.store.open_secrets(id).await else { return true };
        match self.join(&opened, Cause::Expiry).outcome().await {
            Ok(_) => true,
            Err(error) => matches!(error.class(), None | Some(crate::store::FailureClass::DeadGrant)),
        }
    }
}

fn is_set_aside(set_aside: &SetAside, integration: &IntegrationKey) -> bool {
    set_aside.lock().unwrap_or_else(PoisonError::into_inner).contains(integration)
}

#[cfg(test)]
mod tests;
