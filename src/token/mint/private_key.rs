//! A private key with the algorithm and the id that it is used with.
//! Never knows what the claims mean or who asked for them.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::{Map, Value};

use super::{MintError, SigningKey, mint};
use crate::secret::Secret;
use crate::token::keys::Algorithm;

/// What each kind of key is used with if nobody says otherwise.
const USUAL: [Algorithm; 4] = [Algorithm::RS256, Algorithm::ES256, Algorithm::ES384, Algorithm::ES512];

/// A key that fits its algorithm.
#[derive(Debug)]
pub struct PrivateKey {
    key: SigningKey,
    algorithm: Algorithm,
    id: Option<String>,
    fingerprint: [u8; 32],
}

impl PrivateKey {
    /// A key as PEM, for `algorithm` or else for the usual one of its kind. `id`: the `kid` of what it signs.
    ///
    /// # Errors
    /// It is no key, or none for that.
    pub fn new(
        pem: Secret<String>,
        algorithm: Option<Algorithm>,
        id: Option<String>,
    ) -> Result<Self, MintError> {
        let mut digest = Context::new(&SHA256);
        digest.update(pem.expose().as_bytes());
        let key = SigningKey::Pem(pem);
        let signs = |algorithm| mint(&Map::new(), algorithm, &key, None).map(|_| algorithm);
        let algorithm = match algorithm {
            Some(algorithm) => signs(algorithm)?,
            None => usual(signs)?,
        };
        digest.update(format!("{algorithm} {id:?}").as_bytes());
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest.finish().as_ref());
        Ok(Self { key, algorithm, id, fingerprint })
    }

    /// Signs `claims`.
    ///
    /// # Errors
    /// The signature itself failed.
    pub fn sign(&self, claims: &Map<String, Value>) -> Result<String, MintError> {
        mint(claims, self.algorithm, &self.key, self.id.as_deref())
    }

    /// Of the key, its algorithm and its id: with another of them it is another.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8] {
        &self.fingerprint
    }
}

fn usual(signs: impl Fn(Algorithm) -> Result<Algorithm, MintError>) -> Result<Algorithm, MintError> {
    for algorithm in USUAL {
        match signs(algorithm) {
            Err(MintError::KeyDoesNotFit(_)) => {}
            outcome => return outcome,
        }
    }
    Err(MintError::UnknownKind)
}
