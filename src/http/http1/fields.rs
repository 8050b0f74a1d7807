//! The fields of a head: found once by the parser, then taken without a copy.
//! Never mends: a line that another parser could end elsewhere makes the head malformed.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::Malformed;

/// Where the fields of one head after another stand.
#[derive(Default)]
pub(in crate::http) struct Heads {
    /// How much was there when a head was incomplete.
    tried: usize,
    /// Names and values, as places in the head; reused.
    spans: Vec<Span>,
}

struct Span {
    name: (usize, usize),
    value: (usize, usize),
}

impl Heads {
    /// Whether `read` may hold a head as a whole. One that comes in many small pieces is not parsed anew for each.
    pub(in crate::http) fn is_worth_a_try(&self, read: &[u8], longest: usize) -> bool {
        self.tried == 0
            || read.len() >= 2 * self.tried
            || read.len() > longest
            || read[self.tried.saturating_sub(3)..].windows(2).any(|pair| pair == b"\n\r" || pair == b"\n\n")
    }

    /// The head was not there as a whole.
    pub(in crate::http) fn was_partial(&mut self, read: &[u8]) {
        self.tried = read.len();
    }

    /// The parser found these fields in the head that `head` is. Every line must end with CR LF: the parser takes a lone LF,
    /// too.
    pub(in crate::http) fn found(
        &mut self,
        head: &[u8],
        fields: &[httparse::Header<'_>],
    ) -> Result<(), Malformed> {
        self.tried = 0;
        if memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r') {
            return Err("a line of its head ends without CR");
        }
        let place = |bytes: &[u8]| {
            let start = bytes.as_ptr() as usize - head.as_ptr() as usize;
            (start, start + bytes.len())
        };
        self.spans.clear();
        self.spans.extend(
            fields.iter().map(|field| Span { name: place(field.name.as_bytes()), value: place(field.value) }),
        );
        Ok(())
    }

    /// The fields that were found, with room for so many more; each is shown to `look`. Their values share the memory of
    /// the head.
    pub(in crate::http) fn headers(
        &self,
        head: &Bytes,
        room: usize,
        mut look: impl FnMut(&HeaderName, &HeaderValue),
    ) -> Result<HeaderMap, Malformed> {
        let mut headers = HeaderMap::with_capacity(self.spans.len() + room);
        for Span { name, value } in &self.spans {
            let name = HeaderName::from_bytes(&head[name.0..name.1]).map_err(|_| "a field's name is none")?;
            let value = HeaderValue::from_maybe_shared(head.slice(value.0..value.1))
                .map_err(|_| "a field's value is none")?;
            look(&name, &value);
            headers.append(name, value);
        }
        Ok(headers)
    }
}

/// Content-Length: once, and in digits without a leading zero, or not at all.
pub(in crate::http) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
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
pub(in crate::http) fn is_chunked(headers: &HeaderMap) -> Result<bool, Malformed> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let Some(coding) = codings.next() else { return Ok(false) };
    if coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none() {
        Ok(true)
    } else {
        Err("its Transfer-Encoding is not exactly one chunked")
    }
}

/// Writes a field. No value holds a line end: [`HeaderValue`] cannot.
pub(in crate::http) fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
