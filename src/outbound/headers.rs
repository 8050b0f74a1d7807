//! Which headers of a call are for Sidegate, or for the hop to it, and do not travel.
//! Never knows what a connector injects; that is the room `inject`'s.

use http::{HeaderMap, HeaderName};

use crate::http::headers::{folds_to, strip_hop_by_hop};

/// Request headers that stay here: the vendor's documented list, its version and token headers, and Expect, which our own
/// server has already answered.
const KEPT_HERE: [&str; 30] = [
    "host",
    "x-request-id",
    "x-real-ip",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-scheme",
    "x-original-forwarded-for",
    "x-different-name",
    "x-request-start",
    "x-using-nginx-controller",
    "x-amzn-trace-id",
    "forwarded-for-header",
    "proxy-protocol",
    "real-ip-header",
    "real-ip-recursive",
    "cdn-loop",
    "cf-ipcountry",
    "cf-ray",
    "cf-visitor",
    "cf-connecting-ip",
    "connection",
    "authorization",
    "content-length",
    "membrane-api-version",
    "x-membrane-token",
    "x-integration-app-token",
    "expect",
];

/// Our own headers: no caller's copy travels, and no third party may speak for us.
const OURS: &str = "x-sidegate-";

/// Removes what must not travel from a request, in every spelling of its name. Content-Length is written anew from the
/// body.
pub(super) fn keep_here(headers: &mut HeaderMap) {
    strip_hop_by_hop(headers); // first, while Connection still lists what it lists
    remove_where(headers, |name| is_ours(name) || KEPT_HERE.iter().any(|kept| folds_to(name, kept)));
}

/// Removes headers that only Sidegate may set from a third party's response.
pub(super) fn remove_ours(headers: &mut HeaderMap) {
    remove_where(headers, is_ours);
}

fn is_ours(name: &str) -> bool {
    name.get(..OURS.len()).is_some_and(|start| folds_to(start, OURS))
}

fn remove_where(headers: &mut HeaderMap, goes: impl Fn(&str) -> bool) {
    let gone: Vec<HeaderName> = headers.keys().filter(|name| goes(name.as_str())).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(names: &[&str]) -> HeaderMap {
        let value = HeaderValue::from_static("1");
        names.iter().map(|name| (HeaderName::from_bytes(name.as_bytes()).unwrap(), value.clone())).collect()
    }

    fn left(headers: &HeaderMap) -> Vec<&str> {
        headers.keys().map(HeaderName::as_str).collect()
    }

    #[test]
    fn the_documented_headers_stay_here_in_every_spelling() {
        for name in KEPT_HERE {
            for spelling in [name.to_owned(), name.to_uppercase(), name.replace('-', "_")] {
                let mut headers = headers(&[&spelling, "accept"]);
                keep_here(&mut headers);
                assert_eq!(left(&headers), ["accept"], "{spelling}");
            }
        }
    }

    #[test]
    fn control_and_identity_headers_never_travel() {
        let names =
            ["X-Sidegate-Token", "x_sidegate_customer", "X-Sidegate_Connection", "x-sidegate-anything"];
        let mut headers = headers(&names);
        headers.insert("x-sidegates", HeaderValue::from_static("another's"));
        keep_here(&mut headers);
        assert_eq!(left(&headers), ["x-sidegates"]);
    }

    #[test]
    fn what_connection_lists_is_for_one_hop_only() {
        let mut headers = headers(&["x-hop", "te", "accept", "cookie"]);
        headers.insert("connection", HeaderValue::from_static("close, X-Hop"));
        keep_here(&mut headers);
        let mut left = left(&headers);
        left.sort_unstable();
        assert_eq!(left, ["accept", "cookie"]);
    }

    #[test]
    fn a_third_party_cannot_send_headers_of_ours() {
        let mut headers =
            headers(&["x-sidegate-rejection", "X_Sidegate_Refresh", "x-request-id", "set-cookie"]);
        remove_ours(&mut headers);
        let mut left = left(&headers);
        left.sort_unstable();
        assert_eq!(left, ["set-cookie", "x-request-id"]);
    }
}
