//! Header identity as a matrix that is made from the configuration: each managed name, each way to write it, with and
//! without a token, with and without the claim behind it. The API sees one value, ours, or none.

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;

use crate::support::{Gate, Origin, Seen, token};

/// The identity headers of the upstream under test, each with its property and what anna's token makes of it.
const IDENTITY: [(&str, &str, Option<&str>); 5] = [
    ("X-Sidegate-Customer", "id", Some("anna")),
    ("X-Sidegate-Admin", "isAdmin", Some("false")),
    ("X-User-Name", "name", Some("Anna")),
    ("X-Plan", "fields.plan", None),
    ("Tenant", "claims.tenant", None),
];
/// Headers that hold tokens: the API sees none of them.
const TOKENS: [&str; 2] = ["X-Integration-App-Token", "X-Api-Token"];
/// What the caller writes.
const FORGED: &str = "forged";

fn gate(origin: &Origin, mode: &str) -> Gate {
    let identity: Vec<_> = IDENTITY.iter().map(|(name, property, _)| format!("{name}: {property}")).collect();
    Gate::with(
        origin,
        &format!(
            "mode: {mode}, identity: {{{}}}, token: {{headers: [{}]}}, rules: [{{path: /*, allow: optional}}]",
            identity.join(", "),
            TOKENS.join(", ")
        ),
    )
}

/// Every managed name with what the API must see under it: of whoever asks with anna's token, if there is one.
fn managed(with_token: bool) -> Vec<(&'static str, Option<&'static str>)> {
    let identity = IDENTITY.iter().map(|(name, _, value)| (*name, value.filter(|_| with_token)));
    identity.chain(TOKENS.map(|name| (name, None))).collect()
}

/// The name in every case.
fn cases(name: &str) -> Vec<String> {
    let mixed = name.char_indices().map(|(at, letter)| {
        if at % 2 == 0 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
    });
    vec![name.to_owned(), name.to_lowercase(), name.to_uppercase(), mixed.collect()]
}

/// Names that some server reads as `name`: each dash alone, and all of them, as another sign.
fn twins(name: &str) -> Vec<String> {
    let mut twins = Vec::new();
    for sign in ["_", ".", "~"] {
        twins.push(name.replace('-', sign));
        for (at, _) in name.match_indices('-') {
            twins.push(format!("{}{sign}{}", &name[..at], &name[at + 1..]));
        }
    }
    twins.retain(|twin| twin != name);
    twins.extend(twins.clone().iter().map(|twin| twin.to_uppercase()));
    twins
}

