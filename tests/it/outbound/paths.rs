//! Paths and queries arrive as they were sent, byte for byte; what is put in stands at their end.

use super::scene::{HOST, OPEN, PARAMETER, Service, at};
use crate::dice::Dice;
use crate::support::{Origin, outside};

/// Repeats what happens.
const SEED: u64 = 0x5eed_0f9a_7415;

fn target(line: &str) -> &str {
    line.split(' ').nth(1).unwrap()
}

/// As the vendor's SDK was seen to write them after `/proxy`, and as people do.
#[test]
fn every_form_of_path_that_the_sdk_sends_arrives_byte_for_byte() {
    let third_party = Origin::new();
    let service = Service::before(&third_party);
    let own = format!("http://{HOST}:{}", third_party.address.port());
    let forms = [
        ("/crm/v3/owners/", "/v1/crm/v3/owners/?+"),
        ("/crm/v3/owners?limit=1&x=a%20b", "/v1/crm/v3/owners?limit=1&x=a%20b&+"),
        (&format!("/{own}/crm/v3/owners?limit=1"), "/crm/v3/owners?limit=1&+"),
        (&format!("/{own}"), "/?+"),
        (&format!("/{own}?q=1"), "/?q=1&+"),
        ("//a//b", "/v1//a//b?+"),
        ("", "/v1?+"),
        ("?q=1", "/v1?q=1&+"),
        ("?", "/v1?+"),
        ("/?", "/v1/?+"),
        ("/a?&&b", "/v1/a?&&b&+"),
        ("/a?b&", "/v1/a?b&+"),
        ("/%2f%2F/./~;p=1/%zz%", "/v1/%2f%2F/./~;p=1/%zz%?+"),
        ("/a?API_TOKEN=theirs", "/v1/a?API_TOKEN=theirs&+"),
        ("/a?api_token=theirs&x=1&api%5Ftoken=theirs&api_token", "/v1/a?x=1&+"),
        ("/a?apitoken[]=1&{$var}=$credentials.key", "/v1/a?apitoken[]=1&{$var}=$credentials.key&+"),
    ];
    let mut expected = Vec::new();
    for (form, arrives) in forms {
        let path = format!("/connections/crm/proxy{form}");
        assert_eq!(service.get(&path).status, 200, "{path}");
        expected.push((path, arrives.replace('+', PARAMETER)));
        if !form.starts_with("/http") {
            assert_eq!(service.get(&format!("/crm{form}")).status, 200, "/crm{form}");
            expected.push((format!("/crm{form}"), arrives.replace('+', PARAMETER)));
        }
    }
    let seen = third_party.seen();
    assert_eq!(seen.len(), expected.len());
    for (seen, (path, arrives)) in seen.iter().zip(&expected) {
        assert_eq!(target(seen.line()), arrives, "{path}");
    }
}

/// Bytes that a path may have (RFC 3986 section 3.3).
const IN_PATHS: &[u8] = b"abcXYZ019-._~!$&'()*+,;=:@//";
/// And a query, with brackets, which it should not have and often has.
const IN_QUERIES: &[u8] = b"abcXYZ019-._~!$&&&'()*+,;==:@/?[]";

fn bytes(dice: &mut Dice, of: &[u8], most: usize) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(most) {
        match dice.below(12) {
            0 => text.push_str(&format!("%{:02X}", dice.byte())),
            1 => text.push_str(&format!("%{:02x}", dice.byte())),
            _ => text.push(char::from(of[dice.below(of.len())])),
        }
    }
    text
}

/// A segment `..`, however it is written, is refused: servers do not agree on what it means.
fn climbs(path: &str) -> bool {
    let decoded: Vec<u8> = percent_encoding::percent_decode_str(path).collect();
    let mut segments = decoded.split(|byte| matches!(byte, b'/' | b'\\'));
    segments.any(|segment| segment.split(|byte| *byte == b';').next() == Some(b".."))
}

#[test]
fn ten_thousand_random_paths_and_queries_arrive_byte_exact() {
    let third_party = Origin::new();
    let base = format!("http://{HOST}:{}/base", third_party.address.port());
    let names = at(third_party.address.ip());
    let service = Service::of(&base, "headers: {X-Api-Key: {$var: credentials.key}}", OPEN, outside(names));
    let mut caller = service.connect();
    let mut expected = Vec::new();
    for number in 0..10_000 {
        let mut dice = Dice::new(SEED, number);
        let path = match bytes(&mut dice, IN_PATHS, 40) {
            path if climbs(&path) => String::from("/it/climbed"),
            path => format!("/{path}"),
        };
        let query =
            if dice.once_in(3) { String::new() } else { format!("?{}", bytes(&mut dice, IN_QUERIES, 60)) };
        let prefix = dice.of(&["/connections/crm/proxy", "/crm"]);
        caller.say(super::scene::request(&format!("GET {prefix}{path}{query}"), ""));
        let answer = caller.answer();
        assert_eq!(answer.status, 200, "{prefix}{path}{query}: {}", answer.text());
        expected.push(format!("/base{path}{query}"));
    }
    let seen = third_party.seen();
    assert_eq!(seen.len(), expected.len());
    for (seen, expected) in seen.iter().zip(&expected) {
        assert_eq!(target(seen.line()), expected);
    }
}
