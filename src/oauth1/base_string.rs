//! The text that a signature is made of: method, address and every parameter in one order (RFC 5849 section 3.4.1).
//! Never sees a secret.

use super::Request;
use super::encoding::{encoded, pairs};

/// RFC 5849 section 3.4.1.1. `protocol`: the parameters of `Authorization`, without realm and signature.
pub(super) fn base_string(request: &Request<'_>, protocol: &[(&str, &str)]) -> String {
    let (path, query) = request.path_and_query.split_once('?').unwrap_or((request.path_and_query, ""));
    let method = request.method.to_ascii_uppercase();
    let parameters = parameters(query.as_bytes(), request.form, protocol);
    format!("{method}&{}&{}", encoded(base_uri(request, path).as_bytes()), encoded(parameters.as_bytes()))
}

/// Section 3.4.1.2: the port only where it is not the scheme's own.
fn base_uri(request: &Request<'_>, path: &str) -> String {
    let Request { https, port, .. } = *request;
    let (scheme, usual) = if https { ("https", 443) } else { ("http", 80) };
    let host = request.host.to_ascii_lowercase();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let port = if port == usual { String::new() } else { format!(":{port}") };
    format!("{scheme}://{host}{port}{path}")
}

/// Section 3.4.1.3: encoded first, then sorted by name and value.
fn parameters(query: &[u8], form: &[u8], protocol: &[(&str, &str)]) -> String {
    let both = |name: &[u8], value: &[u8]| (encoded(name).to_string(), encoded(value).to_string());
    let mut parameters: Vec<_> =
        pairs(query).chain(pairs(form)).map(|(name, value)| both(&name, &value)).collect();
    parameters.extend(protocol.iter().map(|(name, value)| both(name.as_bytes(), value.as_bytes())));
    parameters.sort_unstable();
    let pairs: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}
