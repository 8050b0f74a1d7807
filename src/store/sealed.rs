//! The sealed form of rows: JSON in an envelope that is bound to where the row belongs.
//! Never reads or writes a table.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::error::StoreError;
use super::record::{Connection, Customer, Secrets};
use super::redb::Consent;
use super::row::{CustomerRow, RowId, read};
use crate::clock::Timestamp;
use crate::formula::Value;
use crate::names::{AppId, ConnectionId, Owner};
use crate::seal::Keyring;
use crate::secret::Secret;

/// Seals a connection's secrets for `connection` as it will stand.
pub(super) fn seal_connection(
    keyring: &Keyring,
    connection: &Connection,
    secrets: &Secret<Secrets>,
) -> Result<Vec<u8>, StoreError> {
    let plain = wiped_json(secrets.expose())?;
    keyring.seal(&plain, &connection_context(connection)).map_err(StoreError::Seal)
}

/// Opens what [`seal_connection`] made for `connection` as it stands.
pub(super) fn open_connection(
    keyring: &Keyring,
    connection: &Connection,
    sealed: &[u8],
) -> Result<Secret<Secrets>, StoreError> {
    let row = || RowId::Connection(connection.id.clone());
    let plain = keyring
        .open(sealed, &connection_context(connection))
        .map_err(|source| StoreError::Tampered { row: row(), source })?;
    read(&plain, row).map(Secret::new)
}

/// The open part of a customer's row.
#[derive(Serialize, Deserialize)]
struct OpenCustomer {
    id: String,
    name: Option<String>,
    created_at: Timestamp,
    last_active_at: Timestamp,
}

#[derive(Serialize)]
struct CustomerSecrets<'a> {
    fields: Option<&'a Value>,
    credentials: Option<&'a Value>,
}

#[derive(Deserialize)]
struct OpenedCustomerSecrets {
    fields: Option<Value>,
    credentials: Option<Value>,
}

/// A customer's row, its secrets sealed.
pub(super) fn seal_customer(keyring: &Keyring, customer: &Customer) -> Result<CustomerRow, StoreError> {
    let open = OpenCustomer {
        id: customer.id.clone(),
        name: customer.name.clone(),
        created_at: customer.created_at,
        last_active_at: customer.last_active_at,
    };
    let plain = wiped_json(&CustomerSecrets {
        fields: customer.fields.as_ref().map(Secret::expose),
        credentials: customer.credentials.as_ref().map(Secret::expose),
    })?;
    let sealed = keyring.seal(&plain, &customer_context(&customer.owner)).map_err(StoreError::Seal)?;
    Ok(CustomerRow { open: serde_json::to_vec(&open).map_err(StoreError::encode)?, sealed })
}

/// Opens what [`seal_customer`] made.
pub(super) fn open_customer(
    keyring: &Keyring,
    owner: &Owner,
    row: &CustomerRow,
) -> Result<Customer, StoreError> {
    let whose = || RowId::Customer(owner.clone());
    let open: OpenCustomer = read(&row.open, whose)?;
    let plain = keyring
        .open(&row.sealed, &customer_context(owner))
        .map_err(|source| StoreError::Tampered { row: whose(), source })?;
    let secrets: OpenedCustomerSecrets = read(&plain, whose)?;
    Ok(Customer {
        owner: owner.clone(),
        id: open.id,
        name: open.name,
        fields: secrets.fields.map(Secret::new),
        credentials: secrets.credentials.map(Secret::new),
        created_at: open.created_at,
        last_active_at: open.last_active_at,
    })
}

/// Seals a consent under the digest of its name.
pub(super) fn seal_consent(
    keyring: &Keyring,
    digest: &[u8],
    consent: &Consent,
) -> Result<Vec<u8>, StoreError> {
    keyring.seal(&wiped_json(consent)?, &consent_context(digest)).map_err(StoreError::Seal)
}

/// Opens what [`seal_consent`] made.
pub(super) fn open_consent(
    keyring: &Keyring,
    (born, digest): (u64, &[u8]),
    sealed: &[u8],
) -> Result<Consent, StoreError> {
    let row = || RowId::Consent(born, digest.to_vec());
    let plain = keyring
        .open(sealed, &consent_context(digest))
        .map_err(|source| StoreError::Tampered { row: row(), source })?;
    read(&plain, row)
}

/// Whose the secrets are, which they are, and everything in the open part that decides where they may be sent: with
/// another integration, option, app or origin written into its open part, a connection does not open.
pub(super) fn connection_context(connection: &Connection) -> Vec<u8> {
    let Connection { owner, id, integration, .. } = connection;
    let way = [
        integration.as_str(),
        connection.auth_option.as_deref().unwrap_or_default(),
        connection.app.as_ref().map_or("", AppId::as_str),
        connection.pinned_origin.as_deref().unwrap_or_default(),
    ];
    let whose = [owner.workspace.as_str(), owner.customer.as_str(), id.as_str()];
    let mut context = joined(&[&["connection"][..], &whose, &way].concat());
    context.extend_from_slice(&connection.version.0.to_be_bytes());
    context
}

/// Whose record it is. What the row must hold for it to be used is in what is sealed.
pub(super) fn spill_context(id: &ConnectionId) -> Vec<u8> {
    joined(&["spilled", id.as_str()])
}

fn customer_context(owner: &Owner) -> Vec<u8> {
    joined(&["customer", owner.workspace.as_str(), owner.customer.as_str()])
}

fn consent_context(digest: &[u8]) -> Vec<u8> {
    let mut context = joined(&["consent"]);
    context.extend_from_slice(digest);
    context
}

/// Each part after its length, so that no two lists of parts are joined to the same bytes.
fn joined(parts: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// JSON that leaves no copy of itself behind.
pub(super) fn wiped_json(value: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let mut wiped = Wiped(Zeroizing::new(Vec::with_capacity(1024)));
    serde_json::to_writer(&mut wiped, value).map_err(StoreError::encode)?;
    Ok(wiped.0)
}

/// A buffer that wipes the memory that it grows out of; a `Vec` gives it back as it is.
struct Wiped(Zeroizing<Vec<u8>>);

impl Write for Wiped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.capacity() - self.0.len() < bytes.len() {
            let mut larger = Vec::with_capacity((self.0.len() + bytes.len()) * 2);
            larger.extend_from_slice(&self.0);
            self.0.zeroize();
            *self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
