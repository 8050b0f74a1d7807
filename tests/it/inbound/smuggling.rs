//! Requests hidden in the body of an admitted one: in hundreds of spellings, the API sees the one request or none.

use crate::support::{Gate, Origin, Seen, as_anna};

/// Bytes that some parser takes for white space, a separator or nothing at all.
fn odd_bytes() -> impl Iterator<Item = u8> {
    (0x00..0x21)
        .chain([b'"', b'\'', b',', b':', b';', b'=', b'_', b'/', b'\\', b'+', b'-', b'.'])
        .chain(0x7f..0xa2)
        .chain([0xff])
}

/// A Transfer-Encoding that one parser sees and another does not, with `odd` in each place.
fn disguises(odd: u8) -> Vec<Vec<u8>> {
    let with = |before: &str, after: &str| [before.as_bytes(), &[odd], after.as_bytes()].concat();
    vec![
        with("Transfer-Encoding:", "chunked"),
        with("Transfer-Encoding", ": chunked"),
        with("", "Transfer-Encoding: chunked"),
        with("Transfer-Encoding: chunked", ""),
        with("Transfer-Encoding: chunked", ", identity"),
        with("Transfer-Encoding: x", "chunked"),
        with("Transfer", "Encoding: chunked"),
        with("X: x", "Transfer-Encoding: chunked"),
        with("X: x\r", "Transfer-Encoding: chunked"),
        with("X: x\n", "Transfer-Encoding: chunked"),
        with("Transfer-Encoding: chunked\r\nTransfer-Encoding:", "x"),
    ]
}

/// Everything but the odd byte is anna's; what hides in the body has no token.
fn hide(disguise: &[u8], length: usize, body: &str) -> Vec<u8> {
    let head = format!("POST /seen HTTP/1.1\r\nHost: api.test\r\n{}Content-Length: {length}\r\n", as_anna());
    [head.as_bytes(), disguise, b"\r\n\r\n", body.as_bytes()].concat()
}

/// The API could have been told of two ends of one body, or have read the hidden request.
fn is_in_doubt(seen: &Seen) -> bool {
    let head = seen.head.to_lowercase();
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let is_coded = fields
        .clone()
        .any(|(name, _)| name.replace(|sign: char| !sign.is_alphanumeric(), "-") == "transfer-encoding");
    let has_length = fields.clone().any(|(name, _)| name == "content-length");
    !seen.line().starts_with("POST /seen ") || (is_coded && has_length) || head.contains('\0')
}

#[test]
fn h6_h7_h10_h30_no_disguise_of_the_framing_gets_a_hidden_request_to_the_api() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let hidden = "GET /hidden HTTP/1.1\r\nHost: api.test\r\n\r\n";
    let ends_early = format!("0\r\n\r\n{hidden}");
    let ends_late = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    for odd in odd_bytes() {
        for disguise in disguises(odd) {
            for (length, body) in [(ends_early.len(), &ends_early), (4, &ends_late)] {
                let mut caller = gate.connect();
                caller.say(hide(&disguise, length, body));
                assert!(matches!(caller.answer().status, 200 | 400 | 431), "{:?}", odd as char);
            }
        }
    }
    let doubtful: Vec<Seen> = origin.seen().into_iter().filter(is_in_doubt).collect();
    assert!(doubtful.is_empty(), "{} of {}: {:#?}", doubtful.len(), origin.seen().len(), &doubtful[..1]);
}
