//! Whether a request may pass: its rule, its token, and what the one says to the other.
//! Never changes the request, and never makes a permit itself: `rules` does.

use http::HeaderMap;
use http::request::Parts;

use super::managed;
use super::record::Record;
use super::rejection::Rejection;
use super::routes::Upstream;
use super::rules::Permit;
use super::token_header;
use crate::http::Body;
use crate::token::{Verified, Verifier};

/// The permit of a preflight that the upstream wants to answer itself.
pub(super) fn preflight<'r>(upstream: &'r Upstream, head: &Parts, body: &Body) -> Option<Permit<'r>> {
    let preflight = upstream.cors.as_ref()?.forwarded(head, body)?;
    Some(Permit::open_to_preflight(upstream, &preflight))
}

/// What the rules say; or, where they are only watched, a permit all the same. The target is the one that is forwarded.
pub(super) async fn decide<'r>(
    verifier: &Verifier,
    upstream: &'r Upstream,
    head: &Parts,
    record: &mut Record,
) -> Result<Permit<'r>, Rejection> {
    let refused = match enforce(verifier, upstream, head, record).await {
        Ok(permit) => return Ok(permit),
        Err(refused) => refused,
    };
    let reason = refused.reason();
    let permit = Permit::observe(upstream, refused, || {
        let token = token_header::read(&head.headers, &upstream.config.token_headers).ok()??;
        verifier.verify(token, &upstream.config.policy).inspect(|verified| record.verified(verified)).ok()
    })?;
    record.would_reject(reason);
    Ok(permit)
}

/// The rule, the token if the rule cares for one, and what the rule says to it.
async fn enforce<'r>(
    verifier: &Verifier,
    upstream: &'r Upstream,
    head: &Parts,
    record: &mut Record,
) -> Result<Permit<'r>, Rejection> {
    let route = upstream.route(&head.method, head.uri.path())?;
    record.ruled(route.rule);
    managed::refuse_twins(&head.headers, upstream)?;
    if let Some(permit) = Permit::open(route) {
        return Ok(permit);
    }
    let verified = verified(verifier, upstream, &head.headers, record).await?;
    Permit::admit(route, verified)
}

/// The token that the request carries, if it carries one.
async fn verified(
    verifier: &Verifier,
    upstream: &Upstream,
    headers: &HeaderMap,
    record: &mut Record,
) -> Result<Option<Verified>, Rejection> {
    let Some(token) = token_header::read(headers, &upstream.config.token_headers)? else { return Ok(None) };
    let verified = verifier.verify_or_fetch(token, &upstream.config.policy).await?;
    // So that a worker first looks at all that have come, and then sends them on together: to wake an upstream costs more
    // than to decide, and one that is awake already takes the next request for nothing.
    tokio::task::yield_now().await;
    record.verified(&verified);
    Ok(Some(verified))
}
