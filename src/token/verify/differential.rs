//! The `jsonwebtoken` crate as oracle: on generated tokens, sound and damaged, both must come to one verdict.
//! Never judges times, `crit` or ES512, where the library differs from us by design.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use proptest::prelude::*;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::*;
use crate::token::keys::Algorithm;
use crate::token::testing::{self, NOW, P256, P384, RSA, SECRET, full_workspace, token};

const FAMILIES: [Algorithm; 11] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
];

/// The library's verdict, with its validation set to our rules. Its clock is the system's, so times stay out.
fn oracle(token: &str, algorithm: Algorithm) -> Option<Value> {
    let mut validation = Validation::new(algorithm.as_str().parse().unwrap());
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_issuer(&["acme"]);
    let decoded = jsonwebtoken::decode::<Value>(token, &decoding_key(algorithm), &validation);
    decoded.ok().map(|decoded| decoded.claims)
}

fn decoding_key(algorithm: Algorithm) -> DecodingKey {
    let spki = |pem: &str| SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => DecodingKey::from_secret(SECRET.as_bytes()),
        Algorithm::ES256 => DecodingKey::from_ec_der(&spki(P256)),
        Algorithm::ES384 => DecodingKey::from_ec_der(&spki(P384)),
        _ => DecodingKey::from_rsa_der(&spki(RSA)),
    }
}

fn claims() -> impl Strategy<Value = Value> {
    let text = "[a-z\u{e9}\u{4e2d}\"\\\\]{0,12}";
    (prop_oneof![Just("acme"), Just("other")], any::<u32>(), text, any::<bool>()).prop_map(
        |(workspace, id, name, is_admin)| {
            let fields = json!({"list": [name, id]});
            json!({"iss": workspace, "id": id, "name": name, "isAdmin": is_admin, "iat": NOW, "fields": fields})
        },
    )
}

/// What is done to a token on its way.
#[derive(Clone, Debug)]
enum Damage {
    None,
    Replace(usize, char),
    Truncate(usize),
    Append(char),
    Claim(Algorithm),
}

impl Damage {
    fn apply(&self, token: &str) -> String {
        match self {
            Self::None => token.to_owned(),
            Self::Replace(at, with) => {
                let at = at % token.len();
                format!("{}{with}{}", &token[..at], &token[at + 1..])
            }
            Self::Truncate(by) => token[..token.len() - by % token.len()].to_owned(),
            Self::Append(with) => format!("{token}{with}"),
            Self::Claim(algorithm) => {
                let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"{algorithm}"}}"#));
                format!("{header}.{}", token.split_once('.').unwrap().1)
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    let character = || proptest::char::range('!', '~');
    prop_oneof![
        2 => Just(Damage::None),
        4 => (any::<usize>(), character()).prop_map(|(at, with)| Damage::Replace(at, with)),
        1 => any::<usize>().prop_map(Damage::Truncate),
        1 => character().prop_map(Damage::Append),
        1 => proptest::sample::select(FAMILIES.to_vec()).prop_map(Damage::Claim),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_gate_and_the_library_admit_the_same_tokens(
        algorithm in proptest::sample::select(FAMILIES.to_vec()),
        claims in claims(),
        damage in damage(),
    ) {
        let (verifier, _) = testing::verifier(vec![full_workspace("acme")]);
        let token = damage.apply(&token(algorithm, &claims));
        let ours = verifier.verify(&token, &Policy::default()).ok();
        let ours = ours.map(|verified| (verified.algorithm(), Value::Object(verified.claims().all.clone())));
        let theirs = FAMILIES.into_iter().find_map(|algorithm| Some((algorithm, oracle(&token, algorithm)?)));
        prop_assert_eq!(ours, theirs, "{:?} {}", damage, token);
    }
}
