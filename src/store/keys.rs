//! Which sealing keys a store needs: a fingerprint of each that was ever used, and how many rows are under it.
//! Never opens a row.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use ::redb::{ReadTransaction, ReadableTable, Table, WriteTransaction};

use super::error::StoreError;
use super::tables::{CONSENTS, CUSTOMERS, CustomerKey, CustomerParts, META, RequestKey, SECRETS, Tables};
use crate::clock::Timestamp;
use crate::seal::{Keyring, SealError, key_id};

/// In front of the ids of keys in the table `meta`.
const KEY_ROWS: &str = "key:";

/// How many rows are sealed with one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Connections, archived ones too, and those whose new tokens are in the folder of what the store did not take.
    pub connections: u64,
    /// Customers.
    pub customers: u64,
    /// Consents under way.
    pub consents: u64,
}

impl Rows {
    /// All of them.
    #[must_use]
    pub fn total(self) -> u64 {
        self.connections + self.customers + self.consents
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, customers, consents } = self;
        let plural = |count: &u64| if *count == 1 { "" } else { "s" };
        write!(f, "{connections} connection{}", plural(connections))?;
        write!(f, " and {customers} customer{}", plural(customers))?;
        match consents {
            0 => Ok(()),
            _ => write!(f, " and {consents} consent{} under way", plural(consents)),
        }
    }
}

/// The rows of a store by the id of the key that they are sealed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyUse(pub BTreeMap<String, Rows>);

impl KeyUse {
    /// With the keys of what the store did not take, one for each connection.
    pub(super) fn add_spilled(&mut self, keys: &[String]) {
        for key in keys {
            self.0.entry(key.clone()).or_default().connections += 1;
        }
    }
}

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (key, rows)) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            write!(f, "{rows} are sealed with the key `{key}`")?;
        }
        Ok(())
    }
}

/// Finds that the ring is good for what is stored at `now`, and for what the store did not take and is sealed with the keys
/// `spilled`; and notes the keys of it that are new here.
pub(super) fn admit(
    transaction: &WriteTransaction,
    path: &Path,
    keyring: &Keyring,
    now: Timestamp,
    spilled: &[String],
) -> Result<(), StoreError> {
    // No key is kept for what nobody can finish any more.
    Tables::open(transaction)?.forget_consents(now)?;
    let mut meta = transaction.open_table(META)?;
    let known = known_keys(&meta, keyring, path)?;
    let mut missing = KeyUse::default();
    if known.iter().any(|id| !keyring.holds(id)) {
        missing = counted(
            &transaction.open_table(SECRETS)?,
            &transaction.open_table(CUSTOMERS)?,
            &transaction.open_table(CONSENTS)?,
        )?;
        missing.add_spilled(spilled);
        // What names a key that was never here is a damaged row, and no reason to turn all others away.
        missing.0.retain(|id, _| !keyring.holds(id) && known.contains(id));
    }
    if !missing.0.is_empty() {
        return Err(StoreError::MissingKeys { missing, path: path.to_owned() });
    }
    if let Some(stored) = known.first().filter(|_| !known.iter().any(|id| keyring.holds(id))) {
        let source = SealError::UnknownKey { id: stored.clone() };
        return Err(StoreError::WrongKey {
            key: keyring.sealing().to_owned(),
            path: path.to_owned(),
            source,
        });
    }
    for id in keyring.ids().filter(|id| !known.iter().any(|known| known == id)) {
        let fingerprint = keyring.fingerprint(id).map_err(StoreError::Seal)?;
        meta.insert(format!("{KEY_ROWS}{id}").as_str(), fingerprint.as_slice())?;
    }
    Ok(())
}

/// How many rows are sealed with which key.
pub(super) fn used(transaction: &ReadTransaction) -> Result<KeyUse, StoreError> {
    counted(
        &transaction.open_table(SECRETS)?,
        &transaction.open_table(CUSTOMERS)?,
        &transaction.open_table(CONSENTS)?,
    )
}

/// The ids of all keys that were ever used here. None of the ring may have the id of another one.
fn known_keys(
    meta: &Table<'_, &'static str, &'static [u8]>,
    keyring: &Keyring,
    path: &Path,
) -> Result<Vec<String>, StoreError> {
    let mut known = Vec::new();
    for row in meta.iter()? {
        let (name, fingerprint) = row?;
        let Some(id) = name.value().strip_prefix(KEY_ROWS) else { continue };
        match keyring.recognise(fingerprint.value()) {
            Ok(()) | Err(SealError::UnknownKey { .. }) => known.push(id.to_owned()),
            Err(source) => {
                return Err(StoreError::WrongKey { key: id.to_owned(), path: path.to_owned(), source });
            }
        }
    }
    Ok(known)
}

fn counted(
    secrets: &impl ReadableTable<&'static str, &'static [u8]>,
    customers: &impl ReadableTable<CustomerKey, CustomerParts>,
    consents: &impl ReadableTable<RequestKey, &'static [u8]>,
) -> Result<KeyUse, StoreError> {
    let mut rows = KeyUse::default();
    let mut count = |sealed: &[u8], place: fn(&mut Rows) -> &mut u64| {
        let Some(id) = key_id(sealed) else { return };
        if !rows.0.contains_key(id) {
            rows.0.insert(id.to_owned(), Rows::default());
        }
        if let Some(rows) = rows.0.get_mut(id) {
            *place(rows) += 1;
        }
    };
    for row in secrets.iter()? {
        count(row?.1.value(), |rows| &mut rows.connections);
    }
    for row in customers.iter()? {
        count(row?.1.value().1, |rows| &mut rows.customers);
    }
    for row in consents.iter()? {
        count(row?.1.value(), |rows| &mut rows.consents);
    }
    Ok(rows)
}
