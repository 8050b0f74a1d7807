//! Strict admission of a request head: what two parsers could read in two ways is refused.
//! Never knows routes, rules or tokens; it sees what hyper parsed, before anything is decided.

use std::net::Ipv6Addr;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri, Version};

use super::alphanumeric_or;

/// Why a request head is refused. The codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is no Host.
    #[error("the request has no Host")]
    HostMissing,
    /// There is more than one Host.
    #[error("the request has more than one Host")]
    HostRepeated,
    /// Host is not `host` or `host:port`.
    #[error("the Host is not a host with an optional port")]
    HostInvalid,
    /// The target names one host and Host another.
    #[error("the target and Host name different hosts")]
    HostMismatch,
    /// The target is neither a path nor an http URL.
    #[error("the request target is neither a path nor an http URL")]
    TargetForm,
    /// The target is longer than servers agree to take.
    #[error("the request target is too long")]
    TargetTooLong,
    /// The method is CONNECT.
    #[error("CONNECT is not offered")]
    Connect,
    /// The method has small letters.
    #[error("the method has small letters")]
    MethodCase,
    /// The path holds `%00`.
    #[error("the path holds an encoded NUL")]
    PathNul,
    /// The path holds a `%` that two hex digits do not follow.
    #[error("the path holds an incomplete percent-encoding")]
    PathPercent,
    /// The path or query holds a byte beyond ASCII.
    #[error("the request target holds a byte that is not ASCII")]
    TargetNotAscii,
    /// The path holds `\` or `%5c`.
    #[error("the path holds a backslash")]
    PathBackslash,
    /// The path holds `%2f`.
    #[error("the path holds an encoded slash")]
    PathEncodedSlash,
    /// A segment of the path is `.` or `..`, encoded or not.
    #[error("the path holds a dot segment")]
    PathDotSegment,
    /// A header's name holds a sign that no name may have.
    #[error("the name of a header is not a token")]
    HeaderName,
    /// Transfer-Encoding is not exactly one `chunked`.
    #[error("Transfer-Encoding is not exactly one chunked")]
    TransferEncoding,
    /// Content-Length is not one plain number.
    #[error("Content-Length is not one plain number")]
    ContentLength,
}

impl Malformed {
    /// The stable code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::HostMissing => "host_missing",
            Self::HostRepeated => "host_repeated",
            Self::HostInvalid => "host_invalid",
            Self::HostMismatch => "host_mismatch",
            Self::TargetForm => "target_form",
            Self::TargetTooLong => "target_too_long",
            Self::Connect => "connect_method",
            Self::MethodCase => "method_case",
            Self::PathNul => "path_nul",
            Self::PathPercent => "path_percent",
            Self::TargetNotAscii => "target_not_ascii",
            Self::PathBackslash => "path_backslash",
            Self::PathEncodedSlash => "path_encoded_slash",
            Self::PathDotSegment => "path_dot_segment",
            Self::HeaderName => "header_name",
            Self::TransferEncoding => "transfer_encoding",
            Self::ContentLength => "content_length",
        }
    }
}

/// The longest path with its query, in bytes: what nginx takes by default. It also leaves room for what is put in front
/// of the path before a URI becomes longer than one may be.
const MAX_TARGET: usize = 8 * 1024;

/// Admits a request head whose meaning is the same to every parser (RFC 9112 sections 3.2, 6.1, 6.3; RFC 3986 section 3.3).
pub fn admit(head: &Parts) -> Result<(), Malformed> {
    admit_target(&head.method, &head.uri)?;
    if head.uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
        return Err(Malformed::TargetTooLong);
    }
    admit_host(head)?;
    admit_path(head.uri.path().as_bytes())?;
    if head.uri.query().is_some_and(|query| !query.is_ascii()) {
        return Err(Malformed::TargetNotAscii);
    }
    admit_names(head)?;
    admit_framing(&head.headers)
}

/// In HTTP/2 the header map takes `"` in a name, which is no token (RFC 9110 section 5.6.2) and nothing to send on in
/// HTTP/1.1. The parser of HTTP/1.1 refuses it itself.
fn admit_names(head: &Parts) -> Result<(), Malformed> {
    let is_odd = |name: &header::HeaderName| name.as_str().contains('"');
    if head.version == Version::HTTP_2 && head.headers.keys().any(is_odd) {
        return Err(Malformed::HeaderName);
    }
    Ok(())
}

/// The host the request is for, with its port if it has one: the target's own, else Host. Meaningful once [`admit`]
/// has passed.
#[must_use]
pub fn host(head: &Parts) -> Option<&str> {
    named(&head.uri, &head.headers)
}

/// The same of a request.
#[must_use]
pub fn host_of<B>(request: &Request<B>) -> Option<&str> {
    named(request.uri(), request.headers())
}

fn named<'h>(uri: &'h Uri, headers: &'h HeaderMap) -> Option<&'h str> {
    match uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => headers.get(header::HOST)?.to_str().ok(),
    }
}

