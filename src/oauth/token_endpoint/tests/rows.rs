//! Replies of a hostile server (reference section 6.4) that are a matter of HTTP, and the race for a kept connection (6.2).

use std::io::Write as _;

use super::*;

/// 100 MiB of zeros as gzip has them: one zero, and then over and over "258 times what stood one before" (RFC 1951 section 3.2.6).
fn bomb() -> Vec<u8> {
    let (last_block_with_fixed_codes, zero, repeat, end) = ("110", "00110000", "1100010100000", "0000000");
    let bits = [last_block_with_fixed_codes, zero]
        .into_iter()
        .chain(std::iter::repeat_n(repeat, (100 << 20) / 258))
        .chain([end])
        .flat_map(str::bytes);
    let bits: Vec<u8> = bits.map(|bit| bit - b'0').collect();
    let bytes = bits.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit));
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff".iter().copied().chain(bytes).collect()
}

#[tokio::test]
async fn row_6_4_a_gzip_bomb_is_not_unpacked_nor_asked_for() {
    let bomb = bomb();
    let mut answer = Vec::new();
    write!(
        answer,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    )
    .unwrap();
    answer.extend(bomb);
    let server = HostileServer::start(Answer::Bytes(answer)).await;
    let error = Asking::at(&server.url()).error().await;
    assert!(error.to_string().contains("no access_token in its reply"), "{error}");
    assert_eq!(server.last().header("accept-encoding"), None);
}

#[tokio::test]
async fn row_6_4_a_slow_drip_ends_at_the_deadline_and_not_with_the_last_byte() {
    let mut drip = b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n".to_vec();
    drip.extend([b' '; 99_999]);
    let server = HostileServer::start(Answer::Drip(drip)).await;
    let asking = Asking::at(&server.url());
    let error =
        endpoint(Duration::from_millis(200)).exchange(&asking.request()).await.expect_err("a timeout");
    assert!(matches!(error, ExchangeError::Transient { sent: Sent::Perhaps, .. }), "{error:?}");
    assert!(error.to_string().contains("timed out"), "{error}");
}

#[tokio::test]
async fn row_6_2_17_no_exchange_uses_a_connection_of_another() {
    let body = r#"{"access_token":"t"}"#;
    let kept =
        format!("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let server = HostileServer::start(Answer::Hang(kept.into_bytes())).await;
    let asking = Asking::at(&server.url());
    let endpoint = endpoint(Duration::from_secs(5));
    for exchanges in 1..=20 {
        endpoint.exchange(&asking.request()).await.unwrap();
        // The server reads one request from each connection: a second one there would never be answered.
        assert_eq!(server.requests(), exchanges);
    }
}

#[tokio::test]
async fn row_6_2_17_a_post_is_never_repeated_when_the_server_closes_as_it_arrives() {
    let server = HostileServer::start(Answer::Bytes(Vec::new())).await;
    let asking = Asking::at(&server.url());
    let endpoint = endpoint(Duration::from_secs(5));
    for posts in 1..=1000 {
        let error = endpoint.exchange(&asking.request()).await.expect_err("no reply");
        assert!(matches!(error, ExchangeError::Transient { sent: Sent::Perhaps, .. }), "{error:?}");
        assert_eq!(server.requests(), posts);
    }
}

#[tokio::test]
async fn row_3_2_6_reserved_fields_are_never_the_integrations() {
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    let asking = Asking::at(&server.url());
    let extra: Vec<_> = RESERVED
        .iter()
        .chain(&["scope", "resource"])
        .map(|name| ((*name).to_owned(), String::from("x")))
        .collect();
    for (scope, expected) in [
        (Some("a"), "grant_type=refresh_token&refresh_token=planted-token&scope=a&resource=x"),
        (None, "grant_type=refresh_token&refresh_token=planted-token&scope=x&resource=x"),
    ] {
        let request = TokenRequest { extra: &extra, scope: scope.map(String::from), ..asking.request() };
        endpoint(Duration::from_secs(5)).exchange(&request).await.unwrap();
        assert_eq!(server.last().body, expected);
    }
}

#[tokio::test]
async fn row_3_2_3_id_and_secret_go_by_the_names_that_the_provider_has_for_them() {
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    let asking = Asking::at(&server.url());
    let extra = ["client_key", "secret", "client_id", "client_secret", "more"];
    let extra = extra.map(|name| (name.to_owned(), String::from("x")));
    let named = |authentication| Client {
        id_name: "client_key",
        secret_name: "secret",
        ..asking.client(authentication)
    };
    let grant = "grant_type=refresh_token&refresh_token=planted-token";
    for (authentication, expected) in [
        (ClientAuthentication::Body, "&client_key=client&secret=planted-secret&more=x"),
        (ClientAuthentication::None, "&client_key=client&more=x"),
        (ClientAuthentication::Header(Basic::Encoded), "&more=x"),
    ] {
        let request = TokenRequest { client: named(authentication), extra: &extra, ..asking.request() };
        endpoint(Duration::from_secs(5)).exchange(&request).await.unwrap();
        assert_eq!(server.last().body, format!("{grant}{expected}"), "{authentication:?}");
    }
}

#[tokio::test]
async fn row_3_1_the_fields_travel_as_a_form_as_json_or_in_the_query() {
    let server = HostileServer::start(json(r#"{"access_token":"t"}"#)).await;
    let mut asking = Asking::at(&server.url());
    asking.secret = Secret::new("p% q&\"/+ü".into());
    let form = "grant_type=refresh_token&refresh_token=planted-token\
                &client_id=client&client_secret=p%25+q%26%22%2F%2B%C3%BC";
    let object = r#"{"client_id":"client","client_secret":"p% q&\"/+ü","grant_type":"refresh_token","refresh_token":"planted-token"}"#;
    let own = format!("{}?tenant=a%20b", server.url());
    let plain = server.url();
    for (encoding, uri, line, kind, body) in [
        (
            Encoding::Form,
            &own,
            "POST /token?tenant=a%20b".to_owned(),
            Some("application/x-www-form-urlencoded"),
            form,
        ),
        (Encoding::Json, &own, "POST /token?tenant=a%20b".to_owned(), Some("application/json"), object),
        (Encoding::Query, &own, format!("GET /token?tenant=a%20b&{form}"), None, ""),
        (Encoding::Query, &plain, format!("GET /token?{form}"), None, ""),
    ] {
        let client = asking.client(ClientAuthentication::Body);
        let request = TokenRequest { token_uri: uri, client, encoding, ..asking.request() };
        endpoint(Duration::from_secs(5)).exchange(&request).await.unwrap();
        let sent = server.last();
        assert_eq!(sent.head.lines().next(), Some(format!("{line} HTTP/1.1").as_str()));
        assert_eq!((sent.header("content-type"), sent.body.as_str()), (kind, body), "{encoding:?}");
        assert_eq!(sent.header("accept"), Some("application/json"));
    }
}

#[tokio::test]
async fn row_3_1_a_get_is_not_repeated_either_and_its_query_is_in_no_error() {
    for answer in [Answer::Bytes(Vec::new()), reply("302 Found", "text/plain", "planted-token")] {
        let server = HostileServer::start(answer).await;
        let asking = Asking::at(&server.url());
        let client = asking.client(ClientAuthentication::Body);
        let request = TokenRequest { client, encoding: Encoding::Query, ..asking.request() };
        let error = endpoint(Duration::from_secs(5)).exchange(&request).await.expect_err("no token");
        assert!(!format!("{error} {error:?}").contains("planted"), "{error:?}");
        assert_eq!(server.requests(), 1);
    }
}
