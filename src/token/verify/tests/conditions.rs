//! What a workspace may ask of its tokens, and what happens while keys and revocations change or signatures are dear.

use super::*;
use crate::token::keys::{Config, Jwks, JwksSource, TextFile};
use crate::token::testing::{anna_by, set};
use crate::token::throttle::Budget;

fn with(change: impl FnOnce(&mut WorkspaceConfig)) -> (Verifier, Arc<ManualClock>) {
    let mut workspace = full_workspace("acme");
    change(&mut workspace);
    testing::verifier(vec![workspace])
}

fn of(verifier: &Verifier, header: &str, claims: &Value) -> Result<(), TokenError> {
    verifier.verify(&raw_token(header, &claims.to_string()), &Policy::default()).map(|_| ())
}

#[test]
fn t14_a_workspace_may_name_the_types_of_its_tokens() {
    let (verifier, _) = with(|workspace| workspace.types = vec!["at+jwt".into(), "JWT".into()]);
    let typed =
        |typ: &str| of(&verifier, &format!(r#"{{"alg":"HS256","typ":{typ}}}"#), &json!({"iss": "acme"}));
    for good in ["\"at+jwt\"", "\"AT+JWT\"", "\"application/at+jwt\"", "\"Application/JWT\"", "\"jwt\""] {
        assert_eq!(typed(good), Ok(()), "{good}");
    }
    for other in [
        "\"logout+jwt\"",
        "\"\"",
        "\"at+jwt \"",
        "\"text/at+jwt\"",
        "\"application/x/jwt\"",
        "7",
        "null",
        "[\"JWT\"]",
    ] {
        assert_eq!(typed(other), Err(TokenError::Type), "{other}");
    }
    assert_eq!(of(&verifier, r#"{"alg":"HS256"}"#, &json!({"iss": "acme"})), Err(TokenError::Type));
    let (lenient, _) = gate();
    assert_eq!(of(&lenient, r#"{"alg":"HS256","typ":"logout+jwt"}"#, &json!({"iss": "acme"})), Ok(()));
}

#[test]
fn t20_a_workspace_may_limit_how_long_its_tokens_live() {
    let (verifier, _) = with(|workspace| workspace.max_lifetime = Some(Duration::from_secs(3600)));
    let outcome = |claims: Value| of(&verifier, HS256, &claims);
    for (claims, expected) in [
        (json!({"iss": "acme", "iat": NOW, "exp": NOW + 3600}), Ok(())),
        (json!({"iss": "acme", "iat": NOW, "exp": NOW + 3601}), Err(TokenError::Lifetime)),
        (json!({"iss": "acme", "iat": NOW - 3000, "exp": NOW + 600}), Ok(())),
        (json!({"iss": "acme", "iat": NOW - 3001, "exp": NOW + 600}), Err(TokenError::Lifetime)),
        (json!({"iss": "acme", "exp": NOW + 3600}), Ok(())),
        (json!({"iss": "acme", "exp": NOW + 3601}), Err(TokenError::Lifetime)),
        (json!({"iss": "acme", "iat": NOW + 9000, "exp": NOW + 9600}), Err(TokenError::Lifetime)),
        (json!({"iss": "acme"}), Err(TokenError::Lifetime)),
        (json!({"iss": "acme", "iat": "now", "exp": NOW + 60}), Err(TokenError::BadClaim("iat"))),
        (json!({"iss": "acme", "iat": -1e300, "exp": NOW + 60}), Err(TokenError::Lifetime)),
    ] {
        assert_eq!(outcome(claims.clone()), expected, "{claims}");
    }
}

#[test]
fn a_disabled_secret_verifies_nothing_while_the_public_keys_do() {
    let (verifier, _) = with(|workspace| workspace.secret_disabled = true);
    for algorithm in Algorithm::ALL {
        let outcome = verifier.verify(&token(algorithm, &json!({"iss": "acme"})), &Policy::default());
        let expected =
            if Algorithm::HMAC.contains(&algorithm) { Err(TokenError::AlgorithmNotAllowed) } else { Ok(()) };
        assert_eq!(outcome.map(|_| ()), expected, "{algorithm}");
    }
}

#[test]
fn what_costs_nothing_is_checked_before_the_signature() {
    let (verifier, _) = with(|workspace| {
        workspace.types = vec!["JWT".into()];
        workspace.audiences = vec!["api".into()];
    });
    let forged = |header: &str, claims: Value| {
        let token = raw_token_by(b"another secret", header, &claims.to_string());
        verifier.verify(&token, &Policy::default()).unwrap_err()
    };
    assert_eq!(forged(HS256, json!({"iss": "acme", "aud": "api", "exp": NOW})), TokenError::Expired);
    assert_eq!(forged(HS256, json!({"iss": "acme", "aud": "api", "nbf": NOW + 1})), TokenError::NotActive);
    assert_eq!(forged(HS256, json!({"iss": "acme", "aud": "x"})), TokenError::Audience);
    assert_eq!(forged(r#"{"alg":"HS256"}"#, json!({"iss": "acme", "aud": "api"})), TokenError::Type);
    assert_eq!(forged(HS256, json!({"iss": "acme", "aud": "api"})), TokenError::BadSignature);
}

/// A forged ES512 token for each number, all with one signature, which belongs to none of them.
fn forgery() -> impl Fn(usize) -> String {
    let good = token(Algorithm::ES512, &json!({"iss": "acme"}));
    let signature = good.rsplit_once('.').unwrap().1.to_owned();
    move |number| {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES512"}"#);
        let payload = URL_SAFE_NO_PAD.encode(json!({"iss": "acme", "n": number}).to_string());
        format!("{header}.{payload}.{signature}")
    }
}

#[test]
fn a_flood_of_bad_signatures_ends_being_checked_and_who_is_known_does_not_notice() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let config = Config {
        workspaces: vec![full_workspace("acme")],
        cache_entries: 100,
        bad_signatures: Budget::percent(0),
    };
    let (verifier, _) = Verifier::new(config, clock).unwrap();
    let known = token(Algorithm::ES512, &json!({"iss": "acme", "id": "known"}));
    let new = token(Algorithm::ES512, &json!({"iss": "acme", "id": "new"}));
    assert!(verifier.verify(&known, &Policy::default()).is_ok());
    let forged = forgery();
    let refusal = |number| verifier.verify(&forged(number), &Policy::default()).unwrap_err();
    let count = (0..5000).take_while(|&number| refusal(number) == TokenError::BadSignature).count();
    assert!((1..5000).contains(&count), "{count}");
    for _ in 0..100 {
        assert_eq!(refusal(10_000), TokenError::Saturated);
        assert!(verifier.verify(&known, &Policy::default()).is_ok(), "it is remembered");
    }
    assert_eq!(verifier.verify(&new, &Policy::default()).unwrap_err(), TokenError::Saturated);
    let cheap = token(Algorithm::HS256, &json!({"iss": "acme", "id": "new"}));
    assert!(verifier.verify(&cheap, &Policy::default()).is_ok(), "a MAC is always checked");
    assert_eq!(refusal(count - 1), TokenError::BadSignature, "the very same bad token is known to be bad");
}

#[test]
fn good_signatures_are_never_counted_as_bad() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(NOW)));
    let config = Config {
        workspaces: vec![full_workspace("acme")],
        cache_entries: 0,
        bad_signatures: Budget::percent(0),
    };
    let (verifier, _) = Verifier::new(config, clock).unwrap();
    let token = token(Algorithm::ES512, &json!({"iss": "acme"}));
    let begin = Instant::now();
    while begin.elapsed() < throttle::BURST * 3 {
        assert!(verifier.verify(&token, &Policy::default()).is_ok());
    }
}

#[test]
fn t33_a_key_that_is_gone_and_comes_back_is_another_key_to_what_was_refused() {
    let file = TextFile { path: "jwks.json".into(), text: set(&["a"]) };
    let workspace = WorkspaceConfig { jwks: Some(Jwks::new(JwksSource::File(file))), ..workspace("acme") };
    let (verifier, _) = testing::verifier(vec![workspace]);
    let good = anna_by("a");
    let outcome = || verifier.verify(&good, &Policy::default()).map(|_| ());
    let issuer = &verifier.workspaces["acme"];
    assert_eq!(outcome(), Ok(()));
    issuer.take_set(&set(&["b"])).unwrap();
    assert_eq!(outcome(), Err(TokenError::UnknownKid), "at once, though it is remembered");
    issuer.take_set(&set(&["a", "b"])).unwrap();
    assert_eq!(outcome(), Ok(()));
    issuer.give_up_set();
    assert_eq!(outcome(), Err(TokenError::KeysUnavailable));
}

#[test]
fn t34_what_a_worker_remembers_is_of_its_own_verifier() {
    let (one, _) = gate();
    let (other, _) = testing::verifier(vec![WorkspaceConfig {
        secret: Some("another secret, which is long enough for all".to_owned().into()),
        ..workspace("acme")
    }]);
    let token = raw_token(HS256, r#"{"iss":"acme"}"#);
    assert!(one.verify(&token, &Policy::default()).is_ok());
    assert_eq!(other.verify(&token, &Policy::default()).unwrap_err(), TokenError::BadSignature);
    assert!(one.verify(&token, &Policy::default()).is_ok());
}
