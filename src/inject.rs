//! Putting credentials into a request: pure, no I/O.
//! Never chooses the credentials or the moment, and never resolves a name.
//!
//! A request without credentials cannot pass for one that has them: [`SignedRequest`] is made by [`sign`] alone.
//!
//! ```compile_fail,E0451
//! use sidegate::inject::SignedRequest;
//! fn forge(method: http::Method, origin: sidegate::http::pool::Origin) -> SignedRequest {
//!     let target = http::uri::PathAndQuery::from_static("/");
//!     SignedRequest { method, origin, target, headers: http::HeaderMap::new() }
//! }
//! ```

pub mod echo;
pub mod placement;
mod signature;
pub mod target;

pub use signature::is_form;

use std::fmt;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Request, Uri};

use crate::clock::Clock;
use crate::connector::ApiClient;
use crate::http::Body;
use crate::http::pool::Origin;

/// A request as the caller wants it sent, credentials not in it yet. Path and query are the caller's bytes.
#[derive(Clone)]
pub struct UnsignedRequest {
    /// The method.
    pub method: Method,
    /// Where it goes; already admitted.
    pub origin: Origin,
    /// What follows the origin; starts with `/`.
    pub path_and_query: String,
    /// The caller's headers, without those that are for Sidegate or for one hop only.
    pub headers: HeaderMap,
    /// The whole body, where it is at hand: OAuth 1.0a signs the parameters of a form.
    pub body: Option<Bytes>,
}

/// A request with credentials in it, ready to send. Made only by [`sign`].
pub struct SignedRequest {
    method: Method,
    origin: Origin,
    target: PathAndQuery,
    headers: HeaderMap,
}

/// Why credentials could not be put into a request.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// TRACE has the third party answer with the request, credentials and all (RFC 9110 section 9.3.8); CONNECT has no
    /// place for any.
    #[error("method {0} cannot carry credentials")]
    Method(Method),
    /// The connector wants to set a header that frames the message or names its target.
    #[error("a connector may not set the header `{0}`")]
    ReservedHeader(HeaderName),
    /// The credential has a byte that header values may not have, or that servers read in different ways (RFC 9110
    /// section 5.5).
    #[error("the value for the header `{name}` is not visible ASCII")]
    HeaderValue {
        /// The header.
        name: HeaderName,
    },
    /// RFC 7617 section 2 ends the user name at the first colon.
    #[error("the user name for basic authentication holds a colon")]
    ColonInUsername,
    /// OAuth 1.0a signs the parameters of a form, and this one was not kept whole.
    #[error("the form is too long to be signed")]
    LongForm,
    /// The target cannot be written in a request line.
    #[error("the request target is malformed")]
    Target(#[source] http::uri::InvalidUri),
}

/// Puts the client's headers, query parameters and basic authentication into the request. What the caller sent
/// under the same names, in any spelling a server could take for them, is removed first; so are its Host and
/// Authorization. The other bytes of path and query stay as they are. A signature, where the client has a signer, comes last
/// and goes before basic authentication; `clock` tells its time.
///
/// # Errors
/// If the credentials do not fit into an HTTP request, or the method must not carry any.
pub fn sign(
    request: UnsignedRequest,
    client: &ApiClient,
    clock: &dyn Clock,
) -> Result<SignedRequest, InjectError> {
    let UnsignedRequest { method, origin, path_and_query, mut headers, body } = request;
    if matches!(method, Method::TRACE | Method::CONNECT) {
        return Err(InjectError::Method(method));
    }
    placement::remove_variants(&mut headers, &[HOST, AUTHORIZATION]);
    headers.insert(HOST, placement::host(&origin)?);
    placement::put_headers(&mut headers, &client.headers)?;
    if let Some((username, password)) = &client.basic {
        headers.insert(AUTHORIZATION, placement::basic(username, password)?);
    }
    let mut target = placement::put_query(path_and_query, &client.query);
    if let Some(signer) = &client.signer {
        let (method, origin) = (&method, &origin);
        let message = signature::Message { method, origin, headers: &headers, body: body.as_ref() };
        let authorization;
        (target, authorization) = signature::signed(&message, target, signer, clock)?;
        headers.insert(AUTHORIZATION, authorization);
    }
    let target = PathAndQuery::try_from(target).map_err(InjectError::Target)?;
    Ok(SignedRequest { method, origin, target, headers })
}

impl SignedRequest {
    /// The request as the HTTP client takes it, in origin form (RFC 9112 section 3.2.1), and where to send it.
    #[must_use]
    pub fn with_body(self, body: Body) -> (Origin, Request<Body>) {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from(self.target);
        *request.headers_mut() = self.headers;
        (self.origin, request)
    }
}

/// The query and the header values may be credentials: neither is shown.
impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("origin", &self.origin)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
