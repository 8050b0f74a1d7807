//! The embedded store: one redb file beside the process.
//! Never gives out a secret that is not wrapped, and never returns from a write that is not on the disk.
//!
//! Writes go through one thread of their own. Single connections are read where the caller stands, on a traffic
//! worker too: a look-up in redb's cache took 0.8 us (median; 1.3 us at the 99th percentile, 2.2 us while another thread
//! committed without pause), less than handing it to another thread costs. Lists and customers are read on the
//! blocking pool.

mod changes;
mod consents;
mod customers;
mod leases;
mod requests;

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::error::StoreError;
use super::file::StoreFile;
use super::keys;
pub use super::list::Filter;
use super::list::page;
use super::near::{Generation, Near};
use super::record::{Connection, Customer, Opened, Secrets};
use super::row::RowId;
use super::sealed::{open_connection, open_customer, seal_connection, seal_customer};
use super::spill::Spill;
use super::tables::{self, Tables};
use super::writer::Writer;
use crate::clock::{Clock, Timestamp};
use crate::names::{ConnectionId, Owner, Version};
use crate::seal::Keyring;
use crate::secret::Secret;
pub use consents::{Consent, LIFETIME as CONSENT_LIFETIME};
pub use requests::{ConnectionRequest, LIFETIME as REQUEST_LIFETIME, Outcome};

/// Where the store is.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file; its folder must exist.
    pub path: PathBuf,
    /// The folder for new tokens that the store does not take, if they are to be kept on another disk meanwhile; the
    /// folder that it is in must exist.
    pub spill: Option<PathBuf>,
    /// How many connections' credentials are kept open in memory.
    pub cached_credentials: u64,
}

/// How a conditional write ended.
#[derive(Debug)]
pub enum Replaced {
    /// It is stored; this is what is stored now.
    Stored(Opened),
    /// Another write came first; this is what is stored now.
    Overtaken(Opened),
}

/// The store. Cheap to clone; the file is closed with the last clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

pub(super) struct Inner {
    pub(super) file: Arc<StoreFile>,
    writer: Writer,
    /// Changed only within a transaction that writes, so that no write uses a key that was just withdrawn.
    pub(super) keyring: ArcSwap<Keyring>,
    clock: Arc<dyn Clock>,
    near: Near,
    pub(super) spill: Option<Spill>,
    /// Who this process is among the owners of leases.
    owner: Arc<str>,
}

impl Store {
    /// Opens the file, or makes it, for its owner only; takes its lock, and checks that the keys are those it was
    /// written with.
    ///
    /// # Errors
    /// The file cannot be opened, is held by another process, is no store, or belongs to other keys; or the folder of what
    /// it did not take cannot be used.
    pub fn open(config: &Config, keyring: Keyring, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let file = Arc::new(StoreFile::open(&config.path)?);
        let spill = config.spill.as_deref().map(Spill::open_folder).transpose()?;
        let spilled = spill.as_ref().map(Spill::keys).unwrap_or_default();
        file.write(|transaction| {
            tables::prepare(transaction, &config.path)?;
            keys::admit(transaction, &config.path, &keyring, clock.now(), &spilled)
        })?;
        file.keep_private();
        let writer = Writer::start(Arc::clone(&file))?;
        let near = Near::new(config.cached_credentials);
        let keyring = ArcSwap::from_pointee(keyring);
        let owner = random_owner().into();
        Ok(Self(Arc::new(Inner { file, writer, keyring, clock, near, spill, owner })))
    }

