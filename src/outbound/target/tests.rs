use super::*;

#[test]
fn the_proxy_prefix_is_taken_off_the_raw_path() {
    let cases = [
        ("/connections/c1/proxy", Some(("c1", ""))),
        ("/connections/c1/proxy/", Some(("c1", "/"))),
        ("/connections/c1/proxy?q=1", Some(("c1", "?q=1"))),
        ("/connections/c1/proxy/crm/v3/owners/", Some(("c1", "/crm/v3/owners/"))),
        ("/connections/c1/proxy//a//b", Some(("c1", "//a//b"))),
        ("/connections/c1/proxy/https://h/x?y", Some(("c1", "/https://h/x?y"))),
        ("/connections/a%2Fb/proxy/x", Some(("a%2Fb", "/x"))),
        ("/connections/proxy/proxy/x", Some(("proxy", "/x"))),
        ("/connections/c1/proxies", None),
        ("/connections/c1/Proxy/x", None),
        ("/connections/c1/%70roxy/x", None),
        ("/connections//proxy/x", None),
        ("/connections/c1?/proxy/x", None),
        ("/connections/c1", None),
        ("/connections/c1/test", None),
        ("/connections/c1/x/proxy", None),
        ("//connections/c1/proxy", None),
        ("/connection/c1/proxy", None),
    ];
    for (text, expected) in cases {
        assert_eq!(proxied(text), expected, "{text}");
    }
}

#[test]
fn a_full_url_is_told_from_a_path_by_its_unencoded_scheme() {
    let url = |text: &str| Requested::Url(text.to_owned());
    let path = |text: &str| Requested::Path(text.to_owned());
    let cases = [
        ("/https://h.example/a?b=c", url("https://h.example/a?b=c")),
        ("/http://h.example", url("http://h.example")),
        ("/HTTPS://h.example", url("HTTPS://h.example")),
        ("/https://", url("https://")),
        ("/https:/h.example", path("/https:/h.example")),
        ("/https%3A//h.example", path("/https%3A//h.example")),
        ("/ftp://h.example", path("/ftp://h.example")),
        ("/a?u=https://h.example", path("/a?u=https://h.example")),
        ("//https://h.example", path("//https://h.example")),
        ("?https://h.example", path("?https://h.example")),
        ("/https", path("/https")),
        ("", path("")),
    ];
    for (rest, expected) in cases {
        assert_eq!(requested(rest), expected, "{rest}");
    }
}

#[test]
fn paths_of_the_api_are_known_by_their_first_segment() {
    for path in ["/self", "/connections", "/connections/c1", "/customers/x", "//connect"] {
        assert!(is_api(path), "{path}");
    }
    for path in ["/hubspot", "/selfish", "/", ""] {
        assert!(!is_api(path), "{path}");
    }
}
