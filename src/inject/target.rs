//! Where a request goes: the base URI and the sender's bytes joined, and admitted or refused.
//! Never resolves a name and never sees a credential; addresses are the egress guard's matter.
//!
//! Joining keeps every byte: nothing is decoded, encoded, collapsed or resolved. The one seam is between a base URI that
//! ends with `/` and a path that starts with one, where a single `/` remains. A path may not climb: a `..` segment, in any
//! spelling that a server might undo, is refused whatever the base URI is, because servers do not agree on what it means.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::connector::place::refuse_bytes;
use crate::connector::{Hosts, Place};
use crate::http::egress::Egress;
use crate::http::pool::Origin;

/// Where a request goes, in its sender's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// Path and query, joined to the connection's base URI; may be empty or start with `?`.
    Path(String),
    /// An absolute URL; it must lie on an admitted host.
    Url(String),
}

/// Which targets a connection's credentials may go to.
#[derive(Clone, Copy)]
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
pub struct Base {
    place: Place,
    origin: Origin,
    path: String,
}

impl Base {
    /// Reads it.
    ///
    /// # Errors
    /// [`TargetError::BaseUri`] if it is not strictly formed.
    pub fn parse(base_uri: &str) -> Result<Self, TargetError> {
        let (place, rest) = Place::parse(base_uri).map_err(TargetError::BaseUri)?;
        if rest.contains('?') {
            return Err(TargetError::BaseUri("it has a query"));
        }
        Ok(Self { origin: origin(&place), path: rest.to_owned(), place })
    }
}

/// Why a request may not go where it was meant to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The base URI that the connector gave is no usable one.
    #[error("the base URI is malformed: {0}")]
    BaseUri(&'static str),
    /// `hosts: connection`, and the connection has no usable origin.
    #[error("the connection has no origin pinned to it")]
    NoPinnedOrigin,
    /// What was asked for is no usable target.
    #[error("the target is malformed: {0}")]
    Malformed(&'static str),
    /// The target is not one that these credentials may go to.
    #[error("the target `{origin}` is not admitted")]
    NotAllowed {
        /// Scheme, host and port.
        origin: String,
    },
    /// The target is plain HTTP, and the integration does not say that it may be.
    #[error("the target `{origin}` is plain HTTP")]
    Plain {
        /// Scheme, host and port.
        origin: String,
    },
}

/// Joins what was asked for to the base URI and admits the result.
///
/// # Errors
/// [`TargetError::Malformed`] if it is not strictly formed; [`TargetError::NotAllowed`],
/// [`TargetError::Plain`] and [`TargetError::NoPinnedOrigin`] if it is not admitted.
pub fn locate(base: &Base, requested: &Requested, allowed: &Allowed<'_>) -> Result<Target, TargetError> {
    match requested {
        Requested::Path(rest) => {
            let path_and_query = join(&base.path, rest)?;
            admit(&base.place, &base.place, allowed)?;
            Ok(Target { origin: base.origin.clone(), path_and_query })
        }
        Requested::Url(url) => {
            let (place, rest) = Place::parse(url).map_err(TargetError::Malformed)?;
            let path_and_query = join("", rest)?;
            admit(&place, &base.place, allowed)?;
            Ok(Target { origin: origin(&place), path_and_query })
        }
    }
}

/// Admits an absolute URL of a request whose headers are the sender's own. `base`: the connection's base URI, if it is known;
/// without it, the host must be listed or pinned.
///
/// # Errors
/// As [`locate`].
pub fn locate_alone(url: &str, base: Option<&Base>, allowed: &Allowed<'_>) -> Result<Target, TargetError> {
    if let Some(base) = base {
        return locate(base, &Requested::Url(url.to_owned()), allowed);
    }
    let (place, rest) = Place::parse(url).map_err(TargetError::Malformed)?;
    let path_and_query = join("", rest)?;
    if *allowed.hosts == Hosts::OfBaseUri {
        return Err(TargetError::NotAllowed { origin: place.to_string() });
    }
    admit(&place, &place, allowed)?;
    Ok(Target { origin: origin(&place), path_and_query })
}

fn origin(place: &Place) -> Origin {
    let site = place.site();
    let host = site.host.trim_matches(['[', ']']);
    Origin::Tcp { host: Arc::from(host), port: site.port, tls: site.scheme == "https" }
}

/// The path of a base URI and what was asked for, as one request target.
fn join(base: &str, rest: &str) -> Result<String, TargetError> {
    refuse_bytes(rest).map_err(TargetError::Malformed)?;
    let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
    if climbs(path) {
        return Err(TargetError::Malformed("its path climbs with `..`"));
    }
    let base = if path.is_empty() { base } else { base.strip_suffix('/').unwrap_or(base) };
    let seamless = path.starts_with('/') || (path.is_empty() && !base.is_empty());
    let seam = if seamless { "" } else { "/" };
    Ok([base, seam, rest].concat())
}

/// Whether a segment is `..` once a server has decoded it, split it at encoded slashes and dropped its `;parameters`.
fn climbs(path: &str) -> bool {
    if !path.bytes().any(|byte| matches!(byte, b'.' | b'%')) {
        return false;
    }
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|segment| segment.split(|byte| *byte == b';').next() == Some(b"..".as_slice()))
}

/// Whether credentials may go to `target`. Plain HTTP needs its door open, wherever it leads.
fn admit(target: &Place, base: &Place, allowed: &Allowed<'_>) -> Result<(), TargetError> {
    let pinned = match allowed.hosts {
        Hosts::Connection => Some(allowed.pinned_origin.ok_or(TargetError::NoPinnedOrigin)?),
        Hosts::OfBaseUri | Hosts::Listed(_) => None,
    };
    if !allowed.hosts.admits(&target.site(), &base.site(), pinned) {
        return Err(TargetError::NotAllowed { origin: target.to_string() });
    }
    if target.site().scheme == "http" && !allowed.egress.allow_plain {
        return Err(TargetError::Plain { origin: target.to_string() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
