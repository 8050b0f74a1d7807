use http::StatusCode;
use serde_json::json;

use super::*;
use crate::http::egress::Egress;
use crate::oauth::{ClientAuthentication, Encoding, Grant};

fn understand(status: u16, body: &str) -> Result<TokenResponse, ExchangeError> {
    let status = StatusCode::from_u16(status).unwrap();
    let reply =
        Reply { status, retry_after: None, date: None, body: Zeroizing::new(body.as_bytes().to_vec()) };
    super::understand(&reply, Reading::default(), &["access_token"], &OwnSecrets(Vec::new()))
}

fn class(error: &ExchangeError) -> String {
    match error {
        ExchangeError::DeadGrant { code, .. } => format!("dead grant {code}"),
        ExchangeError::DeadApp { code, .. } => format!("dead app {code}"),
        ExchangeError::Transient { .. } => "transient".into(),
        ExchangeError::Throttled { .. } => "throttled".into(),
        ExchangeError::Unknown { status, code } => format!("unknown {status} {code}"),
        ExchangeError::NotAllowed { .. } => "not allowed".into(),
    }
}

#[test]
fn replies_of_real_providers_are_understood() {
    let token = |more| {
        let mut fields = json!({"access_token": "t"});
        fields.as_object_mut().unwrap().append(json!(more).as_object_mut().unwrap());
        fields
    };
    for (what, status, body, expected) in [
        (
            "the RFC's own",
            200,
            r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#,
            token(json!({"token_type": "Bearer", "expires_in": 3600})),
        ),
        ("201 (Sentry, GitHub App)", 201, r#"{"access_token":"t"}"#, token(json!({}))),
        (
            "no token_type",
            200,
            r#"{"access_token":"t","expires_in":"3600"}"#,
            token(json!({"expires_in": "3600"})),
        ),
        (
            "scope as a list (Twitch)",
            200,
            r#"{"access_token":"t","scope":["a","b"]}"#,
            token(json!({"scope": ["a", "b"]})),
        ),
        (
            "a form (GitHub without Accept)",
            200,
            "access_token=t&scope=a%2Cb&token_type=bearer",
            token(json!({"scope": "a,b", "token_type": "bearer"})),
        ),
        ("a byte order mark and space", 200, "\u{feff} {\"access_token\":\"t\"}\n", token(json!({}))),
        ("the last of duplicate keys", 200, r#"{"access_token":"s","access_token":"t"}"#, token(json!({}))),
        (
            "an error that is none",
            200,
            r#"{"access_token":"t","error":null,"ok":true}"#,
            token(json!({"error": null, "ok": true})),
        ),
        (
            "fields the next refresh needs",
            200,
            r#"{"access_token":"t","instance_url":"https://x","data":{"a":1}}"#,
            token(json!({"instance_url": "https://x", "data": {"a": 1}})),
        ),
    ] {
        let response = understand(status, body).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(json!(response.fields()), expected, "{what}");
    }
}

#[test]
fn refusals_are_told_apart() {
    for (what, status, body, expected) in [
        ("a dead grant", 400, r#"{"error":"invalid_grant"}"#, "dead grant invalid_grant"),
        (
            "a dead grant as a form",
            400,
            "error=invalid_grant&error_description=x",
            "dead grant invalid_grant",
        ),
        (
            "a dead grant with 200 (GitHub)",
            200,
            r#"{"error":"bad_refresh_token"}"#,
            "dead grant bad_refresh_token",
        ),
        (
            "a dead grant with 200 and ok (Slack)",
            200,
            r#"{"ok":false,"error":"invalid_refresh_token"}"#,
            "dead grant invalid_refresh_token",
        ),
        ("a dead grant with 401", 401, r#"{"error":"invalid_grant"}"#, "dead grant invalid_grant"),
        ("an unknown client", 401, r#"{"error":"invalid_client"}"#, "dead app invalid_client"),
        (
            "a client without this grant",
            400,
            r#"{"error":"unauthorized_client"}"#,
            "dead app unauthorized_client",
        ),
        ("another complaint", 400, r#"{"error":"invalid_scope"}"#, "unknown 400 invalid_scope"),
        ("an error object", 400, r#"{"error":{"code":"E7","message":"m"}}"#, "unknown 400 E7"),
        (
            "an error beside a token",
            200,
            r#"{"access_token":"t","error":"invalid_scope"}"#,
            "unknown 200 invalid_scope",
        ),
        ("ok: false alone", 200, r#"{"ok":false}"#, "unknown 200 none"),
        ("401 with a page", 401, "<html></html>", "unknown 401 none"),
        ("a redirect", 302, "", "unknown 302 none"),
        ("too early", 425, "", "transient"),
        ("a slow client", 408, "", "transient"),
        ("too many", 429, r#"{"error":"invalid_grant"}"#, "transient"),
        ("a broken server", 500, r#"{"error":"oops"}"#, "transient"),
        ("a server that says so in the body", 400, r#"{"error":"temporarily_unavailable"}"#, "transient"),
        ("nothing", 204, "", "transient"),
        ("an empty object", 200, "{}", "transient"),
        ("a list", 200, "[1]", "transient"),
        ("a login page", 200, "<html><a href='/?x=y'></html>", "transient"),
        ("an empty token", 200, r#"{"access_token":""}"#, "transient"),
        ("a token that is a number", 200, r#"{"access_token":7}"#, "transient"),
        ("a token that would end a header", 200, r#"{"access_token":"a\r\nX: y"}"#, "transient"),
        ("a token beyond ASCII", 200, r#"{"access_token":"tökn"}"#, "transient"),
        ("no UTF-8", 200, "\u{0}", "transient"),
    ] {
        let error = understand(status, body).expect_err(what);
        assert_eq!(class(&error), expected, "{what}");
    }
}

#[test]
fn what_a_provider_says_is_cut_and_cleaned() {
    let long = "x".repeat(5000);
    let body =
        json!({"error": "invalid_grant", "error_description": format!("a\r\nb\u{1b}[31m \u{202e}c {long}")});
    let Err(ExchangeError::DeadGrant { description, .. }) = understand(400, &body.to_string()) else {
        panic!("not a dead grant")
    };
    assert!(description.starts_with("ab[31m c xxx"), "{description}");
    assert_eq!(description.len(), DESCRIPTION_LIMIT);
}

#[test]
fn a_secret_is_not_passed_on_as_json_has_it() {
    let own = OwnSecrets::written(vec![Zeroizing::new(String::from("p\"q\\r"))]);
    let echo = json!({"client_secret": "p\"q\\r"}).to_string();
    assert_eq!(own.clean(&format!("cannot read {echo}"), 200), r#"cannot read {"client_secret":"[secret]"}"#);
}

#[test]
fn echoed_secrets_are_not_passed_on() {
    let (secret, token) = (Secret::new(String::from("s/cret+&")), Secret::new(String::from("r-token=%")));
    let authentication = ClientAuthentication::Header(Basic::Encoded);
    let client = Client { secret: Some(&secret), authentication, ..Client::public("id") };
    let request = TokenRequest {
        token_uri: "https://example.com/token",
        client,
        encoding: Encoding::Form,
        now: Timestamp::from_secs(1_800_000_000),
        grant: Grant::RefreshToken(&token),
        scope: None,
        extra: &[],
        reading: Reading::default(),
        egress: Egress::default(),
    };
    let own = OwnSecrets::of(&request, &client.proof(request.token_uri, request.now).unwrap());
    let echoes = [
        "s/cret+&",
        "s%2Fcret%2B%26",
        "r-token=%",
        "r-token%3D%25",
        basic(Basic::Encoded, "id", &secret).as_str(),
    ]
    .map(String::from);
    for echo in echoes {
        for status in [200, 400, 401] {
            for said in [
                json!({"error": "invalid_grant", "error_description": format!("no such {echo}!")}),
                json!({"error": "invalid_client", "error_description": format!("{}\u{7}{}", &echo[..3], &echo[3..])}),
                json!({"error": format!("bad {echo}")}),
            ] {
                let status = StatusCode::from_u16(status).unwrap();
                let body = Zeroizing::new(said.to_string().into_bytes());
                let reply = Reply { status, retry_after: None, date: None, body };
                let error = super::understand(&reply, Reading::default(), &["access_token"], &own)
                    .expect_err("a refusal");
                assert!(!format!("{error} {error:?}").contains(&echo), "{error:?}");
            }
        }
    }
}

#[test]
fn an_echoed_assertion_is_not_passed_on() {
    let (secret, token) = (Secret::new(String::from("planted-secret")), Secret::new(String::from("planted")));
    let authentication = ClientAuthentication::ClientSecretJwt;
    let client = Client { secret: Some(&secret), authentication, ..Client::public("id") };
    let request = TokenRequest {
        token_uri: "https://example.com/token",
        client,
        grant: Grant::RefreshToken(&token),
        scope: None,
        extra: &[],
        encoding: Encoding::Form,
        now: Timestamp::from_secs(1_800_000_000),
        reading: Reading::default(),
        egress: Egress::default(),
    };
    let proof = client.proof(request.token_uri, request.now).unwrap();
    let (_, assertion) = proof.fields.iter().find(|(name, _)| *name == "client_assertion").unwrap();
    let body = json!({"error": "invalid_client", "error_description": format!("what is {}?", **assertion)});
    let status = StatusCode::BAD_REQUEST;
    let body = Zeroizing::new(body.to_string().into_bytes());
    let reply = Reply { status, retry_after: None, date: None, body };
    let own = OwnSecrets::of(&request, &proof);
    let error = super::understand(&reply, Reading::default(), &["access_token"], &own).expect_err("refused");
    assert_eq!(error.to_string(), "the app is refused: invalid_client (what is [secret]?)");
}

#[test]
fn a_reply_does_not_print_its_tokens() {
    assert_eq!(
        format!("{:?}", understand(200, r#"{"access_token":"t"}"#).unwrap()),
        "TokenResponse([secret])"
    );
}

mod rows;
