//! Rows under an older sealing key, found and sealed anew under the first, a few at a time.
//! Never changes what is sealed, nor its version; a row that is done says so itself, so that nothing needs to be
//! remembered between two attempts.

use std::ops::Bound;

use ::redb::ReadTransaction;

use super::error::StoreError;
use super::keys::{self, KeyUse};
use super::redb::Store;
use super::row::RowId;
use super::sealed::{
    open_connection, open_consent, open_customer, seal_connection, seal_consent, seal_customer,
};
use super::tables::{CONSENTS, CUSTOMERS, SECRETS, Tables};
use crate::names::{ConnectionId, Owner};
use crate::seal::{Keyring, key_id};

/// What became of some rows.
#[derive(Debug, Default)]
pub struct Resealed {
    /// How many are under the first key now and were not before.
    pub rows: u64,
    /// Why others are not; each error names its row.
    pub failures: Vec<StoreError>,
}

impl Store {
    /// How many rows are sealed with which key.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn key_use(&self) -> Result<KeyUse, StoreError> {
        self.read_aside(|store| {
            let mut used = store.file.read(keys::used)?;
            used.add_spilled(&store.spilled_keys());
            Ok(used)
        })
        .await
    }

    /// The next rows, behind `after`, that are not sealed with the first key; at most `limit`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn outdated(&self, after: Option<RowId>, limit: usize) -> Result<Vec<RowId>, StoreError> {
        let ring = self.keyring();
        self.read_aside(move |store| {
            store.file.read(|transaction| outdated(transaction, ring.sealing(), after.as_ref(), limit))
        })
        .await
    }

    /// Seals these rows anew with the first key, in one transaction. Whoever reads them meanwhile sees them as before;
    /// whoever writes waits for no more than these.
    ///
    /// # Errors
    /// They could not be stored; none of them is changed then. Rows that do not open are among the failures instead.
    pub async fn reseal(&self, rows: Vec<RowId>) -> Result<Resealed, StoreError> {
        self.write(move |ring, tables| {
            let mut resealed = Resealed::default();
            for row in rows {
                match reseal(ring, tables, &row) {
                    Ok(is_new) => resealed.rows += u64::from(is_new),
                    Err(error) if error.leaves_a_part() => return Err(error),
                    Err(error) => resealed.failures.push(error),
                }
            }
            Ok(resealed)
        })
        .await
    }
}

/// Whether the row was under another key.
fn reseal(ring: &Keyring, tables: &mut Tables<'_>, row: &RowId) -> Result<bool, StoreError> {
    let incomplete = || StoreError::Incomplete { row: row.clone() };
    match row {
        RowId::Connection(id) => {
            let Some(sealed) = tables.secrets(id)? else { return Ok(false) };
            if key_id(&sealed) == Some(ring.sealing()) {
                return Ok(false);
            }
            let connection = tables.connection(id)?.ok_or_else(incomplete)?;
            let secrets = open_connection(ring, &connection, &sealed)?;
            tables.put_secrets(id, &seal_connection(ring, &connection, &secrets)?)?;
        }
        RowId::Consent(born, digest) => {
            let key = (*born, digest.as_slice());
            let Some(sealed) = tables.consent(key)? else { return Ok(false) };
            if key_id(&sealed) == Some(ring.sealing()) {
                return Ok(false);
            }
            let consent = open_consent(ring, key, &sealed)?;
            tables.put_consent(key, &seal_consent(ring, digest, &consent)?)?;
        }
        // Nothing of the one is sealed; the other is no row of the file.
        RowId::Request | RowId::Spilled(_) => return Ok(false),
        RowId::Customer(owner) => {
            let Some(known) = tables.customer(owner)? else { return Ok(false) };
            if key_id(&known.sealed) == Some(ring.sealing()) {
                return Ok(false);
            }
            let customer = open_customer(ring, owner, &known)?;
            tables.put_customer(owner, &seal_customer(ring, &customer)?)?;
        }
    }
    Ok(true)
}

fn outdated(
    transaction: &ReadTransaction,
    sealing: &str,
    after: Option<&RowId>,
    limit: usize,
) -> Result<Vec<RowId>, StoreError> {
    let mut found = Found { sealing, limit, rows: Vec::new() };
    let behind = match after {
        None => Some(Bound::Unbounded),
        Some(RowId::Connection(id)) => Some(Bound::Excluded(id.as_str())),
        Some(_) => None,
    };
    if let Some(start) = behind {
        for row in transaction.open_table(SECRETS)?.range::<&str>((start, Bound::Unbounded))? {
            if found.is_full() {
                return Ok(found.rows);
            }
            let (id, sealed) = row?;
            found.look(sealed.value(), || RowId::Connection(ConnectionId::from(id.value())));
        }
    }
    let behind = match after {
        None | Some(RowId::Connection(_)) => Some(Bound::Unbounded),
        Some(RowId::Customer(owner)) => {
            Some(Bound::Excluded((owner.workspace.as_str(), owner.customer.as_str())))
        }
        Some(_) => None,
    };
    if let Some(start) = behind {
        for row in transaction.open_table(CUSTOMERS)?.range::<(&str, &str)>((start, Bound::Unbounded))? {
            if found.is_full() {
                return Ok(found.rows);
            }
            let (owner, parts) = row?;
            let (workspace, customer) = owner.value();
            let owner = || Owner { workspace: workspace.into(), customer: customer.into() };
            found.look(parts.value().1, || RowId::Customer(owner()));
        }
    }
    let start = match after {
        Some(RowId::Consent(born, digest)) => Bound::Excluded((*born, digest.as_slice())),
        _ => Bound::Unbounded,
    };
    for row in transaction.open_table(CONSENTS)?.range::<(u64, &[u8])>((start, Bound::Unbounded))? {
        if found.is_full() {
            return Ok(found.rows);
        }
        let (key, sealed) = row?;
        let (born, digest) = key.value();
        found.look(sealed.value(), || RowId::Consent(born, digest.to_vec()));
    }
    Ok(found.rows)
}

/// Rows that are not under the first key, in the order of their ids.
struct Found<'a> {
    sealing: &'a str,
    limit: usize,
    rows: Vec<RowId>,
}

impl Found<'_> {
    fn is_full(&self) -> bool {
        self.rows.len() >= self.limit
    }

    fn look(&mut self, sealed: &[u8], row: impl FnOnce() -> RowId) {
        if key_id(sealed) != Some(self.sealing) {
            self.rows.push(row());
        }
    }
}

#[cfg(test)]
mod tests;
