//! skeleton
use super::Body;
use http::{Response, StatusCode};
/// The vendor's error body: {type, key?, message, data?} (membrane.md section 4)
pub struct ErrorBody<'a> { pub kind: &'a str, pub key: Option<&'a str>, pub message: &'a str, pub data: Option<serde_json::Value> }
pub fn error(_status: StatusCode, _body: &ErrorBody<'_>) -> Response<Body> { unimplemented!() }
pub fn json<T: serde::Serialize>(_status: StatusCode, _value: &T) -> Response<Body> { unimplemented!() }
