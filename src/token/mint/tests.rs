use serde_json::json;

use super::*;
use crate::names::KeyId;
use crate::token::testing::{self, NOW, SECRET, object, signing_key};
use crate::token::{Policy, Verifier};

fn verifier() -> Verifier {
    testing::verifier(vec![testing::full_workspace("acme")]).0
}

#[test]
fn a_minted_token_is_admitted_with_each_of_the_twelve_algorithms() {
    let verifier = verifier();
    let claims = json!({"iss": "acme", "sub": "7", "fields": {"a": 1}, "iat": NOW, "exp": NOW + 300});
    for algorithm in Algorithm::ALL {
        let token = mint(&object(&claims), algorithm, &signing_key(algorithm), Some("k")).unwrap();
        let verified = verifier.verify(&token, &Policy::default()).unwrap();
        assert_eq!(verified.algorithm(), algorithm);
        assert_eq!(verified.kid().map(KeyId::as_str), Some("k"));
        assert_eq!(Value::Object(verified.claims().all.clone()), claims);
    }
}

#[test]
fn the_header_says_typ_alg_and_kid_and_nothing_else() {
    for algorithm in [Algorithm::HS256, Algorithm::ES512] {
        for kid in [None, Some("k1")] {
            let token = mint(&Map::new(), algorithm, &signing_key(algorithm), kid).unwrap();
            let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
            let mut expected = json!({"typ": "JWT", "alg": algorithm.as_str()});
            if let Some(kid) = kid {
                expected["kid"] = kid.into();
            }
            assert_eq!(serde_json::from_slice::<Value>(&header).unwrap(), expected);
        }
    }
}

#[test]
fn a_key_of_the_wrong_kind_signs_nothing() {
    let claims = Map::new();
    for algorithm in Algorithm::ALL {
        for of in Algorithm::ALL {
            let is_rsa = |algorithm| Algorithm::RSA.contains(&algorithm);
            let is_hmac = |algorithm| Algorithm::HMAC.contains(&algorithm);
            let fits =
                algorithm == of || is_rsa(algorithm) && is_rsa(of) || is_hmac(algorithm) && is_hmac(of);
            assert_eq!(
                mint(&claims, algorithm, &signing_key(of), None).is_ok(),
                fits,
                "{algorithm} by {of}'s key"
            );
        }
    }
    for pem in
        ["", "not a key", testing::RSA, "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"]
    {
        for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::ES512] {
            assert!(mint(&claims, algorithm, &SigningKey::Pem(pem.to_owned().into()), None).is_err());
        }
    }
}

#[test]
fn an_error_holds_nothing_of_the_key() {
    let error = mint(&Map::new(), Algorithm::ES256, &SigningKey::Secret(SECRET.to_owned().into()), None);
    let error = error.unwrap_err();
    assert_eq!(error.to_string(), "ES256 cannot be signed with a secret");
    assert!(!format!("{error:?} {:?}", signing_key(Algorithm::HS256)).contains(SECRET));
}

#[test]
fn der_is_read_within_its_bounds() {
    assert_eq!(der_value(&[0x04, 2, 7, 8, 9], 0x04), Some((&[7, 8][..], &[9][..])));
    assert_eq!(der_value(&[0x04, 0x81, 1, 7], 0x04), Some((&[7][..], &[][..])));
    for bad in [&[][..], &[4], &[4, 1], &[5, 0], &[4, 0x80], &[4, 0x82, 1], &[4, 0x85, 0, 0, 0, 0, 0]] {
        assert!(der_value(bad, 0x04).is_none_or(|(value, _)| value.is_empty()), "{bad:?}");
    }
    assert_eq!(der_value(&[4, 0x84, 255, 255, 255, 255, 1], 0x04), None);
}
