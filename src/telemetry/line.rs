//! One line of the access log: a flat JSON object of visible ASCII, whatever the request held.
//! Knows nothing of where lines go.

use std::fmt::{self, Display, Write};
use std::net::SocketAddr;
use std::time::Duration;

use super::RequestEvent;
use super::labels::End;
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

/// The same with the quote that opens a text: two pieces appended at once.
macro_rules! text_key {
    ($name:literal) => {
        concat!(",\"", $name, "\":\"")
    };
}

/// Appends the line of `event`, with its line feed. What is empty or did not happen is left out. Put together by hand:
/// every request pays for it, and the formatting machinery costs several times the rest.
pub(super) fn write(line: &mut String, time: &str, event: &RequestEvent<'_>) {
    line.push_str("{\"time\":\"");
    line.push_str(time);
    line.push('"');
    word(line, text_key!("door"), event.door.as_str());
    text(line, text_key!("request_id"), event.request_id, MAX_TEXT);
    word(line, text_key!("trace_id"), event.trace_id);
    text(line, text_key!("method"), event.method, MAX_TEXT);
    text(line, text_key!("path"), event.path, MAX_PATH);
    word(line, text_key!("protocol"), event.protocol);
    flag(line, key!("tls"), event.tls);
    line.push_str(key!("status"));
    number(line, event.status);
    word(line, text_key!("reason"), event.reason);
    word(line, text_key!("would_reject"), event.would_reject);
    word(line, text_key!("blame"), event.blame.as_str());
    if event.end != End::Complete {
        word(line, text_key!("end"), event.end.as_str());
    }
    text(line, text_key!("target"), event.target, MAX_TEXT);
    line.push_str(event.server.map_or("", |server| &server.0));
    text(line, text_key!("rule"), event.rule, MAX_TEXT);
    text(line, text_key!("workspace"), event.workspace, MAX_TEXT);
    text(line, text_key!("customer"), event.customer, MAX_TEXT);
    text(line, text_key!("kid"), event.kid, MAX_TEXT);
    word(line, text_key!("algorithm"), event.algorithm);
    word(line, text_key!("jti_hash"), event.jti_hash);
    text(line, text_key!("connection"), event.connection, MAX_TEXT);
    peer(line, event.peer);
    if let Some(client) = event.client {
        line.push_str(key!("client"));
        let _ = write!(line, "\"{client}\"");
    }
    bytes(line, key!("bytes_received"), event.received);
    bytes(line, key!("bytes_sent"), event.sent);
    millis(line, key!("duration_ms"), Some(event.duration));
    millis(line, key!("auth_ms"), event.auth);
    millis(line, key!("upstream_ms"), event.upstream);
    flag(line, key!("replayed"), event.replayed);
    flag(line, key!("refreshed"), event.refreshed);
    detail(line, event.detail);
    line.push_str("}\n");
}

/// Where an upstream listens, in the words of its lines: put together once, for each of them says the same.
#[derive(Clone, Debug)]
pub struct ServerAddress(String);

impl ServerAddress {
    /// A host with its port, or the path of a Unix socket.
    #[must_use]
    pub fn new(address: &str, port: Option<u16>) -> Self {
        let mut line = String::new();
        text(&mut line, text_key!("server_address"), address, MAX_TEXT);
        if let Some(port) = port {
            line.push_str(key!("server_port"));
            number(&mut line, port);
        }
        Self(line)
    }
}

/// The time of the last line as text: within one second only three digits of it change.
pub(super) struct Stamp {
    second: Option<u64>,
    text: String,
}

impl Stamp {
    pub(super) const fn new() -> Self {
        Self { second: None, text: String::new() }
    }

    /// `now` as it displays itself.
    pub(super) fn of(&mut self, now: Timestamp) -> &str {
        let second = now.as_secs();
        if self.second == Some(second) {
            // Without its milliseconds and the Z.
            self.text.truncate(self.text.len().saturating_sub(4));
            three_digits(&mut self.text, now.as_millis() % 1000);
            self.text.push('Z');
        } else {
            self.second = Some(second);
            self.text = now.to_string();
        }
        &self.text
    }
}

/// A word of ours, of plain characters. Inlined, as [`text`] is, so that the length of the key is known.
#[inline(always)]
fn word(line: &mut String, key: &'static str, word: &str) {
    if !word.is_empty() {
        line.push_str(key);
        line.push_str(word);
        line.push('"');
    }
}

/// A text, cut at `most` bytes. Everything but visible ASCII and the space is written as `\uXXXX`, so that no control
/// byte, terminal sequence or direction mark reaches whoever reads the log.
#[inline(always)]
fn text(line: &mut String, key: &'static str, value: &str, most: usize) {
    if value.is_empty() {
        return;
    }
    line.push_str(key);
    let kept = value.get(..value.floor_char_boundary(most)).unwrap_or_default();
    escape(line, kept);
    if kept.len() < value.len() {
        line.push_str("...");
    }
    line.push('"');
}

fn escape(line: &mut String, text: &str) {
    // Not `all`: an early end is rare and costs more than it saves.
    if text.bytes().fold(true, |is_plain, byte| is_plain & PLAIN[usize::from(byte)]) {
        line.push_str(text);
    } else {
        escaped(line, text);
    }
}

