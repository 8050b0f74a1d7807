//! Heads: who asks, for what, of whom, and in which words. Never judges them.
//!
//! Longer than others, and one thing all the same: most of it is tables of spellings.

use super::{Case, any_token, callers, disguised, line, marker, valid_token};
use crate::dice::Dice;

const HOST: &[u8] = b"Host: api.test\r\n";

pub(super) fn token_headers(dice: &mut Dice, number: u32) -> Case {
    let place = dice.of(&["/o/", "/admin/", "/public/", "/open/"]);
    let mut head = format!("GET {place}{} HTTP/1.1\r\n", marker(number, 0)).into_bytes();
    head.extend(HOST);
    for _ in 0..=dice.below(3) {
        let name = dice.of(&[
            "X-Integration-App-Token",
            "X-Membrane-Token",
            "Authorization",
            "X-Integration-App-Token",
        ]);
        let value = token_value(dice, name);
        let name = disguised(dice, name);
        head.extend(line(dice, &name, &value));
    }
    if dice.once_in(6) {
        let listed = dice.of(&[
            "X-Integration-App-Token",
            "x-membrane-token, close",
            "keep-alive, Authorization",
            "Host",
        ]);
        head.extend(format!("Connection: {listed}\r\n").bytes());
    }
    head.extend(b"\r\n");
    Case::one("token headers", head)
}

pub(super) fn token_value(dice: &mut Dice, name: &str) -> Vec<u8> {
    let token = any_token(dice);
    let mut value = match dice.below(12) {
        0 => format!("{token},{token}"),
        1 => format!("{token}, {}", any_token(dice)),
        2 => format!("\"{token}\""),
        3 => format!("{token} {}", any_token(dice)),
        4 => format!("{token};a=b"),
        _ => token,
    };
    if name == "Authorization" || dice.once_in(12) {
        let scheme = dice.of(&[
            "Bearer ",
            "bearer ",
            "BEARER ",
            "Bearer  ",
            "Bearer\t",
            "Bearer",
            "Basic ",
            "Bearer x ",
        ]);
        value.insert_str(0, scheme);
    }
    let mut value = value.into_bytes();
    if dice.once_in(6) && !value.is_empty() {
        let at = dice.below(value.len());
        match dice.below(4) {
            0 => value[at] ^= 1 << dice.below(8),
            1 => value.insert(at, dice.byte()),
            2 => drop(value.remove(at)),
            _ => value.truncate(at),
        }
    }
    value
}

/// Names that are Sidegate's to write, or that frameworks believe.
pub(super) const MANAGED: [&str; 20] = [
    "X-Sidegate-Customer",
    "X-Sidegate-Workspace",
    "X-Sidegate-Admin",
    "X-Sidegate-Rejection",
    "X-Sidegate-Else",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-User",
    "X-Forwarded-Prefix",
    "X-Forwarded",
    "Forwarded",
    "X-Real-IP",
    "X-Original-URL",
    "X-Original-URI",
    "X-Rewrite-URL",
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Membrane-Token",
];

pub(super) fn identity_headers(dice: &mut Dice, number: u32) -> Case {
    let place = dice.of(&["/o/", "/o/", "/admin/", "/public/", "/open/"]);
    let mut head = format!("GET {place}{} HTTP/1.1\r\n", marker(number, 0)).into_bytes();
    head.extend(HOST);
    let token = if dice.once_in(8) { String::new() } else { valid_token(dice) };
    let comes_first = dice.once_in(2);
    if comes_first {
        head.extend(token.bytes());
    }
    for _ in 0..=dice.below(4) {
        let name = dice.of(&MANAGED);
        let forged = dice.of(&[
            "forged",
            "FORGED",
            "for=forged",
            "anna, forged",
            "\"forged\"",
            "forged\t",
            "http://forged/",
        ]);
        let name = disguised(dice, name);
        head.extend(line(dice, &name, forged.as_bytes()));
    }
    if dice.once_in(4) {
        let listed = dice.of(&MANAGED);
        head.extend(format!("Connection: close, {listed}\r\n").bytes());
    }
    if !comes_first {
        head.extend(token.bytes());
    }
    head.extend(b"\r\n");
    Case::one("identity headers", head)
}

