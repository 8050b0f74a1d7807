//! Keys as operators and issuers give them.

use std::collections::HashSet;

use sidegate::token::WorkspaceConfig;
use sidegate::token::jws;
use sidegate::token::keys::{Algorithm, JwksSource, Key, KeySet, PublicKey};

/// Signed by nobody: whichever key is read, it must not hold.
const FORGED: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhY21lIn0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A JWK set: whatever is kept of it is usable, unambiguous, and no secret poses as a public key.
pub fn jwks(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut acme = WorkspaceConfig::named("acme");
    acme.jwks = Some(JwksSource { file: "jwks.json".into(), text: text.to_owned() });
    judge(&acme);
}

/// A PEM file: a key comes out of it, or a complaint.
pub fn pem(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut acme = WorkspaceConfig::named("acme");
    let key = PublicKey { name: "main".into(), kid: None, file: "main.pem".into(), pem: text.to_owned() };
    acme.public_keys.push(key);
    let keys = judge(&acme);
    let is_shared_secret =
        |algorithm| matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512);
    assert!(!keys.keys().iter().flat_map(Key::algorithms).any(is_shared_secret));
}

fn judge(workspace: &WorkspaceConfig) -> KeySet {
    let (keys, complaints) = KeySet::new(workspace);
    assert!(!keys.keys().is_empty() || !complaints.is_empty(), "nothing came of it, and nobody says why");
    let mut kids = HashSet::new();
    for key in keys.keys() {
        assert!(key.algorithms().next().is_some(), "a key that serves nothing");
        assert!(key.kid().is_none_or(|kid| kids.insert(kid)), "two keys of one kid");
    }
    assert!(keys.verify(&jws::parse(FORGED).unwrap()).is_err());
    keys
}
