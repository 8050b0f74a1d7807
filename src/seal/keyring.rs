//! The ring of sealing keys, read from configuration and prepared once.
//! Never knows where a key was kept.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, RandomizedNonceKey};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::SealError;
use crate::secret::Secret;

/// Standard base64, padded or not, as `openssl rand` and most secret managers write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const KEY_BYTES: usize = 32;
/// The length of an id is one byte of the header.
const LONGEST_ID: usize = 255;

/// What a fingerprint seals, and where it belongs.
const FINGERPRINT: &[u8] = b"sidegate";
const FINGERPRINT_CONTEXT: &[u8] = b"fingerprint of a sealing key";

/// A sealing key as configured.
#[derive(Debug)]
pub struct SealingKey {
    /// Its name in every record it seals: 1 to 255 bytes, unique in the ring.
    pub id: String,
    /// Base64 of 32 bytes; a trailing newline does not count.
    pub key: Secret<String>,
}

/// Sealing keys, ready for use: the first seals, all open. AWS-LC wipes its copies when the ring is dropped.
pub struct Keyring {
    /// Never empty.
    keys: Vec<RingKey>,
}

pub(super) struct RingKey {
    pub(super) id: String,
    pub(super) cipher: RandomizedNonceKey,
}

impl Keyring {
    /// Decodes and prepares the keys.
    ///
    /// # Errors
    /// There is no key, an id is unusable or used twice, or a key is not base64 of 32 bytes.
    pub fn new(keys: &[SealingKey]) -> Result<Self, SealError> {
        let mut ring = Vec::<RingKey>::with_capacity(keys.len());
        for key in keys {
            if key.id.is_empty() || key.id.len() > LONGEST_ID {
                return Err(SealError::BadKeyId);
            }
            if ring.iter().any(|known| known.id == key.id) {
                return Err(SealError::DuplicateKeyId { id: key.id.clone() });
            }
            ring.push(RingKey { id: key.id.clone(), cipher: prepared(key)? });
        }
        if ring.is_empty() {
            return Err(SealError::NoKeys);
        }
        Ok(Self { keys: ring })
    }

    /// The ids of the keys, the sealing one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }

    /// What the key `id` is known by: kept beside what the ring seals, it tells later whether a key of that id is
    /// still the same key.
    ///
    /// # Errors
    /// The ring has no such key, or the cryptographic library failed.
    pub fn fingerprint(&self, id: &str) -> Result<Vec<u8>, SealError> {
        self.seal_with(self.key(id)?, FINGERPRINT, FINGERPRINT_CONTEXT)
    }

    /// Whether the key that made `fingerprint` is in this ring.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] if its id is not, [`SealError::Refused`] if that id belongs to another key here.
    pub fn recognise(&self, fingerprint: &[u8]) -> Result<(), SealError> {
        self.open(fingerprint, FINGERPRINT_CONTEXT).map(drop)
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn sealing(&self) -> &str {
        self.keys.first().map_or("", |key| key.id.as_str())
    }

    /// Whether the key `id` is in the ring.
    #[must_use]
    pub fn holds(&self, id: &str) -> bool {
        self.key(id).is_ok()
    }

    /// Whether the other ring has the same keys in the same order.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn is_same_as(&self, other: &Self) -> Result<bool, SealError> {
        if !self.ids().eq(other.ids()) {
            return Ok(false);
        }
        for id in self.ids() {
            if other.recognise(&self.fingerprint(id)?).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn first(&self) -> Result<&RingKey, SealError> {
        self.keys.first().ok_or(SealError::NoKeys)
    }

    pub(super) fn key(&self, id: &str) -> Result<&RingKey, SealError> {
        self.keys.iter().find(|key| key.id == id).ok_or_else(|| SealError::UnknownKey { id: id.to_owned() })
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

fn prepared(key: &SealingKey) -> Result<RandomizedNonceKey, SealError> {
    let text = key.key.expose().trim_end_matches(['\r', '\n']);
    let bytes =
        BASE64.decode(text).map(Zeroizing::new).map_err(|_| SealError::NotBase64 { id: key.id.clone() })?;
    if bytes.len() != KEY_BYTES {
        return Err(SealError::WrongLength { id: key.id.clone(), length: bytes.len() });
    }
    RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| SealError::Cryptography)
}

#[cfg(test)]
mod tests;
