//! What RFC 9113 and RFC 7541 forbid in a client, after the list of h2spec: each frame is answered with the error that the
//! section names, and what they allow is let be.

use crate::support::http_2::*;
use crate::support::{Gate, Origin};

/// What must become of a connection after a case was said to it.
enum Expected {
    /// It lives.
    Alive,
    /// Stream 1, or the whole connection, is ended for one of these reasons.
    StreamError(&'static [u32]),
    /// The connection is ended for one of these reasons, or closed.
    ConnectionError(&'static [u32]),
}
use Expected::{Alive, ConnectionError, StreamError};

type Case = (&'static str, Vec<u8>, Expected);

/// Says each case on a connection of its own.
fn hold(cases: Vec<Case>) {
    let origin = Origin::new();
    let gate = Gate::with(&origin, "rules: [{path: /*, allow: public}]");
    for (section, said, expected) in cases {
        let mut client = Client::to(gate.address("inbound"));
        client.say(said);
        let found = match expected {
            Alive => {
                assert!(client.is_alive(), "{section}");
                continue;
            }
            _ => client.fault(1),
        };
        let is_as_expected = match (expected, found) {
            (StreamError(reasons), Outcome::Reset(reason))
            | (StreamError(reasons) | ConnectionError(reasons), Outcome::Ended(reason)) => {
                reasons.contains(&reason)
            }
            (_, Outcome::Closed) => true,
            _ => false,
        };
        assert!(is_as_expected, "{section}: {found:?}");
    }
    assert_eq!(gate.get("/", "").status, 200, "the next client is served");
}

/// HEADERS of a GET with these flags.
fn head(stream: u32, flags: u8) -> Vec<u8> {
    frame(HEADERS, flags, stream, get(&[]))
}

/// A request on stream 1 whose body is still to come.
fn open() -> Vec<u8> {
    head(1, END_HEADERS)
}

/// A whole request on stream 1.
fn whole() -> Vec<u8> {
    head(1, END_HEADERS | END_STREAM)
}

/// A stream that we have reset.
fn reset() -> Vec<u8> {
    [open(), frame(RST_STREAM, 0, 1, CANCEL.to_be_bytes())].concat()
}

fn window(stream: u32, by: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, by.to_be_bytes())
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    frame(SETTINGS, 0, 0, [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
}

const PROTOCOL: Expected = ConnectionError(&[PROTOCOL_ERROR]);
const FRAME_SIZE: Expected = ConnectionError(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]);
/// h2 tells every fault of a header block as PROTOCOL_ERROR; what counts is that the connection ends with it.
const COMPRESSION: Expected = ConnectionError(&[COMPRESSION_ERROR, PROTOCOL_ERROR]);

#[test]
fn h33_frames_are_wellformed() {
    let long = vec![0; 16 * 1024 + 1];
    hold(vec![
        ("4.1 a frame of an unknown type", frame(22, 0, 0, [0; 8]), Alive),
        ("4.1 flags without a meaning", frame(PING, 0x16, 0, [0; 8]), Alive),
        ("4.1 the reserved bit", frame(PING, 0, 1 << 31, [0; 8]), Alive),
        ("4.2 DATA as long as may be", [open(), frame(DATA, 0, 1, &long[1..])].concat(), Alive),
        ("4.2 DATA that is too long", [open(), frame(DATA, 0, 1, &long)].concat(), FRAME_SIZE),
        ("4.2 HEADERS that are too long", frame(HEADERS, END_HEADERS, 1, &long), FRAME_SIZE),
        ("4.3 a broken header block", frame(HEADERS, END_HEADERS, 1, [0x40, 1]), COMPRESSION),
        ("4.3 PRIORITY within a head", [head(1, 0), frame(PRIORITY, 0, 1, [0; 5])].concat(), PROTOCOL),
        ("4.3 another head within a head", [head(1, 0), head(3, END_HEADERS)].concat(), PROTOCOL),
        ("5.5 an unknown frame within a head", [head(1, 0), frame(22, 0, 1, [0; 8])].concat(), PROTOCOL),
        ("6.1 DATA on stream 0", frame(DATA, END_STREAM, 0, b"x"), PROTOCOL),
        ("6.1 more padding than frame", [open(), frame(DATA, PADDED, 1, [6, 0, 0])].concat(), PROTOCOL),
        ("6.2 HEADERS on stream 0", head(0, END_HEADERS), PROTOCOL),
        ("6.2 more padding than head", frame(HEADERS, END_HEADERS | PADDED, 1, [9, 0]), PROTOCOL),
        ("6.3 PRIORITY on stream 0", frame(PRIORITY, 0, 0, [0; 5]), PROTOCOL),
        ("6.3 PRIORITY of a wrong length", [open(), frame(PRIORITY, 0, 1, [0; 4])].concat(), FRAME_SIZE),
        ("6.4 RST_STREAM on stream 0", frame(RST_STREAM, 0, 0, [0; 4]), PROTOCOL),
        ("6.4 RST_STREAM of a wrong length", [open(), frame(RST_STREAM, 0, 1, [0; 3])].concat(), FRAME_SIZE),
        ("6.7 PING", frame(PING, 0, 0, [0; 8]), Alive),
        ("6.7 an unasked PING ACK", frame(PING, ACK, 0, [0; 8]), Alive),
        ("6.7 PING on a stream", frame(PING, 0, 1, [0; 8]), PROTOCOL),
        ("6.7 PING of a wrong length", frame(PING, 0, 0, [0; 6]), FRAME_SIZE),
        ("6.8 GOAWAY on a stream", frame(GOAWAY, 0, 1, [0; 8]), PROTOCOL),
        ("7 RST_STREAM for an unknown reason", [open(), frame(RST_STREAM, 0, 1, [0xff; 4])].concat(), Alive),
    ]);
}

#[test]
fn h33_streams_are_opened_once_and_in_order() {
    let data = |stream| frame(DATA, END_STREAM, stream, b"x");
    let continuation = || frame(CONTINUATION, END_HEADERS, 1, get(&[]));
    let closed = StreamError(&[STREAM_CLOSED, PROTOCOL_ERROR]);
    let both = |first: Vec<u8>, second: Vec<u8>| [first, second].concat();
    let mut many: Vec<u8> = (0..100).flat_map(|number| head(3 + 2 * number, END_HEADERS)).collect();
    many.splice(0..0, open());
    // The hundred and first is stream 201; its fate is asked for below as stream 1's neighbour.
    let too_many = [many, head(203, END_HEADERS)].concat();
    hold(vec![
        ("5.1 idle: DATA", data(1), PROTOCOL),
        ("5.1 idle: RST_STREAM", frame(RST_STREAM, 0, 1, [0; 4]), PROTOCOL),
        ("5.1 idle: WINDOW_UPDATE", window(1, 100), PROTOCOL),
        ("5.1 idle: CONTINUATION", continuation(), PROTOCOL),
        ("5.1 half-closed: DATA", both(whole(), data(1)), closed),
        ("5.1 half-closed: HEADERS", both(whole(), whole()), StreamError(&[STREAM_CLOSED, PROTOCOL_ERROR])),
        ("5.1 half-closed: CONTINUATION", both(whole(), continuation()), PROTOCOL),
        ("5.1 closed: HEADERS", both(reset(), whole()), StreamError(&[STREAM_CLOSED, PROTOCOL_ERROR])),
        ("5.1 closed: CONTINUATION", both(reset(), continuation()), PROTOCOL),
        ("5.1.1 a stream of the server's number", head(2, END_HEADERS), PROTOCOL),
        (
            "5.1.1 a number below one used before",
            both(head(5, END_HEADERS | END_STREAM), head(3, END_HEADERS | END_STREAM)),
            ConnectionError(&[PROTOCOL_ERROR, STREAM_CLOSED]),
        ),
        ("6.10 CONTINUATION on stream 0", both(head(1, 0), frame(CONTINUATION, 4, 0, b"")), PROTOCOL),
        ("6.10 CONTINUATION after the end", both(open(), continuation()), PROTOCOL),
        (
            "6.10 CONTINUATION after DATA",
            [open(), frame(DATA, 0, 1, b"x"), continuation()].concat(),
            PROTOCOL,
        ),
        ("8.4 PUSH_PROMISE", both(open(), frame(PUSH_PROMISE, END_HEADERS, 1, [0, 0, 0, 2])), PROTOCOL),
    ]);
    let origin = Origin::new();
    let gate = Gate::with(&origin, "rules: [{path: /*, allow: public}]");
    let mut client = Client::to(gate.address("inbound"));
    client.say(too_many);
    assert_eq!(client.fault(203), Outcome::Reset(REFUSED_STREAM), "5.1.2 more streams than may be");
    assert!(client.is_alive());
}

#[test]
fn h33_settings_and_windows_are_within_bounds() {
    hold(vec![
        ("3.4 settings are answered, and so is a second set", setting(4, 100), Alive),
        ("6.5 SETTINGS ACK with a payload", frame(SETTINGS, ACK, 0, [0]), FRAME_SIZE),
        ("6.5 SETTINGS on a stream", frame(SETTINGS, 0, 1, [0; 6]), PROTOCOL),
        ("6.5 SETTINGS of a wrong length", frame(SETTINGS, 0, 0, [0; 5]), FRAME_SIZE),
        ("6.5.2 ENABLE_PUSH of 2", setting(2, 2), PROTOCOL),
        (
            "6.5.2 a window that is too large",
            setting(4, 1 << 31),
            ConnectionError(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]),
        ),
        ("6.5.2 frames smaller than may be", setting(5, 16_383), PROTOCOL),
        ("6.5.2 frames larger than may be", setting(5, 1 << 24), PROTOCOL),
        ("6.5.2 an unknown setting", setting(0xff, 1), Alive),
        ("6.9 a window made larger by nothing", window(0, 0), PROTOCOL),
        ("6.9 a stream's, too", [open(), window(1, 0)].concat(), StreamError(&[PROTOCOL_ERROR])),
        ("6.9 WINDOW_UPDATE of a wrong length", frame(WINDOW_UPDATE, 0, 0, [0; 3]), FRAME_SIZE),
        (
            "6.9.1 the connection's window beyond its limit",
            [window(0, i32::MAX as u32), window(0, i32::MAX as u32)].concat(),
            ConnectionError(&[FLOW_CONTROL_ERROR]),
        ),
        (
            "6.9.1 a stream's window beyond its limit",
            [open(), window(1, i32::MAX as u32), window(1, i32::MAX as u32)].concat(),
            StreamError(&[FLOW_CONTROL_ERROR]),
        ),
        (
            "6.9.2 windows beyond their limit by a setting",
            [open(), window(1, i32::MAX as u32 - 65_535), setting(4, 65_536)].concat(),
            StreamError(&[FLOW_CONTROL_ERROR]),
        ),
    ]);
}

#[test]
fn h33_hpack_is_decoded_strictly() {
    let fields = |end: &[u8]| frame(HEADERS, END_HEADERS | END_STREAM, 1, [&get(&[])[..], end].concat());
    hold(vec![
        ("RFC 7541 2.3.3 an index that is not there", fields(&[0xc6]), COMPRESSION),
        ("RFC 7541 2.3.3 a name's index that is not there", fields(&[0x7f, 0x07, 1, b'x']), COMPRESSION),
        ("RFC 7541 4.2 a table's size after a field", fields(&[0x21]), COMPRESSION),
        ("RFC 7541 5.2 padding longer than seven bits", fields(&[0, 1, b'x', 0x82, 0xff, 0xff]), COMPRESSION),
        ("RFC 7541 5.2 padding that is not of ones", fields(&[0, 1, b'x', 0x81, 0x00]), COMPRESSION),
        ("RFC 7541 5.2 the end of text", fields(&[0, 1, b'x', 0x84, 0xff, 0xff, 0xff, 0xfc]), COMPRESSION),
        ("RFC 7541 6.1 index 0", fields(&[0x80]), COMPRESSION),
        (
            "RFC 7541 6.3 a table beyond its limit",
            frame(HEADERS, END_HEADERS, 1, [&[0x3f, 0xe1, 0xff, 0x03][..], &get(&[])].concat()),
            COMPRESSION,
        ),
    ]);
}

#[test]
fn h33_a_preface_that_is_not_one_is_http_1_and_refused() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let answer = gate.ask("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n");
    assert_eq!(answer.status, 400);
    // RFC 9113 section 3.4: the first frame is SETTINGS.
    let mut client = Client { peer: gate.connect() };
    client.say([PREFACE, &frame(PING, 0, 0, [0; 8])].concat());
    assert!(matches!(client.fault(1), Outcome::Ended(_) | Outcome::Closed));
    origin.is_untouched();
}
