//! Encryption at rest: envelope encryption under a ring of keys.
//! Never knows what it seals.

pub mod envelope;
pub mod keyring;

pub use envelope::SealError;
pub use keyring::Keyring;
