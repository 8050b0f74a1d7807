//! The head of a response, and what it says of the body that follows.
//! Never mends: one field that two parsers could read in two ways, and it is no response.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, Version};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::request::{Asked, authenticates_a_connection};
use crate::http::headers::lists;

/// The longest head.
const MAX_HEAD: usize = 64 * 1024;
/// The most fields of a head.
const MAX_FIELDS: usize = 100;

/// Why something is no response. The sentence goes to the log.
pub(super) type Malformed = &'static str;

/// Where a response's body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none, whatever the fields say.
    None,
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// A response's head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) reason: Option<ReasonPhrase>,
    pub(super) framing: Framing,
    /// Whether the connection may take another request after the body.
    pub(super) keeps: bool,
}

/// Reads heads off what a connection read.
#[derive(Default)]
pub(super) struct Heads {
    /// How much was there when a head was incomplete.
    tried: usize,
    /// Where names and values stand, reused.
    spans: Vec<Span>,
}

/// A name and its value, as places in the head.
struct Span {
    name: (usize, usize),
    value: (usize, usize),
}

/// What the parser found in front of the places.
struct Line {
    length: usize,
    version: Version,
    status: StatusCode,
    reason: Option<ReasonPhrase>,
}

impl Heads {
    /// Takes a head from `read`; none if it is not there as a whole.
    pub(super) fn take(&mut self, read: &mut BytesMut, asked: &Asked) -> Result<Option<Head>, Malformed> {
        if !self.is_worth_a_try(read) {
            return Ok(None);
        }
        let Some(line) = self.parse(read)? else {
            self.tried = read.len();
            return if read.len() > MAX_HEAD { Err("its head is too long") } else { Ok(None) };
        };
        self.tried = 0;
        if line.length > MAX_HEAD {
            return Err("its head is too long");
        }
        let bytes = read.split_to(line.length).freeze();
        let (headers, is_special) = self.headers(&bytes)?;
        judge(line, headers, is_special, asked).map(Some)
    }

    /// A head that comes in many small pieces is not parsed anew for each.
    fn is_worth_a_try(&self, read: &[u8]) -> bool {
        self.tried == 0
            || read.len() >= 2 * self.tried
            || read.len() > MAX_HEAD
            || read[self.tried.saturating_sub(3)..].windows(2).any(|pair| pair == b"\n\r" || pair == b"\n\n")
    }

    fn parse(&mut self, read: &[u8]) -> Result<Option<Line>, Malformed> {
        // The parser would skip empty lines.
        if read.first().is_some_and(|first| *first != b'H') {
            return Err("it does not begin like a response");
        }
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut response, read, &mut fields);
        let length = match parsed {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err("it has too many fields"),
            Err(_) => return Err("its head is malformed"),
        };
        let version = if response.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
        let status =
            response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or("its status is none")?;
        let reason = response
            .reason
            .filter(|reason| !reason.is_empty() && Some(*reason) != status.canonical_reason())
            .and_then(|reason| ReasonPhrase::try_from(reason.as_bytes()).ok());
        let place = |bytes: &[u8]| {
            let start = bytes.as_ptr() as usize - read.as_ptr() as usize;
            (start, start + bytes.len())
        };
        self.spans.clear();
        self.spans.extend(
            response
                .headers
                .iter()
                .map(|field| Span { name: place(field.name.as_bytes()), value: place(field.value) }),
        );
        // The parser takes a lone LF for a line's end, too.
        let first_line = first_lf(read);
        let ends_well = |from: usize| {
            let rest = read[from..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
            rest.is_some_and(|end| *end == b'\r')
        };
        if !read[..first_line].ends_with(b"\r")
            || !read[..length].ends_with(b"\r\n")
            || !self.spans.iter().all(|field| ends_well(field.value.1))
        {
            return Err("a line of its head ends without CR");
        }
        Ok(Some(Line { length, version, status, reason }))
    }