pub(super) const PIECES: [&[u8]; 72] = [
    b"/",
    b"/",
    b"/",
    b"//",
    b"/./",
    b"/../",
    b"..",
    b".",
    b"...",
    b"%2e",
    b"%2E%2e",
    b"%2f",
    b"%2F",
    b"%5c",
    b"\\",
    b";",
    b";a=b",
    b";/",
    b"..;",
    b"%3b",
    b"admin",
    b"admin",
    b"admin",
    b"/admin/",
    b"%61dmin",
    b"adm%69n",
    b"Admin",
    b"ADMIN",
    b"admin%20",
    b"%2561dmin",
    b"public",
    b"public",
    b"/public/",
    b"%70ublic",
    b"open",
    b"/open/",
    b"o",
    b"a",
    b"b/c",
    b"%",
    b"%0",
    b"%zz",
    b"%00",
    b"%25",
    b"%20",
    b"%0a",
    b"%0d%0a",
    b"%c3%a9",
    b"\xc3\xa9",
    b"\xff",
    b"~",
    b"!",
    b"$&'()*+,",
    b":",
    b"@",
    b"[",
    b"]",
    b"|",
    b"^",
    b"`",
    b"{}",
    b"\"",
    b"<>",
    b"?",
    b"?a=%2f..%2f",
    b"#",
    b"#/admin",
    b"\t",
    b"\x7f",
    b"*",
    b"%c0%ae%c0%ae",
    b"%u002e",
];

pub(super) fn paths(dice: &mut Dice, number: u32) -> Case {
    let mut target = match dice.below(12) {
        0 => dice.of(&[
            "http://api.test",
            "HTTP://api.test",
            "https://api.test",
            "ftp://api.test",
            "http://a@api.test",
        ]),
        1 => dice.of(&["", "api.test:80", "*", "http:", "http:/", "///", "/\\/", "\\"]),
        2..=4 => dice.of(&["/public/", "/public", "/open/", "/o/"]),
        _ => "/",
    }
    .as_bytes()
    .to_vec();
    for _ in 0..dice.below(6) {
        target.extend(PIECES[dice.below(PIECES.len())]);
    }
    let method = dice.of(&["GET", "GET", "GET", "OPTIONS", "CONNECT", "HEAD", "DELETE"]);
    let token = if dice.once_in(4) { String::new() } else { valid_token(dice) };
    let rest = format!(" HTTP/1.1\r\nHost: api.test\r\nX-Marker: {}\r\n{token}\r\n", marker(number, 0));
    let head = [method.as_bytes(), b" ", &target, rest.as_bytes()];
    Case::one("paths", head.concat())
}

pub(super) fn hosts(dice: &mut Dice, number: u32) -> Case {
    let names: [&[u8]; 40] = [
        b"api.test",
        b"api.test:80",
        b"guarded.test",
        b"guarded.test",
        b"GUARDED.test",
        b"guarded.test.",
        b"guarded.test:80",
        b"guarded.test:080",
        b"guarded.test:",
        b"guarded.test:99999",
        b"guarded.test..",
        b".guarded.test",
        b"guarded..test",
        b"guarded.test.:8080",
        b"a@guarded.test",
        b"guarded.test@b",
        b"guarded.test/",
        b"guarded.test#",
        b"guarded.test?a",
        b"guarded.test\\",
        b"guarded.test, api.test",
        b"api.test guarded.test",
        b"guarded%2etest",
        b"guarded.t\xc3\xa9st",
        b"guarded.test\0",
        b"",
        b" ",
        b"-",
        b"[::1]",
        b"[::1]:80",
        b"[::1",
        b"::1",
        b"[::1%25lo]",
        b"[v1.a]",
        b"[guarded.test]",
        b"127.0.0.1",
        b"guarded_test",
        b"guarded.test\t",
        b"xn--guarded.test",
        b"other.test",
    ];
    let target = marker(number, 0);
    let target = match dice.below(5) {
        0 => format!(
            "{}{}/o/{target}",
            dice.of(&["http://", "https://", "HTTP://", "//"]),
            dice.of(&[
                "guarded.test",
                "api.test",
                "GUARDED.TEST",
                "guarded.test:80",
                "a@guarded.test",
                "guarded.test."
            ])
        ),
        _ => format!("/o/{target}"),
    };
    let mut head = format!("GET {target} HTTP/1.{}\r\n", if dice.once_in(12) { 0 } else { 1 }).into_bytes();
    for _ in 0..dice.of(&[&[1], &[1], &[1], &[1], &[0], &[2]])[0] {
        let name = if dice.once_in(6) { disguised(dice, "Host") } else { b"Host".to_vec() };
        let value = names[dice.below(names.len())];
        head.extend(line(dice, &name, value));
    }
    head.extend(valid_token(dice).bytes());
    head.extend(b"\r\n");
    Case::one("hosts", head)
}

