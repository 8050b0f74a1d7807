use serde_json::json;

use crate::token::keys::Algorithm;
use crate::token::testing::{full_workspace, raw_token_by, token, verifier};
use crate::token::{Policy, TokenError};

#[test]
fn a_good_token_is_shown_with_the_key_that_verifies_it() {
    let (verifier, _) = verifier(vec![full_workspace("acme")]);
    let token =
        token(Algorithm::ES384, &json!({"iss": "acme", "fields": {"apiKey": "planted-secret", "n": 1}}));
    let explanation = verifier.explain(&token, &Policy::default());
    assert_eq!(explanation.header, Some(json!({"typ": "JWT", "alg": "ES384"})));
    assert_eq!(
        explanation.claims,
        Some(json!({"iss": "acme", "fields": {"apiKey": "[secret]", "n": "[secret]"}}))
    );
    assert_eq!(explanation.key.as_deref(), Some("publicKeys p384 of workspace acme"));
    assert!(explanation.outcome.is_ok());
    assert_eq!(explanation.remarks.len(), 1, "that it never expires");
    assert!(!format!("{explanation:?}").contains("planted-secret"));
}

#[test]
fn a_refused_token_is_shown_with_the_reason_and_what_to_do() {
    let (verifier, _) = verifier(vec![full_workspace("acme")]);
    let forged = raw_token_by(b"another", r#"{"alg":"HS256"}"#, r#"{"iss":"acme","exp":4000000000}"#);
    let explanation = verifier.explain(&forged, &Policy::default());
    assert_eq!(explanation.outcome.unwrap_err(), TokenError::BadSignature);
    assert_eq!(explanation.key, None);
    assert!(explanation.remarks[0].contains("not base64-decoded"), "{:?}", explanation.remarks);

    let unknown = raw_token_by(b"another", r#"{"alg":"HS256"}"#, r#"{"iss":"Acme","exp":1}"#);
    assert!(verifier.explain(&unknown, &Policy::default()).remarks[0].ends_with("workspaces: acme"));
}

#[test]
fn what_is_no_token_at_all_is_explained_too() {
    let (verifier, _) = verifier(vec![full_workspace("acme")]);
    let explanation = verifier.explain("Bearer a.b.c", &Policy::default());
    assert_eq!((explanation.header, explanation.claims, explanation.key), (None, None, None));
    assert!(explanation.remarks[0].contains("without `Bearer`"));
    for text in ["", ".", "..", "a.b.c", "é", "....."] {
        assert!(verifier.explain(text, &Policy::default()).outcome.is_err());
    }
}
