//! What of a caller's request reaches the third party, and what stays here.

use super::scene::{HOST, KEY, PARAMETER, Service, request};
use crate::support::Origin;
use crate::support::http_2::{Client, END_HEADERS, END_STREAM, HEADERS, Outcome, block, frame};

/// What the vendor's documentation lists as not forwarded.
const LISTED: [&str; 26] = [
    "host",
    "x-request-id",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-scheme",
    "x-original-forwarded-for",
    "x-different-name",
    "x-request-start",
    "x-using-nginx-controller",
    "x-amzn-trace-id",
    "forwarded-for-header",
    "proxy-protocol",
    "real_ip_header",
    "real_ip_recursive",
    "cdn-loop",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "cf-connecting-ip",
    "connection",
    "authorization",
    "content-length",
];
/// What is ours, the vendor's tokens, and what names the version of the vendor's API.
const OURS: [&str; 6] = [
    "x-sidegate-token",
    "x-sidegate-connection",
    "x-sidegate-anything",
    "x-membrane-token",
    "x-integration-app-token",
    "membrane-api-version",
];
/// These frame the message, choose the caller or are tokens: their values are not for the test to choose.
const NOT_FREE: [&str; 7] = [
    "host",
    "connection",
    "content-length",
    "x-sidegate-token",
    "x-sidegate-connection",
    "x-membrane-token",
    "x-integration-app-token",
];

/// As it is, in capitals, and with the signs that CGI makes of hyphens.
fn spellings(name: &str) -> Vec<String> {
    let mut spellings = vec![name.to_uppercase(), name.replace('-', "_"), name.replace('_', "-")];
    if !NOT_FREE.contains(&name) {
        spellings.push(name.to_owned());
    }
    spellings.retain(|spelling| !NOT_FREE.contains(&spelling.to_lowercase().as_str()));
    spellings
}

#[test]
fn the_listed_headers_and_ours_stay_here_in_every_spelling() {
    let third_party = Origin::new();
    let service = Service::before(&third_party);
    for name in LISTED.iter().chain(&OURS) {
        for spelling in spellings(name) {
            let headers = format!("{spelling}: theirs\r\nX-Mine: travels\r\nAccept: text/plain\r\n");
            let answer = service.ask(request("GET /crm/a", &headers));
            assert_eq!(answer.status, 200, "{spelling}: {}", answer.text());
            let seen = third_party.seen().pop().unwrap();
            assert!(!seen.head.contains("theirs"), "{spelling}: {}", seen.head);
            assert_eq!((seen.values("x-mine"), seen.values("accept")), (vec!["travels"], vec!["text/plain"]));
            let host = format!("{HOST}:{}", third_party.address.port());
            assert_eq!(seen.values("host"), [host.as_str()]);
            assert_eq!(seen.values("x-sidegate-customer").len(), 0);
        }
    }
}

#[test]
fn what_is_put_in_wins_over_every_spelling_of_the_callers_and_stands_there_once() {
    let third_party = Origin::new();
    let service = Service::before(&third_party);
    let spellings =
        ["x-api-key", "X-API-KEY", "X_Api_Key", "x-api_key", "x_api-key", "X.Api.Key", "x-api~key"];
    for spelling in spellings {
        let twice =
            format!("{spelling}: theirs\r\n{spelling}: theirs too\r\nConnection: close, X-Api-Key\r\n");
        assert_eq!(service.ask(request("GET /crm/a?x=1", &twice)).status, 200, "{spelling}");
        let seen = third_party.seen().pop().unwrap();
        assert_eq!(seen.values("x-api-key"), [KEY], "{spelling}");
        assert!(!seen.head.contains("theirs"), "{spelling}: {}", seen.head);
    }
    for query in
        ["api_token=theirs", "a=1&api%5ftoken=theirs", "%61pi_token=theirs&api_token=theirs", "api_token"]
    {
        assert_eq!(service.get(&format!("/crm/a?{query}")).status, 200, "{query}");
        let seen = third_party.seen().pop().unwrap();
        assert!(seen.line().contains(PARAMETER) && !seen.line().contains("theirs"), "{}", seen.line());
        assert_eq!(seen.line().matches("api_token").count(), 1, "{}", seen.line());
    }
}