/// Methods, versions, and how lines begin and end.
pub(super) fn lines(dice: &mut Dice, number: u32) -> Case {
    let before = if dice.once_in(5) {
        dice.of(&["\r\n", "\n", "\r\n\r\n", " ", "\r", "\0", "\t", "\u{feff}"])
    } else {
        ""
    };
    let method = match dice.below(3) {
        0 => dice.of(&[
            "get",
            "Get",
            "POST",
            "PUT",
            "PATCH",
            "TRACE",
            "CONNECT",
            "PRI",
            "G ET",
            "GET\0",
            "GET\t",
            "",
            "X",
            "M-SEARCH",
            "GET/",
            "(GET)",
            "G\u{e9}T",
            "PROPFIND",
            "_",
            "\"GET\"",
            "HEAD",
            "OPTIONS",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ]),
        _ => "GET",
    };
    let gap = |dice: &mut Dice| {
        if dice.once_in(8) { dice.of(&["  ", "\t", "\x0b", "\x0c", "\r", "\0", "\u{a0}", ""]) } else { " " }
    };
    let version = match dice.below(3) {
        0 => dice.of(&[
            "HTTP/1.0",
            "HTTP/1.2",
            "HTTP/0.9",
            "HTTP/2.0",
            "HTTP/3",
            "http/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1\t",
            "HTTP/01.1",
            "HTTP/1.01",
            "HTTP/1,1",
            "HTTP /1.1",
            "HTTP/1.1\0",
            "HTTQ/1.1",
            "",
            "HTTP/1.1 HTTP/1.1",
            "HTTP/1",
            "HTTP/11",
            "HTTP/1.11",
            "ICY",
        ]),
        _ => "HTTP/1.1",
    };
    let [first, second] = [gap(dice), gap(dice)];
    let mut head = format!("{before}{method}{first}/o/{}{second}{version}", marker(number, 0)).into_bytes();
    head.extend(ending(dice).bytes());
    let token = valid_token(dice);
    for field in ["Host: api.test", token.trim_end(), "X-Other: 1"] {
        head.extend(field.bytes());
        if dice.once_in(20) {
            head.push(dice.byte());
        }
        head.extend(ending(dice).bytes());
    }
    head.extend(ending(dice).bytes());
    Case::last("lines", head)
}

fn ending(dice: &mut Dice) -> &'static str {
    if dice.once_in(6) {
        dice.of(&["\n", "\r", "\r\r\n", "\n\r", "\0\r\n", "\r\n ", "\r\n\t", "\n\n", "\u{85}", "\u{2028}"])
    } else {
        "\r\n"
    }
}

/// A good request with a few bytes changed anywhere but in its target.
pub(super) fn noise(dice: &mut Dice, number: u32) -> Case {
    let target = format!("/o/{}", marker(number, 0));
    let hidden = super::hidden(number);
    let token = &callers::valid()[dice.below(callers::valid().len())];
    let body = if dice.once_in(2) {
        format!("Content-Length: {}\r\n\r\n{hidden}", hidden.len())
    } else {
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())
    };
    let text = format!(
        "POST {target} HTTP/1.1\r\nHost: api.test\r\nX-Membrane-Token: {token}\r\nX-Sidegate-Customer: forged\r\n{body}"
    );
    let mut bytes = text.into_bytes();
    for _ in 0..=dice.below(3) {
        // Mostly the head: there the meaning is.
        let limit = if dice.once_in(4) { bytes.len() } else { bytes.len().min(420) };
        let at = dice.below(limit);
        let found = bytes.windows(target.len()).position(|part| part == target.as_bytes()).unwrap();
        if (found..found + target.len()).contains(&at) {
            continue;
        }
        change(dice, &mut bytes, at, found..found + target.len());
    }
    Case::last("noise", bytes)
}

fn change(dice: &mut Dice, bytes: &mut Vec<u8>, at: usize, spared: std::ops::Range<usize>) {
    const ODD: [&[u8]; 14] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b",",
        b";",
        b"\r\n\r\n",
        b"\n\n",
        b"\xff",
        b"0",
        b"chunked",
    ];
    match dice.below(5) {
        0 => bytes[at] ^= 1 << dice.below(8),
        1 => bytes[at] = dice.byte(),
        2 => drop(bytes.remove(at)),
        3 => drop(bytes.splice(at..at, ODD[dice.below(ODD.len())].iter().copied())),
        _ => {
            let end = (at + 1 + dice.below(40)).min(bytes.len());
            let copied = bytes[at..end].to_vec();
            if end <= spared.start || at >= spared.end {
                bytes.splice(at..at, copied);
            }
        }
    }
}
