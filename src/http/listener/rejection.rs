//! What the listener itself answers: to what is no request.
//! Never knows who asks: nothing has been looked at but the form and the size of a head.

use http::header::HeaderValue;
use http::{Response, StatusCode};

use super::Limits;
use crate::http::Body;
use crate::http::http1::Malformed;
use crate::http::reply::{ErrorBody, error};

/// 400: it is no HTTP/1.1.
pub(super) fn malformed(problem: Malformed) -> Response<Body> {
    let message = format!("the request is malformed: {problem}");
    answer(StatusCode::BAD_REQUEST, "malformed_request", &message)
}

/// 414: the target is longer than any server takes.
pub(super) fn target_too_long() -> Response<Body> {
    answer(StatusCode::URI_TOO_LONG, "target_too_long", "the request target is too long")
}

/// 431: the head is longer, or has more headers, than the listener takes.
pub(super) fn head_too_large(limits: &Limits) -> Response<Body> {
    let Limits { max_head_bytes, max_headers, .. } = limits;
    let message = format!(
        "the request's head is longer than {max_head_bytes} bytes or has more than {max_headers} headers"
    );
    answer(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large", &message)
}

fn answer(status: StatusCode, code: &'static str, message: &str) -> Response<Body> {
    let mut response = error(status, &ErrorBody { kind: "bad_request", key: None, message, data: None });
    response.headers_mut().insert("x-sidegate-rejection", HeaderValue::from_static(code));
    response
}
