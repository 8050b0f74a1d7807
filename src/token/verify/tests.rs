mod conditions;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::clock::ManualClock;
use crate::token::keys::{Algorithm, WorkspaceConfig};
use crate::token::testing::{
    self, NOW, RSA, SECRET, full_workspace, raw_token, raw_token_by, token, workspace,
};

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn gate() -> (Verifier, Arc<ManualClock>) {
    testing::verifier(vec![full_workspace("acme")])
}

fn outcome(token: &str) -> Result<Verified, TokenError> {
    gate().0.verify(token, &Policy::default())
}

fn outcome_of(claims: &Value) -> Result<Verified, TokenError> {
    outcome(&raw_token(HS256, &claims.to_string()))
}

fn refusal(token: &str) -> TokenError {
    outcome(token).unwrap_err()
}

/// The rows of the table of outcomes that the vendor's library gives, in its order.
mod as_the_vendors_library {
    use super::*;

    #[test]
    fn the_string_secret_verifies_every_hmac() {
        for algorithm in Algorithm::HMAC {
            assert!(outcome(&token(algorithm, &json!({"iss": "acme"}))).is_ok());
        }
    }

    #[test]
    fn public_keys_verify_rs_ps_and_the_es_of_their_curve() {
        for algorithm in Algorithm::ALL {
            assert!(outcome(&token(algorithm, &json!({"iss": "acme"}))).is_ok(), "{algorithm}");
        }
        let pkcs1 = include_str!("../../../tests/vectors/keys/rsa.pkcs1.pem");
        let keys = vec![testing::public_key("pkcs1", pkcs1)];
        let (verifier, _) =
            testing::verifier(vec![WorkspaceConfig { public_keys: keys, ..workspace("acme") }]);
        for algorithm in Algorithm::RSA {
            let token = token(algorithm, &json!({"iss": "acme"}));
            assert!(verifier.verify(&token, &Policy::default()).is_ok(), "{algorithm}");
        }
    }

    #[test]
    fn an_rs256_token_is_refused_where_there_is_only_a_secret() {
        let only_secret = WorkspaceConfig { secret: Some(SECRET.to_owned().into()), ..workspace("acme") };
        let (verifier, _) = testing::verifier(vec![only_secret]);
        let token = token(Algorithm::RS256, &json!({"iss": "acme"}));
        assert_eq!(verifier.verify(&token, &Policy::default()).unwrap_err(), TokenError::AlgorithmNotAllowed);
    }

