//! WebSockets to third parties: the handshake carries what is put in, and then bytes are bytes.

use super::scene::{KEY, PARAMETER, Service, request};
use crate::support::Origin;

const WISH: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat\r\n";

/// Agrees to a WebSocket and says everything back.
fn echo() -> Origin {
    Origin::played(|peer| {
        while let Some(seen) = peer.request() {
            if seen.values("upgrade").is_empty() {
                peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
                continue;
            }
            peer.say(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Sidegate-Rejection: no_caller\r\n\r\n",
            );
            while let Some(byte) = peer.peer.bytes(1) {
                if !peer.try_say(byte) {
                    return;
                }
            }
        }
    })
}

#[test]
fn a_websocket_goes_through_both_kinds_of_path_with_the_key_in_its_handshake() {
    let third_party = echo();
    let service = Service::before(&third_party);
    for path in ["/connections/crm/proxy/chat?room=1", "/crm/chat?room=1"] {
        let mut caller = service.connect();
        caller.say(request(&format!("GET {path}"), &format!("{WISH}X_Api_Key: theirs\r\n")));
        let agreed = caller.answer_without_body();
        assert_eq!(agreed.status, 101, "{}", agreed.head);
        assert_eq!(agreed.values("sec-websocket-accept"), ["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="]);
        assert!(agreed.values("x-sidegate-rejection").is_empty(), "{}", agreed.head);
        let seen = third_party.seen().pop().unwrap();
        assert_eq!(seen.line(), format!("GET /v1/chat?room=1&{PARAMETER} HTTP/1.1"));
        assert_eq!(seen.values("x-api-key"), [KEY]);
        assert_eq!(seen.values("sec-websocket-protocol"), ["chat"]);
        assert!(
            !seen.head.contains("theirs") && !seen.head.to_lowercase().contains("x-sidegate"),
            "{}",
            seen.head
        );
        for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x81, 0x82, 0, 0xff, b'\r', b'\n', 1, 2], &[7; 70_000]]
        {
            caller.say(said);
            assert_eq!(caller.bytes(said.len()).unwrap(), said);
        }
    }
}

#[test]
fn a_third_party_that_does_not_agree_is_heard() {
    let third_party =
        Origin::answering("HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nContent-Length: 3\r\n\r\nno!");
    let answer = Service::before(&third_party).ask(request("GET /crm/chat", WISH));
    assert_eq!((answer.status, answer.text().as_str(), answer.code()), (426, "no!", ""));
}

#[test]
fn no_other_protocol_is_taken_up_and_the_request_stays_one() {
    let third_party = echo();
    let service = Service::before(&third_party);
    for protocol in ["h2c", "H2C", "TLS/1.0", "websocket, h2c", "custom"] {
        let wish = format!(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABk\r\n"
        );
        let answer = service.ask(request("GET /crm/a", &wish));
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{protocol}");
        let seen = third_party.seen().pop().unwrap();
        assert!(
            seen.values("upgrade").is_empty() && seen.values("http2-settings").is_empty(),
            "{}",
            seen.head
        );
    }
    let tunnel = service.ask(request("CONNECT evil.test:443", ""));
    assert!((400..500).contains(&tunnel.status), "{}", tunnel.head);
}
