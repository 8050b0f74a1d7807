use super::*;
use crate::clock::Timestamp;
use crate::http::egress::Egress;
use crate::oauth::Grant;
use crate::oauth::hostile_server::{Answer, HostileServer, json, reply};
use crate::oauth::http_request::REPLY_LIMIT;
use crate::oauth::{Basic, Client, ClientAuthentication, Encoding, Reading, Sent};
use crate::secret::Secret;

const OPEN: Egress = Egress { allow_private: true, allow_plain: true };

fn endpoint(deadline: Duration) -> TokenEndpoint {
    crate::http::tls::install_crypto();
    let roots = rustls::RootCertStore::empty();
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    TokenEndpoint::new(deadline, Arc::new(tls), Names::default())
}

/// A request for `uri` with the given secrets, which no error may hold.
struct Asking {
    uri: String,
    secret: Secret<String>,
    token: Secret<String>,
}

impl Asking {
    fn at(uri: &str) -> Self {
        let (secret, token) = (String::from("planted-secret"), String::from("planted-token"));
        Self { uri: uri.to_owned(), secret: Secret::new(secret), token: Secret::new(token) }
    }

    fn request(&self) -> TokenRequest<'_> {
        TokenRequest {
            token_uri: &self.uri,
            client: self.client(ClientAuthentication::Header(Basic::Encoded)),
            grant: Grant::RefreshToken(&self.token),
            scope: None,
            extra: &[],
            encoding: Encoding::Form,
            now: Timestamp::from_secs(1_800_000_000),
            reading: Reading::default(),
            egress: OPEN,
        }
    }

    fn client(&self, authentication: ClientAuthentication) -> Client<'_> {
        Client { secret: Some(&self.secret), authentication, ..Client::public("client") }
    }

    async fn error(&self) -> ExchangeError {
        let error = endpoint(Duration::from_secs(5)).exchange(&self.request()).await.expect_err("a failure");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
        error
    }
}

#[tokio::test]
async fn a_refresh_is_one_post_that_names_its_sender() {
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    let asking = Asking::at(&server.url());
    let response = endpoint(Duration::from_secs(5)).exchange(&asking.request()).await.unwrap();
    assert_eq!(response.fields()["access_token"], "t");
    assert_eq!(server.requests(), 1);
    let sent = server.last();
    assert!(sent.head.starts_with("POST /token HTTP/1.1\r\n"), "{}", sent.head);
    assert_eq!(sent.header("accept"), Some("application/json"));
    assert_eq!(sent.header("content-type"), Some("application/x-www-form-urlencoded"));
    assert!(sent.header("user-agent").unwrap().starts_with("sidegate/"));
    assert_eq!(sent.body, "grant_type=refresh_token&refresh_token=planted-token");
}

