//! Browsers: which web apps may ask this API, and what a browser is told of that.
//! Never admits a request: that a listed app asks says nothing of who its user is.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap,
    HeaderValue, ORIGIN, VARY,
};
use http::{Method, Request, Response, StatusCode};

use super::Api;
use super::rejection::Rejection;
use super::seen::{self, Seen};
use crate::http::Body;
use crate::http::listener::Arrival;

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE");
/// What the SDKs send, and the other headers that a token may stand in.
const HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, membrane-api-version, x-request-id, x-membrane-token, x-integration-app-token, \
     x-sidegate-token",
);
const EXPOSED: HeaderValue =
    HeaderValue::from_static("x-sidegate-rejection, x-request-id, retry-after, www-authenticate");
/// How long a browser may remember what a preflight was told, in seconds.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// What is known of browsers.
#[derive(Debug, Default)]
pub struct Browsers {
    /// Where they reach the connect pages.
    address: Option<String>,
    /// The web apps that may ask from them.
    origins: Vec<HeaderValue>,
}

/// Who may read an answer.
pub struct Reader(Option<HeaderValue>);

impl Browsers {
    /// Origins as browsers write them, and where they reach the connect pages, without a slash at its end.
    #[must_use]
    pub fn new(origins: Vec<HeaderValue>, address: Option<String>) -> Self {
        Self { address, origins }
    }

    /// Where they reach the connect pages.
    pub(super) fn address(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// The origin that asks, if a browser does.
    fn asking(&self, headers: &HeaderMap) -> Result<Option<&HeaderValue>, Rejection> {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(None),
            (Some(origin), None) => {
                let listed = self.origins.iter().find(|listed| *listed == origin);
                listed.map(Some).ok_or(Rejection::OriginNotAllowed)
            }
            (Some(_), Some(_)) => Err(Rejection::OriginNotAllowed),
        }
    }
}

impl Reader {
    /// Says on an answer who may read it.
    pub fn mark(&self, headers: &mut HeaderMap) {
        // Also without an origin: a cache must not give this answer to one that asks later.
        headers.append(VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = &self.0 {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

impl Api {
    /// Other web apps may ask from the next request on.
    pub fn admit_browsers(&self, browsers: Browsers) {
        self.browsers.store(browsers.into());
    }

    /// Who may read the answer to a request, before it is known who asks; or the answer itself, to a preflight and to a web app
    /// that is not listed.
    ///
    /// # Errors
    /// The answer.
    pub fn greet(&self, request: &Request<Body>, arrival: Arrival) -> Result<Reader, Box<Response<Body>>> {
        let reader = match self.browsers.load().asking(request.headers()) {
            Ok(origin) => Reader(origin.cloned()),
            Err(rejection) => {
                let seen = self.unknown(request, arrival);
                self.telemetry.request(&seen.refused(&rejection, &seen::detail(&rejection)));
                return Err(Box::new(seen.named(rejection.into_response())));
            }
        };
        if !is_preflight(request) {
            return Ok(reader);
        }
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        let headers = answer.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
        headers.insert(ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        reader.mark(headers);
        let seen = self.unknown(request, arrival);
        self.telemetry.request(&seen.answered(&answer));
        Err(Box::new(seen.named(answer)))
    }

    /// The same for an answer that is given to anybody: a browser reads it if its web app is listed.
    #[must_use]
    pub fn reader(&self, headers: &HeaderMap) -> Reader {
        Reader(self.browsers.load().asking(headers).ok().flatten().cloned())
    }

    fn unknown(&self, request: &Request<Body>, arrival: Arrival) -> Seen {
        Seen::of(request, self.request_ids.of(request.headers()).value(), None, arrival)
    }
}

/// A preflight (Fetch section 4.8).
fn is_preflight(request: &Request<Body>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}
