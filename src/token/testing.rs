//! What the tests of this room share: keys for all twelve algorithms, a workspace, tokens.
//! Never part of a build.

use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::keys::{Algorithm, Config, PublicKey, WorkspaceConfig};
use super::mint::{SigningKey, mint};
use super::verify::Verifier;
use crate::clock::{ManualClock, Timestamp};
use crate::secret::Secret;

/// Long enough for every HMAC.
pub(super) const SECRET: &str = "a workspace secret of well over sixty-four bytes, for all of the HMACs";
/// Where the tests' clocks start.
pub(super) const NOW: u64 = 1_800_000_000;

pub(super) const RSA: &str = include_str!("../../tests/vectors/keys/rsa.spki.pem");
pub(super) const P256: &str = include_str!("../../tests/vectors/keys/p256.spki.pem");
pub(super) const P384: &str = include_str!("../../tests/vectors/keys/p384.spki.pem");
pub(super) const P521: &str = include_str!("../../tests/vectors/keys/p521.spki.pem");

/// A workspace without any key.
pub(super) fn workspace(name: &str) -> WorkspaceConfig {
    WorkspaceConfig::named(name)
}

/// A workspace with one key of each kind, serving all twelve algorithms.
pub(super) fn full_workspace(name: &str) -> WorkspaceConfig {
    let keys = [("rsa", RSA), ("p256", P256), ("p384", P384), ("p521", P521)];
    WorkspaceConfig {
        secret: Some(SECRET.to_owned().into()),
        public_keys: keys.map(|(name, pem)| public_key(name, pem)).into(),
        ..workspace(name)
    }
}

pub(super) fn public_key(name: &str, pem: &str) -> PublicKey {
    PublicKey { name: name.to_owned(), kid: None, file: PathBuf::from(name), pem: pem.to_owned() }
}

/// A verifier with a cache and the clock it reads.
pub(super) fn verifier(workspaces: Vec<WorkspaceConfig>) -> (Verifier, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let config = Config { workspaces, cache_entries: 100 };
    let (verifier, _) = Verifier::new(config, Arc::clone(&clock) as _).unwrap();
    (verifier, clock)
}

/// The private halves of [`full_workspace`]'s keys.
pub(super) fn signing_key(algorithm: Algorithm) -> SigningKey {
    let pem = match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => {
            return SigningKey::Secret(SECRET.to_owned().into());
        }
        Algorithm::ES256 => include_str!("../../tests/vectors/keys/p256.key.pem"),
        Algorithm::ES384 => include_str!("../../tests/vectors/keys/p384.key.pem"),
        Algorithm::ES512 => include_str!("../../tests/vectors/keys/p521.key.pem"),
        _ => include_str!("../../tests/vectors/keys/rsa.key.pem"),
    };
    SigningKey::Pem(Secret::new(pem.to_owned()))
}

/// The object that `json` is.
pub(super) fn object(json: &Value) -> Map<String, Value> {
    json.as_object().unwrap().clone()
}

/// A token of `full_workspace` with these claims.
pub(super) fn token(algorithm: Algorithm, claims: &Value) -> String {
    mint(&object(claims), algorithm, &signing_key(algorithm), None).unwrap()
}

/// An HS256 token with exactly this header and payload.
pub(super) fn raw_token(header: &str, payload: &str) -> String {
    raw_token_by(SECRET.as_bytes(), header, payload)
}

/// The same, by another secret.
pub(super) fn raw_token_by(secret: &[u8], header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
}
