//! Request heads and bodies that two parsers could read in two ways: refused, or written anew.

use std::time::Duration;

use crate::support::{Gate, Origin, Peer, as_anna};

/// What is asked after each attack, on a connection of its own: the API must have seen this alone.
fn only_the_good_request_arrived(gate: &Gate, origin: &Origin) {
    assert_eq!(gate.get("/good", &as_anna()).status, 200);
    assert_eq!(origin.only().line(), "GET /good HTTP/1.1");
}

/// Each head is answered 400 with this code and the connection closed.
fn refused(heads: &[(String, &str)]) {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    for (head, code) in heads {
        let mut caller = gate.connect();
        caller.say(head);
        let answer = caller.answer();
        assert_eq!((answer.status, answer.code()), (400, *code), "{head:?}");
        assert_eq!(caller.rest(), b"", "{head:?} leaves the connection open");
    }
    only_the_good_request_arrived(&gate, &origin);
}

/// A POST of anna's with these header lines and this body.
fn post(headers: &str, body: &str) -> String {
    format!("POST /orders HTTP/1.1\r\nHost: api.test\r\n{}{headers}\r\n{body}", as_anna())
}

#[test]
fn h1_a_request_names_exactly_one_wellformed_host() {
    let get = |hosts: &str| format!("GET / HTTP/1.1\r\n{hosts}{}\r\n", as_anna());
    refused(&[
        (get(""), "host_missing"),
        (get("Host: a.test\r\nHost: a.test\r\n"), "host_repeated"),
        (get("Host: \r\n"), "host_invalid"),
        (get("Host: a.test b.test\r\n"), "host_invalid"),
        (get("Host: a.test/b\r\n"), "host_invalid"),
        (get("Host: user@a.test\r\n"), "host_invalid"),
        (get("Host: a.test:99999\r\n"), "host_invalid"),
        (get("Host: a..test\r\n"), "host_invalid"),
        (get("Host: .\r\n"), "host_invalid"),
        (get("Host: a.test,b.test\r\n"), "host_invalid"),
    ]);
}

#[test]
fn h2_an_absolute_target_must_name_the_host_of_host() {
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n{}\r\n", as_anna());
    refused(&[
        (get("http://b.test/"), "host_mismatch"),
        (get("http://a.test:81/"), "host_mismatch"),
        (get("http://user@a.test/"), "host_mismatch"),
    ]);
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    assert_eq!(gate.ask(get("http://A.test?q=1")).status, 200);
    let seen = origin.only();
    assert_eq!(seen.line(), "GET /?q=1 HTTP/1.1");
    assert_eq!(seen.values("host"), ["a.test"]);
}

#[test]
fn h3_a_target_is_a_path_or_a_url() {
    let line = |line: &str| format!("{line} HTTP/1.1\r\nHost: a.test\r\n{}\r\n", as_anna());
    refused(&[
        (line("GET *"), "target_form"),
        (line("GET a.test:80"), "target_form"),
        (line("CONNECT a.test:80"), "connect_method"),
        (line("GET ftp://a.test/"), "target_form"),
    ]);
    let origin = Origin::new();
    assert_eq!(Gate::before(&origin).ask(line("OPTIONS *")).code(), "no_upstream");
    origin.is_untouched();
}

#[test]
fn h6_transfer_encoding_is_exactly_one_chunked() {
    let body = "0\r\n\r\n";
    refused(&[
        (post("Transfer-Encoding: gzip, chunked\r\n", body), "transfer_encoding"),
        (post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", body), "transfer_encoding"),
        (post("Transfer-Encoding: ,chunked\r\n", body), "transfer_encoding"),
    ]);
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    for coding in
        ["identity", "chunked, identity", "gzip", "\"chunked\"", "chunked\r\nTransfer-Encoding: gzip"]
    {
        let answer = gate.ask(post(&format!("Transfer-Encoding: {coding}\r\n"), body));
        assert_eq!(answer.status, 400, "{coding}");
    }
    only_the_good_request_arrived(&gate, &origin);
}

#[test]
fn h7_of_two_framings_one_is_obeyed_and_forwarded_and_the_connection_ends() {
    for headers in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    ] {
        let origin = Origin::new();
        let gate = Gate::before(&origin);
        let mut caller = gate.connect();
        caller.say(post(headers, "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.test\r\n\r\n"));
        let answer = caller.answer();
        assert_eq!(caller.rest(), b"");
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        for seen in origin.seen() {
            assert!(seen.values("content-length").is_empty(), "{seen:?}");
            assert_eq!(seen.values("transfer-encoding"), ["chunked"]);
            assert_eq!(seen.body, b"0\r\n\r\n");
        }
    }
}

