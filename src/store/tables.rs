//! The tables of the file, and the few ways in which rows are read and written.
//! Never opens a seal.

mod leases;

use std::ops::Bound;
use std::path::Path;

use ::redb::{
    ReadTransaction, ReadableTable as _, Table, TableDefinition, TableHandle as _, WriteTransaction,
};

use super::error::StoreError;
use super::record::Connection;
use super::redb::CONSENT_LIFETIME;
use super::row::{CustomerRow, RowId, read};
use crate::clock::Timestamp;
use crate::names::{ConnectionId, Owner, WorkspaceKey};

pub(super) use leases::{lease, open_spends};

/// The format of the tables and of what is in them.
const FORMAT: &str = "2";

/// Id to the open part, as JSON.
const CONNECTIONS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("connections");
/// Id to the sealed secrets of the version in the open part.
pub(super) const SECRETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("secrets");
/// Workspace, customer, time of creation, id.
const BY_OWNER: Index = TableDefinition::new("connections by owner");
/// Workspace, nothing, time of creation, id.
const BY_WORKSPACE: Index = TableDefinition::new("connections by workspace");
/// Workspace and customer to the open part, as JSON, and the sealed part.
pub(super) const CUSTOMERS: TableDefinition<'_, CustomerKey, CustomerParts> =
    TableDefinition::new("customers");
/// Time of birth and digest of its name to a request to connect, as JSON.
const REQUESTS: TableDefinition<'_, RequestKey, &[u8]> = TableDefinition::new("requests to connect");
/// Time of birth and digest of its name to a sealed consent under way.
pub(super) const CONSENTS: TableDefinition<'_, RequestKey, &[u8]> = TableDefinition::new("consents");
/// `format`, the last `fence`, and a fingerprint of each sealing key that was ever used, under `key:` and its id.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

const FORMAT_ROW: &str = "format";

