//! What goes beyond one request and one answer: tunnels, expectations, and requests that come back.

use serde_json::json;
use sidegate::clock::{Clock as _, SystemClock};

use crate::support::{Gate, Origin, Peer, Process, as_anna, eventually, token};

const ASK: &str = "GET /chat HTTP/1.1\r\nHost: api.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// Agrees to a WebSocket and says everything back.
fn echo() -> Origin {
    Origin::played(|api| {
        let head = api.head().unwrap();
        assert!(head.to_lowercase().contains("\r\nupgrade: websocket\r\n"), "{head}");
        api.say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        while let Some(byte) = api.peer.bytes(1) {
            if !api.try_say(byte) {
                return;
            }
        }
    })
}

#[test]
fn h42_a_websocket_goes_through_with_the_identity_of_its_token() {
    let origin = echo();
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(format!("{ASK}{}\r\n", as_anna()));
    let agreed = caller.answer_without_body();
    assert_eq!(agreed.status, 101);
    assert_eq!(agreed.values("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
    assert_eq!(agreed.values("upgrade"), ["websocket"]);
    // What would be a request of its own elsewhere is bytes here, and so is what is no text.
    for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x81, 0x82, 0, 0xff, b'\r', b'\n', 1, 2]] {
        caller.say(said);
        assert_eq!(caller.bytes(said.len()).unwrap(), said);
    }
}

#[test]
fn h42_a_websocket_needs_a_token_like_any_request() {
    let origin = echo();
    let gate = Gate::before(&origin);
    let refused = gate.ask(format!("{ASK}\r\n"));
    assert_eq!((refused.status, refused.code()), (401, "no_token"));
    // A token in a subprotocol or in the query is none.
    let hidden = ASK.replace("GET /chat", "GET /chat?token=x") + "Sec-WebSocket-Protocol: bearer, x\r\n\r\n";
    assert_eq!(gate.ask(hidden).code(), "no_token");
    origin.is_untouched();
}

#[test]
fn h42_a_websocket_ends_with_its_token_where_the_upstream_says_so() {
    let origin = echo();
    let gate = Gate::with(&origin, "token: {onExpiry: close}");
    let soon = SystemClock.now().as_secs() + 2;
    let mut caller = gate.connect();
    caller.say(format!("{ASK}X-Integration-App-Token: {}\r\n\r\n", token(&json!({"exp": soon}))));
    assert_eq!(caller.answer_without_body().status, 101);
    let rest = caller.rest();
    assert!(SystemClock.now().as_secs() >= soon, "it was cut before its time");
    // A close frame that says 1008: the policy was violated.
    assert_eq!(rest.get(..4), Some(&[0x88, 2, 0x03, 0xf0][..]), "{rest:?}");
}

/// A tunnel through the gate, whose answer has been read.
fn tunnel(mut caller: Peer) -> Peer {
    caller.say(format!("{ASK}{}\r\n", as_anna()));
    assert_eq!(caller.answer_without_body().status, 101);
    caller
}

#[test]
fn h42_a_tunnel_takes_its_places_for_as_long_as_it_lives() {
    for (limit, refused_with) in [
        ("maxRequests: 1", (503, "overloaded")),
        ("perCustomer: {concurrency: 1}", (429, "too_many_requests_in_flight")),
    ] {
        let origin = echo();
        let gate = Gate::with(&origin, &format!("limits: {{{limit}}}"));
        let mut caller = tunnel(gate.connect());
        for _ in 0..2 {
            let refused = gate.get("/", &as_anna());
            assert_eq!((refused.status, refused.code()), refused_with, "{limit}");
            caller.say("still there");
            assert_eq!(caller.bytes(11).unwrap(), b"still there");
        }
        drop(caller);
        eventually("its place is free", || {
            let mut next = gate.connect();
            next.say(format!("{ASK}{}\r\n", as_anna()));
            next.answer().status == 101
        });
    }
}

