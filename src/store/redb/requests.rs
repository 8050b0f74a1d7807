//! Requests to connect something that a server made for a customer, until it is done or too late.
//! Never keeps a request's name: whoever reads the file cannot connect anything in a customer's place.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, tables};
use crate::clock::Timestamp;
use crate::names::{ConnectionId, IntegrationKey, Owner};
use crate::store::row::{RowId, read};
use crate::store::tables::Tables;

/// How long a customer has.
pub const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A request to connect something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The connection that came of it.
    pub result: Option<ConnectionId>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Store {
    /// Keeps a request under its name, in place of an earlier state, and forgets those that are too old.
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