    /// Seals and opens with another ring from the next write and reading on. Waits for the disk.
    ///
    /// # Errors
    /// The ring has not all keys that stored rows need, or another key under the id of one; or the file cannot be
    /// written. The ring of before stays in use then.
    pub fn rekey(&self, keyring: Keyring) -> Result<(), StoreError> {
        let before = self.keyring();
        if before.is_same_as(&keyring).map_err(StoreError::Seal)? {
            return Ok(());
        }
        let (file, keyring) = (&self.0.file, Arc::new(keyring));
        let written = file.write(|transaction| {
            let (now, spilled) = (self.0.clock.now(), self.0.spilled_keys());
            keys::admit(transaction, file.path(), &keyring, now, &spilled)?;
            self.0.keyring.store(Arc::clone(&keyring));
            Ok(())
        });
        written.inspect_err(|_| self.0.keyring.store(before))
    }

    /// The ids of the sealing keys, the one that seals first.
    #[must_use]
    pub fn sealing_keys(&self) -> Vec<String> {
        self.keyring().ids().map(str::to_owned).collect()
    }

    pub(super) fn keyring(&self) -> Arc<Keyring> {
        self.0.keyring.load_full()
    }

    /// Runs `work` on the tables, with the ring as it is then, and waits until it is on the disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Keyring, &mut Tables<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.0);
        self.0.writer.write(move |tables| work(&store.keyring.load(), tables)).await
    }

    /// A customer's record.
    ///
    /// # Errors
    /// The file cannot be read, or the row does not open.
    pub async fn customer(&self, owner: &Owner) -> Result<Option<Customer>, StoreError> {
        let owner = owner.clone();
        self.read_aside(move |store| {
            let row = store.file.read(|transaction| tables::customer(transaction, &owner))?;
            row.map(|row| open_customer(&store.keyring.load(), &owner, &row)).transpose()
        })
        .await
    }

    /// Writes a customer's record, whatever was there.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn put_customer(&self, customer: Customer) -> Result<(), StoreError> {
        self.write(move |ring, tables| tables.put_customer(&customer.owner, &seal_customer(ring, &customer)?))
            .await
    }

    /// Makes of a customer's record what `change` makes of it, with no other write in between.
    ///
    /// # Errors
    /// The old record does not open, or the new one could not be stored.
    pub async fn change_customer(
        &self,
        owner: &Owner,
        change: impl FnOnce(Option<Customer>) -> Customer + Send + 'static,
    ) -> Result<Customer, StoreError> {
        let owner = owner.clone();
        let work = move |ring: &Keyring, tables: &mut Tables<'_>| {
            let known = tables.customer(&owner)?;
            let known = known.map(|row| open_customer(ring, &owner, &row)).transpose()?;
            let customer = Customer { owner: owner.clone(), ..change(known) };
            let row = seal_customer(ring, &customer)?;
            tables.put_customer(&owner, &row)?;
            Ok(customer)
        };
        self.write(work).await
    }

    /// Stores a new connection at [`Version::FIRST`]. With `replace`, the owner's other connections of the integration
    /// are archived in the same transaction.
    ///
    /// # Errors
    /// Another live connection of the owner's has its key, or it could not be stored.
    pub async fn insert(
        &self,
        connection: Connection,
        secrets: Secret<Secrets>,
        replace: bool,
    ) -> Result<Opened, StoreError> {
        let connection = Connection { version: Version::FIRST, ..connection };
        let now = self.0.clock.now();
        let work = move |ring: &Keyring, tables: &mut Tables<'_>| {
            let live = tables.live_of(&connection.owner)?;
            let same = |other: &Connection| replace && other.integration == connection.integration;
            let (replaced, others): (Vec<_>, Vec<_>) = live.into_iter().partition(same);
            refuse_taken_key(&connection, &others)?;
            let archived = |other| Connection { archived_at: Some(now), updated_at: now, ..other };
            let blank = replaced.into_iter().map(|other| blanked(ring, archived(other)));
            let blank = blank.collect::<Result<Vec<_>, _>>()?;
            let sealed = seal_connection(ring, &connection, &secrets)?;
            for (other, nothing) in blank {
                tables.put(&other, Some(&nothing))?;
            }
            tables.put(&connection, Some(&sealed))?;
            Ok((connection, secrets))
        };
        let before = self.generation();
        let (connection, secrets) = self.write(work).await?;
        Ok(self.keep_open(connection, Arc::new(secrets), before))
    }

    /// The open part of a connection.
    ///
    /// # Errors
    /// The file or the row cannot be read.
    #[expect(clippy::unused_async, reason = "a store across a network will need to wait here")]
    pub async fn connection(&self, id: &ConnectionId) -> Result<Option<Connection>, StoreError> {
        self.0.file.read(|transaction| tables::connection(transaction, id))
    }

    /// A connection with its secrets.
    ///
    /// # Errors
    /// The file cannot be read, or the secrets do not open; the error names the connection.
    #[expect(clippy::unused_async, reason = "a store across a network will need to wait here")]
    pub async fn open_secrets(&self, id: &ConnectionId) -> Result<Option<Opened>, StoreError> {
        let generation = self.generation();
        let kept = match self.0.near.opened(id, generation) {
            Some((opened, true)) => return Ok(Some(opened)),
            Some((opened, false)) => Some(opened),
            None => None,
        };
        self.0.file.read(|transaction| {
            let Some(connection) = tables::connection(transaction, id)? else { return Ok(None) };
            let secrets = match kept.filter(|kept| kept.connection.version == connection.version) {
                Some(kept) => kept.secrets,
                None => {
                    let incomplete = || StoreError::Incomplete { row: RowId::Connection(id.clone()) };
                    let sealed = tables::secrets(transaction, id)?.ok_or_else(incomplete)?;
                    Arc::new(open_connection(&self.0.keyring.load(), &connection, &sealed)?)
                }
            };
            Ok(Some(self.keep_open(connection, secrets, generation)))
        })
    }

    /// One page in order of creation (`id` breaks ties), and the cursor of the next.
    ///
    /// # Errors
    /// The cursor is none of ours, or the file cannot be read.
    pub async fn list(&self, filter: Filter) -> Result<(Vec<Connection>, Option<String>), StoreError> {
        self.read_aside(move |store| page(&store.file, &filter)).await
    }

    /// What was written is kept as of the generation before: its secrets are good for as long as its version is.
    fn keep_open(
        &self,
        connection: Connection,
        secrets: Arc<Secret<Secrets>>,
        generation: Generation,
    ) -> Opened {
        let opened = Opened { connection: Arc::new(connection), secrets };
        self.0.near.keep_opened(&opened, generation);
        opened
    }

    pub(super) fn spill_folder(&self) -> Option<&Spill> {
        self.0.spill.as_ref()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) fn generation(&self) -> Generation {
        self.0.file.generation()
    }

    pub(super) fn near(&self) -> &Near {
        &self.0.near
    }

    pub(super) async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || read(&store)).await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Inner {
    /// The keys that are needed for what is in no table.
    pub(super) fn spilled_keys(&self) -> Vec<String> {
        self.spill.as_ref().map(Spill::keys).unwrap_or_default()
    }
}

/// 128 random bits.
fn random_owner() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system has randomness once it runs");
    format!("{:032x}", u128::from_be_bytes(bytes))
}

/// An archived connection as it is stored: at the next version, with nothing in place of its secrets.
fn blanked(keyring: &Keyring, connection: Connection) -> Result<(Connection, Vec<u8>), StoreError> {
    let connection = Connection { version: connection.version.next(), ..connection };
    let sealed = seal_connection(keyring, &connection, &Secret::new(Secrets::none()))?;
    Ok((connection, sealed))
}

/// Two live connections of a customer cannot have one key, for it selects.
fn refuse_taken_key(connection: &Connection, live: &[Connection]) -> Result<(), StoreError> {
    let Some(key) = &connection.key else { return Ok(()) };
    let taken = live.iter().any(|other| other.id != connection.id && other.key.as_ref() == Some(key));
    if taken { Err(StoreError::KeyTaken { key: key.clone() }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
