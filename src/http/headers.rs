//! Header rules of HTTP/1.1 that have nothing to do with auth, and the text of header values.
//! Never knows which headers Sidegate itself manages.

mod additions;
mod admission;
mod http_2;

pub use additions::{Additions, Fields};
pub use admission::{Malformed, admit, host, host_of};
pub use http_2::as_http_1;

use std::borrow::Cow;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// Removes hop-by-hop fields: the fixed set (RFC 9110 section 7.6.1) and those that Connection lists. Host and
/// Content-Length stay even if listed. Of TE it leaves that trailers are taken, which is true of us as well.
///
/// Must run before anybody writes a header of our own: a caller could list its name in Connection.
pub fn strip_hop_by_hop(headers: &mut HeaderMap) {
    // One look at each header that is there costs less than a search for each that is usually not.
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    let takes_trailers = headers.contains_key(header::TE)
        && headers.get_all(header::TE).iter().any(|value| lists(value, "trailers"));
    if headers.contains_key(header::CONNECTION) {
        let listed: Vec<HeaderValue> = headers.get_all(header::CONNECTION).iter().cloned().collect();
        for connection in &listed {
            remove_listed(headers, connection);
        }
    }
    while let Some(name) = headers.keys().find(|name| is_hop_by_hop(name)).cloned() {
        headers.remove(name);
    }
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether a field of this name is there. Mostly for one that is not: a look at each name costs less than the hash of a
/// long one.
#[must_use]
pub fn has(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.keys().any(|there| there == name)
}

/// Whether a comma-separated value lists `token`.
pub(super) fn lists(value: &HeaderValue, token: &str) -> bool {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .any(|listed| listed.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// Fields that speak about one connection (RFC 9110 section 7.6.1), the older ones that implementations still send,
/// proxy credentials, and the h2c upgrade's settings.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
    )
}

fn remove_listed(headers: &mut HeaderMap, connection: &HeaderValue) {
    for option in connection.as_bytes().split(|byte| *byte == b',') {
        let Ok(name) = HeaderName::from_bytes(option.trim_ascii()) else { continue };
        if name != header::HOST && name != header::CONTENT_LENGTH {
            headers.remove(name);
        }
    }
}

/// Whether `name` is `managed` when neither case nor what stands between letters and digits is told apart: CGI and
/// WSGI servers read `_` for `-`, and some of them (lighttpd, Apache before 2.4) for every other sign, too.
#[must_use]
pub fn folds_to(name: &str, managed: &str) -> bool {
    fn fold(byte: u8) -> u8 {
        if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
    }
    name.len() == managed.len() && name.bytes().map(fold).eq(managed.bytes().map(fold))
}

/// Letters, digits and these as a table, for what is looked at byte by byte.
#[must_use]
pub const fn alphanumeric_or(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}

/// What header text does not carry as it is: everything but visible ASCII, and the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Header text: visible ASCII as it is, everything else and `%` percent-encoded as UTF-8.
#[must_use]
pub fn header_text(text: &str) -> Cow<'_, str> {
    // Mostly there is nothing to encode, and seeing that costs less than encoding nothing.
    if text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') {
        return text.into();
    }
    utf8_percent_encode(text, ESCAPED).into()
}

#[cfg(test)]
mod tests;
