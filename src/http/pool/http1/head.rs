//! The head of a response, and what it says of the body that follows.
//! Never mends: one field that two parsers could read in two ways, and it is no response.

use std::mem::MaybeUninit;

use bytes::BytesMut;
use http::header::{self, HeaderMap};
use http::{StatusCode, Version};
use httparse::{ParserConfig, Status};
use hyper::ext::ReasonPhrase;

use super::request::{Asked, authenticates_a_connection};
use crate::http::headers::lists;
use crate::http::http1::{Heads, Malformed, content_length, is_chunked};

/// The longest head.
const MAX_HEAD: usize = 64 * 1024;
/// The most fields of a head.
const MAX_FIELDS: usize = 100;
/// How many fields are usually added to a response on its way.
const ROOM: usize = 2;
const TOO_LONG: Malformed = "its head is too long";

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

/// What the parser found in front of the fields.
struct Line {
    version: Version,
    status: StatusCode,
    reason: Option<ReasonPhrase>,
}

/// Takes a head from `read`; none if it is not there as a whole.
pub(super) fn take(heads: &mut Heads, read: &mut BytesMut, asked: &Asked) -> Result<Option<Head>, Malformed> {
    if !heads.is_worth_a_try(read, MAX_HEAD) {
        return Ok(None);
    }
    let Some((line, length)) = parse(heads, read)? else {
        heads.was_partial(read);
        return if read.len() > MAX_HEAD { Err(TOO_LONG) } else { Ok(None) };
    };
    if length > MAX_HEAD {
        return Err(TOO_LONG);
    }
    // Of those that have a say in how the connection goes on there is rarely any.
    let mut is_special = false;
    let bytes = read.split_to(length).freeze();
    let headers = heads.headers(&bytes, ROOM, |name, _| {
        is_special |=
            matches!(*name, header::TRANSFER_ENCODING | header::CONNECTION | header::WWW_AUTHENTICATE);
    })?;
    judge(line, headers, is_special, asked).map(Some)
}

fn parse(heads: &mut Heads, read: &[u8]) -> Result<Option<(Line, usize)>, Malformed> {
    // The parser would skip empty lines.
    if read.first().is_some_and(|first| *first != b'H') {
        return Err("it does not begin like a response");
    }
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, read, &mut fields);
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
    heads.found(&read[..length], response.headers)?;
    Ok(Some((Line { version, status, reason }, length)))
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

fn authenticates(headers: &HeaderMap) -> bool {
    headers.get_all(header::WWW_AUTHENTICATE).iter().any(authenticates_a_connection)
}

fn closes(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| lists(value, "close"))
}
