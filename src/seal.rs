//! Encryption at rest: envelope encryption under a ring of keys.
//! Never knows what it seals.

pub mod envelope;
pub mod keyring;

pub use envelope::key_id;
pub use keyring::{Keyring, SealingKey};

/// Why something could not be sealed or opened. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// A ring without a key cannot seal.
    #[error("no sealing key is configured; make one with `openssl rand -base64 32`")]
    NoKeys,
    /// The id of a key is empty or longer than 255 bytes.
    #[error("the id of a sealing key must have 1 to 255 bytes")]
    BadKeyId,
    /// Two keys of the ring have the same id.
    #[error("the sealing key id `{id}` is used twice")]
    DuplicateKeyId {
        /// The id.
        id: String,
    },
    /// A key is not base64 at all.
    #[error("the sealing key `{id}` is not base64; make one with `openssl rand -base64 32`")]
    NotBase64 {
        /// Whose key.
        id: String,
    },
    /// A key of another length than 32 bytes.
    #[error(
        "the sealing key `{id}` has {length} bytes and must have 32; make one with `openssl rand -base64 32`"
    )]
    WrongLength {
        /// Whose key.
        id: String,
        /// What it decodes to, in bytes.
        length: usize,
    },
    /// Sealed with a key that is not in the ring.
    #[error("it was sealed with the key `{id}`, which is not configured")]
    UnknownKey {
        /// The id in the record.
        id: String,
    },
    /// A key has the right id, but the record does not open: another key, a changed record, or a record that was moved
    /// here from another place. AES-GCM does not tell these apart.
    #[error("it does not open with the key `{id}`: the key is another one, or the record was changed")]
    Refused {
        /// The id in the record, and of the key that was tried.
        id: String,
    },
    /// Not a record of this room, or one that was cut short.
    #[error("it is not a sealed record")]
    Malformed,
    /// The cryptographic library failed to make randomness or to encrypt.
    #[error("the cryptographic library failed")]
    Cryptography,
}
