//! One line of the access log: a flat JSON object of visible ASCII, whatever the request held.
//! Knows nothing of where lines go.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::RequestEvent;
use crate::clock::Timestamp;

/// The most bytes of each text that are written: a path, an error chain, anything else.
const MAX_PATH: usize = 2048;
const MAX_DETAIL: usize = 1024;
const MAX_TEXT: usize = 256;

/// A member's name as it stands in the line.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

/// Appends the line of `event`, with its line feed. What is empty or did not happen is left out. Put together by hand:
/// every request pays for it, and the formatting machinery costs several times the rest.
pub(super) fn write(line: &mut String, at: Timestamp, event: &RequestEvent<'_>) {
    // Writing into a String cannot fail.
    let _ = write!(line, "{{\"time\":\"{at}\"");
    text(line, key!("door"), event.door.as_str(), MAX_TEXT);
    text(line, key!("request_id"), event.request_id, MAX_TEXT);
    text(line, key!("method"), event.method, MAX_TEXT);
    text(line, key!("path"), event.path, MAX_PATH);
    line.push_str(key!("status"));
    number(line, event.status);
    text(line, key!("reason"), event.reason, MAX_TEXT);
    text(line, key!("would_reject"), event.would_reject, MAX_TEXT);
    text(line, key!("blame"), event.blame.as_str(), MAX_TEXT);
    text(line, key!("target"), event.target, MAX_TEXT);
    text(line, key!("rule"), event.rule, MAX_TEXT);
    text(line, key!("workspace"), event.workspace, MAX_TEXT);
    text(line, key!("customer"), event.customer, MAX_TEXT);
    text(line, key!("kid"), event.kid, MAX_TEXT);
    text(line, key!("algorithm"), event.algorithm, MAX_TEXT);
    text(line, key!("connection"), event.connection, MAX_TEXT);
    peer(line, event.peer);
    if let Some(client) = event.client {
        line.push_str(key!("client"));
        let _ = write!(line, "\"{client}\"");
    }
    millis(line, key!("duration_ms"), Some(event.duration));
    millis(line, key!("upstream_ms"), event.upstream);
    flag(line, key!("replayed"), event.replayed);
    flag(line, key!("refreshed"), event.refreshed);
    text(line, key!("detail"), event.detail, MAX_DETAIL);
    line.push_str("}\n");
}

/// A text, cut at `most` bytes. Everything but visible ASCII and the space is written as `\uXXXX`, so that no control
/// byte, terminal sequence or direction mark reaches whoever reads the log.
fn text(line: &mut String, key: &'static str, value: &str, most: usize) {
    if value.is_empty() {
        return;
    }
    line.push_str(key);
    line.push('"');
    let kept = value.get(..value.floor_char_boundary(most)).unwrap_or_default();
    // Not `all`: without an early end many bytes are looked at together.
    if kept.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        line.push_str(kept);
    } else {
        escaped(line, kept);
    }
    if kept.len() < value.len() {
        line.push_str("...");
    }
    line.push('"');
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

fn escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            ' '..='~' => line.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(line, "\\u{unit:04x}");
                }
            }
        }
    }
}

fn number(line: &mut String, number: impl itoa::Integer) {
    line.push_str(itoa::Buffer::new().format(number));
}

fn peer(line: &mut String, peer: Option<SocketAddr>) {
    let Some(peer) = peer else { return };
    line.push_str(key!("peer"));
    line.push('"');
    match peer {
        SocketAddr::V4(peer) => {
            let [a, b, c, d] = peer.ip().octets();
            number(line, a);
            for octet in [b, c, d] {
                line.push('.');
                number(line, octet);
            }
            line.push(':');
            number(line, peer.port());
        }
        SocketAddr::V6(peer) => drop(write!(line, "{peer}")),
    }
    line.push('"');
}

/// Milliseconds with three decimals, without floating point.
fn millis(line: &mut String, key: &'static str, duration: Option<Duration>) {
    if let Some(duration) = duration {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        line.push_str(key);
        number(line, micros / 1000);
        // The 1 in front keeps the zeros, and is left out.
        let decimals = 1000 + micros % 1000;
        line.push('.');
        line.push_str(itoa::Buffer::new().format(decimals).get(1..).unwrap_or_default());
    }
}

fn flag(line: &mut String, key: &'static str, happened: bool) {
    if happened {
        line.push_str(key);
        line.push_str("true");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::telemetry::labels::{Blame, Door};

    pub(in crate::telemetry) fn event<'a>(path: &'a str, detail: &'a str) -> RequestEvent<'a> {
        RequestEvent {
            door: Door::Inbound,
            request_id: "r-1",
            method: "GET",
            path,
            status: 401,
            reason: "expired",
            would_reject: "",
            blame: Blame::Caller,
            target: "orders",
            rule: "/*",
            workspace: "",
            customer: "",
            kid: "",
            algorithm: "",
            connection: "",
            peer: Some(SocketAddr::from(([192, 0, 2, 1], 4711))),
            client: None,
            duration: Duration::from_micros(1_234),
            upstream: None,
            replayed: false,
            refreshed: false,
            detail,
            series: None,
        }
    }

    fn line_of(event: &RequestEvent<'_>) -> String {
        let mut line = String::new();
        write(&mut line, Timestamp::from_secs(1_700_000_000), event);
        line
    }

    #[test]
    fn a_line_is_one_flat_json_object() {
        assert_eq!(
            line_of(&event("/orders/7", "")),
            concat!(
                r#"{"time":"2023-11-14T22:13:20.000Z","door":"inbound","request_id":"r-1","method":"GET","#,
                r#""path":"/orders/7","status":401,"reason":"expired","blame":"caller","target":"orders","#,
                r#""rule":"/*","peer":"192.0.2.1:4711","duration_ms":1.234}"#,
                "\n"
            )
        );
    }

    #[test]
    fn h47_nothing_in_a_request_breaks_out_of_its_field_or_its_line() {
        let hostile = "/a\"},\r\n{\"forged\":\"\\\u{1b}[31m\u{9b}\u{202e}\u{7f}\u{0}\u{1f600}";
        let line = line_of(&event(hostile, hostile));
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.trim_end().bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["path"], hostile);
        assert_eq!(parsed["detail"], hostile);
        assert!(parsed.get("forged").is_none());
    }

    #[test]
    fn h47_a_long_field_is_cut_between_characters() {
        let line = line_of(&event(&"é".repeat(5000), ""));
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["path"], format!("{}...", "é".repeat(MAX_PATH / 2)));
    }
}