#[test]
fn h8_content_length_is_one_plain_number() {
    refused(&[
        (post("Content-Length: 05\r\n", "hello"), "content_length"),
        (post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), "content_length"),
    ]);
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    for length in ["+5", "-1", "5, 5", "0x5", "5\r\nContent-Length: 6", "99999999999999999999"] {
        assert_eq!(gate.ask(post(&format!("Content-Length: {length}\r\n"), "hello")).status, 400, "{length}");
    }
    only_the_good_request_arrived(&gate, &origin);
}

#[test]
fn h9_a_line_ends_with_carriage_return_and_line_feed() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let good = post("X-One: 1\r\n", "");
    let ends = good.matches("\r\n").count();
    // At each line's end alone, and at all of them.
    let bare = (0..ends).map(|number| {
        let (at, _) = good.match_indices("\r\n").nth(number).unwrap();
        format!("{}{}", &good[..at], &good[at + 1..])
    });
    for head in bare.chain([good.replace("\r\n", "\n"), post("X-One: 1\rX-Two: 2\r\n", "")]) {
        let mut caller = gate.connect();
        caller.say(&head);
        let answer = caller.answer();
        assert_eq!((answer.status, answer.code()), (400, "malformed_request"), "{head:?}");
        assert_eq!(caller.rest(), b"", "{head:?} leaves the connection open");
    }
    only_the_good_request_arrived(&gate, &origin);
}

#[test]
fn what_is_no_request_is_counted() {
    let origin = Origin::new();
    let gate = Gate::configured(&format!(
        "listeners: {{inbound: {{address: '127.0.0.1:0'}}, health: {{address: '127.0.0.1:0'}}}}\n\
         upstreams: {{api: {{upstream: 'http://{}'}}}}\n",
        origin.address
    ));
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(70_000));
    for (said, status) in
        [("HELO\r\n\r\n", 400), (long.as_str(), 431), ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 401)]
    {
        let mut caller = gate.connect();
        caller.say(said);
        assert_eq!(caller.answer().status, status);
    }
    let mut scraper = Peer::to(gate.address("health"));
    scraper.say("GET /metrics HTTP/1.1\r\nHost: sidegate\r\n\r\n");
    let metrics = scraper.answer().text();
    assert!(metrics.contains("sidegate_malformed_requests_total{listener=\"inbound\"} 2\n"), "{metrics}");
}

#[test]
fn h10_a_framing_header_in_disguise_is_refused() {
    refused(&[
        (post("Connection: close\r\nTransfer_Encoding: chunked\r\n", ""), "ambiguous_header"),
        (post("Connection: close\r\nContent_Length: 5\r\n", ""), "ambiguous_header"),
        (post("Connection: close\r\nContent.Length: 5\r\n", ""), "ambiguous_header"),
    ]);
}

#[test]
fn h12_trailers_stay_behind_whatever_they_are_called() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let body =
        "3\r\nabc\r\n0\r\nAuthorization: Basic eve\r\nX-Sidegate-Customer: eve\r\nContent-Length: 9\r\n\r\n";
    let headers = "Transfer-Encoding: chunked\r\nTE: trailers\r\n\
        Trailer: Authorization, X-Sidegate-Customer, Content-Length\r\n";
    let mut caller = gate.connect();
    caller.say(post(headers, body));
    assert_eq!(caller.answer().status, 200);
    caller.say(post("Content-Length: 0\r\n", ""));
    assert_eq!(caller.answer().status, 200);
    let seen = &origin.seen()[0];
    assert_eq!(seen.body, b"3\r\nabc\r\n0\r\n\r\n");
    assert!(seen.values("trailer").is_empty(), "{seen:?}");
    assert_eq!(seen.values("te"), ["trailers"], "which is true of us as well");
    assert_eq!(seen.values("x-sidegate-customer"), ["anna"]);
}