pub(super) type RequestKey = (u64, &'static [u8]);
pub(super) type CustomerKey = (&'static str, &'static str);
pub(super) type CustomerParts = (&'static [u8], &'static [u8]);
type IndexKey = (&'static str, &'static str, u64, &'static str);
type Index = TableDefinition<'static, IndexKey, ()>;

/// Makes the tables of a new file, or finds that an old one is ours.
pub(super) fn prepare(transaction: &WriteTransaction, path: &Path) -> Result<(), StoreError> {
    let path = || path.to_owned();
    let names: Vec<_> = transaction.list_tables()?.map(|table| table.name().to_owned()).collect();
    if !names.is_empty() && !names.iter().any(|name| name == META.name()) {
        return Err(StoreError::NotAStore { path: path() });
    }
    let mut meta = transaction.open_table(META)?;
    let format = meta.get(FORMAT_ROW)?.map(|found| String::from_utf8_lossy(found.value()).into_owned());
    match format {
        None if names.is_empty() => drop(meta.insert(FORMAT_ROW, FORMAT.as_bytes())?),
        None => return Err(StoreError::NotAStore { path: path() }),
        Some(found) if found != FORMAT => {
            return Err(StoreError::OtherFormat { path: path(), found, known: FORMAT });
        }
        Some(_) => {}
    }
    drop(meta);
    Tables::open(transaction)?.end_leases()
}

/// All tables of one write transaction.
pub(super) struct Tables<'t> {
    connections: Table<'t, &'static str, &'static [u8]>,
    secrets: Table<'t, &'static str, &'static [u8]>,
    by_owner: Table<'t, IndexKey, ()>,
    by_workspace: Table<'t, IndexKey, ()>,
    customers: Table<'t, CustomerKey, CustomerParts>,
    requests: Table<'t, RequestKey, &'static [u8]>,
    leases: Table<'t, &'static str, &'static [u8]>,
    meta: Table<'t, &'static str, &'static [u8]>,
    consents: Table<'t, RequestKey, &'static [u8]>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            connections: transaction.open_table(CONNECTIONS)?,
            secrets: transaction.open_table(SECRETS)?,
            by_owner: transaction.open_table(BY_OWNER)?,
            by_workspace: transaction.open_table(BY_WORKSPACE)?,
            customers: transaction.open_table(CUSTOMERS)?,
            requests: transaction.open_table(REQUESTS)?,
            leases: transaction.open_table(leases::LEASES)?,
            meta: transaction.open_table(META)?,
            consents: transaction.open_table(CONSENTS)?,
        })
    }

    pub(super) fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        let row = self.connections.get(id.as_str())?;
        row.map(|row| in_its_place(row.value(), id.as_str())).transpose()
    }

    /// A connection's sealed secrets.
    pub(super) fn secrets(&self, id: &ConnectionId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.secrets.get(id.as_str())?.map(|sealed| sealed.value().to_vec()))
    }

    /// Writes a connection's sealed secrets; its open part stays.
    pub(super) fn put_secrets(&mut self, id: &ConnectionId, sealed: &[u8]) -> Result<(), StoreError> {
        self.secrets.insert(id.as_str(), sealed)?;
        Ok(())
    }

    /// An owner's connections that are not archived.
    pub(super) fn live_of(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        let mut found = Vec::new();
        for key in self.by_owner.range(scope(owner.workspace.as_str(), owner.customer.as_str(), None))? {
            let id = ConnectionId::from(key?.0.value().3);
            found.extend(self.connection(&id)?.filter(|one| one.archived_at.is_none()));
        }
        Ok(found)
    }

    /// Writes a row, its secrets if they are given, and its place in the indexes.
    pub(super) fn put(&mut self, connection: &Connection, sealed: Option<&[u8]>) -> Result<(), StoreError> {
        let row = serde_json::to_vec(connection).map_err(StoreError::encode)?;
        let id = connection.id.as_str();
        let (workspace, customer) = (connection.owner.workspace.as_str(), connection.owner.customer.as_str());
        let created = connection.created_at.as_millis();
        self.connections.insert(id, row.as_slice())?;
        self.by_owner.insert((workspace, customer, created, id), ())?;
        self.by_workspace.insert((workspace, "", created, id), ())?;
        if let Some(sealed) = sealed {
            self.secrets.insert(id, sealed)?;
        }
        Ok(())
    }

    /// Writes a request to connect, and removes those that were born before `oldest`.
    pub(super) fn put_request(
        &mut self,
        key: (u64, &[u8]),
        row: &[u8],
        oldest: u64,
    ) -> Result<(), StoreError> {
        self.requests.retain_in::<(u64, &[u8]), _>(..(oldest, &[][..]), |_, _| false)?;
        self.requests.insert(key, row)?;
        Ok(())
    }

    /// A request to connect.
    pub(super) fn request(&self, key: (u64, &[u8])) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.requests.get(key)?.map(|row| row.value().to_vec()))
    }

    /// Writes a sealed consent.
    pub(super) fn put_consent(&mut self, key: (u64, &[u8]), sealed: &[u8]) -> Result<(), StoreError> {
        self.consents.insert(key, sealed)?;
        Ok(())
    }

    /// Removes a sealed consent, and gives it out.
    pub(super) fn take_consent(&mut self, key: (u64, &[u8])) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.consents.remove(key)?.map(|sealed| sealed.value().to_vec()))
    }

    /// A sealed consent.
    pub(super) fn consent(&self, key: (u64, &[u8])) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.consents.get(key)?.map(|sealed| sealed.value().to_vec()))
    }

    /// Removes the consents that are too old at `now`.
    pub(super) fn forget_consents(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let oldest = now.minus(CONSENT_LIFETIME).as_millis();
        self.consents.retain_in::<(u64, &[u8]), _>(..(oldest, &[][..]), |_, _| false)?;
        Ok(())
    }

    pub(super) fn customer(&self, owner: &Owner) -> Result<Option<CustomerRow>, StoreError> {
        let row = self.customers.get((owner.workspace.as_str(), owner.customer.as_str()))?;
        Ok(row.map(|row| CustomerRow::of(row.value())))
    }

    /// Whether there was one.
    pub(super) fn remove_customer(&mut self, owner: &Owner) -> Result<bool, StoreError> {
        Ok(self.customers.remove((owner.workspace.as_str(), owner.customer.as_str()))?.is_some())
    }

    pub(super) fn put_customer(&mut self, owner: &Owner, row: &CustomerRow) -> Result<(), StoreError> {
        self.customers.insert(
            (owner.workspace.as_str(), owner.customer.as_str()),
            (row.open.as_slice(), row.sealed.as_slice()),
        )?;
        Ok(())
    }
}

/// A connection's open part.
pub(super) fn connection(
    transaction: &ReadTransaction,
    id: &ConnectionId,
) -> Result<Option<Connection>, StoreError> {
    let row = transaction.open_table(CONNECTIONS)?.get(id.as_str())?;
    row.map(|row| in_its_place(row.value(), id.as_str())).transpose()
}

