//! The sealed form of one record: its own random key, wrapped by a key of the ring.
//! Never knows what a record or its context mean.
//!
//! ```text
//! 1     version, 0x01
//! 1     length of the key id        the header: bound to the wrapped key
//! n     key id
//! 12    nonce of the wrapped key
//! 48    data key, wrapped: AES-256-GCM under the ring's key, with its tag
//! 12    nonce of the ciphertext
//! m+16  ciphertext: AES-256-GCM under the data key, with its tag
//! ```
//!
//! Associated data are the header and the context for the wrapped key, the version and the context for the
//! ciphertext: another ring key can wrap the data key anew without touching the ciphertext. Nonces are random; a ring
//! key is good for 2^32 records (NIST SP 800-38D section 8.3), a data key for its one.

use aws_lc_rs::aead::{AES_256_GCM, Aad, MAX_TAG_LEN, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use super::keyring::RingKey;
use super::{Keyring, SealError};

const VERSION: u8 = 1;
const DATA_KEY_LEN: usize = 32;
const WRAPPED_LEN: usize = DATA_KEY_LEN + MAX_TAG_LEN;

impl Keyring {
    /// Seals `plain` with the first key. `context` says where the record belongs (owner, id, version): it is not stored,
    /// and the record opens only with the same one.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn seal(&self, plain: &[u8], context: &[u8]) -> Result<Vec<u8>, SealError> {
        self.seal_with(self.first()?, plain, context)
    }

    /// Opens what [`seal`](Self::seal) made, with the key that it names.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`] if that key is not in the ring; [`SealError::Refused`] if it does not open the record in
    /// this context; [`SealError::Malformed`] if `sealed` is no record.
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let record = Record::parse(sealed)?;
        let key = self.key(record.key_id)?;
        let refused = || SealError::Refused { id: key.id.clone() };
        let data_key =
            opened(&key.cipher, record.wrapped, &bound(record.header, context)).ok_or_else(refused)?;
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &data_key).map_err(|_| SealError::Malformed)?;
        opened(&cipher, record.ciphertext, &bound(&[VERSION], context)).ok_or_else(refused)
    }

    pub(super) fn seal_with(
        &self,
        key: &RingKey,
        plain: &[u8],
        context: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let mut data_key = Zeroizing::new([0; DATA_KEY_LEN]);
        rand::fill(data_key.as_mut()).map_err(|_| SealError::Cryptography)?;
        let cipher =
            RandomizedNonceKey::new(&AES_256_GCM, data_key.as_ref()).map_err(|_| SealError::Cryptography)?;

        let id_len = u8::try_from(key.id.len()).map_err(|_| SealError::BadKeyId)?;
        let header = [&[VERSION, id_len], key.id.as_bytes()].concat();
        let wrapped = closed(&key.cipher, data_key.as_ref(), &bound(&header, context))?;
        let ciphertext = closed(&cipher, plain, &bound(&[VERSION], context))?;
        Ok([header, wrapped, ciphertext].concat())
    }
}

/// The id of the key that `sealed` says it was sealed with; none if it is no sealed record. Nothing is opened for it, so a
/// changed record may name any key.
#[must_use]
pub fn key_id(sealed: &[u8]) -> Option<&str> {
    Record::parse(sealed).ok().map(|record| record.key_id)
}

/// The parts of a sealed record; `wrapped` and `ciphertext` start with their nonces.
struct Record<'a> {
    header: &'a [u8],
    key_id: &'a str,
    wrapped: &'a [u8],
    ciphertext: &'a [u8],
}

impl<'a> Record<'a> {
    fn parse(sealed: &'a [u8]) -> Result<Self, SealError> {
        let [VERSION, id_len, ..] = sealed else { return Err(SealError::Malformed) };
        let (header, rest) = sealed.split_at_checked(2 + usize::from(*id_len)).ok_or(SealError::Malformed)?;
        let (wrapped, ciphertext) =
            rest.split_at_checked(NONCE_LEN + WRAPPED_LEN).ok_or(SealError::Malformed)?;
        if ciphertext.len() < NONCE_LEN + MAX_TAG_LEN {
            return Err(SealError::Malformed);
        }
        let key_id = str::from_utf8(&header[2..]).map_err(|_| SealError::Malformed)?;
        Ok(Self { header, key_id, wrapped, ciphertext })
    }
}

/// `context` is the whole rest, and `head` is as long as it says itself: no two pairs have the same bytes.
fn bound(head: &[u8], context: &[u8]) -> Vec<u8> {
    [head, context].concat()
}

/// The nonce, and `plain` encrypted with its tag.
fn closed(cipher: &RandomizedNonceKey, plain: &[u8], associated: &[u8]) -> Result<Vec<u8>, SealError> {
    // Room for the tag from the start: growing would leave a copy of the plain text behind.
    let mut buffer = Zeroizing::new(Vec::with_capacity(plain.len() + MAX_TAG_LEN));
    buffer.extend_from_slice(plain);
    let nonce = cipher
        .seal_in_place_append_tag(Aad::from(associated), &mut *buffer)
        .map_err(|_| SealError::Cryptography)?;
    Ok([nonce.as_ref().as_slice(), &buffer].concat())
}

/// What [`closed`] took, or nothing if the key, the bytes or what is associated with them are others.
fn opened(cipher: &RandomizedNonceKey, closed: &[u8], associated: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = closed.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut buffer = Zeroizing::new(ciphertext.to_vec());
    let length = cipher.open_in_place(nonce, Aad::from(associated), &mut buffer).ok()?.len();
    buffer.truncate(length);
    Some(buffer)
}

#[cfg(test)]
mod tests;
