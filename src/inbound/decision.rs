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

/// What the rules say; or, where they are only watched, a permit all the same. The target is the one that is forwarded.
pub(super) fn decide<'r>(
    verifier: &Verifier,
    upstream: &'r Upstream,
    head: &Parts,
    body: &Body,
    record: &mut Record,
) -> Result<Permit<'r>, Rejection> {
    if let Some(preflight) = upstream.cors.as_ref().and_then(|cors| cors.forwarded(head, body)) {
        return Ok(Permit::open_to_preflight(upstream, &preflight));
    }
    let refused = match enforce(verifier, upstream, head, record) {
        Ok(permit) => return Ok(permit),
        Err(refused) => refused,
    };
    let reason = refused.reason();
    let permit = Permit::observe(upstream, refused, || {
        verified(verifier, upstream, &head.headers, record).ok().flatten()
    })?;
    record.would_reject(reason);
    Ok(permit)
}

/// The rule, the token if the rule cares for one, and what the rule says to it.
fn enforce<'r>(
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
    let verified = verified(verifier, upstream, &head.headers, record)?;
    Permit::admit(route, verified)
}

/// The token that the request carries, if it carries one.
fn verified(
    verifier: &Verifier,
    upstream: &Upstream,
    headers: &HeaderMap,
    record: &mut Record,
) -> Result<Option<Verified>, Rejection> {
    let Some(token) = token_header::read(headers, &upstream.config.token_headers)? else { return Ok(None) };
    let verified = verifier.verify(token, &upstream.config.policy)?;
    record.verified(&verified);
    Ok(Some(verified))
}
