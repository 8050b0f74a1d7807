//! Where customers and connections are kept, their secrets sealed.
//! Never knows how a credential is used or refreshed.

pub mod record;
pub mod redb;

pub use record::{Connection, Customer, Health, Opened, Secrets};
pub use redb::{Config, Store, StoreError};
