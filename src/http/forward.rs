//! One request through to an origin, streaming both ways.
//! Never decides whether it may pass; who calls this has decided.

use http::uri::PathAndQuery;
use http::{Request, Response, Uri, Version};

use super::Body;
use super::headers::strip_hop_by_hop;
use super::pool::{Pool, SendError};

/// Sends `request` as it is but for what belongs to the connection: hop-by-hop headers go in both directions, the
/// target becomes origin-form with its bytes unchanged, framing is written anew. The header map is moved on, not rebuilt.
/// Host is the caller's to set. Dropping the future, or the response body, cancels the upstream.
///
/// Headers of our own are safe only if [`strip_hop_by_hop`] ran before they were written.
pub async fn forward(pool: &Pool, mut request: Request<Body>) -> Result<Response<Body>, SendError> {
    strip_hop_by_hop(request.headers_mut());
    *request.version_mut() = Version::HTTP_11;
    to_origin_form(request.uri_mut());

    let mut response = pool.send(request).await?;
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}

/// `http://host/path?query` becomes `/path?query`; an origin-form target is not touched.
fn to_origin_form(uri: &mut Uri) {
    if uri.authority().is_none() {
        return;
    }
    let path = std::mem::take(uri).into_parts().path_and_query;
    // Of `http://host#fragment` an empty path is left, which reads as `/` and would be written as nothing.
    *uri =
        Uri::from(path.filter(|path| path.as_str() != "/").unwrap_or_else(|| PathAndQuery::from_static("/")));
}

#[cfg(test)]
mod tests;
