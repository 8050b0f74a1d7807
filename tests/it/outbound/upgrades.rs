//! WebSockets to third parties: the handshake carries what is put in, and then bytes are bytes.

use serde_json::json;

use super::scene::{HOST, KEY, PARAMETER, Service, at, request};
use crate::support::{Gate, Origin, outside};

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

/// Hands out the second token, and takes no other.
fn refusing_the_first() -> Origin {
    Origin::played(|peer| {
        while let Some(seen) = peer.request() {
            if seen.line().starts_with("POST /token ") {
                let token = r#"{"access_token":"second","refresh_token":"r2","expires_in":3600}"#;
                peer.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{token}", token.len()));
            } else if seen.values("authorization") != ["Bearer second"] {
                peer.say("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
            } else {
                peer.say(
                    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                );
                while let Some(byte) = peer.peer.bytes(1) {
                    if !peer.try_say(byte) {
                        return;
                    }
                }
            }
        }
    })
}

#[test]
fn a_handshake_that_is_refused_is_sent_once_more_with_a_fresh_token() {
    let third_party = refusing_the_first();
    let base = format!("http://{HOST}:{}", third_party.address.port());
    let configuration = format!(
        "listeners: {{outbound: {{address: '127.0.0.1:0', trustCaller: true}}}}
store: {{redb: {{path: store.redb}}}}
encryption: {{keys: [{{id: k1, key: {{value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}}}]}}
connectors:
  crm:
    name: CRM
    auth:
      type: oauth2
      getOAuthConfig:
        implementationType: mapping
        mapping: {{clientId: c, clientSecret: s, authorizeUri: {base}/authorize, tokenUri: {base}/token}}
      makeApiClient:
        implementationType: mapping
        mapping: {{baseUri: {base}, headers: {{Authorization: {{$concat: ['Bearer ', {{$var: credentials.access_token}}]}}}}}}
integrations:
  crm: {{connector: crm, egress: {{allowPrivate: true, allowPlain: true}}, route: {{pathPrefix: /crm}}}}
"
    );
    let gate = Gate::start_in(&configuration, outside(at(third_party.address.ip()))).unwrap();
    let service = Service { gate };
    let made = service.create(&json!({"credentials": {"access_token": "first", "refresh_token": "r1"}}));
    assert_eq!(made.status, 200, "{}", made.text());
    let mut caller = service.connect();
    caller.say(request("GET /crm/chat", WISH));
    let agreed = caller.answer_without_body();
    assert_eq!(agreed.status, 101, "{}", agreed.head);
    caller.say("still bytes");
    assert_eq!(caller.bytes(11).unwrap(), b"still bytes");
    let lines: Vec<_> = third_party.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(lines, ["GET /chat HTTP/1.1", "POST /token HTTP/1.1", "GET /chat HTTP/1.1"]);
    for (handshake, token) in [(0, "Bearer first"), (2, "Bearer second")] {
        let seen = &third_party.seen()[handshake];
        assert_eq!((seen.values("authorization"), seen.values("upgrade")), (vec![token], vec!["websocket"]));
    }
}

#[test]
fn a_tunnel_that_is_silent_for_too_long_is_ended_with_a_word() {
    let third_party = Origin::played(|peer| {
        while peer.request().is_some() {
            if !peer.try_say(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            ) {
                return;
            }
            peer.peer.bytes(1);
        }
    });
    let configuration = format!(
        "listeners: {{outbound: {{address: '127.0.0.1:0', trustCaller: true}}}}
store: {{redb: {{path: store.redb}}}}
encryption: {{keys: [{{id: k1, key: {{value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}}}]}}
connectors:
  crm: {{type: client-credentials, makeApiClient: {{type: mapping, mapping: {{baseUri: 'http://{HOST}:{}'}}}}}}
integrations:
  crm:
    connector: crm
    egress: {{allowPrivate: true, allowPlain: true}}
    route: {{pathPrefix: /crm}}
    timeouts: {{upgradeIdle: 50ms}}
",
        third_party.address.port()
    );
    let gate = Gate::start_in(&configuration, outside(at(third_party.address.ip()))).unwrap();
    let service = Service { gate };
    assert_eq!(service.create(&json!({"credentials": {"key": "k"}})).status, 200);
    let mut caller = service.connect();
    caller.say(request("GET /crm/chat", WISH));
    assert_eq!(caller.answer_without_body().status, 101);
    assert_eq!(caller.bytes(4).unwrap(), [0x88, 2, 0x03, 0xf0], "a close frame: 1008");
    assert!(caller.bytes(1).is_none(), "and the end");
}
