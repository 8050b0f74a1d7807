//! What goes beyond one request and one answer: tunnels, expectations, and requests that come back.

use serde_json::json;
use sidegate::clock::{Clock as _, SystemClock};

use crate::support::{Gate, Origin, as_anna, token};

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
