//! A refusal as it is answered: the vendor's error body, and the headers that go with the status.
//! Never decides what is refused.

use std::time::Duration;

use http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use super::Rejection;
use crate::api::consent::rejection::failed;
use crate::http::{Body, reply};

/// Tells our own refusals from other answers: its value is [`Rejection::code`].
const REJECTION: HeaderName = HeaderName::from_static("x-sidegate-rejection");
/// When a caller may ask again for what is down, where nothing says when it will be up.
const RETRY_AFTER_DOWN: Duration = Duration::from_secs(10);

impl Rejection {
    /// What a program can use of it: the flaws of what was sent, each with its path; why there are no fresh credentials; or what
    /// the third party said.
    fn data(&self) -> Option<serde_json::Value> {
        match self {
            Self::Schema(flaws) => serde_json::to_value(flaws).ok(),
            Self::Refresh { source, .. } => Some(source.data()),
            Self::Consent(error) => error.data(),
            Self::Test(error) | Self::Input(error) => failed(error),
            _ => None,
        }
    }

    /// The vendor's error data.
    #[must_use]
    pub fn error_data(&self) -> serde_json::Value {
        let (kind, key) = self.vendor_error();
        let message = self.to_string();
        let body = reply::ErrorBody { kind, key, message: &message, data: self.data() };
        serde_json::to_value(body).unwrap_or_default()
    }

    /// The answer: the vendor's error body, the code, and the headers that go with the status.
    #[must_use]
    pub fn into_response(self) -> Response<Body> {
        let mut answer = reply::json(self.status(), &self.error_data());
        let headers = answer.headers_mut();
        headers.insert(REJECTION, HeaderValue::from_static(self.code()));
        if let Self::MethodNotAllowed { allow } = self {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, self.retry_after());
        }
        answer
    }

    /// `type` and `key` as the vendor's SDKs know them.
    fn vendor_error(&self) -> (&'static str, Option<&'static str>) {
        if let Self::Refresh { source, .. } = self {
            return source.vendor_error();
        }
        match self.code() {
            "third_party_down" | "test_failed" | "consent_refused" | "code_refused" | "no_code"
            | "wrong_issuer" => ("connection", None),
            "misconfigured_app" | "misconfigured_connector" | "no_public_url" => ("configuration", None),
            "already_exists" => ("bad_request", Some("already_exists")),
            "overtaken" => ("concurrency", Some("lock_timeout")),
            _ => match self.status() {
                StatusCode::FORBIDDEN => ("bad_request", Some("access_denied")),
                StatusCode::NOT_FOUND => ("bad_request", Some("not_found")),
                status if status.is_client_error() => ("bad_request", None),
                _ => ("internal", None),
            },
        }
    }

    /// Whole seconds (RFC 9110 section 10.2.3), rounded up.
    fn retry_after(&self) -> HeaderValue {
        let known = match self {
            Self::Refresh { retry_after, .. } => *retry_after,
            _ => None,
        };
        let wait = known.unwrap_or(RETRY_AFTER_DOWN);
        HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}
