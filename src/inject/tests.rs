use std::sync::Arc;

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::connector::ResponseHandlers;
use crate::secret::Secret;

const PLANTED: &str = "s3cr3t-planted";

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn client(
    headers: &[(&'static str, &str)],
    query: &[(&str, &str)],
    basic: Option<(&str, &str)>,
) -> ApiClient {
    ApiClient {
        base_uri: String::from("https://api.example.com"),
        headers: headers.iter().map(|(n, v)| (HeaderName::from_static(n), secret(v))).collect(),
        query: query.iter().map(|(n, v)| ((*n).to_owned(), secret(v))).collect(),
        signer: None,
        basic: basic.map(|(user, password)| (user.to_owned(), secret(password))),
        response_handlers: ResponseHandlers::default(),
    }
}

fn request(target: &str, headers: &[(&str, &str)]) -> UnsignedRequest {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    UnsignedRequest {
        method: Method::GET,
        origin: Origin::Tcp { host: Arc::from("api.example.com"), port: 443, tls: true },
        path_and_query: target.to_owned(),
        headers: map,
        body: None,
    }
}

fn sign(request: UnsignedRequest, client: &ApiClient) -> Result<SignedRequest, InjectError> {
    super::sign(request, client, &ManualClock::at(Timestamp::from_secs(0)))
}

fn signed(request: &UnsignedRequest, client: &ApiClient) -> Request<()> {
    let signed = sign(request.clone(), client).unwrap();
    let mut plain = Request::new(());
    *plain.uri_mut() = Uri::from(signed.target);
    *plain.headers_mut() = signed.headers;
    plain
}

fn values<'r>(request: &'r Request<()>, name: &str) -> Vec<&'r str> {
    request.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect()
}

#[test]
fn every_variant_of_an_injected_header_gives_way_to_ours() {
    let client = client(&[("x-api-key", PLANTED)], &[], None);
    for variant in ["x-api-key", "X-API-KEY", "X_Api_Key", "x-api_key", "x_api-key", "X_API_KEY"] {
        let out = signed(
            &request("/", &[(variant, "theirs"), (variant, "again"), ("x-api-keys", "other")]),
            &client,
        );
        assert_eq!(values(&out, "x-api-key"), [PLANTED], "{variant}");
        let left: Vec<_> = out.headers().keys().map(HeaderName::as_str).collect();
        assert_eq!(left.len(), 3, "{variant} left {left:?}");
        assert_eq!(values(&out, "x-api-keys"), ["other"]);
    }
}

#[test]
fn the_callers_authorization_never_travels_even_if_ours_is_elsewhere() {
    let client = client(&[], &[("key", PLANTED)], None);
    let out = signed(&request("/", &[("Authorization", "Bearer theirs"), ("AUTHORIZATION", "x")]), &client);
    assert!(values(&out, "authorization").is_empty());
}

#[test]
fn a_header_named_twice_by_the_connector_keeps_both_values() {
    let client = client(&[("x-key", "a"), ("x-key", "b")], &[], None);
    assert_eq!(values(&signed(&request("/", &[("x_key", "c")]), &client), "x-key"), ["a", "b"]);
}

#[test]
fn other_headers_keep_their_order_and_duplicates() {
    let out =
        signed(&request("/", &[("accept", "a"), ("cookie", "1"), ("accept", "b")]), &client(&[], &[], None));
    assert_eq!(values(&out, "accept"), ["a", "b"]);
    assert_eq!(values(&out, "cookie"), ["1"]);
}

#[test]
fn basic_authentication_wins_over_an_authorization_header() {
    let client = client(&[("authorization", "Bearer x")], &[], Some(("Aladdin", "open sesame")));
    let out = signed(&request("/", &[]), &client);
    assert_eq!(values(&out, "authorization"), ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]); // RFC 7617 section 2
    assert!(out.headers()[AUTHORIZATION].is_sensitive());
}

#[test]
fn a_user_name_with_a_colon_is_refused() {
    let error = sign(request("/", &[]), &client(&[], &[], Some(("a:b", PLANTED)))).unwrap_err();
    assert!(matches!(error, InjectError::ColonInUsername));
}

