use serde_json::{Value, json};

use super::*;
use crate::token::TokenError;
use crate::token::jws;
use crate::token::testing::{self, P256, P521, RSA, SECRET, raw_token_by, token, workspace};

/// The set and what was said about its making.
fn load(config: &WorkspaceConfig) -> (KeySet, Vec<KeyComplaint>) {
    KeySet::new(config)
}

fn with_secret(secret: &str) -> WorkspaceConfig {
    WorkspaceConfig { secret: Some(secret.to_owned().into()), ..workspace("acme") }
}

fn with_pem(pem: &str) -> WorkspaceConfig {
    WorkspaceConfig { public_keys: vec![testing::public_key("main", pem)], ..workspace("acme") }
}

fn with_jwks(keys: &Value) -> WorkspaceConfig {
    let text = json!({ "keys": keys }).to_string();
    WorkspaceConfig {
        jwks: Some(Jwks::new(JwksSource::File(TextFile { path: "jwks.json".into(), text }))),
        ..workspace("acme")
    }
}

/// The algorithms each key of the set serves.
fn served(config: &WorkspaceConfig) -> Vec<Vec<Algorithm>> {
    load(config).0.keys().iter().map(|key| key.algorithms().collect()).collect()
}

fn fatal(config: &WorkspaceConfig) -> String {
    let (_, complaints) = load(config);
    let complaint = complaints.into_iter().find(|complaint| complaint.fatal).expect("a fatal complaint");
    assert!(!complaint.cure.is_empty());
    complaint.problem
}

/// Why an entry of a set was refused; the set also holds a good secret, which stays.
fn entry_refusal(entry: &Value) -> String {
    let config = with_jwks(&json!([entry, {"kty": "oct", "kid": "good", "k": "A".repeat(86)}]));
    let (set, complaints) = load(&config);
    assert_eq!(set.keys().len(), 1, "{complaints:?}");
    assert!(complaints.iter().all(|complaint| !complaint.fatal));
    complaints[0].problem.clone()
}

fn ec_jwk() -> Value {
    json!({
        "kty": "EC", "crv": "P-256", "kid": "ec",
        "x": "04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY", "y": "UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgmw"
    })
}

