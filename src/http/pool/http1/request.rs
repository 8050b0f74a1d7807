//! The head of a request, written with framing and connection fields of our own.
//! Never copies a framing field: where the body ends is said by the body itself.

use std::sync::Arc;

use http::Method;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use hyper::body::Body as _;

use crate::http::body::Body;
use crate::http::headers::{Additions, Fields};
use crate::http::http1::{Framing, Outgoing, announced, write_field as field};

/// What must be remembered of a request to read its response.
pub(in crate::http::pool) struct Asked {
    pub(super) is_head: bool,
    /// Whether sending it twice does what sending it once does (RFC 9110 section 9.2.2).
    pub(in crate::http::pool) is_idempotent: bool,
    /// The protocols it asks to switch to.
    pub(super) upgrade: Option<HeaderValue>,
    /// It waits for a 100 before its body.
    expects: bool,
    /// It authenticates the connection rather than itself.
    pub(super) binds: bool,
}

/// A request on its way out, its head written into `buffer`; `private` are names that a trailer must not have.
pub(in crate::http::pool) fn begin(
    head: &Parts,
    body: Body,
    additions: &Additions<'_>,
    mut buffer: Vec<u8>,
    private: &Arc<[HeaderName]>,
) -> (Outgoing, Asked) {
    let framing = body.size_hint().exact().map_or(Framing::Chunked, Framing::Length);
    buffer.clear();
    let asked = write_head(&mut buffer, head, additions, framing, private);
    let upload = Outgoing::new(buffer, body, framing)
        .with_trailers(Arc::clone(private))
        .lingering()
        .waiting(asked.expects);
    (upload, asked)
}

/// Writes the head of a request with such a body.
fn write_head(
    out: &mut Vec<u8>,
    head: &Parts,
    additions: &Additions<'_>,
    framing: Framing,
    private: &[HeaderName],
) -> Asked {
    for piece in [head.method.as_str(), " ", head.uri.path()] {
        out.extend_from_slice(piece.as_bytes());
    }
    if let Some(query) = head.uri.query() {
        out.push(b'?');
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");

    let mut asked = Asked {
        is_head: head.method == Method::HEAD,
        is_idempotent: is_idempotent(&head.method),
        upgrade: None,
        expects: false,
        binds: false,
    };
    let (mut said_length, mut takes_trailers) = (false, false);
    for (name, value) in &head.headers {
        match *name {
            header::CONTENT_LENGTH => said_length = true,
            header::TRANSFER_ENCODING | header::CONNECTION => {}
            header::UPGRADE => {
                asked.upgrade = Some(value.clone());
                field(out, name.as_str(), value.as_bytes());
            }
            header::TE => {
                takes_trailers = true;
                field(out, name.as_str(), value.as_bytes());
            }
            header::EXPECT => {
                asked.expects = value.as_bytes().eq_ignore_ascii_case(b"100-continue");
                field(out, name.as_str(), value.as_bytes());
            }
            header::TRAILER => {
                if let Some(names) = announced(value, private) {
                    field(out, name.as_str(), names.as_bytes());
                }
            }
            header::AUTHORIZATION => {
                asked.binds |= authenticates_a_connection(value);
                field(out, name.as_str(), value.as_bytes());
            }
            _ => field(out, name.as_str(), value.as_bytes()),
        }
    }
    additions(&mut Fields::of_text(out));
    match (asked.upgrade.is_some(), takes_trailers) {
        (true, true) => field(out, "connection", b"upgrade, te"),
        (true, false) => field(out, "connection", b"upgrade"),
        (false, true) => field(out, "connection", b"te"),
        (false, false) => {}
    }
    match framing {
        // A length of 0 stays where it was given: some servers refuse a POST without one.
        Framing::Length(0) if !said_length => {}
        Framing::Length(length) => {
            field(out, "content-length", itoa::Buffer::new().format(length).as_bytes());
        }
        _ => field(out, "transfer-encoding", b"chunked"),
    }
    out.extend_from_slice(b"\r\n");
    asked
}

/// NTLM always, and Negotiate often, makes the server take everything else on the connection for the same user.
pub(super) fn authenticates_a_connection(value: &HeaderValue) -> bool {
    let scheme = value.as_bytes().split(|byte| *byte == b' ').next().unwrap_or_default();
    scheme.eq_ignore_ascii_case(b"ntlm") || scheme.eq_ignore_ascii_case(b"negotiate")
}

fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}
