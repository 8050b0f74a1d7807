//! What a failed exchange leaves behind: a pause in memory, a note in the connection's row, and the mark of a dead grant.
//! Never asks again, and never touches credentials.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::connector::Integration;
use crate::oauth::ExchangeError;
use crate::store::redb::Replaced;
use crate::store::{Connection, FailureClass, Health, Opened, RefreshFailure, Spend};

use super::Refresher;
use super::exchange::Plan;
use super::outcome::{Failure, RefreshError};
use super::row::good_for_use;
use super::single_flight::Outcome;

/// A refusal that nobody understands is taken for the end of the grant once it was repeated so often
const REFUSALS: u32 = 10;
/// for so long.
const REFUSED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What was tried, and when it began.
pub(super) struct Tried<'a> {
    pub(super) integration: &'a Arc<Integration>,
    pub(super) plan: &'a Plan,
    pub(super) begun: Timestamp,
}

impl Refresher {
    /// Notes the failure. If newer credentials have been stored meanwhile, it says nothing of them: these are the outcome.
    pub(super) async fn failed(
        &self,
        current: &Opened,
        tried: &Tried<'_>,
        failure: &Failure,
        now: Timestamp,
    ) -> Outcome {
        let meaning = failure.meaning(now);
        let connection = &current.connection;
        let Some(note) = self.memory.note(connection, now, &meaning) else { return Err(meaning) };
        let note = self.pause(connection, tried, failure, &meaning, note);
        let meaning = if is_over(&note) { given_up(&note) } else { meaning };
        let health = dead(&meaning, now);
        self.write(current, meaning, note, health).await
    }

    /// Disconnects a connection whose refresh token was sent, or may have been, without an answer: sent a second time it
    /// could end the whole grant.
    pub(super) async fn in_doubt(
        &self,
        current: &Opened,
        integration: &Arc<Integration>,
        spend: &Spend,
        now: Timestamp,
    ) -> Outcome {
        let connection = &current.connection;
        let reason = format!("the refresh token was sent at {} and no answer came", spend.at);
        tracing::warn!(connection = connection.id.as_str(), reason, "a connection must be connected again");
        let health = disconnected(Health::OUTCOME_UNKNOWN, &reason, now);
        let meaning = RefreshError::OutcomeUnknown { reason };
        let Some(note) = self.memory.note(connection, now, &meaning) else { return Err(meaning) };
        let note = RefreshFailure { next_try: None, ..note };
        self.memory.pause(&connection.id, integration, &note, None);
        self.write(current, meaning, note, Some(health)).await
    }

    /// Where the app is refused all its connections pause together, else this one does.
    fn pause(
        &self,
        connection: &Connection,
        Tried { integration, plan, begun }: &Tried<'_>,
        failure: &Failure,
        meaning: &RefreshError,
        note: RefreshFailure,
    ) -> RefreshFailure {
        let memory = &self.memory;
        let app = plan.app(integration);
        if let (Failure::Exchange(ExchangeError::DeadApp { .. }), Some(app)) = (failure, &app) {
            let next_try = Some(memory.apps.refused(app, note.at, meaning));
            return RefreshFailure { next_try, ..note };
        }
        let endpoint = plan.endpoint();
        match &endpoint {
            Some(down) if failure.is_outage() => memory.endpoints.failed(down, *begun, note.at),
            Some(endpoint) if note.class == FailureClass::DeadGrant => {
                // It would not have looked at the grant of an app that it does not know.
                memory.endpoints.works(endpoint, note.at);
                app.iter().for_each(|app| memory.apps.works(app));
            }
            _ => {}
        }
        let down = endpoint.filter(|_| failure.is_outage());
        memory.pause(&connection.id, integration, &note, down);
        note
    }

    /// Writes the note into the row. Conditional on the version, and in the open part only: it cannot undo new tokens. If
    /// it cannot be stored, the pause in memory stands in for it.
    async fn write(
        &self,
        current: &Opened,
        meaning: RefreshError,
        note: RefreshFailure,
        health: Option<Health>,
    ) -> Outcome {
        let write = move |connection: &mut Connection| {
            connection.refreshing.failed(note);
            connection.health = health.unwrap_or_else(|| connection.health.clone());
        };
        match self.store.update(&current.connection, write).await {
            Ok(Replaced::Overtaken(newer)) => good_for_use(newer),
            Ok(Replaced::Stored(_)) | Err(_) => Err(meaning),
        }
    }
}

fn dead(meaning: &RefreshError, at: Timestamp) -> Option<Health> {
    let RefreshError::NeedsReconnect { reason } = meaning else { return None };
    Some(disconnected(meaning.code(), reason, at))
}

fn disconnected(code: &str, message: &str, at: Timestamp) -> Health {
    Health::Disconnected { code: code.into(), message: message.into(), at }
}

fn is_over(note: &RefreshFailure) -> bool {
    note.class == FailureClass::Unknown
        && note.in_a_row >= REFUSALS
        && note.at.since(note.since) >= REFUSED_FOR
}

fn given_up(note: &RefreshFailure) -> RefreshError {
    let reason = format!("refused {} times since {}: {}", note.in_a_row, note.since, note.message);
    RefreshError::NeedsReconnect { reason }
}
