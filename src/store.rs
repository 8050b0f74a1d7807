//! Where customers and connections are kept, their secrets sealed.
//! Never knows how a credential is used or refreshed.

mod error;
#[cfg(test)]
pub(crate) mod faulty_disk;
mod file;
mod keys;
mod lease;
mod list;
mod near;
pub mod record;
pub mod redb;
mod refreshing;
mod reseal;
mod row;
mod sealed;
mod select;
mod spill;
mod tables;
#[cfg(test)]
pub(crate) mod testing;
mod writer;

pub use error::StoreError;
pub use keys::{KeyUse, Rows};
pub use lease::{Lease, Leasing, Spend, TokenDigest};
pub use list::Filter;
pub use record::{Connection, Customer, Health, Opened, SecretChanges, Secrets};
pub use redb::{Config, ConnectionRequest, Consent, Outcome, Replaced, Store};
pub use refreshing::{FailureClass, RefreshFailure, Refreshing};
pub use reseal::Resealed;
pub use row::RowId;
pub use select::{Reach, Selected};
