//! A second attempt: whether a response asks for one, and the request's body kept for it.
//! Never gets newer credentials, and never sends.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Response};
use zeroize::Zeroizing;

use super::CallError;
use crate::connector::{ApiClient, Reply, Staleness};
use crate::formula::Value;
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

/// How much of a response is read for the handlers that want its body; what is longer streams on unread.
const READ_AT_MOST: usize = 64 * 1024;

/// The response, and its body for the connector's response handlers where they read it: JSON that is short. Any other
/// streams.
pub(super) async fn read(
    client: &ApiClient,
    response: Response<Body>,
) -> Result<(Response<Body>, Option<Zeroizing<Value>>), CallError> {
    let wanted = client.response_handlers.read_bodies() && is_json(response.headers());
    if !wanted {
        return Ok((response, None));
    }
    let (head, body) = response.into_parts();
    let (body, data) = match collect_within(body, READ_AT_MOST).await.map_err(CallError::ResponseBody)? {
        Collected::Whole(bytes) => {
            let data = serde_json::from_slice(&bytes).ok().map(Zeroizing::new);
            (Body::full(bytes), data)
        }
        Collected::TooLong(body) => (body, None),
    };
    Ok((Response::from_parts(head, body), data))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// What a response says of the credentials. A 401 that names a missing scope (RFC 6750 section 3.1) would come again with
/// any token of this grant, so it refreshes nothing.
pub(super) fn staleness(client: &ApiClient, response: &Response<Body>, data: Option<&Value>) -> Staleness {
    let reply = Reply { status: response.status(), headers: response.headers(), data };
    match client.staleness(&reply) {
        Staleness::AccessTokenExpired if lacks_scope(response.headers()) => Staleness::Fine,
        staleness => staleness,
    }
}

fn lacks_scope(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    challenges.filter_map(|challenge| challenge.to_str().ok()).any(|text| text.contains("insufficient_scope"))
}