/// What the API saw under a name, however it is written.
fn seen_under(seen: &Seen, name: &str) -> Vec<String> {
    let folded = |text: &str| {
        text.bytes()
            .map(|byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' })
            .collect::<Vec<_>>()
    };
    let lines = seen.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines
        .filter(|(found, _)| folded(found) == folded(name))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

/// Sends one request with these lines and holds what the API got against what it must get.
#[track_caller]
fn holds(origin: &Origin, gate: &Gate, lines: &str, with_token: bool, body: &str) {
    let before = origin.seen().len();
    let credentials = match with_token {
        true => format!("X-Integration-App-Token: {}\r\n", token(&json!({"name": "Anna"}))),
        false => String::new(),
    };
    let answer = gate.ask(format!("POST / HTTP/1.1\r\nHost: api.test\r\n{credentials}{lines}{body}"));
    let seen = origin.seen();
    assert_eq!((answer.status, seen.len()), (200, before + 1), "{lines}");
    is_ours(seen.last().unwrap(), with_token, lines);
}

/// What the API got of a request is our identity, or none, and nothing that the caller forged.
#[track_caller]
fn is_ours(seen: &Seen, with_token: bool, lines: &str) {
    for (name, expected) in managed(with_token) {
        assert_eq!(seen_under(seen, name), expected.into_iter().collect::<Vec<_>>(), "{name} after\n{lines}");
    }
    let whole = format!("{}{}", seen.head, String::from_utf8_lossy(&seen.body));
    assert!(!whole.contains(FORGED), "{lines}{whole}");
}

const NO_BODY: &str = "Content-Length: 0\r\n\r\n";

#[test]
fn h36_each_identity_header_is_ours_in_every_case_and_number() {
    let origin = Origin::new();
    for mode in ["enforce", "observe"] {
        let gate = gate(&origin, mode);
        for with_token in [true, false] {
            for (name, _, _) in IDENTITY {
                let cases = cases(name);
                for case in &cases {
                    holds(&origin, &gate, &format!("{case}: {FORGED}\r\n"), with_token, NO_BODY);
                }
                let all: String =
                    cases.iter().map(|case| format!("{case}: {FORGED}\r\n{case}:\r\n")).collect();
                holds(&origin, &gate, &all, with_token, NO_BODY);
            }
        }
    }
}

#[test]
fn h40_of_many_values_under_one_name_none_passes() {
    let origin = Origin::new();
    let gate = gate(&origin, "enforce");
    for (name, _, _) in IDENTITY {
        for lines in [
            format!("{name}: anna\r\n{name}: {FORGED}\r\n"),
            format!("{name}: {FORGED}\r\nX-Between: 1\r\n{name}: anna\r\n"),
            format!("{name}: anna, {FORGED}\r\n"),
            format!("{name}: {FORGED}\r\n").repeat(20),
        ] {
            for with_token in [true, false] {
                holds(&origin, &gate, &lines, with_token, NO_BODY);
            }
        }
    }
}

#[test]
fn h10_each_twin_of_a_managed_name_is_refused_and_by_observing_removed() {
    let origin = Origin::new();
    let (enforcing, observing) = (gate(&origin, "enforce"), gate(&origin, "observe"));
    for (name, _) in managed(true) {
        for twin in twins(name) {
            let before = origin.seen().len();
            let lines = format!("{twin}: {FORGED}\r\n");
            let answer = enforcing.get("/", &lines);
            assert_eq!((answer.status, origin.seen().len()), (400, before), "{twin}");
            assert_eq!(answer.values("x-sidegate-rejection"), ["ambiguous_header"], "{twin}");
            holds(&origin, &observing, &lines, true, NO_BODY);
        }
    }
}

#[test]
fn h18_connection_takes_none_of_our_headers_away() {
    let origin = Origin::new();
    let gate = gate(&origin, "enforce");
    let names: Vec<_> = managed(true).iter().map(|(name, _)| name.to_lowercase()).collect();
    let mut lines: Vec<String> = names.iter().map(|name| format!("Connection: {name}\r\n")).collect();
    lines.push(format!("Connection: close, {}\r\n", names.join(", ")));
    lines.push(format!(
        "Connection: {}\r\nConnection: {}\r\n",
        names.join(","),
        names.join(" , ").to_uppercase()
    ));
    for line in lines {
        for with_token in [true, false] {
            holds(&origin, &gate, &line, with_token, NO_BODY);
            let forged = format!("{line}X-Sidegate-Customer: {FORGED}\r\n");
            holds(&origin, &gate, &forged, with_token, NO_BODY);
        }
    }
}

#[test]
fn h36_no_identity_comes_in_a_trailer() {
    let origin = Origin::new();
    let gate = gate(&origin, "enforce");
    for (name, _) in managed(true) {
        for written in cases(name).into_iter().chain(twins(name)) {
            let lines = format!("Transfer-Encoding: chunked\r\nTrailer: {written}\r\nTE: trailers\r\n");
            let body = format!("\r\n2\r\nok\r\n0\r\n{written}: {FORGED}\r\n\r\n");
            holds(&origin, &gate, &lines, true, &body);
        }
    }
}

#[test]
fn w3c_trace_context_passes_as_it_came() {
    let origin = Origin::new();
    let gate = gate(&origin, "enforce");
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let lines = format!("traceparent: {parent}\r\ntracestate: a=1,b=2\r\nbaggage: k=v\r\n");
    holds(&origin, &gate, &lines, true, NO_BODY);
    let seen = origin.only();
    assert_eq!(seen.values("traceparent"), [parent]);
    assert_eq!(seen.values("tracestate"), ["a=1,b=2"]);
    assert_eq!(seen.values("baggage"), ["k=v"]);
}

/// Sends one request over HTTP/2 by prior knowledge, its trailers behind a small body.
async fn over_http_2(gate: &Gate, headers: HeaderMap, trailers: HeaderMap) -> http::Response<()> {
    let socket = tokio::net::TcpStream::connect(gate.address("inbound")).await.unwrap();
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(socket));
    let (mut sender, connection) = handshake.await.unwrap();
    let connection = tokio::spawn(connection);
    let body = Full::new(hyper::body::Bytes::from_static(b"ok"));
    let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut request = Request::post("http://api.test/").body(body).unwrap();
    *request.headers_mut() = headers;
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    body.collect().await.unwrap();
    connection.abort();
    http::Response::from_parts(head, ())
}

#[test]
fn h36_h10_over_http_2_it_is_the_same() {
    let origin = Origin::new();
    let gate = gate(&origin, "enforce");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let field = |name: &str| (HeaderName::try_from(name).unwrap(), HeaderValue::from_static(FORGED));
    let ours = || {
        let token = HeaderValue::try_from(token(&json!({"name": "Anna"}))).unwrap();
        (HeaderName::from_static("x-integration-app-token"), token)
    };
    for (name, _) in managed(true) {
        let is_token = TOKENS.contains(&name);
        let mut headers: HeaderMap = [ours()].into_iter().collect();
        // Two tokens that differ would be refused.
        for (name, value) in [field(name), field(name)].into_iter().filter(|_| !is_token) {
            headers.append(name, value);
        }
        let trailers: HeaderMap =
            [field(name)].into_iter().chain(twins(name).iter().map(|twin| field(twin))).collect();
        headers.insert(http::header::TRAILER, HeaderValue::try_from(name).unwrap());
        let before = origin.seen().len();
        assert_eq!(runtime.block_on(over_http_2(&gate, headers, trailers)).status(), 200, "{name}");
        let seen = origin.seen();
        assert_eq!(seen.len(), before + 1);
        is_ours(seen.last().unwrap(), true, name);
        for twin in twins(name) {
            let headers = [field(&twin), ours()].into_iter().collect();
            let answer = runtime.block_on(over_http_2(&gate, headers, HeaderMap::new()));
            assert_eq!((answer.status().as_u16(), origin.seen().len()), (400, before + 1), "{twin}");
        }
    }
}
