//! skeleton
use std::path::PathBuf;
use std::sync::Arc;
use crate::clock::Clock;
use crate::names::{ConnectionId, IntegrationKey, Owner, Version};
use crate::seal::Keyring;
use crate::secret::Secret;
use super::record::{Connection, Customer, Opened, Secrets};
#[derive(Debug, Clone)]
pub struct Config { pub path: PathBuf, pub cached_credentials: u64 }
#[derive(Debug, thiserror::Error)]
pub enum StoreError { #[error("placeholder")] Placeholder /* Locked, WrongKey, Full, Tampered{row}, Io… each with a cure */ }
/// Which connections to list.
#[derive(Debug, Default, Clone)]
pub struct Filter { pub owner: Option<Owner>, pub workspace: Option<crate::names::WorkspaceKey>, pub integration: Option<IntegrationKey>, pub include_archived: bool, pub limit: usize, pub cursor: Option<String> }
/// How a conditional write ended.
pub enum Replaced { /// stored; the new opened connection
    Stored(Opened), /// another write came first: what is stored now
    Overtaken(Opened) }
/// The embedded store: blocking work runs in tokio's blocking pool; opened credentials are cached in moka by connection and version.
#[derive(Clone)]
pub struct Store {}
impl Store {
    /// Creates the file 0600, refuses one that another process holds, checks that the keys open it.
    pub fn open(_config: &Config, _keyring: Keyring, _clock: Arc<dyn Clock>) -> Result<Self, StoreError> { unimplemented!() }
    pub async fn customer(&self, _owner: &Owner) -> Result<Option<Customer>, StoreError> { unimplemented!() }
    pub async fn put_customer(&self, _customer: Customer) -> Result<(), StoreError> { unimplemented!() }
    /// Stores a new connection at Version::FIRST. `replace`: archives the owner's other live connections of the integration in the same transaction.
    pub async fn insert(&self, _connection: Connection, _secrets: Secret<Secrets>, _replace: bool) -> Result<Opened, StoreError> { unimplemented!() }
    pub async fn connection(&self, _id: &ConnectionId) -> Result<Option<Connection>, StoreError> { unimplemented!() }
    pub async fn open_secrets(&self, _id: &ConnectionId) -> Result<Option<Opened>, StoreError> { unimplemented!() }
    /// One page in order of creation (`id` breaks ties) and the cursor of the next.
    pub async fn list(&self, _filter: Filter) -> Result<(Vec<Connection>, Option<String>), StoreError> { unimplemented!() }
    /// Compare-and-swap on the version: writes new secrets and the changed open part, version + 1. Durable before it returns.
    pub async fn replace(&self, _seen: Version, _connection: Connection, _secrets: Secret<Secrets>) -> Result<Replaced, StoreError> { unimplemented!() }
    /// Changes the open part only (name, health, archived_at…) if the version is still `seen`; version stays.
    pub async fn update(&self, _seen: Version, _connection: Connection) -> Result<Replaced, StoreError> { unimplemented!() }
    /// A small write-and-read for readiness.
    pub async fn ping(&self) -> Result<(), StoreError> { unimplemented!() }
}