#[tokio::test]
async fn a_code_is_exchanged_with_its_redirect_uri_and_its_verifier() {
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    let asking = Asking::at(&server.url());
    let (code, verifier) =
        (Secret::new(String::from("planted code&")), Secret::new(String::from("planted~v")));
    for (code_verifier, tail) in [(Some(&verifier), "&code_verifier=planted%7Ev"), (None, "")] {
        let redirect_uri = "https://sidegate.example/oauth-callback?a=1";
        let grant = Grant::AuthorizationCode { code: &code, redirect_uri, code_verifier };
        let request = TokenRequest { grant, ..asking.request() };
        let response = endpoint(Duration::from_secs(5)).exchange(&request).await.unwrap();
        assert_eq!(response.fields()["access_token"], "t");
        let expected = "grant_type=authorization_code&code=planted+code%26\
                        &redirect_uri=https%3A%2F%2Fsidegate.example%2Foauth-callback%3Fa%3D1";
        assert_eq!(server.last().body, format!("{expected}{tail}"));
    }
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_code_and_its_verifier_are_in_no_error() {
    let echo = r#"{"error":"invalid_grant","error_description":"no planted-code with planted-verifier"}"#;
    let server = HostileServer::start(reply("400 Bad Request", "application/json", echo)).await;
    let asking = Asking::at(&server.url());
    let (code, verifier) =
        (Secret::new(String::from("planted-code")), Secret::new(String::from("planted-verifier")));
    let grant = Grant::AuthorizationCode {
        code: &code,
        redirect_uri: "https://a.example",
        code_verifier: Some(&verifier),
    };
    let request = TokenRequest { grant, ..asking.request() };
    let error = endpoint(Duration::from_secs(5)).exchange(&request).await.unwrap_err();
    assert_eq!(error.to_string(), "the grant is dead: invalid_grant (no [secret] with [secret])");
}

#[tokio::test]
async fn the_client_proves_itself_in_exactly_one_way() {
    use ClientAuthentication::{Body, Both, Header, None as Public};
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    // The pair is `a+b%3A%C3%BC:p%25+q%26%2F%2B`: form-urlencoded before base64.
    let basic = Some("Basic YStiJTNBJUMzJUJDOnAlMjUrcSUyNiUyRiUyQg==");
    // The same as it is: `a b:ü:p% q&/+`.
    let raw = Some("Basic YSBiOsO8OnAlIHEmLys=");
    let grant = "grant_type=client_credentials";
    let id = "&client_id=a+b%3A%C3%BC";
    let secret = "&client_secret=p%25+q%26%2F%2B";
    for (authentication, with_secret, header, body) in [
        (Header(Basic::Encoded), true, basic, grant.to_owned()),
        (Body, true, None, format!("{grant}{id}{secret}")),
        (Header(Basic::Raw), true, raw, grant.to_owned()),
        (Both(Basic::Encoded), true, basic, format!("{grant}{id}{secret}")),
        (Public, true, None, format!("{grant}{id}")),
        (Header(Basic::Encoded), false, None, format!("{grant}{id}")),
        (Body, false, None, format!("{grant}{id}")),
    ] {
        let mut asking = Asking::at(&server.url());
        asking.secret = Secret::new("p% q&/+".into());
        let request = TokenRequest {
            client: Client {
                id: "a b:ü",
                secret: with_secret.then_some(&asking.secret),
                ..asking.client(authentication)
            },
            grant: Grant::ClientCredentials,
            ..asking.request()
        };
        endpoint(Duration::from_secs(5)).exchange(&request).await.unwrap();
        let sent = server.last();
        assert_eq!(sent.header("authorization"), header, "{authentication:?} {with_secret}");
        assert_eq!(sent.body, body, "{authentication:?} {with_secret}");
    }
}

#[tokio::test]
async fn extra_fields_are_sent_but_replace_none_of_the_protocols() {
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    let asking = Asking::at(&server.url());
    let extra = [
        ("audience", "https://api"),
        ("grant_type", "password"),
        ("client_id", "other"),
        ("redirect_uri", "https://evil.example"),
        ("code_verifier", "x"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = TokenRequest {
        grant: Grant::ClientCredentials,
        scope: Some("a b".into()),
        extra: &extra,
        ..asking.request()
    };
    endpoint(Duration::from_secs(5)).exchange(&request).await.unwrap();
    assert_eq!(server.last().body, "grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fapi");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    for status in ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let answer =
            format!("HTTP/1.1 {status}\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", elsewhere.url());
        let server = HostileServer::start(Answer::Bytes(answer.into_bytes())).await;
        let error = Asking::at(&server.url()).error().await;
        assert!(matches!(error, ExchangeError::Unknown { status: 302 | 307 | 308, .. }), "{error:?}");
        assert_eq!(server.requests(), 1);
    }
    assert_eq!(elsewhere.requests(), 0);
}

#[tokio::test]
async fn nothing_is_sent_twice_whatever_the_server_does() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let long = format!("{{\"access_token\":\"planted-new\",\"x\":\"{}\"}}", "x".repeat(REPLY_LIMIT));
    for (what, answer) in [
        ("it closes without a word", Answer::Bytes(Vec::new())),
        ("it closes after the head", Answer::Bytes(format!("{head}Content-Length: 99\r\n\r\n").into_bytes())),
        (
            "it closes within the body",
            Answer::Bytes(
                format!("{head}Content-Length: 99\r\n\r\n{{\"access_token\":\"planted-new\"").into_bytes(),
            ),
        ),
        ("it speaks something else", Answer::Bytes(b"220 planted-token ESMTP\r\n".to_vec())),
        (
            "it gives two lengths",
            Answer::Bytes(format!("{head}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}").into_bytes()),
        ),
        ("it echoes the token", reply("200 OK", "text/html", "<p>planted-token planted-secret</p>")),
        ("it is broken", reply("503 Service Unavailable", "text/plain", "planted-token")),
        ("it sends too much", json(&long)),
    ] {
        let server = HostileServer::start(answer).await;
        let error = Asking::at(&server.url()).error().await;
        assert!(matches!(error, ExchangeError::Transient { .. }), "{what}: {error:?}");
        let answered = ["it echoes the token", "it is broken"].contains(&what);
        assert_eq!(error.leaves_open(), !answered, "{what}: {error:?}");
        assert_eq!(server.requests(), 1, "{what}");
    }
}

#[tokio::test]
async fn an_endless_reply_is_cut_off() {
    let mut endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..=REPLY_LIMIT / 0x1000 {
        endless.extend_from_slice(b"1000\r\n");
        endless.extend_from_slice(&[b' '; 0x1000]);
        endless.extend_from_slice(b"\r\n");
    }
    let server = HostileServer::start(Answer::Hang(endless)).await;
    let error = Asking::at(&server.url()).error().await;
    assert!(error.to_string().contains("longer than"), "{error}");
}

#[tokio::test]
async fn a_server_that_hangs_ends_at_the_deadline() {
    for so_far in ["", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"] {
        let server = HostileServer::start(Answer::Hang(so_far.into())).await;
        let asking = Asking::at(&server.url());
        let error =
            endpoint(Duration::from_millis(50)).exchange(&asking.request()).await.expect_err("no answer");
        assert!(matches!(error, ExchangeError::Transient { sent: Sent::Perhaps, .. }), "{error:?}");
        assert_eq!(server.requests(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_was_sent_nothing() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for uri in [format!("http://{closed}/token?key=planted-key"), format!("https://{closed}/token")] {
        let error = Asking::at(&uri).error().await;
        assert!(matches!(error, ExchangeError::Transient { sent: Sent::No, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_tls_handshake_that_fails_was_sent_nothing() {
    let server = HostileServer::start(Answer::Bytes(Vec::new())).await;
    let error = Asking::at(&server.url().replace("http:", "https:")).error().await;
    assert!(matches!(error, ExchangeError::Transient { sent: Sent::No, .. }), "{error:?}");
}

#[tokio::test]
async fn the_guard_decides_before_anything_is_sent() {
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    let (private, plain) = (
        Egress { allow_private: true, ..Egress::default() },
        Egress { allow_plain: true, ..Egress::default() },
    );
    let port = server.address.port();
    for (uri, egress) in [
        (server.url(), private),
        (server.url(), plain),
        (format!("http://[::ffff:127.0.0.1]:{port}/token"), plain),
        (format!("http://2130706433:{port}/token"), plain),
        (format!("http://localhost:{port}/token"), plain),
        (String::from("file:///etc/passwd"), OPEN),
        (String::from("no url"), OPEN),
    ] {
        let asking = Asking::at(&uri);
        let request = TokenRequest { egress, ..asking.request() };
        let error = endpoint(Duration::from_secs(5)).exchange(&request).await.expect_err(&uri);
        let nothing_sent = matches!(
            error,
            ExchangeError::NotAllowed { .. } | ExchangeError::Transient { sent: Sent::No, .. }
        );
        assert!(nothing_sent, "{uri}: {error:?}");
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn retry_after_is_read_in_both_forms() {
    for (headers, expected) in [
        ("Retry-After: 120\r\n", Some(120)),
        ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:50:37 GMT\r\n", Some(60)),
        ("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:00:00 GMT\r\n", None),
        ("Retry-After: soon\r\n", None),
        ("", None),
    ] {
        let expected = expected.map(Duration::from_secs);
        for status in ["429 Too Many Requests", "503 Service Unavailable"] {
            let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n");
            let server = HostileServer::start(Answer::Bytes(answer.into_bytes())).await;
            match Asking::at(&server.url()).error().await {
                ExchangeError::Throttled { retry_after } => {
                    assert_eq!((status, Some(retry_after)), ("429 Too Many Requests", expected));
                }
                ExchangeError::Transient { retry_after, .. } => {
                    assert_eq!(retry_after, expected, "{headers}");
                    assert!(!status.starts_with("429") || expected.is_none(), "{headers}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

mod rows;
