//! Rows under an older sealing key, found and sealed anew under the first, a few at a time.
//! Never changes what is sealed, nor its version; a row that is done says so itself, so that nothing needs to be
//! remembered between two attempts.

use std::ops::Bound;

use ::redb::ReadTransaction;

use super::error::StoreError;
use super::keys::{self, KeyUse};
use super::redb::Store;
use super::row::RowId;
use super::sealed::{open_connection, open_customer, seal_connection, seal_customer};
use super::tables::{CUSTOMERS, SECRETS, Tables};
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
            let spilled = store.spilled_keys();
            store.file.read(|transaction| keys::used(transaction, &spilled))
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
        // Nothing of the first is sealed; the second is over within minutes, and no key is kept for it; the last is no row
        // of the file.
        RowId::Request | RowId::Consent | RowId::Spilled(_) => return Ok(false),
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
    let mut rows = Vec::new();
    let is_outdated = |sealed: &[u8]| key_id(sealed) != Some(sealing);
    if !matches!(after, Some(RowId::Customer(_))) {
        let start = match after {
            Some(RowId::Connection(id)) => Bound::Excluded(id.as_str()),
            _ => Bound::Unbounded,
        };
        let secrets = transaction.open_table(SECRETS)?;
        for row in secrets.range::<&str>((start, Bound::Unbounded))? {
            let (id, sealed) = row?;
            if rows.len() == limit {
                return Ok(rows);
            }
            if is_outdated(sealed.value()) {
                rows.push(RowId::Connection(ConnectionId::from(id.value())));
            }
        }
    }
    let start = match after {
        Some(RowId::Customer(owner)) => Bound::Excluded((owner.workspace.as_str(), owner.customer.as_str())),
        _ => Bound::Unbounded,
    };
    let customers = transaction.open_table(CUSTOMERS)?;
    for row in customers.range::<(&str, &str)>((start, Bound::Unbounded))? {
        let (owner, parts) = row?;
        if rows.len() == limit {
            break;
        }
        if is_outdated(parts.value().1) {
            let (workspace, customer) = owner.value();
            rows.push(RowId::Customer(Owner { workspace: workspace.into(), customer: customer.into() }));
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests;
