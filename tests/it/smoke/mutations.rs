//! What hostile callers send: each number is one case, the same for the same seed.
//! Only makes bytes; what may come of them is the oracle's business.

mod framing;
mod heads;
pub(super) mod streams;

use super::callers;
use crate::dice::Dice;

/// One connection's worth of bytes.
pub(super) struct Case {
    pub(super) family: &'static str,
    /// What is meant as requests, in order; bodies included.
    pub(super) requests: Vec<Vec<u8>>,
    /// Whether something may be left over that is read as a request of its own: then nothing else follows on the connection.
    pub(super) is_last: bool,
}

impl Case {
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.requests.concat()
    }

    fn one(family: &'static str, request: impl Into<Vec<u8>>) -> Self {
        Self { family, requests: vec![request.into()], is_last: false }
    }

    fn last(family: &'static str, request: impl Into<Vec<u8>>) -> Self {
        Self { is_last: true, ..Self::one(family, request) }
    }
}

/// Each makes one case; they take turns.
const FAMILIES: [fn(&mut Dice, u32) -> Case; 10] = [
    heads::token_headers,
    heads::identity_headers,
    heads::paths,
    heads::hosts,
    heads::lines,
    heads::noise,
    framing::grid,
    framing::odd_bytes,
    framing::chunks,
    framing::pipeline,
];

pub(super) fn case(seed: u64, number: u32) -> Case {
    if number >= streams::FIRST_STREAM {
        return streams::case(&mut Dice::new(seed, number), number);
    }
    FAMILIES[number as usize % FAMILIES.len()](&mut Dice::new(seed, number), number)
}

/// Where a request is found again: `m0000017.0`.
fn marker(number: u32, place: usize) -> String {
    format!("m{number:07}.{place}")
}

/// A marker that must never be seen: it belongs to a request inside another's body.
fn hidden(number: u32) -> String {
    format!("GET /o/{} HTTP/1.1\r\nHost: api.test\r\n\r\n", marker(number, 9))
}

/// A header line with a valid token.
fn valid_token(dice: &mut Dice) -> String {
    let token = &callers::valid()[dice.below(callers::valid().len())];
    format!("X-Integration-App-Token: {token}\r\n")
}

/// A token, good or bad.
fn any_token(dice: &mut Dice) -> String {
    let tokens = if dice.once_in(3) { callers::invalid() } else { callers::valid() };
    tokens[dice.below(tokens.len())].clone()
}

/// Header names as parsers are known to confuse them.
fn disguised(dice: &mut Dice, name: &str) -> Vec<u8> {
    let mut name = match dice.below(12) {
        0 | 1 => dice.cased(name),
        2 => name.replace('-', "_"),
        3 => name.replacen('-', dice.of(&["_", ".", "", "--", " ", "~", "!", "+"]), 1),
        _ => name.to_owned(),
    }
    .into_bytes();
    match dice.below(12) {
        0 => name
            .push(*dice.of(&[b" ", b"\t", b"\0", b"\r", b"\x0b", b"\xa0", b"\x1f", b"_"]).first().unwrap()),
        1 => name.insert(0, *dice.of(&[b" ", b"\t", b"\0", b"\r", b"\x0c", b"\xff", b":"]).first().unwrap()),
        2 => name[0] = dice.byte(),
        _ => {}
    }
    name
}

/// `name: value` with one of the ends and separators that some parser takes.
fn line(dice: &mut Dice, name: &[u8], value: &[u8]) -> Vec<u8> {
    let separator = match dice.below(24) {
        0 => dice.of(&[":", ":\t", ":  ", " : ", "\t:", ":\x0b", ":\r\n ", ":\n ", ":\x0c", "=", "", "::"]),
        _ => ": ",
    };
    let end = match dice.below(30) {
        0 => dice.of(&["\n", "\r", " \r\n", "\t\r\n", "\0\r\n", "\r\r\n", ",\r\n", "\r\n ", ";\r\n"]),
        _ => "\r\n",
    };
    [name, separator.as_bytes(), value, end.as_bytes()].concat()
}