    /// The fields, whose values share the memory of the head.
    /// Also whether any of them has a say in how the connection goes on, which is rare.
    fn headers(&self, head: &Bytes) -> Result<(HeaderMap, bool), Malformed> {
        let mut headers = HeaderMap::with_capacity(self.spans.len());
        let mut is_special = false;
        for Span { name, value } in &self.spans {
            let name = HeaderName::from_bytes(&head[name.0..name.1]).map_err(|_| "a field's name is none")?;
            let value = HeaderValue::from_maybe_shared(head.slice(value.0..value.1))
                .map_err(|_| "a field's value is none")?;
            is_special |=
                matches!(name, header::TRANSFER_ENCODING | header::CONNECTION | header::WWW_AUTHENTICATE);
            headers.append(name, value);
        }
        Ok((headers, is_special))
    }
}

/// Where the first LF stands.
fn first_lf(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

/// What the fields say together (RFC 9112 section 6.3), and leaves only those that are true further on.
fn judge(line: Line, mut headers: HeaderMap, is_special: bool, asked: &Asked) -> Result<Head, Malformed> {
    let status = line.status;
    let has_none = status.is_informational() || status == StatusCode::NO_CONTENT;
    let is_bodiless = has_none || asked.is_head || status == StatusCode::NOT_MODIFIED;
    let (length, coded, is_clear) = match fields(&headers, is_special, line.version) {
        Ok((length, coded)) => (length, coded, true),
        // Nothing is read by these fields, so it is enough that they go no further.
        Err(_) if is_bodiless => (None, false, false),
        Err(problem) => return Err(problem),
    };
    if is_special {
        headers.remove(header::TRANSFER_ENCODING);
    }
    if has_none || !is_clear {
        headers.remove(header::CONTENT_LENGTH);
    }
    let framing = match length {
        _ if is_bodiless => Framing::None,
        _ if coded => Framing::Chunked,
        Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::Close,
    };
    // A server that announces a body where there can be none may send it all the same.
    let may_go_on = has_none && (coded || length.is_some_and(|length| length > 0));
    let keeps = is_clear
        && line.version == Version::HTTP_11
        && framing != Framing::Close
        && !may_go_on
        && !asked.binds
        && !(is_special && (closes(&headers) || authenticates(&headers)));
    Ok(Head { status, headers, reason: line.reason, framing, keeps })
}

/// The length that the fields say, and whether there are chunks; not both.
fn fields(headers: &HeaderMap, is_special: bool, version: Version) -> Result<(Option<u64>, bool), Malformed> {
    let (length, coded) = (content_length(headers)?, is_special && is_chunked(headers)?);
    if coded && length.is_some() {
        return Err("it has both Transfer-Encoding and Content-Length");
    }
    if coded && version == Version::HTTP_10 {
        return Err("it has a Transfer-Encoding in HTTP/1.0");
    }
    Ok((length, coded))
}

/// Content-Length: once, and in digits without a leading zero, or not at all.
pub(in crate::http::pool) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("it has more than one Content-Length");
    }
    match value.as_bytes() {
        b"0" => Ok(Some(0)),
        [b'1'..=b'9', rest @ ..] if rest.len() < 19 && rest.iter().all(u8::is_ascii_digit) => value
            .to_str()
            .ok()
            .and_then(|digits| digits.parse().ok())
            .map(Some)
            .ok_or("its Content-Length is too large"),
        _ => Err("its Content-Length is not a plain number"),
    }
}

/// Transfer-Encoding: exactly one `chunked`, or not at all. Any other coding would still be on the body.
fn is_chunked(headers: &HeaderMap) -> Result<bool, Malformed> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(false) };
    if coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none() {
        Ok(true)
    } else {
        Err("its Transfer-Encoding is not exactly one chunked")
    }
}

fn authenticates(headers: &HeaderMap) -> bool {
    headers.get_all(header::WWW_AUTHENTICATE).iter().any(authenticates_a_connection)
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| lists(value, "close"))
}
