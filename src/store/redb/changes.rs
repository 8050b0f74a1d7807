//! Changes of stored connections: each says what it saw, and is made only if that is still what is stored.
//! Never knows why a connection changes.

use std::sync::Arc;

use super::{Replaced, Store, StoreError, blanked, refuse_taken_key};
use crate::names::ConnectionId;
use crate::seal::Keyring;
use crate::secret::Secret;
use crate::store::lease::{Lease, Row};
use crate::store::row::RowId;
use crate::store::sealed::{connection_context, open_connection, seal_connection};
use crate::store::tables::Tables;
use crate::store::{Connection, Opened, Secrets};

impl Store {
    /// Writes new secrets as the version after `seen`'s, and the open part as `change` makes it of what is stored, if
    /// `seen`'s version is what is stored and not archived.
    ///
    /// # Errors
    /// There is no such connection, its new key is taken, or it could not be stored.
    pub async fn replace(
        &self,
        seen: &Connection,
        secrets: Secret<Secrets>,
        change: impl FnOnce(&mut Connection) + Send + 'static,
    ) -> Result<Replaced, StoreError> {
        self.replace_if(seen, secrets, change, None).await
    }

    /// Replaces, and if it is under a lease, only while that is held; it ends then.
    pub(super) async fn replace_if(
        &self,
        seen: &Connection,
        secrets: Secret<Secrets>,
        change: impl FnOnce(&mut Connection) + Send + 'static,
        lease: Option<Lease>,
    ) -> Result<Replaced, StoreError> {
        let before = self.generation();
        match self.swap(seen, Some(secrets), change, lease).await? {
            Some((connection, Some(secrets))) => {
                Ok(Replaced::Stored(self.keep_open(connection, Arc::new(secrets), before)))
            }
            Some((connection, None)) => self.current(&connection.id).await.map(Replaced::Stored),
            None => self.current(&seen.id).await.map(Replaced::Overtaken),
        }
    }

    /// Changes the open part only (name, health, …), from what is stored, if that is `seen`'s version; the version stays.
    /// A connection that is archived by it loses its secrets, and for that the version rises.
    ///
    /// # Errors
    /// There is no such connection, its new key is taken, or it could not be stored.
    pub async fn update(
        &self,
        seen: &Connection,
        change: impl FnOnce(&mut Connection) + Send + 'static,
    ) -> Result<Replaced, StoreError> {
        match self.swap(seen, None, change, None).await? {
            Some(_) => self.current(&seen.id).await.map(Replaced::Stored),
            None => self.current(&seen.id).await.map(Replaced::Overtaken),
        }
    }

    /// Changes the stored row, and its secrets if they are given, if it has `seen`'s version and is not archived; nothing
    /// if it is overtaken. Two changes of the open part do not undo each other: each starts from what is stored.
    async fn swap(
        &self,
        seen: &Connection,
        secrets: Option<Secret<Secrets>>,
        change: impl FnOnce(&mut Connection) + Send + 'static,
        lease: Option<Lease>,
    ) -> Result<Option<(Connection, Option<Secret<Secrets>>)>, StoreError> {
        let (id, version, now) = (seen.id.clone(), seen.version, self.0.clock.now());
        let work = move |ring: &Keyring, tables: &mut Tables<'_>| {
            if let Some(lease) = &lease
                && !tables.lease(&id)?.is_under(lease)
            {
                return Err(StoreError::LeaseLost { id });
            }
            let stored =
                tables.connection(&id)?.ok_or_else(|| StoreError::NoConnection { id: id.clone() })?;
            if stored.version != version || stored.archived_at.is_some() {
                return Ok(None);
            }
            let mut changed = stored.clone();
            change(&mut changed);
            if changed.key != stored.key {
                refuse_taken_key(&changed, &tables.live_of(&changed.owner)?)?;
            }
            let version = if secrets.is_some() { version.next() } else { version };
            changed = Connection { version, updated_at: now, ..changed };
            if changed.archived_at.is_some() {
                let (blank, nothing) = blanked(ring, changed)?;
                tables.put(&blank, Some(&nothing))?;
                return Ok(Some((blank, None)));
            }
            let sealed = match &secrets {
                Some(secrets) => Some(seal_connection(ring, &changed, secrets)?),
                None => moved(ring, tables, &stored, &changed)?,
            };
            tables.put(&changed, sealed.as_deref())?;
            if lease.is_some() {
                tables.put_lease(&id, &Row::default())?;
            }
            Ok(Some((changed, secrets)))
        };
        self.write(work).await
    }

    async fn current(&self, id: &ConnectionId) -> Result<Opened, StoreError> {
        self.open_secrets(id).await?.ok_or_else(|| StoreError::NoConnection { id: id.clone() })
    }
}

/// The secrets of `stored`, sealed for what it is changed into; none where they are bound to both alike.
fn moved(
    ring: &Keyring,
    tables: &Tables<'_>,
    stored: &Connection,
    changed: &Connection,
) -> Result<Option<Vec<u8>>, StoreError> {
    if connection_context(stored) == connection_context(changed) {
        return Ok(None);
    }
    let incomplete = || StoreError::Incomplete { row: RowId::Connection(stored.id.clone()) };
    let sealed = tables.secrets(&stored.id)?.ok_or_else(incomplete)?;
    seal_connection(ring, changed, &open_connection(ring, stored, &sealed)?).map(Some)
}
