//! One request through to an origin, streaming both ways, or into a tunnel if both sides want one.
//! Never decides whether it may pass; who calls this has decided.

pub mod upgrade;

use http::uri::PathAndQuery;
use http::{Request, Response, Uri, Version};

use super::Body;
use super::headers::strip_hop_by_hop;
use super::pool::{Pool, SendError, Switched};
use upgrade::{Terms, Upgrade};

/// Sends `request` as it is but for what belongs to the connection: hop-by-hop headers go in both directions, the
/// target becomes origin-form with its bytes unchanged, framing is written anew. The header map is moved on, not rebuilt.
/// Host is the caller's to set. Dropping the future, or the response body, cancels the upstream.
///
/// Headers of our own are safe only if [`strip_hop_by_hop`] ran before they were written.
pub async fn forward(pool: &Pool, mut request: Request<Body>) -> Result<Response<Body>, SendError> {
    outwards(&mut request);
    pool.send(request).await.map(back)
}

/// As [`forward`], asking the upstream for the protocol that the caller wishes. If it agrees, the answer is a 101 with
/// the tunnel that follows it; if not, it is whatever the upstream says instead.
pub async fn forward_upgrade(
    pool: &Pool,
    mut request: Request<Body>,
    upgrade: Upgrade,
    terms: Terms,
) -> Result<Response<Body>, SendError> {
    outwards(&mut request);
    upgrade.write(request.headers_mut());
    match pool.switch(request).await? {
        Switched::Agreed(response, upstream) => Ok(upgrade.agreed(back(response), upstream, terms)),
        Switched::Not(response) => Ok(back(response)),
    }
}

fn outwards(request: &mut Request<Body>) {
    strip_hop_by_hop(request.headers_mut());
    *request.version_mut() = Version::HTTP_11;
    to_origin_form(request.uri_mut());
}

fn back(mut response: Response<Body>) -> Response<Body> {
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    response
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