#[test]
fn h42_a_tunnel_whose_sides_went_silent_ends_and_one_line_tells_what_it_carried() {
    let origin = echo();
    let process = Process::configured(&format!(
        "upstreams: {{api: {{upstream: 'http://{}', timeouts: {{upgradeIdle: 300ms}}}}}}\nshutdown: {{delay: 0s}}\n",
        origin.address
    ));
    let mut caller = tunnel(process.connect());
    let frame = [0x81, 2, b'h', b'i'];
    caller.say(frame);
    assert_eq!(caller.bytes(4).unwrap(), frame);
    // Its side of the connection stays open, as that of a peer that vanished does.
    assert_eq!(caller.rest().len(), 4, "a close frame, and the end");
    let mut other = tunnel(process.connect());
    other.say("bye");
    assert_eq!(other.bytes(3).unwrap(), b"bye");
    drop(other);
    process.terminate();
    let told = tunnels_of(process);
    assert_eq!(told, [(101, String::new(), 3, 3), (101, "timeout".to_owned(), 4, 8)]);
}

#[test]
fn h42_a_tunnel_that_the_process_ends_with_itself_is_one_line_too() {
    let origin = echo();
    let process = Process::before(origin.address, "shutdown: {delay: 0s, grace: 100ms}\n");
    let mut caller = tunnel(process.connect());
    caller.say("hi");
    assert_eq!(caller.bytes(2).unwrap(), b"hi");
    process.terminate();
    assert_eq!(caller.rest(), b"");
    assert_eq!(tunnels_of(process), [(101, "timeout".to_owned(), 2, 2)]);
}

/// The lines of a process that ends: status, end and bytes.
fn tunnels_of(process: Process) -> Vec<(u64, String, u64, u64)> {
    let (_, log) = process.end();
    let told = log.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| line[key].as_u64().unwrap_or_default();
        let end = line["end"].as_str().unwrap_or_default().to_owned();
        (number("status"), end, number("bytes_received"), number("bytes_sent"))
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    told
}

#[test]
fn h14_only_listed_protocols_are_switched_to() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "upgrades: [chat]");
    let refused = gate.ask(format!("{ASK}{}\r\n", as_anna()));
    assert_eq!((refused.status, refused.code()), (400, "upgrade_not_allowed"));
    origin.is_untouched();
    let h2c = ASK.replace("Upgrade: websocket", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__");
    assert_eq!(gate.ask(format!("{h2c}{}\r\n", as_anna())).status, 200);
    let seen = origin.only();
    assert!(seen.values("upgrade").is_empty() && seen.values("http2-settings").is_empty(), "{seen:?}");
}

#[test]
fn h44_no_100_before_the_token_was_verified_and_the_api_called_for_the_body() {
    let origin = Origin::played(|api| {
        let head = api.head().unwrap();
        assert!(head.to_lowercase().contains("\r\nexpect: 100-continue\r\n"), "{head}");
        api.say("HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(api.peer.bytes(4).unwrap(), b"body");
        api.say("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    });
    let gate = Gate::before(&origin);
    let ask = |token: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n{token}\r\n"
        )
    };
    let mut stranger = gate.connect();
    stranger.say(ask(""));
    assert_eq!(stranger.answer().status, 401, "and no 100 before it");
    origin.is_untouched();

    let mut caller = gate.connect();
    caller.say(ask(&as_anna()));
    assert_eq!(caller.until(b"\r\n\r\n").unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    caller.say("body");
    assert_eq!(caller.answer().status, 201);
}

#[test]
fn h50_a_request_that_comes_back_is_answered_508() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    assert_eq!(gate.get("/", &as_anna()).status, 200);
    let seen = origin.only();
    let [hops] = seen.values("x-sidegate-hops")[..] else { panic!("{seen:?}") };
    let back = gate.get("/", &format!("{}X-Sidegate-Hops: {hops}\r\n", as_anna()));
    assert_eq!((back.status, back.code()), (508, "loop_detected"));
    let other = gate.get("/", &format!("{}X-Sidegate-Hops: 0123456789abcdef\r\n", as_anna()));
    assert_eq!(other.status, 200);
    let seen = origin.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].values("x-sidegate-hops"), [format!("0123456789abcdef, {hops}")]);
}
