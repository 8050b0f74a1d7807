//! Messages that are generated, valid or nearly, and cut into reads.
//! Never judges what becomes of them.

use http::HeaderMap;
use proptest::prelude::*;

/// Bytes that are a message, or nearly: a beginning, some fields, and pieces of a body or of what follows.
pub(in crate::http) fn said(
    start: impl Strategy<Value = &'static str>,
    follows: &'static str,
) -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        4 => Just("transfer-encoding: chunked\r\n".to_owned()),
        4 => (0..20_u8).prop_map(|length| format!("Content-Length: {length}\r\n")),
        2 => Just("connection: close\r\n".to_owned()),
        2 => "[a-z]{1,9}: [ -~]{0,12}\r\n",
        1 => Just("x: y\n".to_owned()),
        1 => Just(" fold\r\n".to_owned()),
    ];
    let piece = prop_oneof![
        6 => "[a-z]{1,15}".prop_map(|data| format!("{:x}\r\n{data}\r\n", data.len())),
        3 => Just("0\r\n\r\n".to_owned()),
        1 => Just("0\r\nx-sum: 1\r\n\r\n".to_owned()),
        1 => Just("3;a=b\r\nxyz\r\n".to_owned()),
        2 => Just(follows.to_owned()),
        2 => "[a-z0-9\r\n]{1,12}",
    ];
    (start, prop::collection::vec(field, 0..3), prop::collection::vec(piece, 0..5)).prop_map(
        |(start, fields, pieces)| format!("{start}{}\r\n{}", fields.concat(), pieces.concat()).into_bytes(),
    )
}

/// `said`, cut at places that are fractions of its length.
pub(in crate::http) fn cut(said: &[u8], places: &[u16]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> =
        places.iter().map(|place| usize::from(*place) * said.len() / usize::from(u16::MAX)).collect();
    places.extend([0, said.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| said[ends[0]..ends[1]].to_vec()).collect()
}

/// Runs a future to its end, for tests that are no async functions.
pub(in crate::http) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Fields as text.
pub(in crate::http) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}
