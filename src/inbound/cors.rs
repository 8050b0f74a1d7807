//! Cross-origin requests of browsers: who answers a preflight, and which origins may read an answer.
//! Never admits a request: that a browser asks from a listed origin says nothing of who asks.

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Body as _;

use super::rejection::Rejection;
use crate::http::Body;

/// What a browser app may read of an answer of ours.
const EXPOSED: &str = "x-sidegate-rejection, x-request-id, retry-after, www-authenticate";

/// What becomes of a preflight, where it is not a request like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnPreflight {
    /// It goes to the upstream, without a token and without an identity.
    Forward,
    /// Sidegate answers it, and says on every answer who may read it.
    Answer,
}

/// Which origins may read answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Any, but without credentials.
    Any,
    /// These, byte for byte as browsers write them.
    Listed(Vec<HeaderValue>),
}

/// An upstream's side of CORS as configured.
#[derive(Clone, Debug)]
pub struct CorsConfig {
    /// What becomes of a preflight.
    pub preflight: OnPreflight,
    /// Who may read answers.
    pub origins: Origins,
    /// The methods that a preflight is told; other than simple ones need it.
    pub methods: Vec<Method>,
    /// The request headers that a preflight is told.
    pub headers: Vec<HeaderName>,
    /// Whether cookies and client certificates go along.
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight.
    pub max_age: Duration,
}

/// CORS ready to use.
pub(super) struct Cors {
    preflight: OnPreflight,
    origins: Origins,
    credentials: bool,
    methods: HeaderValue,
    headers: HeaderValue,
    max_age: HeaderValue,
}

/// Proof that a request is a preflight and nothing else (Fetch section 4.8): OPTIONS with one Origin and one
/// Access-Control-Request-Method, and no body.
pub(super) struct Preflight(());

/// What one answer says about who may read it.
pub(super) struct Reply {
    /// Who may: the caller's origin, or any.
    allowed: Option<HeaderValue>,
    credentials: bool,
    /// Whether it depends on the caller's origin.
    varies: bool,
    /// Whether the upstream's answers say nothing of their own.
    is_ours: bool,
}

impl Preflight {
    pub(super) fn of(head: &Parts, body: &Body) -> Option<Self> {
        let once = |name: &HeaderName| head.headers.get_all(name).iter().count() == 1;
        (head.method == Method::OPTIONS
            && once(&ORIGIN)
            && once(&ACCESS_CONTROL_REQUEST_METHOD)
            && body.is_end_stream())
        .then_some(Self(()))
    }
}

impl Cors {
    pub(super) fn new(config: &CorsConfig) -> Self {
        let text = |names: Vec<&str>| {
            HeaderValue::try_from(names.join(", ")).expect("names of methods and headers are header text")
        };
        Self {
            preflight: config.preflight,
            origins: config.origins.clone(),
            credentials: config.credentials,
            methods: text(config.methods.iter().map(Method::as_str).collect()),
            headers: text(config.headers.iter().map(HeaderName::as_str).collect()),
            max_age: config.max_age.as_secs().into(),
        }
    }

    /// The preflight, if it is one and goes to the upstream.
    pub(super) fn forwarded(&self, head: &Parts, body: &Body) -> Option<Preflight> {
        (self.preflight == OnPreflight::Forward).then(|| Preflight::of(head, body))?
    }

    /// Our answer to a preflight, if it is one and ours to answer. [`Reply::write`] says who may read it.
    pub(super) fn answer(&self, head: &Parts, body: &Body) -> Option<Result<Response<Body>, Rejection>> {
        (self.preflight == OnPreflight::Answer).then(|| Preflight::of(head, body))??;
        if self.allowed(&head.headers).is_none() {
            return Some(Err(Rejection::OriginNotAllowed));
        }
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
        headers.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        Some(Ok(answer))
    }

    /// What the answer to this request says.
    pub(super) fn reply(&self, headers: &HeaderMap) -> Reply {
        Reply {
            allowed: self.allowed(headers),
            credentials: self.credentials,
            varies: matches!(self.origins, Origins::Listed(_)),
            is_ours: self.preflight == OnPreflight::Answer,
        }
    }

    /// What stands in Access-Control-Allow-Origin for this request; none if its origin may read nothing.
    fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut origins = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (origins.next(), origins.next()) else { return None };
        match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Listed(listed) => listed.iter().find(|listed| *listed == origin).cloned(),
        }
    }
}

impl Reply {
    /// On the upstream's answer: ours alone, where we answer preflights; else the upstream's own business.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if self.is_ours {
            headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN);
            headers.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
            self.allow(headers);
        }
    }

    /// On an answer of our own: a listed origin's app may read what went wrong.
    pub(super) fn write_on_ours(&self, headers: &mut HeaderMap) {
        self.allow(headers);
        if self.allowed.is_some() {
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }

    fn allow(&self, headers: &mut HeaderMap) {
        if self.varies {
            // Also without an origin: a cache must not give this answer to one that asks later.
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(origin) = &self.allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}
