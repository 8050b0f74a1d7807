//! Keeping a request's body so that it can be sent a second time.
//! Never decides whether it is.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};

use super::CallError;
use crate::connector::ApiClient;
use crate::connector::methods::Staleness;
use crate::http::Body;
use crate::http::body::{Collected, collect_within};

/// A whole body, kept to be sent again.
pub(super) struct Copy(Bytes);

impl Copy {
    /// The body again.
    pub(super) fn into_body(self) -> Body {
        if self.0.is_empty() { Body::empty() } else { Body::full(self.0) }
    }
}

/// The body to send first, and its copy if it is at most `limit` bytes long. A longer one streams on, and so does any
/// without a limit: it exists once.
pub(super) async fn keep(body: Body, limit: Option<usize>) -> Result<(Body, Option<Copy>), CallError> {
    let Some(limit) = limit else {
        return Ok((body, None));
    };
    match collect_within(body, limit).await.map_err(CallError::RequestBody)? {
        Collected::Whole(bytes) => Ok((Copy(bytes.clone()).into_body(), Some(Copy(bytes)))),
        Collected::TooLong(body) => Ok((body, None)),
    }
}

/// Stands in for `ApiClient::staleness` until the connector room has it.
pub(super) fn staleness(_client: &ApiClient, status: StatusCode, headers: &HeaderMap) -> Staleness {
    let names_scope =
        |value: &http::HeaderValue| value.to_str().is_ok_and(|text| text.contains("insufficient_scope"));
    match status {
        StatusCode::UNAUTHORIZED if !headers.get_all(header::WWW_AUTHENTICATE).iter().any(names_scope) => {
            Staleness::AccessTokenExpired
        }
        _ => Staleness::Fine,
    }
}
