//! HTTP/2: header lists that an honest library would not let anybody write.

use super::framing::lengths;
use super::heads::{MANAGED, PIECES, token_value};
use super::{Case, disguised, hidden, marker, valid_token};
use crate::dice::Dice;

/// From this number on, cases are streams of HTTP/2.
pub(crate) const FIRST_STREAM: u32 = 1_000_000;

type Field = (Vec<u8>, Vec<u8>);

/// A stream's frames, and how a lax reader would write the request as HTTP/1.1.
pub(in crate::smoke) struct Stream {
    pub(in crate::smoke) head: Vec<Field>,
    pub(in crate::smoke) body: Option<Vec<u8>>,
    pub(in crate::smoke) trailers: Option<Vec<Field>>,
}

pub(super) fn case(dice: &mut Dice, number: u32) -> Case {
    let stream = stream(dice, number);
    let of = |name: &[u8]| {
        stream.head.iter().find(|(field, _)| field == name).map_or(&b""[..], |(_, value)| value)
    };
    let mut text = [of(b":method"), b" ", of(b":path"), b" HTTP/1.1\r\n"].concat();
    for (name, value) in stream.head.iter().filter(|(name, _)| !name.starts_with(b":")) {
        text.extend([name, &b": "[..], value, b"\r\n"].concat());
    }
    text.extend(b"\r\n");
    Case { family: "streams", requests: vec![text], is_last: false }
}

pub(in crate::smoke) fn stream(dice: &mut Dice, number: u32) -> Stream {
    let field = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    let mut path = b"/".to_vec();
    for _ in 0..dice.below(4) {
        path.extend(PIECES[dice.below(PIECES.len())]);
    }
    if dice.once_in(3) {
        path = dice
            .of(&[
                "/o/x",
                "/admin/x",
                "/public/x",
                "/open/x",
                "",
                "*",
                "o/x",
                "//o",
                "http://guarded.test/",
                "/o x",
                "/o\r\nx: y",
            ])
            .into();
    }
    // What is good must be good in all places at once to get far.
    let method = match dice.below(6) {
        0 => dice.of(&["get", "G T", "CONNECT", "OPTIONS", "", "GET /admin HTTP/1.1\r\n"]),
        _ => dice.of(&["GET", "POST", "HEAD"]),
    };
    let authority = match dice.below(6) {
        0 => dice.of(&["GUARDED.test.", "a@guarded.test", "", "x y", "api.test\r\nx: y"]),
        1 => "guarded.test",
        _ => "api.test",
    };
    let scheme = if dice.once_in(8) { dice.of(&["https", "ftp", ""]) } else { "http" };
    let mut head = vec![
        field(b":method", method.as_bytes()),
        field(b":scheme", scheme.as_bytes()),
        field(b":authority", authority.as_bytes()),
        field(b":path", &path),
    ];
    let token = valid_token(dice);
    if !dice.once_in(4) {
        let token = token.trim_end().split_once(": ").unwrap().1;
        head.push(field(b"x-integration-app-token", token.as_bytes()));
    }
    for _ in 0..dice.below(3) * dice.below(2) {
        head.push(odd_field(dice));
    }
    if dice.once_in(5) {
        change(dice, &mut head);
    }
    // Last, and spared: by it the request is found again.
    head.push(field(b"x-marker", marker(number, 0).as_bytes()));
    let hidden = hidden(number).into_bytes();
    let body = dice.once_in(2).then(|| hidden.clone());
    if dice.once_in(4) {
        head.push(field(b"content-length", lengths(dice, hidden.len()).as_bytes()));
    }
    let trailers = dice.once_in(5).then(|| (0..=dice.below(2)).map(|_| odd_field(dice)).collect());
    Stream { head, body, trailers }
}

/// A field that does not belong into HTTP/2, or is ours, or breaks out of its line.
fn odd_field(dice: &mut Dice) -> Field {
    let name: Vec<u8> = match dice.below(4) {
        0 => {
            let name = dice.of(&MANAGED).to_ascii_lowercase();
            disguised(dice, &name)
        }
        1 => dice
            .of(&[
                "connection",
                "transfer-encoding",
                "te",
                "upgrade",
                "keep-alive",
                "proxy-connection",
                "host",
                "content-length",
                "trailer",
                "http2-settings",
                "expect",
                "cookie",
            ])
            .into(),
        2 => dice
            .of(&[
                "",
                ":",
                ":path",
                ":authority",
                ":status",
                ":protocol",
                ":method",
                "x:y",
                "X-Upper",
                "x y",
                "x\r\ny",
                "x\0",
                "x\n",
                "\u{e9}",
                "authorization",
                "x_membrane_token",
            ])
            .into(),
        _ => b"x-other".to_vec(),
    };
    let value: Vec<u8> = match dice.below(4) {
        0 => token_value(dice, "Authorization"),
        1 => dice
            .of(&[
                "forged",
                "chunked",
                "close, x-sidegate-customer",
                "trailers",
                "trailers, chunked",
                "websocket",
                "guarded.test",
                "api.test",
                "0",
                "100-continue",
            ])
            .into(),
        2 => dice
            .of(&[
                "a\r\nX-Sidegate-Customer: forged",
                "a\nb",
                "a\rb",
                "a\0b",
                "\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n",
                " a",
                "a ",
                "\u{e9}",
                "\x7f",
            ])
            .into(),
        _ => b"forged".to_vec(),
    };
    (name, value)
}

fn change(dice: &mut Dice, head: &mut Vec<Field>) {
    let at = dice.below(head.len());
    match dice.below(5) {
        0 => drop(head.remove(at)),
        1 => {
            let copy = head[at].clone();
            head.push(copy);
        }
        2 => {
            let moved = head.remove(at);
            head.push(moved);
        }
        3 => head.insert(0, odd_field(dice)),
        _ => {
            let (name, value) = &mut head[at];
            let part = if dice.once_in(2) { name } else { value };
            let at = dice.below(part.len() + 1);
            part.insert(at, dice.byte());
        }
    }
}
