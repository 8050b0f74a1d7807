//! HTTP/2 requests on their way to an API that speaks HTTP/1.1: what one could read and the other not is refused.

use crate::support::http_2::*;
use crate::support::{Gate, Origin, token};

/// What becomes of a request with exactly these fields and no body.
fn outcome<N: AsRef<[u8]>, V: AsRef<[u8]>>(gate: &Gate, fields: &[(N, V)]) -> (Outcome, Client) {
    let mut client = Client::to(gate.address("inbound"));
    client.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(fields)));
    (client.outcome(1), client)
}

const PSEUDO: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "api.test")];

fn with<'f>(more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    PSEUDO.into_iter().chain(more.iter().copied()).collect()
}

/// The ordinary fields with one of them written otherwise.
fn changed<'f>(name: &str, value: &'f str) -> Vec<(&'f str, &'f str)> {
    PSEUDO.into_iter().map(|(field, old)| (field, if field == name { value } else { old })).collect()
}

fn without(name: &str) -> Vec<(&'static str, &'static str)> {
    PSEUDO.into_iter().filter(|(field, _)| *field != name).collect()
}

#[test]
fn h32_a_request_arrives_as_http_1_with_its_host_and_one_cookie() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let token = token(&serde_json::json!({}));
    let fields = with(&[
        ("x-integration-app-token", &token),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("te", "trailers"),
        ("host", "API.test"),
    ]);
    assert_eq!(outcome(&gate, &fields).0, Outcome::Answered(200));
    let seen = origin.only();
    assert_eq!(seen.line(), "GET / HTTP/1.1");
    assert!(seen.values("host")[0].eq_ignore_ascii_case("api.test"), "{seen:?}");
    assert_eq!(seen.values("host").len(), 1);
    assert_eq!(seen.values("cookie"), ["a=1; b=2"]);
    assert_eq!(seen.values("x-sidegate-customer"), ["anna"]);
    assert_eq!(seen.values("x-forwarded-host").len(), 1);
    assert!(!seen.head.contains(":authority") && seen.values("transfer-encoding").is_empty(), "{seen:?}");
}

#[test]
fn h32_what_http_1_would_read_otherwise_is_a_stream_error() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "rules: [{path: /*, allow: public}]");
    let malformed: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("8.2.1 a line end in a value", with(&[("x", "a\r\nhost: b")])),
        ("8.2.1 a line feed in a value", with(&[("x", "a\nb")])),
        ("8.2.1 NUL in a value", with(&[("x", "a\0b")])),
        ("8.2.1 a line end in a name", with(&[("x\r\nhost", "b")])),
        ("8.2.1 a colon in a name", with(&[("x:y", "b")])),
        ("8.2.1 a space in a name", with(&[("x y", "b")])),
        ("8.2.1 an empty name", with(&[("", "b")])),
        ("8.2.1 an upper-case name", with(&[("X", "b")])),
        ("8.2.2 Connection", with(&[("connection", "keep-alive")])),
        ("8.2.2 Keep-Alive", with(&[("keep-alive", "1")])),
        ("8.2.2 Proxy-Connection", with(&[("proxy-connection", "close")])),
        ("8.2.2 Transfer-Encoding", with(&[("transfer-encoding", "chunked")])),
        ("8.2.2 Upgrade", with(&[("upgrade", "websocket")])),
        ("8.2.2 TE other than trailers", with(&[("te", "trailers, deflate")])),
        ("8.3 an unknown pseudo field", with(&[(":test", "x")])),
        ("8.3 a response's pseudo field", with(&[(":status", "200")])),
        ("8.3 a pseudo field after others", [vec![("x", "y")], PSEUDO.to_vec()].concat()),
        ("8.3.1 no :method", without(":method")),
        ("8.3.1 no :scheme", without(":scheme")),
        ("8.3.1 no :path", without(":path")),
        ("8.3.1 an empty :path", changed(":path", "")),
        ("8.3.1 two :method", [vec![(":method", "GET")], PSEUDO.to_vec()].concat()),
        ("8.3.1 two :scheme", [vec![(":scheme", "http")], PSEUDO.to_vec()].concat()),
        ("8.3.1 two :path", [vec![(":path", "/")], PSEUDO.to_vec()].concat()),
        ("8.3.1 two :authority", [vec![(":authority", "b")], PSEUDO.to_vec()].concat()),
        ("8.3.1 a space in :method", changed(":method", "GET /x HTTP/1.1")),
        ("8.3.1 a line end in :path", changed(":path", "/ HTTP/1.1\r\nhost: b")),
        ("8.3.1 a line end in :authority", changed(":authority", "a\r\nhost: b")),
        ("8.1.1 a length without a body", with(&[("content-length", "5")])),
        ("8.5 :protocol, which was not offered", with(&[(":protocol", "websocket")])),
    ];
    for (section, fields) in malformed {
        let (outcome, mut client) = outcome(&gate, &fields);
        match outcome {
            Outcome::Reset(PROTOCOL_ERROR) => assert!(client.is_alive(), "{section}: other streams go on"),
            // What cannot be a header at all is a fault of the whole connection's for h2.
            Outcome::Ended(PROTOCOL_ERROR) => {}
            _ => panic!("{section}: {outcome:?}"),
        }
    }
    origin.is_untouched();
}

