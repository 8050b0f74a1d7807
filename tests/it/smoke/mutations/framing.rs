//! Framing: where a body ends, said in two ways, or in ways that two parsers read differently.
//! In every body hides a request that has no token.

use super::{Case, any_token, disguised, hidden, line, marker, valid_token};
use crate::dice::Dice;

fn head(dice: &mut Dice, number: u32) -> Vec<u8> {
    let token = valid_token(dice);
    let method = dice.of(&["POST", "POST", "POST", "PUT", "GET", "DELETE", "HEAD", "OPTIONS"]);
    let version = if dice.once_in(12) { "1.0" } else { "1.1" };
    format!("{method} /o/{} HTTP/{version}\r\nHost: api.test\r\n{token}", marker(number, 0)).into_bytes()
}

/// A body that ends early for one reader of the framing and late for another.
fn body(dice: &mut Dice, number: u32) -> (usize, String) {
    let hidden = hidden(number);
    match dice.below(4) {
        0 => {
            let body = format!("0\r\n\r\n{hidden}");
            (body.len(), body)
        }
        1 => (4, format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())),
        2 => (0, hidden),
        _ => (dice.below(hidden.len()), hidden),
    }
}

/// Two or three framing lines out of all the usual ways to say them wrongly.
pub(super) fn grid(dice: &mut Dice, number: u32) -> Case {
    let mut bytes = head(dice, number);
    let (length, body) = body(dice, number);
    for _ in 0..=dice.below(3) {
        let (name, value) = if dice.once_in(2) {
            ("Content-Length", lengths(dice, length))
        } else {
            ("Transfer-Encoding", codings(dice))
        };
        let name = disguised(dice, name);
        bytes.extend(line(dice, &name, value.as_bytes()));
    }
    if dice.once_in(8) {
        let listed = dice.of(&[
            "Content-Length",
            "Transfer-Encoding",
            "close, content-length",
            "TE, Upgrade",
            "keep-alive",
        ]);
        bytes.extend(format!("Connection: {listed}\r\n").bytes());
    }
    if dice.once_in(10) {
        let more = dice.of(&[
            "Expect: 100-continue",
            "Upgrade: h2c\r\nHTTP2-Settings: AAAA",
            "Upgrade: websocket",
            "TE: trailers, chunked",
            "Trailer: Host",
        ]);
        bytes.extend(format!("{more}\r\n").bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body.bytes());
    Case::last("framing grid", bytes)
}

pub(super) fn lengths(dice: &mut Dice, length: usize) -> String {
    match dice.below(14) {
        0 => format!("0{length}"),
        1 => format!("+{length}"),
        2 => format!("-{length}"),
        3 => format!("{length},{length}"),
        4 => format!("{length}, 0"),
        5 => format!("0x{length:x}"),
        6 => format!("{length} {length}"),
        7 => format!("{length}.0"),
        8 => format!("18446744073709551616{length}"),
        9 => format!("{length};"),
        10 => "0".into(),
        11 => String::new(),
        _ => length.to_string(),
    }
}

fn codings(dice: &mut Dice) -> String {
    let coding = dice.of(&[
        "chunked",
        "chunked",
        "chunked",
        "chunked",
        "Chunked",
        "CHUNKED",
        "xchunked",
        "chunked;q=1",
        "chunked, identity",
        "identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        ",chunked",
        "chunked,",
        "\"chunked\"",
        "'chunked'",
        "chunk",
        "x",
        "",
        "chunked\t",
        "\tchunked",
        "chunked\x0b",
        "\x0bchunked",
        "chunked\0",
        "\u{e7}hunked",
        "cow",
        "deflate",
        "chunked ;",
    ]);
    coding.to_owned()
}

/// One odd byte in each place of a Transfer-Encoding beside a Content-Length.
pub(super) fn odd_bytes(dice: &mut Dice, number: u32) -> Case {
    let (length, body) = body(dice, number);
    let odd = [dice.byte()];
    let (before, after) = [
        ("Transfer-Encoding:", "chunked"),
        ("Transfer-Encoding", ": chunked"),
        ("", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", ""),
        ("Transfer-Encoding: chunked", ", identity"),
        ("Transfer-Encoding: x", "chunked"),
        ("Transfer", "Encoding: chunked"),
        ("X: x", "Transfer-Encoding: chunked"),
        ("X: x\r", "Transfer-Encoding: chunked"),
        ("X: x\n", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding:", "x"),
        ("Transfer-Encoding: chunked\r\nX:", "x"),
        ("Content", "Length: 0"),
        ("Content-Length", ": 0"),
        ("Content-Length: ", "0"),
        ("Content-Length: 0", ""),
        ("", "Content-Length: 0"),
    ][dice.below(17)];
    let mut bytes = head(dice, number);
    let mut lines = [
        [before.as_bytes(), &odd, after.as_bytes(), b"\r\n"].concat(),
        if dice.once_in(3) { Vec::new() } else { format!("Content-Length: {length}\r\n").into_bytes() },
    ];
    lines.rotate_left(dice.below(2));
    bytes.extend(lines.concat());
    bytes.extend(b"\r\n");
    bytes.extend(body.bytes());
    Case::last("odd bytes", bytes)
}

/// A chunked body in which sizes, extensions, ends and trailers are wrong or strange.
pub(super) fn chunks(dice: &mut Dice, number: u32) -> Case {
    let mut bytes = head(dice, number);
    bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
    let hidden = hidden(number);
    for _ in 0..dice.below(3) {
        bytes.extend(size(dice, hidden.len()));
        bytes.extend(hidden.bytes());
        bytes.extend(chunk_end(dice));
    }
    let last = match dice.below(6) {
        0 => {
            dice.of(&["00", "000000000000000000000", "0;a", "0 ", " 0", "-0", "+0", "0x0", "", "0;\n", "0\t"])
        }
        _ => "0",
    };
    bytes.extend(last.bytes());
    bytes.extend(chunk_end(dice));
    for _ in 0..dice.below(3) {
        let name = dice.of(&[
            "X-Sidegate-Customer",
            "X-Integration-App-Token",
            "X-Membrane-Token",
            "Authorization",
            "Content-Length",
            "Transfer-Encoding",
            "Host",
            "Connection",
            "X-Forwarded-For",
            "X-Forwarded",
            "X-HTTP-Method",
            "X-Original-URI",
            "Trailing",
            "Grpc-Status",
            "Upgrade",
        ]);
        let value = if dice.once_in(3) { any_token(dice) } else { "forged".into() };
        let name = disguised(dice, name);
        bytes.extend(line(dice, &name, value.as_bytes()));
    }
    bytes.extend(chunk_end(dice));
    bytes.extend(hidden_after(dice, number).bytes());
    Case::last("chunks", bytes)
}

fn hidden_after(dice: &mut Dice, number: u32) -> String {
    if dice.once_in(2) { hidden(number) } else { String::new() }
}

fn size(dice: &mut Dice, size: usize) -> Vec<u8> {
    let text = match dice.below(3) {
        0 => match dice.below(20) {
            0 => format!("0x{size:x}\r\n"),
            1 => format!("+{size:x}\r\n"),
            2 => format!("-{size:x}\r\n"),
            3 => format!(" {size:x}\r\n"),
            4 => format!("{size:x} \r\n"),
            5 => format!("{size:x}\t\r\n"),
            6 => format!("{size:x};ext\r\n"),
            7 => format!("{size:x};a=\"b\r\n\"\r\n"),
            8 => format!("{size:x};\n\r\n"),
            9 => format!("{size:x}\n"),
            10 => format!("{size:x}\r"),
            11 => format!("{size:x}\r\r\n"),
            12 => format!("1{size:016x}\r\n"),
            13 => format!("{size:032x}\r\n"),
            14 => format!("{size}\r\n"),
            15 => format!("{:x}\r\n", size + 1),
            16 => format!("{:x}\r\n", size - 1),
            17 => format!("{size:x}_0\r\n"),
            18 => format!("{size:x}\0\r\n"),
            _ => format!("{size:x};{}\r\n", "a".repeat(dice.below(40))),
        },
        1 => format!("{size:X}\r\n"),
        _ => format!("{size:x}\r\n"),
    };
    text.into_bytes()
}

fn chunk_end(dice: &mut Dice) -> &'static [u8] {
    if dice.once_in(10) {
        dice.of(&[b"\n", b"\r", b"", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"X\r\n", b" \r\n"])
    } else {
        b"\r\n"
    }
}

/// Several requests in one breath, each with its own token or none, some with bodies.
pub(super) fn pipeline(dice: &mut Dice, number: u32) -> Case {
    let one = |dice: &mut Dice, place: usize| {
        let path = dice.of(&["/o/", "/o/", "/admin/", "/public/", "/open/"]);
        let token = match dice.below(3) {
            0 => String::new(),
            1 => format!("X-Membrane-Token: {}\r\n", any_token(dice)),
            _ => valid_token(dice),
        };
        let content = hidden(number);
        let body = match dice.below(5) {
            0 => format!("Content-Length: {}\r\n\r\n{content}", content.len()),
            1 => format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{content}\r\n0\r\n\r\n", content.len()),
            2 => format!("Expect: 100-continue\r\nContent-Length: {}\r\n\r\n{content}", content.len()),
            _ => "\r\n".into(),
        };
        let method = dice.of(&["GET", "POST", "HEAD", "DELETE"]);
        format!("{method} {path}{} HTTP/1.1\r\nHost: api.test\r\n{token}{body}", marker(number, place))
            .into_bytes()
    };
    let requests = (0..=dice.below(4)).map(|place| one(dice, place)).collect();
    Case { family: "pipeline", requests, is_last: true }
}
