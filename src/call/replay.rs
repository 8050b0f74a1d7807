//! A second attempt: whether a response asks for one, and the request's body kept for it.
//! Never gets newer credentials, and never sends.

use bytes::Bytes;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, Response};

use super::CallError;
use crate::connector::{ApiClient, Staleness};
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

/// What a response says of the credentials. A 401 that names a missing scope (RFC 6750 section 3.1) would come again with
/// any token of this grant, so it refreshes nothing.
pub(super) fn staleness(client: &ApiClient, response: &Response<Body>) -> Staleness {
    match client.staleness(response.status(), response.headers()) {
        Staleness::AccessTokenExpired if lacks_scope(response.headers()) => Staleness::Fine,
        staleness => staleness,
    }
}

fn lacks_scope(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    challenges.filter_map(|challenge| challenge.to_str().ok()).any(|text| text.contains("insufficient_scope"))
}