#[test]
fn text_that_looks_like_a_formula_stays_text() {
    let third_party = Origin::new();
    let service = Service::before(&third_party);
    let formula = "{$var: credentials.key} ${credentials.key} {{credentials.token}}";
    let body = format!("{{\"$var\": \"credentials.key\", \"text\": \"{formula}\"}}");
    let headers = format!("X-Mine: {formula}\r\nContent-Length: {}\r\n", body.len());
    assert_eq!(service.ask(request("POST /crm/$var/credentials.key", &headers) + &body).status, 200);
    let seen = third_party.only();
    assert_eq!((seen.values("x-mine"), seen.body.as_slice()), (vec![formula], body.as_bytes()));
    assert!(seen.line().starts_with("POST /v1/$var/credentials.key?"), "{}", seen.line());
}

#[test]
fn an_answer_goes_back_as_it_came() {
    let third_party = Origin::answering(
        "HTTP/1.1 418 I'm A Teapot\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd:  two  blanks \r\n\
         X-Sidegate-Rejection: no_caller\r\nConnection: X-Hop\r\nX-Hop: 1\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n",
    );
    let answer = Service::before(&third_party).get("/crm/a");
    assert_eq!(answer.status, 418);
    assert_eq!(answer.values("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(
        (answer.values("x-odd"), answer.code(), answer.values("x-hop").len()),
        (vec!["two  blanks"], "", 0)
    );
    assert!(answer.text().starts_with("3\r\nabc\r\n0\r\n"), "{}", answer.text());
}

#[test]
fn a_body_goes_through_in_its_own_framing() {
    let third_party = Origin::new();
    let service = Service::before(&third_party);
    for method in ["POST", "PUT", "PATCH", "DELETE", "GET"] {
        let line = format!("{method} /connections/crm/proxy/a");
        assert_eq!(service.ask(request(&line, "Content-Length: 4\r\n") + "body").status, 200);
        let seen = third_party.seen().pop().unwrap();
        assert_eq!((seen.values("content-length"), &seen.body[..]), (vec!["4"], &b"body"[..]), "{method}");
        let chunks = request(&line, "Transfer-Encoding: chunked\r\n") + "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n";
        assert_eq!(service.ask(chunks).status, 200);
        let seen = third_party.seen().pop().unwrap();
        assert!(seen.values("content-length").is_empty(), "{}", seen.head);
        assert_eq!(seen.values("transfer-encoding"), ["chunked"], "{method}");
    }
}

#[test]
fn over_http_2_the_same_holds() {
    let third_party = Origin::new();
    let service = Service::before(&third_party);
    let mut client = Client::to(service.address());
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":path", "/crm//a/?x=%2F&api_token=theirs"),
        (":authority", "sidegate.test"),
        ("x-sidegate-workspace", "acme"),
        ("x-sidegate-customer", "anna"),
        ("x_api_key", "theirs"),
        ("x-api-key", "theirs"),
        ("x_forwarded_for", "theirs"),
        ("te", "trailers"),
        ("x-mine", "travels"),
    ];
    client.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(&fields)));
    assert_eq!(client.outcome(1), Outcome::Answered(200));
    let seen = third_party.only();
    assert_eq!(seen.line(), format!("GET /v1//a/?x=%2F&{PARAMETER} HTTP/1.1"));
    assert_eq!((seen.values("x-api-key"), seen.values("x-mine")), (vec![KEY], vec!["travels"]));
    assert!(!seen.head.contains("theirs") && !seen.head.contains("x-sidegate"), "{}", seen.head);
}