/// Reads the open part of the connection `id`, which must say that it is that one.
fn in_its_place(json: &[u8], id: &str) -> Result<Connection, StoreError> {
    let row = || RowId::Connection(id.into());
    let connection: Connection = read(json, row)?;
    if connection.id.as_str() == id { Ok(connection) } else { Err(StoreError::Misplaced { row: row() }) }
}

/// A connection's sealed secrets.
pub(super) fn secrets(
    transaction: &ReadTransaction,
    id: &ConnectionId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let sealed = transaction.open_table(SECRETS)?.get(id.as_str())?;
    Ok(sealed.map(|sealed| sealed.value().to_vec()))
}

/// A customer's row and its sealed part.
pub(super) fn customer(
    transaction: &ReadTransaction,
    owner: &Owner,
) -> Result<Option<CustomerRow>, StoreError> {
    let row = transaction.open_table(CUSTOMERS)?.get((owner.workspace.as_str(), owner.customer.as_str()))?;
    Ok(row.map(|row| CustomerRow::of(row.value())))
}

/// A request to connect.
pub(super) fn request(
    transaction: &ReadTransaction,
    key: (u64, &[u8]),
) -> Result<Option<Vec<u8>>, StoreError> {
    let row = transaction.open_table(REQUESTS)?.get(key)?;
    Ok(row.map(|row| row.value().to_vec()))
}

/// Shows `take` the customers of a workspace in the order of their ids, from behind `after`, until it says to stop.
pub(super) fn walk_customers(
    transaction: &ReadTransaction,
    workspace: &WorkspaceKey,
    after: Option<&str>,
    mut take: impl FnMut(&str, CustomerRow) -> Result<std::ops::ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let customers = transaction.open_table(CUSTOMERS)?;
    let workspace = workspace.as_str();
    let start = after.map_or(Bound::Included((workspace, "")), |after| Bound::Excluded((workspace, after)));
    for row in customers.range::<(&str, &str)>((start, Bound::Unbounded))? {
        let (key, parts) = row?;
        let (owner, customer) = key.value();
        if owner != workspace || take(customer, CustomerRow::of(parts.value()))?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Whose connections are walked.
pub(super) enum Scope<'a> {
    Owner(&'a Owner),
    Workspace(&'a WorkspaceKey),
}

/// Shows `take` all connections in the order of their ids, from behind `after`, until it says to stop.
pub(super) fn walk_all(
    transaction: &ReadTransaction,
    after: Option<&str>,
    mut take: impl FnMut(Connection) -> std::ops::ControlFlow<()>,
) -> Result<(), StoreError> {
    let connections = transaction.open_table(CONNECTIONS)?;
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    for row in connections.range::<&str>((start, Bound::Unbounded))? {
        let (id, row) = row?;
        if take(in_its_place(row.value(), id.value())?).is_break() {
            break;
        }
    }
    Ok(())
}

/// Shows `take` the connections in order of creation, from behind the place `after`, until it says to stop.
pub(super) fn walk(
    transaction: &ReadTransaction,
    whose: &Scope<'_>,
    after: Option<(Timestamp, &str)>,
    mut take: impl FnMut(Connection) -> std::ops::ControlFlow<()>,
) -> Result<(), StoreError> {
    let (index, workspace, customer) = match whose {
        Scope::Owner(owner) => (BY_OWNER, owner.workspace.as_str(), owner.customer.as_str()),
        Scope::Workspace(workspace) => (BY_WORKSPACE, workspace.as_str(), ""),
    };
    let connections = transaction.open_table(CONNECTIONS)?;
    let index = transaction.open_table(index)?;
    for key in index.range(scope(workspace, customer, after))? {
        let key = key?.0;
        let id = key.value().3;
        let Some(row) = connections.get(id)? else { continue };
        if take(in_its_place(row.value(), id)?).is_break() {
            break;
        }
    }
    Ok(())
}

type Key<'a> = (&'a str, &'a str, u64, &'a str);
type Range<'a> = (Bound<Key<'a>>, Bound<Key<'a>>);

/// The part of an index that belongs to one owner or workspace, from behind `after`.
fn scope<'a>(workspace: &'a str, customer: &'a str, after: Option<(Timestamp, &'a str)>) -> Range<'a> {
    let start = match after {
        None => Bound::Included((workspace, customer, 0, "")),
        Some((created, id)) => Bound::Excluded((workspace, customer, created.as_millis(), id)),
    };
    (start, Bound::Excluded((workspace, customer, u64::MAX, "")))
}
