//! What the listener itself answers, where hyper would not.
//! Never knows who asks: nothing has been looked at but the size of a head.

use http::{Response, StatusCode};

use crate::http::Body;

/// A bare 431, as hyper's own for HTTP/1.1.
pub(super) fn too_many_headers() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    response
}
