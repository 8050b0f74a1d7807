//! One request through to an origin, streaming both ways, or into a tunnel if both sides want one.
//! Never decides whether it may pass; who calls this has decided.

pub mod upgrade;

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, Version};

use super::Body;
use super::headers::{Additions, strip_hop_by_hop};
use super::pool::{Pool, SendError, Switched};
use upgrade::{Terms, Upgrade};

/// Sends `request` as it is but for what belongs to the connection: hop-by-hop headers go in both directions, the
/// target becomes origin-form with its bytes unchanged, framing is written anew. Host is the caller's to set. Dropping the
/// future, or the response body, cancels the upstream.
///
/// Headers of our own are safe only if [`strip_hop_by_hop`] ran before they were written.
pub async fn forward(pool: &Pool, request: Request<Body>) -> Result<Response<Body>, SendError> {
    let (mut head, body) = request.into_parts();
    forward_with(pool, &mut head, body, &|_| {}).await
}

/// As [`forward`], with `additions` of our own. They come last, when everything that the request's Connection lists is
/// gone.
pub async fn forward_with(
    pool: &Pool,
    head: &mut Parts,
    body: Body,
    additions: &Additions<'_>,
) -> Result<Response<Body>, SendError> {
    outwards(head);
    pool.send_with(head, body, additions).await.map(back)
}

/// As [`forward_with`], asking the upstream for the protocol that the caller wishes. If it agrees, the answer is a 101 with
/// the tunnel that follows it; if not, it is whatever the upstream says instead.
pub async fn forward_upgrade(
    pool: &Pool,
    head: &mut Parts,
    additions: &Additions<'_>,
    upgrade: Upgrade,
    terms: Terms,
) -> Result<Response<Body>, SendError> {
    outwards(head);
    upgrade.write(&mut head.headers);
    match pool.switch(head, Body::empty(), additions).await? {
        Switched::Agreed(response, upstream) => Ok(upgrade.agreed(back(response), upstream, terms)),
        Switched::Not(response) => Ok(back(response)),
    }
}

fn outwards(head: &mut Parts) {
    strip_hop_by_hop(&mut head.headers);
    head.version = Version::HTTP_11;
    to_origin_form(&mut head.uri);
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
