//! The head of an answer, written with framing and connection fields of our own.
//! Never copies a framing field: where the body ends is said by the body itself.

use std::sync::Arc;

use http::header::{self, HeaderMap};
use http::response::Parts;
use http::{Response, StatusCode};
use hyper::body::Body as _;
use hyper::ext::ReasonPhrase;
use tokio::time::Instant;

use super::date::Date;
use super::head::Terms;
use crate::http::body::Body;
use crate::http::headers::lists;
use crate::http::http1::{Framing, Outgoing, write_field as field};

/// Room for most heads.
const ROOM: usize = 512;

/// An answer on its way out, its head written into `buffer`, and whether the connection ends with it: because it `closes`
/// anyway, because the answer says so, or because nothing else could end the answer.
pub(super) fn begin(
    response: Response<Body>,
    terms: Terms,
    mut closes: bool,
    date: (&Date, Instant),
    mut buffer: Vec<u8>,
) -> (Outgoing, bool) {
    let (head, body) = response.into_parts();
    let length = body.size_hint().exact();
    let framing = match length {
        Some(length) => Framing::Length(length),
        None if terms.is_http_1_0 => Framing::Close,
        None => Framing::Chunked,
    };
    let is_bodiless = terms.is_head || has_none(head.status) || head.status == StatusCode::NOT_MODIFIED;
    closes |= says_close(&head.headers) || (framing == Framing::Close && !is_bodiless);
    buffer.clear();
    buffer.reserve(ROOM);
    write_line(&mut buffer, &head, terms);
    let fields = Fields { framing, is_bodiless, closes, terms, date };
    fields.write(&mut buffer, &head);
    if is_bodiless {
        return (Outgoing::new(buffer, Body::empty(), Framing::Length(0)), closes);
    }
    let outgoing = Outgoing::new(buffer, body, framing);
    let takes_trailers = terms.takes_trailers && framing == Framing::Chunked;
    (if takes_trailers { outgoing.with_trailers(Arc::default()) } else { outgoing }, closes)
}

/// Statuses whose answers say nothing of a body either (RFC 9110 section 8.6).
fn has_none(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT
}

fn says_close(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONNECTION)
        && headers.get_all(header::CONNECTION).iter().any(|value| lists(value, "close"))
}

fn write_line(out: &mut Vec<u8>, head: &Parts, terms: Terms) {
    out.extend_from_slice(if terms.is_http_1_0 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(head.status.as_str().as_bytes());
    out.push(b' ');
    let reason = match head.extensions.get::<ReasonPhrase>() {
        Some(reason) => reason.as_bytes(),
        None => head.status.canonical_reason().unwrap_or_default().as_bytes(),
    };
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

struct Fields<'d> {
    framing: Framing,
    is_bodiless: bool,
    closes: bool,
    terms: Terms,
    date: (&'d Date, Instant),
}

impl Fields<'_> {
    fn write(&self, out: &mut Vec<u8>, head: &Parts) {
        let is_switch = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let (mut has_date, mut said_length) = (false, false);
        for (name, value) in &head.headers {
            match *name {
                header::TRANSFER_ENCODING => continue,
                header::CONNECTION if !is_switch => continue,
                // Where no body follows it tells of the one that would.
                header::CONTENT_LENGTH if !self.is_bodiless || has_none(head.status) => continue,
                header::CONTENT_LENGTH => said_length = true,
                header::DATE => has_date = true,
                _ => {}
            }
            field(out, name.as_str(), value.as_bytes());
        }
        self.write_framing(out, head.status, said_length);
        // What each version does by itself need not be said.
        match (self.closes, self.terms.is_http_1_0) {
            (true, false) => field(out, "connection", b"close"),
            (false, true) => field(out, "connection", b"keep-alive"),
            _ => {}
        }
        if !has_date {
            out.extend_from_slice(b"date: ");
            let (date, now) = self.date;
            date.write(out, now);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
    }

    fn write_framing(&self, out: &mut Vec<u8>, status: StatusCode, said_length: bool) {
        match self.framing {
            _ if has_none(status) || said_length => {}
            // An empty body says nothing of the one that would follow.
            Framing::Length(0) if self.is_bodiless => {}
            Framing::Length(length) => {
                field(out, "content-length", itoa::Buffer::new().format(length).as_bytes());
            }
            Framing::Chunked if !self.is_bodiless => field(out, "transfer-encoding", b"chunked"),
            Framing::Chunked | Framing::Close => {}
        }
    }
}