fn admit_target(method: &Method, uri: &Uri) -> Result<(), Malformed> {
    if *method == Method::CONNECT {
        return Err(Malformed::Connect);
    }
    // Methods are told apart by case, and some servers (Gunicorn) do not: `post` could pass a rule for POST by.
    if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
        return Err(Malformed::MethodCase);
    }
    let form_holds = match (uri.scheme_str(), uri.authority()) {
        (None, None) if uri.path() == "*" => *method == Method::OPTIONS,
        (None, None) | (Some("http" | "https"), Some(_)) => uri.path().starts_with('/'),
        _ => false,
    };
    if form_holds { Ok(()) } else { Err(Malformed::TargetForm) }
}

fn admit_host(head: &Parts) -> Result<(), Malformed> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let (field, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(Malformed::HostRepeated);
    }
    let field = match field {
        Some(field) => Some(field.to_str().map_err(|_| Malformed::HostInvalid)?),
        None => None,
    };
    let target = head.uri.authority().map(http::uri::Authority::as_str);
    match (field, target) {
        (Some(field), Some(target)) if !field.eq_ignore_ascii_case(target) => Err(Malformed::HostMismatch),
        (Some(host), _) => admit_authority(host),
        // HTTP/2 names the host in :authority alone.
        (None, Some(target)) if head.version == Version::HTTP_2 => admit_authority(target),
        (None, _) => Err(Malformed::HostMissing),
    }
}

/// `host` or `host:port`: a name of letters, digits, `-`, `.` and `_` without empty labels, or an IPv6 literal in
/// brackets.
fn admit_authority(authority: &str) -> Result<(), Malformed> {
    let (host_is_good, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let Some((literal, port)) = rest.split_once(']') else { return Err(Malformed::HostInvalid) };
            (literal.parse::<Ipv6Addr>().is_ok(), port)
        }
        None => {
            let end = authority.bytes().position(|byte| byte == b':').unwrap_or(authority.len());
            let (name, port) = authority.split_at(end);
            (is_host_name(name), port)
        }
    };
    let port_is_good = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    if host_is_good && port_is_good { Ok(()) } else { Err(Malformed::HostInvalid) }
}

fn is_host_name(name: &str) -> bool {
    let labels = name.strip_suffix('.').unwrap_or(name);
    let (mut is_good, mut before) = (true, b'.');
    for byte in labels.bytes() {
        let is_empty_label = before == b'.' && byte == b'.';
        is_good &= OF_HOSTS[usize::from(byte)] & !is_empty_label;
        before = byte;
    }
    is_good && before != b'.' && name.len() <= 255
}

static OF_HOSTS: [bool; 256] = alphanumeric_or(b"-._");

fn admit_path(path: &[u8]) -> Result<(), Malformed> {
    let mut rest = path;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'%' => admit_escape(after)?,
            b'\\' => return Err(Malformed::PathBackslash),
            b'/' if is_dot_segment(after) => return Err(Malformed::PathDotSegment),
            0x80.. => return Err(Malformed::TargetNotAscii),
            _ => {}
        }
    }
    Ok(())
}

/// Judges what follows a `%`.
fn admit_escape(after: &[u8]) -> Result<(), Malformed> {
    match after {
        [b'0', b'0', ..] => Err(Malformed::PathNul),
        [b'2', b'f' | b'F', ..] => Err(Malformed::PathEncodedSlash),
        [b'5', b'c' | b'C', ..] => Err(Malformed::PathBackslash),
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Ok(()),
        _ => Err(Malformed::PathPercent),
    }
}

/// Whether a path that continues so begins with the segment `.` or `..`; `%2e` counts as a dot, and a parameter
/// after `;`, encoded or not, is not part of it, because some servers cut it off before they resolve dots.
fn is_dot_segment(path: &[u8]) -> bool {
    fn after_dot(path: &[u8]) -> Option<&[u8]> {
        match path {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => Some(rest),
            _ => None,
        }
    }
    let Some(rest) = after_dot(path) else { return false };
    let rest = after_dot(rest).unwrap_or(rest);
    matches!(rest, [] | [b'/' | b';', ..] | [b'%', b'3', b'b' | b'B', ..])
}

fn admit_framing(headers: &HeaderMap) -> Result<(), Malformed> {
    // One look at each name, for most requests have neither.
    if !headers.keys().any(|name| matches!(*name, header::TRANSFER_ENCODING | header::CONTENT_LENGTH)) {
        return Ok(());
    }
    let is_chunked = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !at_most_one(headers, &header::TRANSFER_ENCODING, is_chunked) {
        return Err(Malformed::TransferEncoding);
    }
    if !at_most_one(headers, &header::CONTENT_LENGTH, is_plain_number) {
        return Err(Malformed::ContentLength);
    }
    Ok(())
}

fn at_most_one(
    headers: &HeaderMap,
    name: &header::HeaderName,
    is_good: impl Fn(&HeaderValue) -> bool,
) -> bool {
    let mut values = headers.get_all(name).iter();
    values.next().is_none_or(is_good) && values.next().is_none()
}

/// Digits without a leading zero: what every parser reads as the same number.
fn is_plain_number(value: &HeaderValue) -> bool {
    match value.as_bytes() {
        b"0" => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