    #[test]
    fn t2_a_public_keys_text_is_no_hmac_secret() {
        let forged = raw_token_by(RSA.as_bytes(), HS256, r#"{"iss":"acme"}"#);
        assert_eq!(refusal(&forged), TokenError::BadSignature);
        let keys = vec![testing::public_key("rsa", RSA)];
        let (verifier, _) =
            testing::verifier(vec![WorkspaceConfig { public_keys: keys, ..workspace("acme") }]);
        assert_eq!(
            verifier.verify(&forged, &Policy::default()).unwrap_err(),
            TokenError::AlgorithmNotAllowed
        );
    }

    #[test]
    fn t1_none_is_refused_with_and_without_a_signature() {
        let signed = raw_token(r#"{"alg":"none"}"#, r#"{"iss":"acme"}"#);
        assert_eq!(refusal(&signed), TokenError::UnsupportedAlgorithm);
        let (unsigned, _) = signed.rsplit_once('.').unwrap();
        assert_eq!(refusal(&format!("{unsigned}.")), TokenError::UnsupportedAlgorithm);
    }

    #[test]
    fn lower_case_algorithms_and_eddsa_are_refused() {
        for name in ["hs256", "EdDSA"] {
            let token = raw_token(&format!(r#"{{"alg":"{name}"}}"#), r#"{"iss":"acme"}"#);
            assert_eq!(refusal(&token), TokenError::UnsupportedAlgorithm);
        }
    }

    #[test]
    fn a_wrong_secret_is_a_bad_signature() {
        let forged = raw_token_by(b"another secret", HS256, r#"{"iss":"acme"}"#);
        assert_eq!(refusal(&forged), TokenError::BadSignature);
    }

    #[test]
    fn exp_in_the_past_or_exactly_now_is_expired() {
        for exp in [json!(NOW), json!(NOW - 1), json!(0), json!(-1), json!(NOW as f64)] {
            assert_eq!(
                outcome_of(&json!({"iss": "acme", "exp": exp})).unwrap_err(),
                TokenError::Expired,
                "{exp}"
            );
        }
        assert!(outcome_of(&json!({"iss": "acme", "exp": NOW + 1})).is_ok());
    }

    #[test]
    fn a_fractional_exp_is_a_number() {
        assert!(outcome_of(&json!({"iss": "acme", "exp": NOW as f64 + 0.5})).is_ok());
        assert_eq!(
            outcome_of(&json!({"iss": "acme", "exp": NOW as f64 - 0.5})).unwrap_err(),
            TokenError::Expired
        );
    }

    #[test]
    fn t18_times_of_any_other_type_are_refused() {
        for name in ["exp", "nbf", "iat"] {
            for bad in [json!(format!("{NOW}")), json!(null), json!(true), json!([]), json!({})] {
                let refusal = outcome_of(&json!({"iss": "acme", name: bad})).unwrap_err();
                assert_eq!(refusal, TokenError::BadClaim(name));
            }
            let beyond = raw_token(HS256, &format!(r#"{{"iss":"acme","{name}":1e999}}"#));
            assert_eq!(refusal(&beyond).code(), "malformed");
        }
        for large in ["9007199254740993", "18446744073709551616", "1e308"] {
            let token = raw_token(HS256, &format!(r#"{{"iss":"acme","exp":{large}}}"#));
            assert!(outcome(&token).is_ok(), "{large}");
        }
    }

    #[test]
    fn nbf_in_the_future_is_not_active() {
        assert_eq!(outcome_of(&json!({"iss": "acme", "nbf": NOW + 1})).unwrap_err(), TokenError::NotActive);
        assert!(outcome_of(&json!({"iss": "acme", "nbf": NOW})).is_ok());
    }

    #[test]
    fn iat_in_the_future_is_accepted() {
        assert!(outcome_of(&json!({"iss": "acme", "iat": NOW + 1000})).is_ok());
    }

    #[test]
    fn t20_without_exp_a_token_is_admitted_unless_the_policy_requires_it() {
        assert!(outcome_of(&json!({"iss": "acme"})).is_ok());
        let policy = Policy { require_expiry: true, ..Policy::default() };
        let token = raw_token(HS256, r#"{"iss":"acme"}"#);
        let (verifier, _) = gate();
        assert_eq!(verifier.verify(&token, &policy).unwrap_err(), TokenError::NoExpiry);
        assert!(verifier.verify(&token, &Policy::default()).is_ok());
        assert_eq!(verifier.verify(&token, &policy).unwrap_err(), TokenError::NoExpiry, "cached by now");
    }

    #[test]
    fn aud_is_ignored_unless_configured_but_crit_is_not() {
        assert!(outcome_of(&json!({"iss": "acme", "aud": 7})).is_ok());
        let critical = raw_token(r#"{"alg":"HS256","crit":["exp"]}"#, r#"{"iss":"acme"}"#);
        assert_eq!(refusal(&critical), TokenError::Crit);
    }

    #[test]
    fn what_is_not_three_base64url_parts_is_malformed() {
        let good = raw_token(HS256, r#"{"iss":"acme"}"#);
        for bad in
            [String::new(), "a.b".into(), format!("{good}.x"), format!("Bearer {good}"), format!("{good}=")]
        {
            assert_eq!(refusal(&bad).code(), "malformed", "{bad}");
        }
    }
}

#[test]
fn t3_a_key_verifies_only_the_algorithm_in_the_header() {
    for made_with in Algorithm::ALL {
        let good = token(made_with, &json!({"iss": "acme"}));
        let (_, rest) = good.split_once('.').unwrap();
        for claimed in Algorithm::ALL.into_iter().filter(|&claimed| claimed != made_with) {
            let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"typ":"JWT","alg":"{claimed}"}}"#));
            assert_eq!(
                refusal(&format!("{header}.{rest}")),
                TokenError::BadSignature,
                "{made_with} as {claimed}"
            );
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let good = token(Algorithm::ES256, &json!({"iss": "acme", "id": "x"}));
    let (verifier, _) = gate();
    assert!(verifier.verify(&good, &Policy::default()).is_ok());
    for index in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[index] ^= 1;
        let Ok(bad) = String::from_utf8(bytes) else { continue };
        assert!(verifier.verify(&bad, &Policy::default()).is_err(), "byte {index}");
    }
}

#[test]
fn t6_an_ecdsa_signature_of_zeros_or_in_der_is_refused() {
    for (algorithm, len) in [(Algorithm::ES256, 64), (Algorithm::ES384, 96), (Algorithm::ES512, 132)] {
        let good = token(algorithm, &json!({"iss": "acme"}));
        let (message, _) = good.rsplit_once('.').unwrap();
        for signature in [
            vec![0; len],
            vec![0xff; len],
            vec![0; len - 1],
            vec![0; len + 1],
            vec![0x30, 6, 2, 1, 0, 2, 1, 0],
        ] {
            let bad = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
            assert_eq!(refusal(&bad), TokenError::BadSignature);
        }
    }
}

#[test]
fn t14_a_nested_token_is_refused() {
    let inner = raw_token(HS256, r#"{"iss":"acme"}"#);
    for cty in ["JWT", "jwt", "application/jwt"] {
        let header = format!(r#"{{"alg":"HS256","cty":"{cty}"}}"#);
        assert_eq!(refusal(&raw_token(&header, &inner)), TokenError::UnsupportedHeader("cty"));
        assert_eq!(refusal(&raw_token(&header, r#"{"iss":"acme"}"#)), TokenError::UnsupportedHeader("cty"));
    }
    assert_eq!(refusal(&raw_token(HS256, &inner)).code(), "malformed");
}

#[test]
fn t15_a_claim_that_stands_twice_is_refused_before_it_can_confuse_anybody() {
    for payload in [
        r#"{"iss":"acme","id":"a","id":"b"}"#,
        r#"{"iss":"acme","id":"a","\u0069d":"b"}"#,
        r#"{"iss":"acme","fields":{"a":1,"a":2}}"#,
    ] {
        assert_eq!(refusal(&raw_token(HS256, payload)).code(), "malformed", "{payload}");
    }
}

#[test]
fn t19_leeway_stretches_both_ends_and_the_clock_may_step_back() {
    let token = raw_token(HS256, &json!({"iss": "acme", "nbf": NOW + 10, "exp": NOW + 20}).to_string());
    let policy = Policy { leeway: Duration::from_secs(5), ..Policy::default() };
    let (verifier, clock) = gate();
    let cases = [
        (4_999, Err(TokenError::NotActive)),
        (5_000, Ok(())),
        (15_000, Ok(())),
        (24_999, Ok(())),
        (25_000, Err(TokenError::Expired)),
        (24_999, Ok(())),
        (4_999, Err(TokenError::NotActive)),
    ];
    for (millis, expected) in cases {
        clock.set(Timestamp::from_millis(NOW * 1000 + millis));
        assert_eq!(verifier.verify(&token, &policy).map(|_| ()), expected, "at {millis} ms");
    }
}

#[test]
fn t23_a_token_is_verified_by_its_own_workspaces_keys_only() {
    let names = ["a", "b", "c"];
    let secret = |name: &str| format!("the secret of workspace {name}, which is long enough");
    let with_secret = |name: &&str| WorkspaceConfig { secret: Some(secret(name).into()), ..workspace(name) };
    let (verifier, _) = testing::verifier(names.iter().map(with_secret).collect());
    for issuer in names {
        for signer in names {
            let payload = json!({"iss": issuer}).to_string();
            let token = raw_token_by(secret(signer).as_bytes(), r#"{"alg":"HS256","kid":"same"}"#, &payload);
            let outcome = verifier.verify(&token, &Policy::default()).map(|_| ());
            let expected = if issuer == signer { Ok(()) } else { Err(TokenError::BadSignature) };
            assert_eq!(outcome, expected, "{issuer} by {signer}");
        }
    }
}

#[test]
fn t21_t24_an_issuer_is_known_byte_for_byte_or_refused() {
    for other in ["Acme", "acme/", " acme", "acme\u{200b}", "аcme", ""] {
        let refusal = outcome_of(&json!({"iss": other})).unwrap_err();
        assert_eq!(refusal, TokenError::UnknownWorkspace, "{other}");
    }
    assert_eq!(outcome_of(&json!({"id": "x"})).unwrap_err(), TokenError::NoWorkspace);
}

#[test]
fn t22_audiences_are_checked_when_configured() {
    let with_audience = WorkspaceConfig { audiences: vec!["api".into()], ..full_workspace("acme") };
    let (verifier, _) = testing::verifier(vec![with_audience]);
    let verify = |claims: Value| verifier.verify(&raw_token(HS256, &claims.to_string()), &Policy::default());
    assert!(verify(json!({"iss": "acme", "aud": ["x", "api"]})).is_ok());
    assert_eq!(verify(json!({"iss": "acme", "aud": "x"})).unwrap_err(), TokenError::Audience);
    assert_eq!(verify(json!({"iss": "acme"})).unwrap_err(), TokenError::Audience);
}

#[test]
fn t33_a_hit_is_checked_against_the_policy_and_the_time_of_that_use() {
    let (verifier, clock) = testing::verifier(vec![full_workspace("acme"), full_workspace("other")]);
    let token = raw_token(HS256, &json!({"iss": "acme", "exp": NOW + 60}).to_string());
    let elsewhere = Policy { workspaces: vec!["other".into()], ..Policy::default() };
    assert!(verifier.verify(&token, &Policy::default()).is_ok());
    assert!(verifier.cache.as_ref().unwrap().get(&Fingerprint::of(&token)).is_some());
    assert_eq!(verifier.verify(&token, &elsewhere).unwrap_err(), TokenError::WorkspaceNotAllowed);
    clock.advance(Duration::from_secs(60));
    assert_eq!(verifier.verify(&token, &Policy::default()).unwrap_err(), TokenError::Expired);
}

#[test]
fn t33_failures_are_not_kept_and_without_entries_nothing_is() {
    let (verifier, _) = gate();
    let forged = raw_token_by(b"another secret", HS256, r#"{"iss":"acme"}"#);
    assert!(verifier.verify(&forged, &Policy::default()).is_err());
    assert!(verifier.cache.as_ref().unwrap().get(&Fingerprint::of(&forged)).is_none());

    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let config = Config { workspaces: vec![full_workspace("acme")], cache_entries: 0, ..Config::default() };
    let (verifier, _) = Verifier::new(config, clock).unwrap();
    assert!(verifier.cache.is_none());
    assert!(verifier.verify(&raw_token(HS256, r#"{"iss":"acme"}"#), &Policy::default()).is_ok());
    assert_eq!(
        verifier.verify(&"x".repeat(MAX_TOKEN + 1), &Policy::default()).unwrap_err(),
        TokenError::TooLong
    );
}

#[test]
fn remembered_and_new_verifications_are_counted() {
    let metrics = TokenMetrics::default();
    let verifier = gate().0.counting(metrics.clone());
    let token = raw_token(HS256, r#"{"iss":"acme"}"#);
    for _ in 0..3 {
        assert!(verifier.verify(&token, &Policy::default()).is_ok());
    }
    assert_eq!((metrics.cache_hits.get(), metrics.cache_misses.get()), (2, 1));
}

#[test]
fn t33_a_withdrawn_key_stops_working_with_the_next_verifier() {
    let token = token(Algorithm::RS256, &json!({"iss": "acme"}));
    let (before, _) = gate();
    assert!(before.verify(&token, &Policy::default()).is_ok());
    let mut without_rsa = full_workspace("acme");
    without_rsa.public_keys.retain(|key| key.name != "rsa");
    let (after, _) = testing::verifier(vec![without_rsa]);
    assert_eq!(after.verify(&token, &Policy::default()).unwrap_err(), TokenError::AlgorithmNotAllowed);
}

#[test]
fn nothing_of_a_token_or_key_is_shown() {
    let token =
        raw_token(HS256, r#"{"iss":"acme","fields":{"key":"planted-secret"},"name":"planted-secret"}"#);
    let (verifier, _) = gate();
    let verified = verifier.verify(&token, &Policy::default()).unwrap();
    let shown = format!("{verified:?} {verifier:?} {:?}", full_workspace("acme"));
    assert!(!shown.contains("planted-secret") && !shown.contains(SECRET), "{shown}");
}
