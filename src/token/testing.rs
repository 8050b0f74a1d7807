//! What the tests of this room share: keys for all twelve algorithms, a workspace, tokens.
//! Never part of a build.

use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value, json};

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
    let config = Config { workspaces, cache_entries: 100, ..Config::default() };
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

/// The P-256 key of the tests as an entry of a set.
pub(super) fn entry(kid: &str) -> Value {
    let spki = SubjectPublicKeyInfoDer::from_pem_slice(P256.as_bytes()).unwrap();
    let (x, y) = spki[spki.len() - 64..].split_at(32);
    let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y})
}

/// The text of a set with these keys.
pub(super) fn set(kids: &[&str]) -> String {
    json!({ "keys": kids.iter().map(|kid| entry(kid)).collect::<Vec<_>>() }).to_string()
}

/// A token of the customer `anna`, signed by the key called `kid`.
pub(super) fn anna_by(kid: &str) -> String {
    customer_by(kid, "anna")
}

pub(super) fn customer_by(kid: &str, customer: &str) -> String {
    let claims = object(&json!({"iss": "acme", "id": customer, "iat": NOW, "exp": NOW + 10_000_000}));
    mint(&claims, Algorithm::ES256, &signing_key(Algorithm::ES256), Some(kid)).unwrap()
}
