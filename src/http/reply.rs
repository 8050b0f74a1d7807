//! Small JSON answers of our own.
//! Knows nothing of why something is answered, and chooses no status code.

use http::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use http::{Response, StatusCode};
use serde::Serialize;

use super::Body;

/// The vendor's error body: `{"type", "key"?, "message", "data"?}`.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// The family of the error, such as `not_authenticated`.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The stable code within the family.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// One sentence for the caller.
    pub message: &'a str,
    /// Details a program can use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// An error answer.
#[must_use]
pub fn error(status: StatusCode, body: &ErrorBody<'_>) -> Response<Body> {
    json(status, body)
}

/// Any value as a JSON answer. What JSON cannot say (a map whose keys are not text) is answered as `null`.
#[must_use]
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Response<Body> {
    let text = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // The length is the body's own: hyper writes it.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use hyper::body::Body as _;

    use super::*;
    use crate::http::body::{Collected, collect_within};

    #[tokio::test]
    async fn an_error_has_the_vendors_shape_and_leaves_out_what_is_absent() {
        let body = ErrorBody { kind: "access_denied", key: None, message: "no \"way\"", data: None };
        let response = error(StatusCode::FORBIDDEN, &body);
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(response.body().size_hint().exact(), Some(47));
        let Ok(Collected::Whole(text)) = collect_within(response.into_body(), 1000).await else {
            panic!("a small body is whole")
        };
        assert_eq!(text, r#"{"type":"access_denied","message":"no \"way\""}"#);
    }

    #[tokio::test]
    async fn key_and_data_are_written_where_given() {
        let data = Some(serde_json::json!({"retryAfter": 3}));
        let body = ErrorBody { kind: "t", key: Some("k"), message: "m", data };
        let Ok(Collected::Whole(text)) = collect_within(error(StatusCode::OK, &body).into_body(), 1000).await
        else {
            panic!("a small body is whole")
        };
        assert_eq!(text, r#"{"type":"t","key":"k","message":"m","data":{"retryAfter":3}}"#);
    }
}
