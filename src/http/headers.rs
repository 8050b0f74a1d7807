//! skeleton
use http::HeaderMap;
/// Removes hop-by-hop fields: the fixed set (RFC 9110 section 7.6.1) and those that Connection lists.
pub fn strip_hop_by_hop(_headers: &mut HeaderMap) { unimplemented!() }
/// Whether `name` folds to `managed` when case, `-` and `_` are not told apart.
pub fn folds_to(_name: &str, _managed: &str) -> bool { unimplemented!() }
/// Header text: visible ASCII as it is, everything else (and `%`) percent-encoded.
pub fn header_text(_text: &str) -> http::HeaderValue { unimplemented!() }