fn altered(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

#[test]
fn t25_the_compatible_policy_asks_for_sixteen_bytes_and_warns_below_the_hash_size() {
    assert!(fatal(&with_secret("fifteen bytes!!")).contains("15 bytes"));
    assert!(fatal(&with_secret("")).contains("0 bytes"));
    let (set, complaints) = load(&with_secret(&SECRET[..40]));
    assert_eq!(set.keys()[0].algorithms().collect::<Vec<_>>(), Algorithm::HMAC);
    assert!(complaints[0].problem.contains("HS384, HS512") && !complaints[0].fatal);
    assert!(load(&with_secret(SECRET)).1.is_empty());
    let narrowed = WorkspaceConfig { algorithms: vec![Algorithm::HS256], ..with_secret(&SECRET[..40]) };
    assert!(load(&narrowed).1.is_empty());
}

#[test]
fn t25_a_secret_from_a_tutorial_or_of_few_letters_is_warned_of() {
    for secret in ["your-256-bit-secret", &"ab".repeat(32), &"1234567".repeat(10)] {
        let (set, complaints) = load(&with_secret(secret));
        assert_eq!(set.keys().len(), 1);
        assert!(complaints.iter().any(|complaint| complaint.problem.contains("easy to guess")), "{secret}");
    }
    assert!(load(&with_secret(&"0123456789abcdef".repeat(4))).1.is_empty());
}

#[test]
fn t25_the_strict_policy_lets_a_secret_serve_what_it_is_long_enough_for() {
    let strict =
        |len: usize| WorkspaceConfig { key_policy: KeyPolicy::Strict, ..with_secret(&SECRET[..len]) };
    assert!(fatal(&strict(31)).contains("HS256, HS384, HS512"));
    assert_eq!(served(&strict(32)), [vec![Algorithm::HS256]]);
    assert_eq!(served(&strict(48)), [vec![Algorithm::HS256, Algorithm::HS384]]);
    assert_eq!(served(&strict(64)), [Algorithm::HMAC.to_vec()]);
    let narrowed = WorkspaceConfig { algorithms: vec![Algorithm::HS512], ..strict(63) };
    assert!(fatal(&narrowed).contains("63 bytes"));
}

#[test]
fn a_disabled_secret_verifies_nothing_and_is_no_key() {
    let disabled = WorkspaceConfig { secret_disabled: true, ..with_secret(SECRET) };
    assert!(fatal(&disabled).contains("no usable key"));
    assert!(fatal(&workspace("acme")).contains("no usable key"));
}

#[test]
fn algorithms_narrow_what_keys_serve() {
    let all = testing::full_workspace("acme");
    assert_eq!(served(&all).concat().len(), 12);
    let narrowed = WorkspaceConfig { algorithms: vec![Algorithm::ES256, Algorithm::PS512], ..all };
    assert_eq!(served(&narrowed), [vec![Algorithm::PS512], vec![Algorithm::ES256]]);
    let (set, complaints) = load(&narrowed);
    assert_eq!(
        complaints.iter().filter(|complaint| !complaint.fatal).count(),
        3,
        "secret, p384 and p521 are unused"
    );
    let token = token(Algorithm::HS256, &json!({}));
    assert_eq!(set.verify(&jws::parse(&token).unwrap()).unwrap_err(), TokenError::AlgorithmNotAllowed);
}

#[test]
fn public_keys_come_as_spki_pkcs1_or_certificate() {
    let rsa = [Algorithm::RSA.to_vec()];
    assert_eq!(served(&with_pem(RSA)), rsa);
    assert_eq!(served(&with_pem(include_str!("../../../tests/vectors/keys/rsa.pkcs1.pem"))), rsa);
    assert_eq!(served(&with_pem(include_str!("../../../tests/vectors/keys/rsa.certificate.pem"))), rsa);
    let certificate = with_pem(include_str!("../../../tests/vectors/keys/p256.certificate.pem"));
    assert_eq!(served(&certificate), [vec![Algorithm::ES256]]);
    let token = token(Algorithm::ES256, &json!({}));
    assert!(load(&certificate).0.verify(&jws::parse(&token).unwrap()).is_ok());
    assert_eq!(served(&with_pem(P521)), [vec![Algorithm::ES512]]);
    assert_eq!(served(&with_pem(&P256.replace('\n', "\r\n"))), [vec![Algorithm::ES256]]);
}

#[test]
fn a_private_key_where_a_public_one_is_meant_is_refused_in_a_clear_sentence() {
    for pem in [
        include_str!("../../../tests/vectors/keys/rsa.key.pem"),
        include_str!("../../../tests/vectors/keys/p256.key.pem"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----\n",
    ] {
        assert!(fatal(&with_pem(pem)).contains("holds a private key"));
    }
}

#[test]
fn t26_t29_a_pem_key_that_is_weak_foreign_or_damaged_is_refused() {
    for (pem, problem) in [
        (include_str!("../../../tests/vectors/keys/rsa-1024.spki.pem"), "1024 bits"),
        (include_str!("../../../tests/vectors/keys/p256-compressed.spki.pem"), "compressed"),
        (include_str!("../../../tests/vectors/keys/ed25519.spki.pem"), "neither RSA"),
        (include_str!("../../../tests/vectors/keys/secp256k1.spki.pem"), "neither RSA"),
        ("", "no public key"),
        ("my key", "no public key"),
        ("-----BEGIN PUBLIC KEY-----\n???\n-----END PUBLIC KEY-----\n", "damaged"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "neither RSA"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ] {
        assert!(fatal(&with_pem(pem)).contains(problem), "{problem}");
    }
    assert!(fatal(&with_pem(&format!("{RSA}{P256}"))).contains("more than one"));
}

#[test]
fn t26_weak_rsa_numbers_are_refused() {
    let modulus = |bits: usize| {
        let mut modulus = vec![0xff; bits / 8];
        modulus.push(0xfd);
        modulus.remove(0);
        modulus
    };
    assert!(strength::check_rsa(&modulus(2048), &[1, 0, 1]).is_ok());
    assert!(strength::check_rsa(&modulus(8192), &[3]).is_ok());
    assert!(strength::check_rsa(&modulus(8200), &[3]).unwrap_err().problem.contains("8200 bits"));
    assert!(strength::check_rsa(&modulus(2040), &[3]).unwrap_err().problem.contains("2040 bits"));
    let mut just_short = modulus(2048);
    just_short[0] = 0x7f;
    assert!(strength::check_rsa(&just_short, &[3]).unwrap_err().problem.contains("2047 bits"));
    for exponent in [&[][..], &[1], &[2], &[1, 0, 0]] {
        assert!(strength::check_rsa(&modulus(2048), exponent).is_err(), "{exponent:?}");
    }
    assert!(strength::check_rsa(&[], &[3]).is_err());
}

#[test]
fn t27_a_jwk_for_anything_but_verifying_is_refused_and_the_rest_kept() {
    for (name, value, problem) in [
        ("use", json!("enc"), "`use`"),
        ("use", json!(""), "`use`"),
        ("key_ops", json!(["encrypt"]), "`key_ops`"),
        ("key_ops", json!(["sign"]), "`key_ops`"),
        ("key_ops", json!([]), "`key_ops`"),
        ("d", json!("AA"), "private key"),
        ("kid", json!(7), "wrong type"),
        ("kid", json!("k".repeat(257)), "256"),
        ("kty", json!("OKP"), "`kty`"),
        ("kty", json!("ec"), "`kty`"),
        ("kty", json!("RSA"), "`n`"),
        ("kty", json!("oct"), "`k`"),
    ] {
        let refusal = entry_refusal(&altered(ec_jwk(), name, value));
        assert!(refusal.contains(problem), "{name}: {refusal}");
    }
    assert!(entry_refusal(&json!("not an object")).contains("wrong type"));
    assert!(served(&with_jwks(&json!([altered(ec_jwk(), "key_ops", json!(["verify"]))]))).len() == 1);
}

#[test]
fn t29_a_jwk_off_its_curve_or_of_another_size_is_refused() {
    for (name, value) in [
        ("y", json!("UI8exy-C06a7DUnjIdENkxeFtHM4-l_41LqEw9nVgnw")),
        ("y", json!("")),
        ("y", json!(null)),
        ("x", json!("A".repeat(43))),
        ("x", json!("04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7w")),
        ("x", json!("04N0xi21hshyvBp7I167sbE_bXqyqkAPfefdklMO7wY=")),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("alg", json!("ES384")),
        ("alg", json!("ES521")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
    ] {
        entry_refusal(&altered(ec_jwk(), name, value));
    }
    let zero = "A".repeat(43);
    entry_refusal(&altered(altered(ec_jwk(), "x", json!(zero)), "y", json!(zero)));
}

#[test]
fn a_jwk_with_an_alg_serves_only_that() {
    let oct = |alg: &str| json!([{"kty": "oct", "alg": alg, "k": "A".repeat(86)}]);
    assert_eq!(served(&with_jwks(&oct("HS384"))), [vec![Algorithm::HS384]]);
    for alg in ["A256GCM", "A256KW", "dir", "ES256", "hs256"] {
        assert!(load(&with_jwks(&oct(alg))).1[0].problem.contains("`alg`"), "{alg}");
    }
    assert_eq!(served(&with_jwks(&json!([ec_jwk()]))), [vec![Algorithm::ES256]]);
}

#[test]
fn secrets_beside_public_keys_in_one_set_are_refused_under_strict_only() {
    let mixed = with_jwks(&json!([ec_jwk(), {"kty": "oct", "kid": "s", "k": "A".repeat(86)}]));
    assert_eq!(served(&mixed).len(), 2);
    let strict = WorkspaceConfig { key_policy: KeyPolicy::Strict, ..mixed };
    assert_eq!(served(&strict), [vec![Algorithm::ES256]]);
}

#[test]
fn t28_of_two_keys_with_one_kid_both_are_refused() {
    let oct = |kid: &str, k: &str| json!({"kty": "oct", "kid": kid, "k": k.repeat(86)});
    let config = with_jwks(&json!([oct("a", "A"), oct("b", "A"), oct("a", "g")]));
    let (set, complaints) = load(&config);
    assert_eq!(set.keys().len(), 1);
    assert_eq!(set.keys()[0].name(), "jwks kid b");
    assert_eq!(complaints.iter().filter(|complaint| complaint.problem.contains("same `kid`")).count(), 2);

    let beside_a_refused_one = with_jwks(&json!([oct("a", "A"), oct("b", "A"), oct("a", "=")]));
    assert_eq!(load(&beside_a_refused_one).0.keys().len(), 1);

    let named = |name: &str, pem: &str| PublicKey { kid: Some("k".into()), ..testing::public_key(name, pem) };
    let two = WorkspaceConfig { public_keys: vec![named("a", RSA), named("b", P256)], ..workspace("acme") };
    assert!(fatal(&two).contains("same `kid`"));
}

#[test]
fn a_set_that_is_no_set_is_fatal() {
    for text in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
        let jwks =
            Some(Jwks::new(JwksSource::File(TextFile { path: "jwks.json".into(), text: text.into() })));
        fatal(&WorkspaceConfig { jwks, ..with_secret(SECRET) });
    }
    assert!(fatal(&with_jwks(&json!([]))).contains("no usable key"));
}

#[test]
fn t10_a_key_with_a_kid_serves_that_kid_and_one_without_serves_any() {
    let secret = [7; 64];
    let k = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw";
    let outcome = |kid: Option<&str>, header: &str| {
        let mut jwk = json!({"kty": "oct", "k": k});
        if let Some(kid) = kid {
            jwk["kid"] = kid.into();
        }
        let token = raw_token_by(&secret, header, "{}");
        load(&with_jwks(&json!([jwk]))).0.verify(&jws::parse(&token).unwrap()).map(|_| ())
    };
    let header = |kid: &str| format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
    assert_eq!(outcome(Some("a"), &header("a")), Ok(()));
    for other in ["b", "", "A", "../a", "a' OR 1=1 --", r"a\u0000"] {
        assert_eq!(outcome(Some("a"), &header(other)), Err(TokenError::UnknownKid), "{other}");
        assert_eq!(outcome(None, &header(other)), Ok(()));
    }
    assert_eq!(outcome(Some("a"), r#"{"alg":"HS256"}"#), Err(TokenError::UnknownKid));
    assert_eq!(outcome(None, r#"{"alg":"HS256"}"#), Ok(()));
}

#[test]
fn a_complaint_names_workspace_and_key_and_shows_no_secret() {
    let (_, complaints) = load(&with_secret("short-secret"));
    assert_eq!(
        complaints[0].to_string(),
        "workspace `acme`, secret: the secret has 12 bytes; at least 16 are needed"
    );
    assert!(!format!("{complaints:?} {:?}", load(&with_secret(SECRET))).contains(SECRET));
    assert!(!format!("{complaints:?}").contains("short-secret"));
}
