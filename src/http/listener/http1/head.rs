//! The head of a request, and what it says of the body that follows and of the connection.
//! Never judges what a request means; what could be read in two ways is no request, or has no body that can be read.

use std::mem::MaybeUninit;

use bytes::{Buf as _, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version};
use httparse::{ParserConfig, Status};

use super::super::{DEFAULT_MAX_HEADERS, Limits};
use crate::http::headers::lists;
use crate::http::http1::{Heads, Malformed, content_length, is_chunked};

/// The longest target, beyond which none can be held.
const MAX_TARGET: usize = u16::MAX as usize - 1;

/// A request's head.
pub(super) struct Head {
    pub(super) request: Request<()>,
    pub(super) announced: Announced,
    pub(super) terms: Terms,
}

/// The body that a head announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Announced {
    /// None.
    Nothing,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// One whose end cannot be told. The connection ends with the request.
    Unclear(Malformed),
}

/// What a request says of its answer and of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    /// The answer has no body, whatever it announces.
    pub(super) is_head: bool,
    /// The client speaks HTTP/1.0: it knows no chunks.
    pub(super) is_http_1_0: bool,
    /// Whether the connection may take another request.
    pub(super) keeps: bool,
    /// It takes trailers.
    pub(super) takes_trailers: bool,
    /// It waits for a 100 before its body.
    pub(super) expects: bool,
    /// It would go on in another protocol.
    pub(super) switches: bool,
}

/// Why something is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is no HTTP/1.1.
    Malformed(Malformed),
    /// Its target is too long.
    Target,
    /// It is longer, or has more fields, than the limits allow.
    TooLong,
}

/// Takes a head from `read`; none if it is not there as a whole.
pub(super) fn take(heads: &mut Heads, read: &mut BytesMut, limits: &Limits) -> Result<Option<Head>, Refused> {
    // Some clients put an empty line behind a body (RFC 9112 section 2.2). However many come, none is kept.
    while read.starts_with(b"\r\n") {
        read.advance(2);
    }
    if read.is_empty() {
        return Ok(None);
    }
    let longest = limits.max_head_bytes;
    if !heads.is_worth_a_try(read, longest) {
        return Ok(None);
    }
    let Some(line) = parse(heads, read, limits.max_headers)? else {
        heads.was_partial(read);
        return if read.len() > longest { Err(Refused::TooLong) } else { Ok(None) };
    };
    if line.length > longest {
        return Err(Refused::TooLong);
    }
    let (start, end) = line.target;
    let bytes = read.split_to(line.length).freeze();
    let target = bytes.slice(start..end);
    if target.len() > MAX_TARGET {
        return Err(Refused::Target);
    }
    if target.contains(&b'#') {
        return Err(Refused::Malformed("its target has a fragment"));
    }
    let uri = Uri::from_maybe_shared(target).map_err(|_| Refused::Malformed("its target is none"))?;
    let mut special = Special::default();
    // What a request is given on its way is not written into its map.
    let headers =
        heads.headers(&bytes, 0, |name, value| special.look(name, value)).map_err(Refused::Malformed)?;
    special.judge(line.method, uri, line.version, headers).map(Some)
}

/// What the parser found in front of the fields.
struct Line {
    length: usize,
    method: Method,
    target: (usize, usize),
    version: Version,
}

fn parse(heads: &mut Heads, read: &[u8], max_headers: usize) -> Result<Option<Line>, Refused> {
    let mut few = [const { MaybeUninit::uninit() }; DEFAULT_MAX_HEADERS];
    let mut many = Vec::new();
    let fields = few.get_mut(..max_headers).unwrap_or_else(|| {
        many.resize_with(max_headers, MaybeUninit::uninit);
        &mut many
    });
    let mut request = httparse::Request::new(&mut []);
    let parsed = ParserConfig::default().parse_request_with_uninit_headers(&mut request, read, fields);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooLong),
        Err(error) => return Err(Refused::Malformed(problem(error))),
    };
    let httparse::Request { method, path, version, headers: ref fields } = request;
    heads.found(&read[..length], fields).map_err(Refused::Malformed)?;
    let method = method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
    let start = path.map_or(0, |path| path.as_ptr() as usize - read.as_ptr() as usize);
    Ok(Some(Line {
        length,
        method: method.ok_or(Refused::Malformed("its method is none"))?,
        target: (start, start + path.map_or(0, str::len)),
        version: if version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 },
    }))
}