#[test]
fn h32_what_is_ambiguous_is_refused_as_in_http_1() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "rules: [{path: /*, allow: public}]");
    let refused: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("name different hosts", with(&[("host", "b.test")])),
        ("name different hosts", with(&[("host", "api.test:80")])),
        ("more than one Host", with(&[("host", "api.test"), ("host", "api.test")])),
        ("has no Host", without(":authority")),
        ("not a host with", changed(":authority", "user@api.test")),
        ("dot segment", changed(":path", "/a/../b")),
        ("encoded slash", changed(":path", "/a%2fb")),
        ("neither a path nor", changed(":scheme", "ftp")),
        ("neither a path nor", changed(":path", "*")),
        ("Content-Length is not one", with(&[("content-length", "00")])),
        ("differs from a reserved", with(&[("x_sidegate_customer", "eve")])),
        ("CONNECT is not offered", vec![(":method", "CONNECT"), (":authority", "api.test:80")]),
    ];
    for (sentence, fields) in refused {
        let (outcome, mut client) = outcome(&gate, &fields);
        assert_eq!(outcome, Outcome::Answered(400), "{sentence}: {fields:?}");
        let body = client.find(|frame| frame.kind == DATA && !frame.payload.is_empty()).unwrap();
        let body = String::from_utf8(body.payload).unwrap();
        assert!(body.contains(sentence), "{sentence}: {body}");
    }
    origin.is_untouched();
}

#[test]
fn h12_h32_trailers_cannot_pass_for_headers() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "rules: [{path: /*, allow: public}]");
    let open = || frame(HEADERS, END_HEADERS, 1, block(&changed(":method", "POST")));
    let mut client = Client::to(gate.address("inbound"));
    client.say([open(), frame(HEADERS, END_HEADERS, 1, block(&[("x", "y")]))].concat());
    assert_eq!(
        client.fault(1),
        Outcome::Reset(PROTOCOL_ERROR),
        "8.1 a second head that does not end the stream"
    );
    // RFC 9113 section 8.1 forbids them; h2 drops them, and nobody hears of them.
    let pseudo = block(&[(":path", "/admin"), (":authority", "eve.test")]);
    let mut client = Client::to(gate.address("inbound"));
    client.say([open(), frame(HEADERS, END_HEADERS | END_STREAM, 1, pseudo)].concat());
    let outcome = client.outcome(1);
    assert!(matches!(outcome, Outcome::Answered(200) | Outcome::Reset(PROTOCOL_ERROR)), "{outcome:?}");
    for seen in origin.seen() {
        assert!(!seen.head.contains("admin") && !seen.head.contains("eve"), "{seen:?}");
        assert!(!String::from_utf8_lossy(&seen.body).contains("eve"), "{seen:?}");
    }
    let before = origin.seen().len();
    for lengths in [&["3"][..], &["1"], &["1", "1"]] {
        let fields = [changed(":method", "POST"), vec![("content-length", "2")]].concat();
        let mut client = Client::to(gate.address("inbound"));
        client.say(frame(HEADERS, END_HEADERS, 1, block(&fields)));
        for (index, length) in lengths.iter().enumerate() {
            let flags = if index + 1 == lengths.len() { END_STREAM } else { 0 };
            client.say(frame(DATA, flags, 1, vec![b'x'; length.parse().unwrap()]));
        }
        let expected = match lengths {
            [_, _] => Outcome::Answered(200),
            _ => Outcome::Reset(PROTOCOL_ERROR),
        };
        let found = if lengths.len() == 2 { client.outcome(1) } else { client.fault(1) };
        assert_eq!(found, expected, "8.1.1 a length of 2 and {lengths:?}");
    }
    for seen in &origin.seen()[before..] {
        assert_eq!(seen.body, b"xx", "{seen:?}");
    }
}
