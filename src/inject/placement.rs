//! The three places a credential goes to: a header, a query parameter, basic authentication.
//! Never knows which credential it places, or why.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::InjectError;
use crate::http::headers::folds_to;
use crate::http::pool::Origin;
use crate::secret::Secret;

/// Headers that belong to the message and its way, not to the connector.
const RESERVED: [HeaderName; 7] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, UPGRADE, TE, TRAILER];

/// All but the unreserved characters of RFC 3986 section 2.3.
pub(crate) const NOT_UNRESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Removes each header that a server may take for one of `names`: any case, `-` and `_` alike (inbound attack H36).
pub(super) fn remove_variants(headers: &mut HeaderMap, names: &[HeaderName]) {
    let variants: Vec<HeaderName> = headers
        .keys()
        .filter(|sent| names.iter().any(|name| folds_to(sent.as_str(), name.as_str())))
        .cloned()
        .collect();
    for variant in variants {
        headers.remove(variant);
    }
}

/// Replaces the caller's headers of these names with ours. A name that comes twice keeps both of our values.
pub(super) fn put_headers(
    headers: &mut HeaderMap,
    ours: &[(HeaderName, Secret<String>)],
) -> Result<(), InjectError> {
    for (name, _) in ours {
        if RESERVED.iter().any(|reserved| folds_to(name.as_str(), reserved.as_str())) {
            return Err(InjectError::ReservedHeader(name.clone()));
        }
        remove_variants(headers, std::slice::from_ref(name));
    }
    for (name, value) in ours {
        headers.append(name, sensitive(name, value.expose())?);
    }
    Ok(())
}

/// `Basic` and the base64 of `username:password`, both as UTF-8 (RFC 7617).
pub(super) fn basic(username: &str, password: &Secret<String>) -> Result<HeaderValue, InjectError> {
    if username.contains(':') {
        return Err(InjectError::ColonInUsername);
    }
    let pair = Zeroizing::new(format!("{username}:{}", password.expose()));
    let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    sensitive(&AUTHORIZATION, &value)
}

/// The Host field for an origin: the port only where it is not the scheme's own (RFC 9110 section 7.2).
pub(super) fn host(origin: &Origin) -> Result<HeaderValue, InjectError> {
    let text = match origin {
        Origin::Unix(_) => String::from("localhost"),
        Origin::Tcp { host, port, tls } => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
            let default_port = if *tls { 443 } else { 80 };
            if *port == default_port { host } else { format!("{host}:{port}") }
        }
    };
    HeaderValue::try_from(text).map_err(|_| InjectError::HeaderValue { name: HOST })
}

/// Appends our parameters after removing the caller's of the same decoded names. Every other byte stays where it is;
/// without parameters of ours nothing is touched.
pub(super) fn put_query(path_and_query: String, ours: &[(String, Secret<String>)]) -> String {
    if ours.is_empty() {
        return path_and_query;
    }
    let mut target =
        without_parameters(path_and_query, |name| ours.iter().any(|(it, _)| it.as_bytes() == name));
    if !target.contains('?') {
        target.push('?');
    }
    for (name, value) in ours {
        if !target.ends_with(['?', '&']) {
            target.push('&');
        }
        target.extend(utf8_percent_encode(name, NOT_UNRESERVED));
        target.push('=');
        target.extend(utf8_percent_encode(value.expose(), NOT_UNRESERVED));
    }
    target
}

/// The target without the parameters whose decoded names are `refused`. Every other byte stays where it is.
pub(super) fn without_parameters(path_and_query: String, refused: impl Fn(&[u8]) -> bool) -> String {
    let Some((path, query)) = path_and_query.split_once('?') else { return path_and_query };
    let kept: Vec<&str> = query.split('&').filter(|parameter| !refused(&decoded_name(parameter))).collect();
    format!("{path}?{}", kept.join("&"))
}

/// A parameter's name as a server reads it: up to the first `=`, `+` is a blank, then percent-decoded.
fn decoded_name(parameter: &str) -> Vec<u8> {
    let name = parameter.split('=').next().unwrap_or(parameter).replace('+', " ");
    percent_decode_str(&name).collect()
}

pub(super) fn sensitive(name: &HeaderName, value: &str) -> Result<HeaderValue, InjectError> {
    let refused = || InjectError::HeaderValue { name: name.clone() };
    let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
    if !value.as_bytes().is_ascii() {
        return Err(refused());
    }
    value.set_sensitive(true);
    Ok(value)
}