/// The bytes that stand for themselves. A table: what is looked at is short, and most of it is plain.
static PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b' ';
    while byte <= b'~' {
        plain[byte as usize] = byte != b'"' && byte != b'\\';
        byte += 1;
    }
    plain
};

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

/// An error with its causes, written as it displays itself.
fn detail(line: &mut String, detail: Option<&dyn Display>) {
    let Some(detail) = detail else { return };
    line.push_str(text_key!("detail"));
    let mut cut = Cut { line, left: MAX_DETAIL };
    // An error says that it was cut, which it has noted itself.
    let _ = write!(cut, "{detail}");
    line.push('"');
}

/// Writes text as [`text`] does, up to a limit over all of its pieces.
struct Cut<'l> {
    line: &'l mut String,
    left: usize,
}

impl Write for Cut<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let kept = piece.get(..piece.floor_char_boundary(self.left)).unwrap_or_default();
        escape(self.line, kept);
        self.left -= kept.len();
        if kept.len() < piece.len() {
            self.line.push_str("...");
            return Err(fmt::Error);
        }
        Ok(())
    }
}

fn number(line: &mut String, number: impl itoa::Integer) {
    line.push_str(itoa::Buffer::new().format(number));
}

fn peer(line: &mut String, peer: Option<SocketAddr>) {
    let Some(peer) = peer else { return };
    line.push_str(text_key!("peer"));
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
        line.push('.');
        three_digits(line, micros % 1000);
    }
}

/// A number below a thousand with its leading zeros.
fn three_digits(line: &mut String, number: u64) {
    for place in [100, 10, 1] {
        line.push(char::from(b"0123456789"[(number / place % 10) as usize]));
    }
}

fn bytes(line: &mut String, key: &'static str, bytes: u64) {
    if bytes > 0 {
        line.push_str(key);
        number(line, bytes);
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

    pub(in crate::telemetry) fn event(path: &str) -> RequestEvent<'_> {
        RequestEvent {
            request_id: "r-1",
            method: "GET",
            path,
            target: "orders",
            rule: "/*",
            peer: Some(SocketAddr::from(([192, 0, 2, 1], 4711))),
            duration: Duration::from_micros(1_234),
            ..RequestEvent::new(Door::Inbound, "expired", 401, Blame::Caller)
        }
    }

    fn line_of(event: &RequestEvent<'_>) -> String {
        let mut line = String::new();
        write(&mut line, Stamp::new().of(Timestamp::from_secs(1_700_000_000)), event);
        line
    }

    #[test]
    fn a_line_is_one_flat_json_object() {
        assert_eq!(
            line_of(&event("/orders/7")),
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
        let server = ServerAddress::new(hostile, None);
        let line = line_of(&RequestEvent { detail: Some(&hostile), server: Some(&server), ..event(hostile) });
        assert_eq!(line.matches('\n').count(), 1);
        assert!(line.trim_end().bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["path"], hostile);
        assert_eq!(parsed["detail"], hostile);
        assert_eq!(parsed["server_address"], hostile);
        assert!(parsed.get("forged").is_none());
    }

    #[test]
    fn h47_a_long_field_is_cut_between_characters() {
        let long = "é".repeat(5000);
        let line = line_of(&RequestEvent { detail: Some(&format_args!("{long}{long}")), ..event(&long) });
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["path"], format!("{}...", "é".repeat(MAX_PATH / 2)));
        assert_eq!(parsed["detail"], format!("{}...", "é".repeat(MAX_DETAIL / 2)));
    }

    #[test]
    fn a_line_tells_the_whole_story_of_a_request() {
        let server = ServerAddress::new("10.0.0.7", Some(3000));
        let whole = RequestEvent {
            protocol: "h2",
            tls: true,
            trace_id: "0af7651916cd43dd8448eb211c80319c",
            algorithm: "ES256",
            server: Some(&server),
            jti_hash: "2d711642b726b044",
            auth: Some(Duration::from_micros(60)),
            upstream: Some(Duration::from_millis(12)),
            received: 17,
            sent: 16_384,
            end: End::UpstreamCut,
            ..event("/")
        };
        let parsed: serde_json::Value = serde_json::from_str(&line_of(&whole)).unwrap();
        for (key, value) in [
            ("protocol", "h2".into()),
            ("tls", true.into()),
            ("trace_id", "0af7651916cd43dd8448eb211c80319c".into()),
            ("server_address", "10.0.0.7".into()),
            ("server_port", 3000.into()),
            ("jti_hash", "2d711642b726b044".into()),
            ("end", "upstream_cut".into()),
            ("bytes_received", 17.into()),
            ("bytes_sent", 16_384.into()),
            ("auth_ms", 0.06.into()),
            ("upstream_ms", 12.0.into()),
        ] {
            let value: serde_json::Value = value;
            assert_eq!(parsed[key], value, "{key}");
        }
    }

    #[test]
    fn the_time_is_that_of_the_clock_within_a_second_and_from_one_to_the_next() {
        let mut stamp = Stamp::new();
        for millis in [1_700_000_000_999, 1_700_000_000_007, 1_700_000_000_070, 1_700_000_001_000, 0, 1] {
            let now = Timestamp::from_millis(millis);
            assert_eq!(stamp.of(now), now.to_string());
        }
    }
}
