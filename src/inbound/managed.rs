//! The header names that are ours to write: a caller's copies, and names that some servers read as the same, go.
//! Knows names only; what is written under them is the business of `identity` and `forwarded`.

use http::HeaderMap;
use http::header::{self, HeaderName};

use super::cors::OnPreflight;
use super::rejection::Rejection;
use super::routes::{Mode, Upstream, UpstreamConfig};
use super::rules::Permit;
use super::token_header;
use crate::http::headers::{alphanumeric_or, folds_to};
use crate::http::request_id::X_REQUEST_ID;

/// Everything that begins so is Sidegate's.
const OURS: &str = "x-sidegate-";
/// What proxies say of the way a request took, and of the certificate with which a client came to them. What a trusted
/// one says of the way is read before, and written anew.
const OF_THE_WAY: [&str; 6] =
    ["x-forwarded-", "x-original-", "x-rewrite-", "x-client-cert", "x-ssl-client-", "x-amzn-mtls-"];
/// The same under other names, and headers by which some frameworks replace the method or path that a rule decided on.
const OF_THE_WAY_TOO: [&str; 5] =
    ["x-forwarded", "x-real-ip", "x-http-method", "x-http-method-override", "x-method-override"];
/// What an identity header cannot be called, and nothing may be mistaken for: HTTP itself speaks there.
static OF_HTTP: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// Refuses identity headers that could not be ours alone; the error says which and why.
pub(super) fn check(config: &UpstreamConfig) -> Result<(), String> {
    for (position, (name, _)) in config.identity.iter().enumerate() {
        let problem = if OF_HTTP.contains(name) || is_of_the_way(name.as_str()) {
            "has a meaning of its own in HTTP"
        } else if config.token_headers.contains(name) {
            "is one of its token headers"
        } else if config
            .identity
            .iter()
            .take(position)
            .any(|(other, _)| folds_to(other.as_str(), name.as_str()))
        {
            "is there twice"
        } else {
            continue;
        };
        return Err(format!("upstream `{}`: the identity header `{name}` {problem}", config.name));
    }
    Ok(())
}

/// Refuses a name that differs from a managed one, or from one that frames the message, only in `_` or another sign for
/// `-`: CGI and WSGI servers read the two as one, so the upstream could take the caller's for ours.
pub(super) fn refuse_twins(headers: &HeaderMap, upstream: &Upstream) -> Result<(), Rejection> {
    if headers.keys().any(|name| is_twin(name, upstream)) { Err(Rejection::AmbiguousHeader) } else { Ok(()) }
}

/// What stands in names that no server reads as others.
static PLAIN: [bool; 256] = alphanumeric_or(b"-");

fn is_twin(name: &HeaderName, upstream: &Upstream) -> bool {
    let name = name.as_str();
    let is_same = |managed: &HeaderName| managed.as_str() != name && folds_to(name, managed.as_str());
    // Not `any`: most names have no such sign, and an early end costs more than it saves.
    let is_plain = name.bytes().fold(true, |is_plain, byte| is_plain & PLAIN[usize::from(byte)]);
    !is_plain
        && (begins_folded(name, OURS)
            || OF_HTTP.iter().any(is_same)
            || is_same(&X_REQUEST_ID)
            || upstream.config.token_headers.iter().any(is_same)
            || upstream.config.identity.iter().any(|(managed, _)| is_same(managed)))
}

/// Removes what only we, or a proxy that we trust, may say, the names that we write, and the token unless the permit keeps
/// it: what is written under these names afterwards is ours, or absent. Where rules are only watched, and for a preflight that is forwarded, nobody was refused for a twin of a managed name, so these go, too.
pub(super) fn erase(headers: &mut HeaderMap, permit: &Permit<'_>) {
    let upstream = permit.upstream();
    let config = &upstream.config;
    if !permit.keeps_token() {
        token_header::remove(headers, &config.token_headers);
    }
    let forwards_preflights = config.cors.as_ref().is_some_and(|cors| cors.preflight == OnPreflight::Forward);
    let twins_are_left = config.mode == Mode::Observe || forwards_preflights;
    remove_all(headers, |name| {
        is_reserved(name)
            || *name == X_REQUEST_ID
            || upstream.identity.has(name)
            || (twins_are_left && is_twin(name, upstream))
    });
}

/// Whether a header says what only we, or a proxy that we trust, may say.
pub(super) fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    (name.starts_with('x') && begins_folded(name, OURS)) || is_of_the_way(name)
}

pub(super) fn remove_all(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    let gone: Vec<HeaderName> = headers.keys().filter(|name| goes(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

fn is_of_the_way(name: &str) -> bool {
    // By the first letter, which folding leaves as it is: most names are none of these.
    match name.as_bytes().first() {
        Some(b'x') => {
            OF_THE_WAY.iter().any(|prefix| begins_folded(name, prefix))
                || OF_THE_WAY_TOO.iter().any(|other| folds_to(name, other))
        }
        Some(b'c') => begins_folded(name, "client-cert"),
        Some(b's') => begins_folded(name, "ssl-client-"),
        Some(b'f') => folds_to(name, "forwarded"),
        _ => false,
    }
}

fn begins_folded(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| folds_to(start, prefix))
}
