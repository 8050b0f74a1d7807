use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::http::egress::Names;
use crate::oauth::hostile_server::{Answer, HostileServer, reply};
use crate::oauth1::SignatureMethod;
use crate::secret::Secret;

const OPEN: Egress = Egress { allow_private: true, allow_plain: true };

fn endpoint() -> TokenEndpoint {
    crate::http::tls::install_crypto();
    let roots = rustls::RootCertStore::empty();
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TokenEndpoint::new(Duration::from_secs(5), Arc::new(tls), Names::default())
}

fn signer(token: Option<Token>) -> Signer {
    Signer {
        consumer_key: String::from("app"),
        consumer_secret: Secret::new(String::from("planted-secret")),
        token,
        method: SignatureMethod::HmacSha1,
        realm: None,
    }
}

fn temporary() -> Token {
    Token { key: String::from("temporary"), secret: Secret::new(String::from("planted-temporary")) }
}

fn request<'a>(uri: &'a str, signer: &'a Signer) -> OAuth1Request<'a> {
    let stamp = Stamp { timestamp: Timestamp::from_secs(7), nonce: String::from("n") };
    OAuth1Request { uri, signer, stamp, egress: OPEN }
}

fn form(body: &str) -> Answer {
    reply("200 OK", "application/x-www-form-urlencoded", body)
}

#[tokio::test]
async fn temporary_credentials_are_asked_for_with_the_callback_in_a_signed_post_without_a_body() {
    let server =
        HostileServer::start(form("oauth_token=t%2F1&oauth_token_secret=s&oauth_callback_confirmed=true"))
            .await;
    let uri = format!("http://{}/request?scope=a", server.address);
    let signer = signer(None);
    let Temporary { token, status } = endpoint()
        .temporary_credentials(&request(&uri, &signer), "https://us.example/back?a=1")
        .await
        .unwrap();
    assert_eq!((token.key.as_str(), token.secret.expose().as_str(), status), ("t/1", "s", 200));
    let sent = server.last();
    assert!(sent.head.starts_with("POST /request?scope=a HTTP/1.1\r\n"), "{}", sent.head);
    assert_eq!((sent.header("content-length"), sent.body.as_str()), (Some("0"), ""));
    let authorization = sent.header("authorization").unwrap();
    assert!(
        authorization.contains(r#"oauth_callback="https%3A%2F%2Fus.example%2Fback%3Fa%3D1""#),
        "{authorization}"
    );
    let signed = Request {
        method: "POST",
        https: false,
        host: "127.0.0.1",
        port: server.address.port(),
        path_and_query: "/request?scope=a",
        form: b"",
    };
    let callback = ("oauth_callback", "https://us.example/back?a=1");
    assert_eq!(authorization, *signer.authorization(&signed, &[callback], &request(&uri, &signer).stamp));
}

#[tokio::test]
async fn the_token_is_asked_for_with_the_verifier_and_keeps_what_else_the_provider_says() {
    for body in [
        form("oauth_token=t&oauth_token_secret=s&user_id=7"),
        reply("200 OK", "text/html", "oauth_token=t&oauth_token_secret=s&user_id=7"),
        reply("200 OK", "application/json", r#"{"oauth_token":"t","oauth_token_secret":"s","user_id":"7"}"#),
    ] {
        let server = HostileServer::start(body).await;
        let signer = signer(Some(temporary()));
        let response = endpoint().token_credentials(&request(&server.url(), &signer), "v 1").await.unwrap();
        assert_eq!(
            serde_json::json!(response.fields()),
            serde_json::json!({"oauth_token": "t", "oauth_token_secret": "s", "user_id": "7"})
        );
        let sent = server.last();
        let authorization = sent.header("authorization").unwrap();
        for parameter in [r#"oauth_token="temporary""#, r#"oauth_verifier="v%201""#] {
            assert!(authorization.contains(parameter), "{authorization}");
        }
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn a_provider_that_does_not_confirm_the_callback_is_not_trusted() {
    for body in [
        "oauth_token=t&oauth_token_secret=s",
        "oauth_token=t&oauth_token_secret=s&oauth_callback_confirmed=false",
    ] {
        let server = HostileServer::start(form(body)).await;
        let signer = signer(None);
        let error = endpoint()
            .temporary_credentials(&request(&server.url(), &signer), "https://us.example")
            .await
            .unwrap_err();
        assert!(error.to_string().contains("does not confirm the callback"), "{error}");
    }
}

#[tokio::test]
async fn a_reply_without_a_whole_token_is_none() {
    for body in ["oauth_token=t", "oauth_token_secret=s", "oauth_token=&oauth_token_secret=s", "hello", ""] {
        let server = HostileServer::start(form(body)).await;
        let signer = signer(Some(temporary()));
        let error = endpoint().token_credentials(&request(&server.url(), &signer), "v").await.unwrap_err();
        assert!(matches!(error, ExchangeError::Transient { .. }), "{body}: {error:?}");
    }
    // PLAINTEXT sends it empty where the provider has none (RFC 5849 section 3.4.4).
    let server = HostileServer::start(form("oauth_token=t&oauth_token_secret=")).await;
    let signer = signer(Some(temporary()));
    assert!(endpoint().token_credentials(&request(&server.url(), &signer), "v").await.is_ok());
}

#[tokio::test]
async fn what_the_provider_complains_about_is_told_apart_and_holds_no_secret() {
    for (status, body, expected) in [
        ("401 Unauthorized", "oauth_problem=token_rejected", "the grant is dead: token_rejected ()"),
        (
            "401 Unauthorized",
            "oauth_problem=consumer_key_unknown&oauth_problem_advice=no%20planted-secret",
            "the app is refused: consumer_key_unknown (no [secret])",
        ),
        ("401 Unauthorized", "oauth_problem=signature_invalid", "the app is refused: signature_invalid ()"),
        (
            "400 Bad Request",
            "oauth_problem=timestamp_refused",
            "the token endpoint refused: 400 timestamp_refused",
        ),
        ("401 Unauthorized", "invalid token planted-verifier", "the token endpoint refused: 401 none"),
    ] {
        let server = HostileServer::start(reply(status, "text/plain", body)).await;
        let signer = signer(Some(temporary()));
        let error = endpoint()
            .token_credentials(&request(&server.url(), &signer), "planted-verifier")
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn the_guard_decides_before_anything_is_sent() {
    let server = HostileServer::start(form("oauth_token=t&oauth_token_secret=s")).await;
    let signer = signer(None);
    let (url, shut) = (server.url(), Egress::default());
    let request = OAuth1Request { egress: shut, ..request(&url, &signer) };
    let error = endpoint().token_credentials(&request, "v").await.unwrap_err();
    assert!(matches!(error, ExchangeError::NotAllowed { .. }), "{error:?}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_customer_is_sent_to_consent_with_the_temporary_token() {
    let extra = [("name", "Us & co"), ("oauth_token", "another")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let scopes = [String::from("read"), String::from("write")];
    let url = authorize_url("https://a.example/authorize?v=1", &temporary(), &scopes, &extra).unwrap();
    assert_eq!(
        url.as_str(),
        "https://a.example/authorize?v=1&oauth_token=temporary&scope=read%2Cwrite&name=Us+%26+co"
    );
    let plain = authorize_url("https://a.example/authorize", &temporary(), &[], &[]).unwrap();
    assert_eq!(plain.as_str(), "https://a.example/authorize?oauth_token=temporary");
}