fn problem(error: httparse::Error) -> Malformed {
    match error {
        httparse::Error::Token => "its request line holds a character that none may have",
        httparse::Error::Version => "its version is neither HTTP/1.1 nor HTTP/1.0",
        httparse::Error::HeaderName => "a header's name holds a character that none may have",
        httparse::Error::HeaderValue => "a header's value holds a character that none may have",
        httparse::Error::NewLine => "a line of its head ends otherwise than with CR LF",
        _ => "its head is not one of HTTP/1.1",
    }
}

/// Which fields are there that have a say in how the connection goes on.
#[derive(Default)]
struct Special {
    framing: bool,
    connection: bool,
    te: bool,
    upgrade: bool,
    expects: bool,
}

impl Special {
    fn look(&mut self, name: &HeaderName, value: &HeaderValue) {
        match *name {
            header::CONTENT_LENGTH | header::TRANSFER_ENCODING => self.framing = true,
            header::CONNECTION => self.connection = true,
            header::TE => self.te = true,
            header::UPGRADE => self.upgrade = true,
            header::EXPECT => self.expects |= value.as_bytes().eq_ignore_ascii_case(b"100-continue"),
            _ => {}
        }
    }

    /// What the fields say together (RFC 9112 sections 6.3 and 9.3), and leaves only those that are true further on.
    fn judge(
        self,
        method: Method,
        uri: Uri,
        version: Version,
        mut headers: HeaderMap,
    ) -> Result<Head, Refused> {
        let is_http_1_0 = version == Version::HTTP_10;
        let says = |headers: &HeaderMap, token| {
            headers.get_all(header::CONNECTION).iter().any(|value| lists(value, token))
        };
        let mut keeps = match (is_http_1_0, self.connection) {
            (false, false) => true,
            (true, false) => false,
            (false, true) => !says(&headers, "close"),
            (true, true) => says(&headers, "keep-alive") && !says(&headers, "close"),
        };
        let mut announced = Announced::Nothing;
        if self.framing {
            if is_http_1_0 && headers.contains_key(header::TRANSFER_ENCODING) {
                return Err(Refused::Malformed("it has a Transfer-Encoding in HTTP/1.0"));
            }
            announced = framing(&mut headers, &mut keeps);
        }
        let terms = Terms {
            is_head: method == Method::HEAD,
            is_http_1_0,
            keeps,
            takes_trailers: self.te
                && headers.get_all(header::TE).iter().any(|value| lists(value, "trailers")),
            expects: self.expects && !is_http_1_0,
            switches: self.upgrade && !is_http_1_0,
        };
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        Ok(Head { request, announced, terms })
    }
}

/// Which body the framing fields announce. Of two framings the length is dropped, and after what cannot be told from the
/// next request nothing is read.
fn framing(headers: &mut HeaderMap, keeps: &mut bool) -> Announced {
    match (is_chunked(headers), content_length(headers)) {
        (Ok(false), Ok(Some(0) | None)) => Announced::Nothing,
        (Ok(false), Ok(Some(length))) => Announced::Length(length),
        (Ok(true), Ok(None)) => Announced::Chunked,
        (Ok(true), Ok(Some(_))) => {
            headers.remove(header::CONTENT_LENGTH);
            *keeps = false;
            Announced::Chunked
        }
        (Err(problem), _) | (_, Err(problem)) => {
            *keeps = false;
            Announced::Unclear(problem)
        }
    }
}
