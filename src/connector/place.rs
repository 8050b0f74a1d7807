//! Where a URL leads, read strictly: scheme, host and port in the one spelling that all parsers agree on.
//! Never resolves a name, and never decides whether a place is admitted.

mod authority;

use std::fmt;

use url::Url;

use super::Site;

/// Scheme, host and port of an absolute `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    scheme: &'static str,
    /// Lower case; an IPv6 address in brackets.
    host: String,
    port: u16,
}

impl Place {
    /// The place, and what follows it: nothing, or bytes that begin with `/` or `?`. Our own reading is strict; then the
    /// `url` crate must find the same place.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub fn parse(text: &str) -> Result<(Self, &str), &'static str> {
        refuse_bytes(text)?;
        let (scheme, after) = text.split_once("://").ok_or("it is not absolute")?;
        let (scheme, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "https" => ("https", 443),
            "http" => ("http", 80),
            _ => return Err("its scheme is neither https nor http"),
        };
        let (authority, rest) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
        let (host, port) = authority::parse(authority)?;
        let place = Self { scheme, host, port: port.unwrap_or(default_port) };
        match Url::parse(text) {
            Ok(url) if Site::of(&url) == Some(place.site()) => Ok((place, rest)),
            _ => Err("its host or port can be read in two ways"),
        }
    }

    /// What `hosts` is compared with.
    #[must_use]
    pub fn site(&self) -> Site<'_> {
        Site { scheme: self.scheme, host: &self.host, port: self.port }
    }
}

/// Scheme, host and port; the port even where it is the scheme's own, for that is what `hosts` is compared with.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Bytes that parsers disagree about, or that end a URL.
///
/// # Errors
/// What there is, as the end of a sentence.
pub fn refuse_bytes(text: &str) -> Result<(), &'static str> {
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
