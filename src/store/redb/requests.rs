//! Requests to connect something that a server made for a customer, until it is done or too late.
//! Never keeps a request's name: whoever reads the file cannot connect anything in a customer's place.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, tables};
use crate::clock::Timestamp;
use crate::formula::Value;
use crate::names::{ConnectionId, IntegrationKey, Owner};
use crate::steps::Steps;
use crate::store::row::{RowId, read};
use crate::store::tables::Tables;

/// How long a customer has.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// This connection. It is the last word: nothing takes its place.
    Success(ConnectionId),
    /// Whoever followed it did not want to.
    Cancelled,
    /// It did not work, for the reason in the vendor's error data.
    Error(Value),
}

/// A request to connect something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRequest {
    /// Who is to connect.
    pub owner: Owner,
    /// What.
    pub integration: IntegrationKey,
    /// The connection that is to be connected again.
    pub connection: Option<ConnectionId>,
    /// The name of a new connection.
    pub name: Option<String>,
    /// Whether it is to stand beside others.
    pub several: bool,
    /// Where the browser goes afterwards.
    pub redirect_uri: Option<String>,
    /// What came of it so far.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// What was done for it when it was followed last.
    #[serde(default)]
    pub steps: Steps,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Store {
    /// Keeps a new request under its name, and forgets those that are too old.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn put_request(&self, name: &str, request: &ConnectionRequest) -> Result<(), StoreError> {
        let key = (request.created_at.as_millis(), digest_of(name));
        let row = serde_json::to_vec(request).map_err(StoreError::encode)?;
        let oldest = self.0.clock.now().minus(LIFETIME).as_millis();
        let work = move |tables: &mut Tables<'_>| tables.put_request((key.0, &key.1), &row, oldest);
        self.0.writer.write(work).await
    }

    /// Notes what came of the request of this name that was made at this time, if it is there and had no success yet.
    ///
    /// # Errors
    /// The row cannot be read, or not be stored.
    pub async fn conclude_request(
        &self,
        name: &str,
        created_at: Timestamp,
        outcome: Outcome,
        steps: Steps,
    ) -> Result<(), StoreError> {
        let key = (created_at.as_millis(), digest_of(name));
        let work = move |tables: &mut Tables<'_>| {
            let Some(row) = tables.request((key.0, &key.1))? else { return Ok(()) };
            let request: ConnectionRequest = read(&row, || RowId::Request)?;
            if matches!(request.outcome, Some(Outcome::Success(_))) {
                return Ok(());
            }
            let request = ConnectionRequest { outcome: Some(outcome), steps, ..request };
            let row = serde_json::to_vec(&request).map_err(StoreError::encode)?;
            tables.put_request((key.0, &key.1), &row, 0)
        };
        self.0.writer.write(work).await
    }

    /// The request of this name that was made at this time, if it is not too old.
    ///
    /// # Errors
    /// The file or the row cannot be read.
    pub async fn request(
        &self,
        name: &str,
        created_at: Timestamp,
    ) -> Result<Option<ConnectionRequest>, StoreError> {
        if self.0.clock.now().since(created_at) >= LIFETIME {
            return Ok(None);
        }
        let key = (created_at.as_millis(), digest_of(name));
        self.read_aside(move |store| {
            let row = store.file.read(|transaction| tables::request(transaction, (key.0, &key.1)))?;
            row.map(|row| read(&row, || RowId::Request)).transpose()
        })
        .await
    }
}

fn digest_of(name: &str) -> Vec<u8> {
    digest(&SHA256, name.as_bytes()).as_ref().to_vec()
}
