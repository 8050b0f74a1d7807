//! The table of leases and of the journal of spends, and the counter of fences.
//! Never knows what a row of it means.

use ::redb::{ReadTransaction, ReadableTable as _, TableDefinition};

use super::Tables;
use crate::names::ConnectionId;
use crate::store::error::StoreError;
use crate::store::lease::Row;
use crate::store::row::{RowId, read};

/// Id to who may exchange for the connection and what that spends, as JSON.
pub(super) const LEASES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("leases");

const FENCE_ROW: &str = "fence";

impl Tables<'_> {
    /// The lease of a connection, and the journal of what it spends.
    pub(in crate::store) fn lease(&self, id: &ConnectionId) -> Result<Row, StoreError> {
        let row = self.leases.get(id.as_str())?;
        row.map_or_else(|| Ok(Row::default()), |row| lease_row(row.value(), id.as_str()))
    }

    /// Writes the row, or removes it if it is blank.
    pub(in crate::store) fn put_lease(&mut self, id: &ConnectionId, row: &Row) -> Result<(), StoreError> {
        if row.is_blank() {
            self.leases.remove(id.as_str())?;
        } else {
            let row = serde_json::to_vec(row).map_err(StoreError::encode)?;
            self.leases.insert(id.as_str(), row.as_slice())?;
        }
        Ok(())
    }

    /// A fence above all before it.
    pub(in crate::store) fn next_fence(&mut self) -> Result<u64, StoreError> {
        let last =
            self.meta.get(FENCE_ROW)?.and_then(|row| row.value().try_into().ok().map(u64::from_be_bytes));
        let next = last.unwrap_or(0) + 1;
        self.meta.insert(FENCE_ROW, next.to_be_bytes().as_slice())?;
        Ok(next)
    }

    /// Ends the leases of a process that is no more: this one holds the file. What they spent stays in the journal.
    pub(super) fn end_leases(&mut self) -> Result<(), StoreError> {
        let ids = self.leases.iter()?.map(|row| Ok(ConnectionId::from(row?.0.value())));
        for id in ids.collect::<Result<Vec<_>, StoreError>>()? {
            let mut row = self.lease(&id)?;
            row.release();
            self.put_lease(&id, &row)?;
        }
        Ok(())
    }
}

fn lease_row(json: &[u8], id: &str) -> Result<Row, StoreError> {
    read(json, || RowId::Connection(id.into()))
}

/// A connection's lease and journal.
pub(in crate::store) fn lease(transaction: &ReadTransaction, id: &ConnectionId) -> Result<Row, StoreError> {
    let row = transaction.open_table(LEASES)?.get(id.as_str())?;
    row.map_or_else(|| Ok(Row::default()), |row| lease_row(row.value(), id.as_str()))
}

/// The connections with an open spend.
pub(in crate::store) fn open_spends(transaction: &ReadTransaction) -> Result<Vec<ConnectionId>, StoreError> {
    let mut ids = Vec::new();
    for row in transaction.open_table(LEASES)?.iter()? {
        let (id, row) = row?;
        if lease_row(row.value(), id.value())?.has_spend() {
            ids.push(id.value().into());
        }
    }
    Ok(ids)
}
