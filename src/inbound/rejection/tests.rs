use http::header::CONTENT_TYPE;

use super::*;
use crate::http::body::{Collected, collect_within};

fn every_rejection() -> Vec<Rejection> {
    vec![
        Rejection::Malformed(Malformed::HostMissing),
        Rejection::AmbiguousPath,
        Rejection::AmbiguousHeader,
        Rejection::TokenHeadersDisagree,
        Rejection::NoToken,
        Rejection::UnreadableToken,
        TokenError::Expired.into(),
        TokenError::BadSignature.into(),
        Rejection::CustomerRequired,
        Rejection::AdminRequired,
        Rejection::ClaimsNotAllowed,
        Rejection::NoUpstream,
        Rejection::NoRule,
        Rejection::MethodNotAllowed(vec![Method::GET, Method::POST]),
        Rejection::UpgradeNotAllowed,
        Rejection::LoopDetected,
        SendError::RequestBody("cut".into()).into(),
        SendError::RequestBody(SlowBody::Rate(9).into()).into(),
        Rejection::Misdirected,
        SendError::Connect("refused".into()).into(),
        SendError::HeadTimeout.into(),
    ]
}

async fn body(answer: Response<Body>) -> serde_json::Value {
    let Ok(Collected::Whole(text)) = collect_within(answer.into_body(), 4096).await else {
        panic!("an answer of ours is short")
    };
    serde_json::from_slice(&text).unwrap()
}

#[tokio::test]
async fn every_answer_is_the_vendors_error_and_carries_its_code() {
    for rejection in every_rejection() {
        let answer = rejection.answer();
        assert!(answer.status().is_client_error() || answer.status().is_server_error());
        assert_eq!(answer.headers()[&REJECTION], rejection.code());
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        let expected = match answer.status().as_u16() {
            401 => ("bad_request", Some("not_authenticated")),
            403 => ("bad_request", Some("access_denied")),
            404 => ("bad_request", Some("not_found")),
            400 | 405 | 408 | 421 => ("bad_request", None),
            502 | 504 | 508 => ("internal", None),
            other => panic!("{rejection:?} is answered {other}"),
        };
        let body = body(answer).await;
        assert_eq!(
            (body["type"].as_str(), body["key"].as_str()),
            (Some(expected.0), expected.1),
            "{rejection:?}"
        );
        assert_eq!(body["message"], rejection.to_string());
    }
}

#[tokio::test]
async fn all_bad_tokens_but_expired_ones_look_alike_outside_and_apart_in_the_log() {
    let bad =
        [TokenError::BadSignature, TokenError::UnknownWorkspace, TokenError::UnknownKid, TokenError::Crit];
    let unreadable = Rejection::UnreadableToken.answer();
    let headers = unreadable.headers().clone();
    let text = body(unreadable).await;
    let mut reasons = vec![Rejection::UnreadableToken.reason()];
    for error in bad {
        let rejection = Rejection::from(error);
        reasons.push(rejection.reason());
        let answer = rejection.answer();
        assert_eq!(answer.status(), 401);
        assert_eq!(*answer.headers(), headers);
        assert_eq!(body(answer).await, text);
    }
    assert_eq!(reasons, ["malformed", "bad_signature", "unknown_workspace", "unknown_kid", "crit"]);
}

#[test]
fn the_challenge_names_an_error_only_where_a_token_was_sent() {
    let challenge = |rejection: Rejection| {
        let answer = rejection.answer();
        answer.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(challenge(Rejection::NoToken).as_deref(), Some("Bearer"));
    assert_eq!(
        challenge(TokenError::BadSignature.into()).as_deref(),
        Some(r#"Bearer error="invalid_token""#)
    );
    assert!(challenge(TokenError::Expired.into()).is_some_and(|text| text.contains("expired")));
    assert_eq!(challenge(Rejection::AdminRequired).as_deref(), Some(r#"Bearer error="insufficient_scope""#));
    assert_eq!(challenge(Rejection::NoRule), None);
}

#[test]
fn the_methods_that_would_do_are_named() {
    let answer = Rejection::MethodNotAllowed(vec![Method::GET, Method::POST]).answer();
    assert_eq!(answer.headers()[ALLOW], "GET, POST");
}

#[test]
fn a_request_whose_framing_is_in_doubt_ends_its_connection() {
    let closes = |rejection: Rejection| rejection.answer().headers().contains_key(CONNECTION);
    assert!(closes(Rejection::Malformed(Malformed::TransferEncoding)));
    assert!(closes(SendError::RequestBody("cut".into()).into()));
    assert!(!closes(Rejection::NoToken));
}

#[test]
fn every_code_and_reason_is_explained_in_the_docs() {
    let docs = include_str!("../../../docs/rejections.md");
    for rejection in every_rejection() {
        for word in [rejection.code(), rejection.reason()] {
            assert!(docs.contains(&format!("`{word}`")), "`{word}` is not in docs/rejections.md");
        }
    }
}
