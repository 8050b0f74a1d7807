//! HTTP/2 requests written as HTTP/1.1 writes them, so that everything behind the listener judges one form.
//! Never repairs anything: what contradicts itself stays as it is, for admission to refuse.

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Uri};

/// `:authority` becomes Host, the target its path and query, and the pieces of a cookie one line (RFC 9113 sections 8.2.3
/// and 8.3.1). Where Host is another than `:authority` both stay. The version stays, too.
#[must_use]
pub fn as_http_1<B>(request: Request<B>) -> Request<B> {
    let (mut head, body) = request.into_parts();
    if names_its_host_once(&head.uri, &mut head.headers) {
        let path = std::mem::take(&mut head.uri).into_parts().path_and_query;
        head.uri = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    }
    join_cookies(&mut head.headers);
    Request::from_parts(head, body)
}

/// Makes `:authority` the Host, unless there is another. CONNECT has no scheme and stays.
fn names_its_host_once(uri: &Uri, headers: &mut HeaderMap) -> bool {
    let (Some("http" | "https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    if let Some(host) = headers.get(header::HOST) {
        return host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes());
    }
    match HeaderValue::from_str(authority.as_str()) {
        Ok(host) => headers.insert(header::HOST, host).is_none(),
        Err(_) => false,
    }
}

fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    if (crumbs.next(), crumbs.next()).1.is_none() {
        return;
    }
    let crumbs: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(cookie) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(header::COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        as_http_1(request.body(()).unwrap())
    }

    #[test]
    fn h32_authority_becomes_host_and_the_target_a_path() {
        for (uri, target) in [
            ("https://a.test/x?y=1", "/x?y=1"),
            ("http://a.test", "/"),
            ("http://a.test/x//../%2e;p?q#", "/x//../%2e;p?q"),
        ] {
            for headers in [&[][..], &[("host", "A.test")]] {
                let request = read(uri, headers);
                assert_eq!(request.uri().to_string(), target);
                assert!(request.headers()["host"].as_bytes().eq_ignore_ascii_case(b"a.test"));
            }
        }
    }

    #[test]
    fn h32_what_contradicts_itself_stays_for_admission() {
        for (uri, host) in [("http://a.test/", "b.test"), ("http://a.test:81/", "a.test")] {
            assert_eq!(read(uri, &[("host", host)]).uri().to_string(), uri);
        }
        assert_eq!(read("ftp://a.test/", &[]).uri().scheme_str(), Some("ftp"));
        assert!(!read("/", &[]).headers().contains_key("host"));
    }

    #[test]
    fn h32_cookie_crumbs_are_one_cookie() {
        let request = read("/", &[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3"), ("cookie", "d")]);
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3; d"]);
        assert_eq!(read("/", &[("cookie", "a=1")]).headers()["cookie"], "a=1");
    }
}
