//! Where a call goes: the base URI and the caller's bytes joined, and admitted or refused.
//! Never resolves a name and never sees a credential; addresses are the egress guard's matter.
//!
//! Joining keeps every byte: nothing is decoded, encoded, collapsed or resolved. The one seam is between a base URI that
//! ends with `/` and a path that starts with one, where a single `/` remains. A path may not climb: a `..` segment, in any
//! spelling that a server might undo, is refused whatever the base URI is, because servers do not agree on what it means.

mod authority;

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use url::Url;

use super::{CallError, Requested};
use crate::connector::Hosts;
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

/// Joins what was asked for to the base URI and admits the result.
///
/// # Errors
/// [`CallError::MalformedTarget`] and [`CallError::BaseUri`] if either is not strictly formed;
/// [`CallError::TargetNotAllowed`], [`CallError::PlainTarget`] and [`CallError::NoPinnedOrigin`] if it is not admitted.
pub fn locate(base_uri: &str, requested: &Requested, allowed: &Allowed<'_>) -> Result<Target, CallError> {
    let base = Absolute::parse(base_uri).map_err(CallError::BaseUri)?;
    if base.rest.contains('?') {
        return Err(CallError::BaseUri("it has a query"));
    }
    let (site, path_and_query) = match requested {
        Requested::Path(rest) => (base.site.clone(), join(base.rest, rest)?),
        Requested::Url(url) => {
            let url = Absolute::parse(url).map_err(CallError::MalformedTarget)?;
            (url.site, join("", url.rest)?)
        }
    };
    admit(&site, &base.site, allowed)?;
    let Site { tls, host, port } = site;
    Ok(Target { origin: Origin::Tcp { host: Arc::from(host), port, tls }, path_and_query })
}

/// A strictly parsed `http` or `https` URL: its site, and the bytes after it.
struct Absolute<'a> {
    site: Site,
    rest: &'a str,
}

/// Scheme, host and port. The host is lower case; an IPv6 address stands without brackets.
#[derive(Clone, PartialEq, Eq)]
struct Site {
    tls: bool,
    host: String,
    port: u16,
}

impl<'a> Absolute<'a> {
    /// Our own reading, strict; then the `url` crate's, which must find the same host and port.
    fn parse(text: &'a str) -> Result<Self, &'static str> {
        refuse_bytes(text)?;
        let (scheme, after) = text.split_once("://").ok_or("it is not absolute")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("its scheme is neither https nor http"),
        };
        let end = after.find(['/', '?']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        let (host, port) = authority::parse(authority)?;
        let site = Site { tls, host, port: port.unwrap_or(if tls { 443 } else { 80 }) };
        let checked = Url::parse(text).map_err(|_| "it is no URL")?;
        if checked.host_str() != Some(&site.bracketed()) || checked.port_or_known_default() != Some(site.port)
        {
            return Err("its host or port can be read in two ways");
        }
        Ok(Self { site, rest })
    }
}

impl Site {
    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    fn has_default_port(&self) -> bool {
        self.port == if self.tls { 443 } else { 80 }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.bracketed())?;
        if self.has_default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// The path of a base URI and what was asked for, as one request target.
fn join(base: &str, rest: &str) -> Result<String, CallError> {
    refuse_bytes(rest).map_err(CallError::MalformedTarget)?;
    let (path, _) = rest.split_once('?').unwrap_or((rest, ""));
    if climbs(path) {
        return Err(CallError::MalformedTarget("its path climbs with `..`"));
    }
    let base = if path.is_empty() { base } else { base.strip_suffix('/').unwrap_or(base) };
    let seam = if (base.is_empty() && path.is_empty()) || !(path.is_empty() || path.starts_with('/')) {
        "/"
    } else {
        ""
    };
    Ok(format!("{base}{seam}{rest}"))
}

/// Bytes that parsers disagree about, or that end a URL.
fn refuse_bytes(text: &str) -> Result<(), &'static str> {
    for byte in text.bytes() {
        match byte {
            b'\\' => return Err("it has a backslash"),
            b'#' => return Err("it has a fragment"),
            0x21..=0x7e => {}
            _ => return Err("it has a blank, a control character or a character outside ASCII"),
        }
    }
    Ok(())
}

/// Whether a segment is `..` once a server has decoded it, split it at encoded slashes and dropped its `;parameters`.
fn climbs(path: &str) -> bool {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    decoded
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .any(|segment| segment.split(|byte| *byte == b';').next() == Some(b"..".as_slice()))
}

/// Whether credentials may go to `site`. Plain HTTP needs its door open, wherever it leads.
fn admit(site: &Site, base: &Site, allowed: &Allowed<'_>) -> Result<(), CallError> {
    let admitted = match allowed.hosts {
        Hosts::OfBaseUri => site == base,
        Hosts::Listed(patterns) => {
            patterns.iter().any(|pattern| pattern.matches(&site.host, site.port, site.has_default_port()))
        }
        Hosts::Connection => *site == pinned(allowed.pinned_origin)?,
    };
    if !admitted {
        return Err(CallError::TargetNotAllowed { origin: site.to_string() });
    }
    if !site.tls && !allowed.egress.allow_plain {
        return Err(CallError::PlainTarget { origin: site.to_string() });
    }
    Ok(())
}

fn pinned(origin: Option<&str>) -> Result<Site, CallError> {
    let origin = origin.and_then(|origin| Absolute::parse(origin).ok()).ok_or(CallError::NoPinnedOrigin)?;
    Ok(origin.site)
}

#[cfg(test)]
mod tests;
