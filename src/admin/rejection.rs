//! Every way the admin listener says no.
//! Never says more than whoever asks may know: it cannot tell an operator from a web page that tries its luck.

use http::header::{ALLOW, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::http::Body;
use crate::http::headers::Malformed;
use crate::http::reply::{self, ErrorBody};

/// As on the other listeners.
static REJECTION: HeaderName = HeaderName::from_static("x-sidegate-rejection");

/// What is answered instead. Displays as the sentence that is answered.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The request cannot be read in one way only.
    #[error("the request is malformed: {0}")]
    Malformed(Malformed),
    /// Host is neither this machine nor the address that is listened on: somebody's name resolves to us.
    #[error("this listener does not answer to that host; ask it by its address or as localhost")]
    HostNotAllowed,
    /// A web page of another site made a browser ask.
    #[error("this listener does not answer to other sites")]
    CrossOrigin,
    /// There is no such page.
    #[error("there is nothing here; there are /status, /keys, /dry-run, /reload, /drain and /key-rotate")]
    NotFound,
    /// What was asked for is about the store.
    #[error("this Sidegate has no store, or it cannot be read; the log tells which")]
    NoStore,
    /// A dry run of nothing.
    #[error("name the connection by its id: /dry-run?connection=ID&method=GET&target=PATH")]
    NoConnection,
    /// Why no request would be sent.
    #[error("{0}")]
    NoRequest(String),
    /// The page is asked in another way: this one.
    #[error("the method is not allowed here")]
    MethodNotAllowed(&'static str),
}

impl Rejection {
    /// The stable code; `docs/rejections.md` explains each.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.code(),
            Self::HostNotAllowed => "host_not_allowed",
            Self::CrossOrigin => "cross_origin",
            Self::NotFound => "not_found",
            Self::NoStore => "no_store",
            Self::NoConnection => "no_connection",
            Self::NoRequest(_) => "no_request",
            Self::MethodNotAllowed(_) => "method_not_allowed",
        }
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self) -> Response<Body> {
        let (status, kind) = match self {
            Self::Malformed(_) | Self::NoConnection => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::NoRequest(_) => (StatusCode::CONFLICT, "bad_request"),
            Self::HostNotAllowed => (StatusCode::MISDIRECTED_REQUEST, "bad_request"),
            Self::CrossOrigin => (StatusCode::FORBIDDEN, "access_denied"),
            Self::NotFound | Self::NoStore => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed(_) => (StatusCode::METHOD_NOT_ALLOWED, "bad_request"),
        };
        let message = self.to_string();
        let body = ErrorBody { kind, key: Some(self.code()), message: &message, data: None };
        let mut answer = reply::error(status, &body);
        answer.headers_mut().insert(&REJECTION, HeaderValue::from_static(self.code()));
        if let Self::MethodNotAllowed(allowed) = self {
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        answer
    }
}

/// A configuration that was refused; the body tells why.
pub(super) fn refused_reload<T: serde::Serialize>(reloaded: &T) -> Response<Body> {
    reply::json(StatusCode::UNPROCESSABLE_ENTITY, reloaded)
}
