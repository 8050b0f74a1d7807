//! The chunked coding (RFC 9112 section 7.1), taken off.
//! Never takes what another parser could count differently: sizes, line ends and the last chunk are exact.

use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use httparse::Status;

use super::Malformed;

/// The longest line that opens a chunk, with its extensions, which are ignored.
const MAX_LINE: usize = 1024;
/// The most bytes of extensions in a body: nobody sends any but to keep us busy.
const MAX_EXTENSIONS: usize = 16 * 1024;
/// The longest trailer section, and the most fields in it.
const MAX_TRAILERS: usize = 16 * 1024;
const MAX_TRAILER_FIELDS: usize = 32;
/// The digits of the largest size that fits an `i64`.
const MAX_DIGITS: usize = 15;

/// Where in the coding the next byte stands.
#[derive(Debug)]
pub(in crate::http) struct Decoder {
    place: Place,
    extensions: usize,
}

#[derive(Debug)]
enum Place {
    /// Before a size.
    Size,
    /// In a chunk, so many bytes before its end.
    Data(u64),
    /// Behind a chunk's data.
    DataEnd,
    /// Behind the last chunk.
    Trailers,
}

/// What stood in the bytes.
#[derive(Debug)]
pub(super) enum Piece {
    /// A part of the body.
    Data(Bytes),
    /// The end, with its trailer fields.
    End(HeaderMap),
    /// Nothing yet: more bytes are needed.
    More,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { place: Place::Size, extensions: 0 }
    }

    /// Takes the next piece from `read`.
    pub(super) fn next(&mut self, read: &mut BytesMut) -> Result<Piece, Malformed> {
        loop {
            match &mut self.place {
                Place::Size => {
                    let Some((size, length)) = self.size(read)? else { return Ok(Piece::More) };
                    read.advance(length);
                    self.place = if size == 0 { Place::Trailers } else { Place::Data(size) };
                }
                Place::Data(left) => {
                    if read.is_empty() {
                        return Ok(Piece::More);
                    }
                    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                    *left -= length as u64;
                    if *left == 0 {
                        self.place = Place::DataEnd;
                    }
                    return Ok(Piece::Data(read.split_to(length).freeze()));
                }
                Place::DataEnd => match read[..] {
                    [b'\r', b'\n', ..] => {
                        read.advance(2);
                        self.place = Place::Size;
                    }
                    [] | [b'\r'] => return Ok(Piece::More),
                    _ => return Err("a chunk is longer than its size"),
                },
                Place::Trailers => {
                    let Some((trailers, length)) = trailers(read)? else { return Ok(Piece::More) };
                    read.advance(length);
                    return Ok(Piece::End(trailers));
                }
            }
        }
    }

    /// The size that `read` begins with, and the length of its line.
    fn size(&mut self, read: &[u8]) -> Result<Option<(u64, usize)>, Malformed> {
        let (mut size, mut digits) = (0, 0);
        while let Some(digit) = read.get(digits).and_then(|byte| (*byte as char).to_digit(16)) {
            digits += 1;
            if digits > MAX_DIGITS {
                return Err("a chunk's size is too large");
            }
            size = size << 4 | u64::from(digit);
        }
        let rest = &read[digits..];
        if digits == 0 && !rest.is_empty() {
            return Err("a chunk's size is not a number");
        }
        let Some(extensions) = line_end(rest)? else { return Ok(None) };
        self.extensions += extensions;
        if self.extensions > MAX_EXTENSIONS {
            return Err("its chunks have too many extensions");
        }
        Ok(Some((size, digits + extensions + 2)))
    }
}

/// How long the extensions are that stand before the line's end; none if the end is not there yet.
fn line_end(rest: &[u8]) -> Result<Option<usize>, Malformed> {
    let line = match rest {
        [b'\r', b'\n', ..] => return Ok(Some(0)),
        [] | [b'\r'] => return Ok(None),
        _ => rest,
    };
    let first = line.iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    if first.is_some_and(|first| *first != b';') {
        return Err("a chunk's size is followed by something else");
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    match line.iter().position(is_control) {
        Some(end) if line[end..].starts_with(b"\r\n") => Ok(Some(end)),
        Some(end) if line[end..] == *b"\r" => Ok(None),
        Some(_) => Err("a chunk's extensions hold a control character"),
        None if line.len() > MAX_LINE => Err("a chunk's extensions are too long"),
        None => Ok(None),
    }
}

/// The trailer fields that `read` begins with, and how long they are with the empty line.
fn trailers(read: &[u8]) -> Result<Option<(HeaderMap, usize)>, Malformed> {
    if read.starts_with(b"\r\n") {
        return Ok(Some((HeaderMap::new(), 2)));
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let (length, fields) = match httparse::parse_headers(read, &mut fields) {
        Ok(Status::Complete(found)) => found,
        Ok(Status::Partial) if read.len() > MAX_TRAILERS => return Err("its trailers are too long"),
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err("its trailers are malformed"),
    };
    let count = |wanted: u8| read[..length].iter().filter(|byte| **byte == wanted).count();
    if length > MAX_TRAILERS || count(b'\r') != count(b'\n') {
        return Err("its trailers are malformed");
    }
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| "its trailers are malformed")?;
        let value = HeaderValue::from_bytes(field.value).map_err(|_| "its trailers are malformed")?;
        trailers.append(name, value);
    }
    Ok(Some((trailers, length)))
}
