//! What a failed exchange leaves behind: a pause in memory, a note in the connection's row, and the mark of a dead grant.
//! Never asks again, and never touches credentials.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::connector::Integration;
use crate::store::redb::Replaced;
use crate::store::{Connection, FailureClass, Health, Opened, RefreshFailure, Spend};

use super::Refresher;
use super::flight::good_for_use;
use super::outcome::{Failure, RefreshError};
use super::single_flight::Outcome;

/// A refusal that nobody understands is taken for the end of the grant once it was repeated so often
const REFUSALS: u32 = 10;
/// for so long.
const REFUSED_FOR: Duration = Duration::from_secs(24 * 3600);

impl Refresher {
    /// Notes the failure. If newer credentials have been stored meanwhile, it says nothing of them: these are the outcome.
    pub(super) async fn failed(
        &self,
        current: &Opened,
        integration: &Arc<Integration>,
        failure: &Failure,
        now: Timestamp,
    ) -> Outcome {
        let connection = &current.connection;
        let meaning = failure.meaning(now);
        let Some(note) = self.memory.failed(connection, integration, now, &meaning) else {
            return Err(meaning);
        };
        let meaning = if is_over(&note) { given_up(&note) } else { meaning };
        let health = dead(&meaning, now);
        self.note(connection, note, health).await.unwrap_or(Err(meaning))
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
        let Some(note) = self.memory.failed(connection, integration, now, &meaning) else {
            return Err(meaning);
        };
        let note = RefreshFailure { next_try: None, ..note };
        self.note(connection, note, Some(health)).await.unwrap_or(Err(meaning))
    }

    /// Writes the failure into the row. What newer credentials have been stored meanwhile, if any.
    async fn note(
        &self,
        connection: &Connection,
        note: RefreshFailure,
        health: Option<Health>,
    ) -> Option<Outcome> {
        // Conditional on the version, and in the open part only: it cannot undo new tokens. If it cannot be stored, the
        // pause in memory stands in for it.
        let write = move |connection: &mut Connection| {
            connection.refreshing.failed(note);
            connection.health = health.unwrap_or_else(|| connection.health.clone());
        };
        match self.store.update(connection, write).await {
            Ok(Replaced::Overtaken(newer)) => Some(good_for_use(newer)),
            Ok(Replaced::Stored(_)) | Err(_) => None,
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