#[test]
fn only_the_tail_of_the_query_changes() {
    let cases = [
        ("/a", "/a?key=v%20%26"),
        ("/a?", "/a?key=v%20%26"),
        ("/a?x=1", "/a?x=1&key=v%20%26"),
        ("/a?x=1&key=old&y=2", "/a?x=1&y=2&key=v%20%26"),
        ("/a?key=old", "/a?key=v%20%26"),
        ("/a?key", "/a?key=v%20%26"),
        ("/a?k%65y=old&key=older", "/a?key=v%20%26"),
        ("/a?%6B%65%79=old&x", "/a?x&key=v%20%26"),
        ("/a?keys=1&Key=2", "/a?keys=1&Key=2&key=v%20%26"),
        ("/a?x=key=1", "/a?x=key=1&key=v%20%26"),
        ("/a?x=1&&y=%2F%2f+;", "/a?x=1&&y=%2F%2f+;&key=v%20%26"),
        ("//a//b/./%2F?q=a?b", "//a//b/./%2F?q=a?b&key=v%20%26"),
    ];
    let client = client(&[], &[("key", "v &")], None);
    for (target, expected) in cases {
        assert_eq!(signed(&request(target, &[]), &client).uri(), expected, "{target}");
    }
}

#[test]
fn a_parameter_name_with_a_blank_is_found_in_both_spellings() {
    let client = client(&[], &[("my key", "v")], None);
    assert_eq!(signed(&request("/?my+key=1&my%20key=2&z", &[]), &client).uri(), "/?z&my%20key=v");
}

#[test]
fn without_a_query_credential_the_target_is_untouched() {
    for target in ["/", "//a//b/", "/a?", "/a?&&", "/%7e/%2F%2f?x=%zz&=", "/a/./b;c"] {
        assert_eq!(signed(&request(target, &[]), &client(&[], &[], None)).uri(), target);
    }
}

#[test]
fn the_host_is_the_origins_with_a_port_only_where_it_is_not_the_default() {
    let cases = [
        ("a.example", 443, true, "a.example"),
        ("a.example", 80, false, "a.example"),
        ("a.example", 80, true, "a.example:80"),
        ("a.example", 8443, true, "a.example:8443"),
        ("::1", 8080, false, "[::1]:8080"),
    ];
    for (host, port, tls, expected) in cases {
        let mut request = request("/", &[("Host", "evil.example")]);
        request.origin = Origin::Tcp { host: Arc::from(host), port, tls };
        assert_eq!(values(&signed(&request, &client(&[], &[], None)), "host"), [expected]);
    }
}

#[test]
fn a_connector_cannot_set_headers_that_frame_the_message() {
    for name in
        ["host", "content-length", "transfer-encoding", "transfer_encoding", "connection", "upgrade", "te"]
    {
        let error = sign(request("/", &[]), &client(&[(name, "1")], &[], None)).unwrap_err();
        assert!(matches!(error, InjectError::ReservedHeader(_)), "{name}");
    }
}

#[test]
fn a_credential_that_would_split_the_head_is_refused_and_not_repeated() {
    for bad in ["planted\r\nx: y", "planted\n", "planted\0", "plantéd"] {
        let error = sign(request("/", &[]), &client(&[("x-key", bad)], &[], None)).unwrap_err();
        let shown = format!("{error:?} {}", crate::report::report(&error));
        assert!(shown.contains("x-key") && !shown.contains("plant"), "{shown}");
    }
}

#[test]
fn methods_that_reflect_or_tunnel_are_refused() {
    for method in [Method::TRACE, Method::CONNECT] {
        let mut request = request("/", &[]);
        request.method = method;
        let error = sign(request, &client(&[], &[], None)).unwrap_err();
        assert!(matches!(error, InjectError::Method(_)));
    }
}

#[test]
fn a_signed_request_shows_no_credential() {
    let client = client(&[("x-key", PLANTED)], &[("key", PLANTED)], Some(("user", PLANTED)));
    let signed = sign(request("/path", &[]), &client).unwrap();
    let shown = format!("{signed:?} {:?}", signed.headers);
    assert!(shown.contains("x-key") && !shown.contains(PLANTED) && !shown.contains("Basic"), "{shown}");
}