#[test]
fn h15_h16_h17_what_is_too_much_is_answered_so() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let many: String = (0..101).map(|number| format!("X-{number}: 1\r\n")).collect();
    assert_eq!(gate.get("/", &(as_anna() + &many)).status, 431);
    let mut caller = gate.connect();
    // It may be refused before all of it was said.
    caller.try_say(format!("GET / HTTP/1.1\r\nHost: api.test\r\nX: {}\r\n\r\n", "x".repeat(70 * 1024)));
    assert_eq!(caller.answer().status, 431);
    let long = gate.get(&format!("/{}", "x".repeat(8 * 1024)), &as_anna());
    assert_eq!((long.status, long.code()), (414, "target_too_long"));
    only_the_good_request_arrived(&gate, &origin);
}

#[test]
fn h20_other_versions_of_http_are_refused() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let chunked = "POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for head in [chunked, "GET / HTTP/1.2\r\nHost: a.test\r\n\r\n", "GET / HTTP/0.9\r\n\r\n", "GET /\r\n\r\n"]
    {
        assert_eq!(gate.ask(head).status, 400, "{head:?}");
    }
    origin.is_untouched();
}

#[test]
fn h21_a_body_with_broken_chunks_never_ends_well_at_the_api() {
    let broken = ["0x5", "+5", "5_0", "fffffffffffffffff", "-1", "5 5", "g", ""];
    for size in broken {
        let origin = Origin::new();
        let gate = Gate::before(&origin);
        let mut caller = gate.connect();
        caller.say(post("Transfer-Encoding: chunked\r\n", &format!("{size}\r\nhello\r\n0\r\n\r\n")));
        let answer = caller.answer();
        assert_eq!((answer.status, answer.code()), (400, "request_body"), "{size:?}");
        assert_eq!(caller.rest(), b"");
        assert!(origin.seen().is_empty(), "{size:?}: the API saw a whole request: {:?}", origin.seen());
    }
}

#[test]
fn h22_chunk_extensions_vanish() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let body = "5;name=\"GET /smuggled HTTP/1.1\"\r\nhello\r\n0;last\r\n\r\n";
    assert_eq!(gate.ask(post("Transfer-Encoding: chunked\r\n", body)).status, 200);
    assert_eq!(origin.only().body, b"5\r\nhello\r\n0\r\n\r\n");
}

#[test]
fn h35_a_head_that_never_ends_is_closed_in_time() {
    let origin = Origin::new();
    let gate = Gate::configured(&format!(
        "listeners: {{inbound: {{address: '127.0.0.1:0', limits: {{requestHead: 100ms, keepAlive: 100ms}}}}}}\n\
         upstreams: {{api: {{upstream: 'http://{}'}}}}\n",
        origin.address
    ));
    let mut silent = gate.connect();
    let mut slow = gate.connect();
    slow.say("GET / HTTP/1.1\r\nHost: a");
    let mut idle = gate.connect();
    idle.say(format!("GET / HTTP/1.1\r\nHost: a.test\r\n{}\r\n", as_anna()));
    assert_eq!(idle.answer().status, 200);
    for caller in [&mut silent, &mut slow, &mut idle] {
        assert_eq!(caller.rest(), b"");
    }
    assert_eq!(origin.only().line(), "GET / HTTP/1.1");
}

#[test]
fn a_refused_body_is_never_read_as_the_next_request() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna());
    let head = format!("POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: {}\r\n\r\n", smuggled.len());
    // In one piece, and in two with the answer between them.
    let mut at_once = gate.connect();
    at_once.say(format!("{head}{smuggled}"));
    assert_eq!(at_once.answer().status, 401);
    at_once.finish();
    assert_eq!(at_once.rest(), b"");
    let mut later = gate.connect();
    later.say(&head);
    assert_eq!(later.answer().status, 401);
    later.try_say(&smuggled);
    assert_eq!(later.rest(), b"");
    origin.is_untouched();
}

#[test]
fn no_100_is_sent_before_the_token_holds() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let headers = "Expect: 100-continue\r\nContent-Length: 5\r\n";
    let mut stranger = gate.connect();
    stranger.say(format!("POST / HTTP/1.1\r\nHost: api.test\r\n{headers}\r\n"));
    assert_eq!(stranger.answer().status, 401);
    assert_eq!(stranger.rest(), b"", "what follows could be the body or a request");
    origin.is_untouched();

    let mut anna: Peer = gate.connect();
    anna.stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    anna.say(post(headers, ""));
    assert_eq!(anna.answer().status, 100);
    anna.say("hello");
    assert_eq!(anna.answer().status, 200);
    assert_eq!(origin.only().body, b"hello");
}
