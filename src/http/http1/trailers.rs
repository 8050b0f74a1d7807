//! Which fields may stand behind a body (RFC 9110 section 6.5.1).
//! Never lets through what could pass for a header: some servers merge the two.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::http::headers::folds_to;

/// What frames, routes, authenticates or describes a message, and what proxies and Sidegate say in headers.
const FORBIDDEN: [&str; 44] = [
    "authorization",
    "authentication-info",
    "age",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "x-forwarded",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-uri",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
];

/// Names that are forbidden with all that begins so.
const FORBIDDEN_FAMILIES: [&str; 4] = ["access-control-", "if-", "x-forwarded-", "x-sidegate-"];

/// Removes what a trailer must not be: the fixed names, and those in `private`, however they are spelled.
pub(in crate::http) fn keep_harmless(trailers: &mut HeaderMap, private: &[HeaderName]) {
    let is_harmful = |name: &&HeaderName| is_harmful(name.as_str(), private);
    let harmful: Vec<HeaderName> = trailers.keys().filter(is_harmful).cloned().collect();
    for name in harmful {
        trailers.remove(name);
    }
}

/// What a Trailer field announces, without what is not going to come; none if nothing is left.
pub(in crate::http) fn announced(value: &HeaderValue, private: &[HeaderName]) -> Option<HeaderValue> {
    let names = value.to_str().ok()?.split(',').map(str::trim);
    let kept: Vec<_> = names.filter(|name| !name.is_empty() && !is_harmful(name, private)).collect();
    if kept.is_empty() { None } else { HeaderValue::try_from(kept.join(", ")).ok() }
}

/// Leaves of what the Trailer fields announce only what may come.
pub(in crate::http) fn announce_harmless(headers: &mut HeaderMap, private: &[HeaderName]) {
    if !headers.contains_key(header::TRAILER) {
        return;
    }
    if let header::Entry::Occupied(mut field) = headers.entry(header::TRAILER) {
        let kept: Vec<_> = field.iter().filter_map(|value| announced(value, private)).collect();
        let mut kept = kept.into_iter();
        match kept.next() {
            Some(first) => {
                field.insert(first);
                kept.for_each(|more| field.append(more));
            }
            None => {
                field.remove();
            }
        }
    }
}

fn is_harmful(name: &str, private: &[HeaderName]) -> bool {
    FORBIDDEN.iter().any(|other| folds_to(name, other))
        || FORBIDDEN_FAMILIES
            .iter()
            .any(|family| name.get(..family.len()).is_some_and(|start| folds_to(start, family)))
        || private.iter().any(|other| folds_to(name, other.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h12_what_could_pass_for_a_header_is_no_trailer() {
        let harmful = [
            "Authorization",
            "transfer-encoding",
            "Content-Length",
            "host",
            "cookie",
            "set-cookie",
            "TE",
            "x-sidegate-admin",
            "X_Sidegate_Admin",
            "x-forwarded-for",
            "X-Forwarded",
            "x_http_method",
            "x-original-uri",
            "if-match",
            "x-user",
            "x_user",
        ];
        let mut trailers = HeaderMap::new();
        for name in harmful.into_iter().chain(["grpc-status", "server-timing", "x-checksum"]) {
            trailers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), "1".parse().unwrap());
        }
        keep_harmless(&mut trailers, &[HeaderName::from_static("x-user")]);
        let mut left: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["grpc-status", "server-timing", "x-checksum"]);
    }

    #[test]
    fn h12_nothing_is_announced_that_does_not_come() {
        let mut headers = HeaderMap::new();
        for names in ["Authorization", "X-Sum, Content-Length,, x-user", "X_Sidegate_Admin", "grpc-status"] {
            headers.append("trailer", names.parse().unwrap());
        }
        announce_harmless(&mut headers, &[HeaderName::from_static("x-user")]);
        let left: Vec<_> = headers.get_all("trailer").iter().collect();
        assert_eq!(left, ["X-Sum", "grpc-status"]);
        headers.insert("trailer", "host".parse().unwrap());
        announce_harmless(&mut headers, &[]);
        assert!(headers.is_empty());
    }
}
