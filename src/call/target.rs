//! Where a call goes: the base URI and the caller's bytes joined, and admitted or refused.
//! Never resolves a name and never sees a credential; addresses are the egress guard's matter.
//!
//! Joining keeps every byte: nothing is decoded, encoded, collapsed or resolved. The one seam is between a base URI that
//! ends with `/` and a path that starts with one, where a single `/` remains. A path may not climb: a `..` segment, in any
//! spelling that a server might undo, is refused whatever the base URI is, because servers do not agree on what it means.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::{CallError, Requested};
use crate::connector::place::refuse_bytes;
use crate::connector::{Hosts, Place};
use crate::http::egress::Egress;
use crate::http::pool::Origin;

/// Which targets a connection's credentials may go to.
pub struct Allowed<'a> {
    /// The integration's `hosts`.
    pub hosts: &'a Hosts,
    /// The origin entered when the connection was made, for [`Hosts::Connection`].
    pub pinned_origin: Option<&'a str>,
    /// Whether plain HTTP is open.
    pub egress: Egress,
}

/// An admitted target.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// Where to connect.
    pub origin: Origin,
    /// What to ask for there; starts with `/`.
    pub path_and_query: String,
}

/// An API client's base URI, read once for all calls.
pub(super) struct Base {
    place: Place,
    origin: Origin,
    path: String,
}

impl Base {
    /// Reads it.
    ///
    /// # Errors
    /// [`CallError::BaseUri`] if it is not strictly formed.
    pub(super) fn parse(base_uri: &str) -> Result<Self, CallError> {
        let (place, rest) = Place::parse(base_uri).map_err(CallError::BaseUri)?;
        if rest.contains('?') {
            return Err(CallError::BaseUri("it has a query"));
        }
        Ok(Self { origin: origin(&place), path: rest.to_owned(), place })
    }
}

/// Joins what was asked for to the base URI and admits the result.
///
/// # Errors
/// [`CallError::MalformedTarget`] if it is not strictly formed; [`CallError::TargetNotAllowed`],
/// [`CallError::PlainTarget`] and [`CallError::NoPinnedOrigin`] if it is not admitted.
pub(super) fn locate(base: &Base, requested: &Requested, allowed: &Allowed<'_>) -> Result<Target, CallError> {
    match requested {
        Requested::Path(rest) => {
            let path_and_query = join(&base.path, rest)?;
            admit(&base.place, &base.place, allowed)?;
            Ok(Target { origin: base.origin.clone(), path_and_query })
        }
        Requested::Url(url) => {
            let (place, rest) = Place::parse(url).map_err(CallError::MalformedTarget)?;
            let path_and_query = join("", rest)?;
            admit(&place, &base.place, allowed)?;
            Ok(Target { origin: origin(&place), path_and_query })
        }
    }
}

fn origin(place: &Place) -> Origin {
    let site = place.site();
    let host = site.host.trim_matches(['[', ']']);
    Origin::Tcp { host: Arc::from(host), port: site.port, tls: site.scheme == "https" }
}

/// The path of a base URI and what was asked for, as one request target.
fn join(base: &str, rest: &str) -> Result<String, CallError> {
    refuse_bytes(rest).map_err(CallError::MalformedTarget)?;
    let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
    if climbs(path) {
        return Err(CallError::MalformedTarget("its path climbs with `..`"));
    }
    let base = if path.is_empty() { base } else { base.strip_suffix('/').unwrap_or(base) };
    let seamless = path.starts_with('/') || (path.is_empty() && !base.is_empty());
    let seam = if seamless { "" } else { "/" };
    Ok(format!("{base}{seam}{rest}"))
}

/// Whether a segment is `..` once a server has decoded it, split it at encoded slashes and dropped its `;parameters`.
fn climbs(path: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|segment| segment.split(|byte| *byte == b';').next() == Some(b"..".as_slice()))
}

/// Whether credentials may go to `target`. Plain HTTP needs its door open, wherever it leads.
fn admit(target: &Place, base: &Place, allowed: &Allowed<'_>) -> Result<(), CallError> {
    let pinned = match allowed.hosts {
        Hosts::Connection => Some(allowed.pinned_origin.ok_or(CallError::NoPinnedOrigin)?),
        Hosts::OfBaseUri | Hosts::Listed(_) => None,
    };
    if !allowed.hosts.admits(&target.site(), &base.site(), pinned) {
        return Err(CallError::TargetNotAllowed { origin: target.to_string() });
    }
    if target.site().scheme == "http" && !allowed.egress.allow_plain {
        return Err(CallError::PlainTarget { origin: target.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
