//! Tokens that the store does not take, kept in a file meanwhile: written before anyone uses them, and stored in place of an
//! exchange by the next flight of their connection, after a restart too.
//! Never sends anything, and never knows how a file is kept.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::names::{ConnectionId, Version};
use crate::report::report;
use crate::store::redb::Replaced;
use crate::store::{Connection, Health, Opened, StoreError, TokenDigest};

use super::flight::{Brought, Ready, store_down};
use super::outcome::RefreshError;
use super::row::held_token;
use super::{Cause, Refresher};

/// What a file holds.
#[derive(Serialize, Deserialize)]
struct Record<B> {
    spent: Spent,
    brought: B,
}

/// What the row held that the exchange spent.
#[derive(Serialize, Deserialize)]
struct Spent {
    version: Version,
    token: Option<TokenDigest>,
    refreshed_at: Option<Timestamp>,
}

impl Spent {
    fn by(row: &Opened) -> Self {
        let connection = &row.connection;
        Self { version: connection.version, token: held_token(row), refreshed_at: connection.refreshed_at }
    }

    /// Whether the row still holds it. A write that left the refresh token in place knew nothing of the exchange.
    fn is_held_by(&self, row: &Opened) -> bool {
        let held = Self::by(row);
        match &self.token {
            Some(_) => held.token == self.token && held.refreshed_at == self.refreshed_at,
            None => held.token.is_none() && held.version == self.version,
        }
    }
}

impl Refresher {
    /// Whether what came is in a file now. A file that cannot be written changes nothing else.
    pub(super) async fn spill(&self, ready: &Ready, brought: &Brought) -> bool {
        let (id, spills) = (&ready.current.connection.id, &self.telemetry.metrics.spills);
        let spilled = self.store.spill(id, &Record { spent: Spent::by(&ready.current), brought }).await;
        match spilled {
            Ok(is_there) => {
                spills.written.inc_by(u64::from(is_there));
                is_there
            }
            Err(error) => {
                spills.failed.inc();
                let (connection, error) = (id.as_str(), report(&error));
                tracing::error!(connection, %error, "new tokens are in memory only; do not kill this process");
                false
            }
        }
    }

    /// Nothing of the connection is worth keeping in a file any more.
    pub(super) async fn forget_spilled(&self, id: &ConnectionId) {
        if let Err(error) = self.store.forget_spilled(id).await {
            let (connection, error) = (id.as_str(), report(&error));
            tracing::warn!(connection, %error, "a file with tokens that are stored was not removed; it is of no use");
        }
    }

    /// What an earlier exchange for the connection brought, if that is in a file and still the newest there is.
    ///
    /// # Errors
    /// There is a file that cannot be read now. Until it can be, nothing must be sent: what the row holds is spent.
    pub(super) async fn left_over(&self, row: &Opened) -> Result<Option<Brought>, RefreshError> {
        let id = &row.connection.id;
        let reason = match self.store.read_spilled::<Record<Brought>>(id).await {
            Ok(None) => return Ok(None),
            Ok(Some(record)) if !record.spent.is_held_by(row) => {
                "the connection has other credentials since".to_owned()
            }
            Ok(Some(_)) if !may_live(row) => "the connection cannot be used any more".to_owned(),
            Ok(Some(record)) => return Ok(Some(record.brought)),
            Err(error) if error.is_of_a_row() => report(&error).to_string(),
            Err(error) => return Err(store_down(&error)),
        };
        self.set_aside(id, &reason).await.map(|()| None).map_err(|error| store_down(&error))
    }

    /// Stores what earlier processes could not store, each by a flight of its own.
    pub(super) async fn recover_spilled(self: &Arc<Self>) {
        for (id, path) in self.store.spilled() {
            let path = path.display();
            match self.store.open_secrets(&id).await {
                Ok(Some(row)) => self.take_up(row).await,
                Ok(None) => {
                    tracing::error!(%path, "spilled tokens are of no connection of this store; they stay there");
                }
                Err(error) => {
                    tracing::error!(%path, error = %report(&error), "spilled tokens cannot be stored yet");
                }
            }
        }
    }

    async fn take_up(self: &Arc<Self>, row: Opened) {
        let connection = row.connection.id.as_str();
        let row = match self.left_over(&row).await {
            Ok(Some(_)) => self.without_doubt(&row).await,
            Ok(None) => return,
            Err(error) => Err(error),
        };
        match row {
            Ok(row) => drop(self.join(&row, Cause::Expiry)),
            Err(error) => tracing::error!(connection, %error, "spilled tokens cannot be stored yet"),
        }
    }

    /// Where it was not known what had become of the token, because the file was not there to say so, it is known now.
    async fn without_doubt(&self, row: &Opened) -> Result<Opened, RefreshError> {
        if row.connection.health == Health::Ready {
            return Ok(row.clone());
        }
        let ready = |connection: &mut Connection| connection.health = Health::Ready;
        match self.store.update(&row.connection, ready).await {
            Ok(Replaced::Stored(now) | Replaced::Overtaken(now)) => Ok(now),
            Err(error) => Err(store_down(&error)),
        }
    }

    /// Keeps a file that is of no use, under another name.
    async fn set_aside(&self, id: &ConnectionId, reason: &str) -> Result<(), StoreError> {
        let path = self.store.set_spilled_aside(id).await?;
        self.telemetry.metrics.spills.set_aside.inc();
        let (connection, path) = (id.as_str(), path.display());
        tracing::error!(connection, %path, reason, "spilled tokens are not used, and the file was set aside");
        Ok(())
    }
}

/// Whether new tokens are of use to the connection.
fn may_live(row: &Opened) -> bool {
    let Opened { connection, .. } = row;
    let usable = connection.health == Health::Ready || connection.health.is_outcome_unknown();
    usable && connection.archived_at.is_none()
}
