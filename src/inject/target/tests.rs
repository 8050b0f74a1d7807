use super::*;
use crate::connector::HostPattern;

const HTTPS_ONLY: Egress = Egress { allow_private: false, allow_plain: false };
const PLAIN_TOO: Egress = Egress { allow_private: false, allow_plain: true };

fn of_base() -> Allowed<'static> {
    Allowed { hosts: &Hosts::OfBaseUri, pinned_origin: None, egress: HTTPS_ONLY }
}

fn locate(base_uri: &str, requested: &Requested, allowed: &Allowed<'_>) -> Result<Target, TargetError> {
    super::locate(&Base::parse(base_uri)?, requested, allowed)
}

fn path(text: &str) -> Requested {
    Requested::Path(text.to_owned())
}

fn url(text: &str) -> Requested {
    Requested::Url(text.to_owned())
}

fn joined(base: &str, requested: &Requested) -> String {
    locate(base, requested, &of_base()).unwrap().path_and_query
}

/// The paths that the vendor's SDK was seen to send after `/proxy`, then the corners between base and rest.
#[test]
fn a_path_is_joined_byte_for_byte() {
    let cases = [
        ("https://h.example", "/crm/v3/owners/", "/crm/v3/owners/"),
        ("https://h.example", "/crm/v3/owners?limit=1&x=a%20b", "/crm/v3/owners?limit=1&x=a%20b"),
        ("https://h.example", "/a//b", "/a//b"),
        ("https://h.example", "//a//b", "//a//b"),
        ("https://h.example", "", "/"),
        ("https://h.example", "?q=1", "/?q=1"),
        ("https://h.example/", "", "/"),
        ("https://h.example/", "/a", "/a"),
        ("https://h.example/", "?q=1", "/?q=1"),
        ("https://h.example/v3", "", "/v3"),
        ("https://h.example/v3", "?q=1", "/v3?q=1"),
        ("https://h.example/v3", "/", "/v3/"),
        ("https://h.example/v3", "/a", "/v3/a"),
        ("https://h.example/v3", "//a", "/v3//a"),
        ("https://h.example/v3/", "/a", "/v3/a"),
        ("https://h.example/v3/", "//a", "/v3//a"),
        ("https://h.example/v3/", "", "/v3/"),
        ("https://h.example/v3//", "/a", "/v3//a"),
        ("https://h.example/v3", "a", "/v3/a"),
        ("https://h.example", "a", "/a"),
        ("https://h.example", "/%2F%2f%7E%7e;p=1/./b+c", "/%2F%2f%7E%7e;p=1/./b+c"),
        ("https://h.example", "/a?x=/../y&z=..", "/a?x=/../y&z=.."),
        ("https://h.example", "/a?b?c=%zz", "/a?b?c=%zz"),
        ("https://h.example", "/...", "/..."),
        ("https://h.example", "/a..b/..c", "/a..b/..c"),
        ("https://h.example", "/https:/evil.example/", "/https:/evil.example/"),
        ("https://h.example", "/https%3A%2F%2Fevil.example/", "/https%3A%2F%2Fevil.example/"),
        ("https://h.example", "/@evil.example/", "/@evil.example/"),
        ("https://h.example", "//evil.example/", "//evil.example/"),
    ];
    for (base, rest, expected) in cases {
        let target = locate(base, &path(rest), &of_base()).unwrap();
        assert_eq!(target.path_and_query, expected, "{base} and {rest}");
        assert_eq!(target.origin, Origin::Tcp { host: Arc::from("h.example"), port: 443, tls: true });
    }
}

#[test]
fn a_full_url_on_the_same_host_replaces_the_base_path() {
    let base = "https://h.example/v3";
    assert_eq!(joined(base, &url("https://h.example/crm/v3/owners?limit=1")), "/crm/v3/owners?limit=1");
    assert_eq!(joined(base, &url("HTTPS://H.Example:443//a//")), "//a//");
    assert_eq!(joined(base, &url("https://h.example")), "/");
    assert_eq!(joined(base, &url("https://h.example?q=1")), "/?q=1");
}

#[test]
fn a_path_that_climbs_is_refused_in_every_spelling() {
    let climbing = [
        "/..",
        "/../",
        "/a/..",
        "/a/../b",
        "..",
        "../a",
        "/%2e%2e/a",
        "/%2E%2e",
        "/.%2e/",
        "/%2e./",
        "/a%2f..%2fb",
        "/a%2F%2e%2E%2Fb",
        "/..%2f",
        "/..%5c",
        "/a%5c..",
        "/..;/a",
        "/..;x=1/a",
        "/%2e%2e%3b/a",
    ];
    for rest in climbing {
        for base in ["https://h.example", "https://h.example/v3"] {
            let error = locate(base, &path(rest), &of_base()).unwrap_err();
            assert!(matches!(error, TargetError::Malformed(_)), "{rest}: {error:?}");
        }
        if rest.starts_with('/') {
            let full = url(&format!("https://h.example{rest}"));
            assert!(matches!(locate("https://h.example", &full, &of_base()), Err(TargetError::Malformed(_))));
        }
    }
}

/// Each must be refused whatever `hosts` says: here it says the very host that a lenient parser would find.
#[test]
fn hostile_urls_are_refused() {
    let hostile = [
        // user information
        "https://user@h.example/",
        "https://user:pw@h.example/",
        "https://@h.example/",
        "https://:@h.example/",
        "https://evil.example@h.example/",
        "https://h.example@evil.example/",
        "https://h.example:443@evil.example/",
        "https://h.example%40evil.example/",
        "https://a@b@h.example/",
        // backslashes
        "https:\\\\h.example/",
        "https://h.example\\evil.example/",
        "https:/\\h.example/",
        "https://evil.example\\@h.example/",
        "https://h.example/\\evil",
        "https://\\h.example/",
        "https://h.example\\.evil.example/",
        // blanks and control characters
        "https://h.example /",
        " https://h.example/",
        "https://h.example/ ",
        "https://h\t.example/",
        "ht\ttps://h.example/",
        "https://h.example/\r\nx: y",
        "https://h.example\n/",
        "https://h.example/\0",
        "https://h.\x7fexample/",
        "\x01https://h.example/",
        "https://h.example/a\tb",
        // fragments
        "https://h.example/#",
        "https://h.example#@evil.example/",
        "https://evil.example#.h.example/",
        "https://h.example/a#b",
        // other scripts, and what normalizes to ASCII
        "https://h.exämple/",
        "https://ⓗ.example/",
        "https://h。example/",
        "https://h\u{200b}.example/",
        "https://h.example\u{ff0f}evil.example/",
        "https://h.example/ü",
        "https://\u{ff48}.example/",
        "https://h\u{ad}.example/",
        // trailing and empty labels
        "https://h.example./",
        "https://.h.example/",
        "https://h..example/",
        "https://./",
        "https://h.example..",
        // percent-encoding in the host
        "https://h%2eexample/",
        "https://%68.example/",
        "https://h.example%2f.evil.example/",
        "https://h.example%00/",
        "https://h.example%23.evil.example/",
        "https://h.example%5c.evil.example/",
        // numbers that some parsers read as addresses
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.01/",
        "https://127.0.1/",
        "https://0/",
        "https://1.2.3.4.5/",
        "https://256.1.1.1/",
        "https://127.0.0.1./",
        "https://127.0.0.0x1/",
        "https://h.0x1/",
        "https://h.1/",
        "https://0x/",
        // IPv6 oddities
        "https://[::1/",
        "https://::1/",
        "https://[::1]evil/",
        "https://[::1]:/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[h.example]/",
        "https://[]/",
        "https://[v1.a]/",
        "https://[127.0.0.1]/",
        "https://[[::1]]/",
        // ports
        "https://h.example:/",
        "https://h.example:0/",
        "https://h.example:0443/",
        "https://h.example:+443/",
        "https://h.example:65536/",
        "https://h.example:443:443/",
        "https://h.example:44 3/",
        "https://h.example:4a/",
        "https://h.example:-1/",
        "https://h.example:99999999999/",
        // schemes
        "ftp://h.example/",
        "file:///etc/passwd",
        "//h.example/",
        "h.example/",
        "https:h.example/",
        "https:/h.example/",
        "https:///h.example/",
        "https://",
        "://h.example/",
        "javascript://h.example/",
        "ws://h.example/",
        "https+unix://h.example/",
        "https ://h.example/",
        "view-source:https://h.example/",
        // labels
        "https://-h.example/",
        "https://h-.example/",
        "https://h!.example/",
        "https://h,example/",
        "https://h*.example/",
        "https://$(h).example/",
        "https://h'.example/",
        "https://{h}.example/",
        "https://xn--/",
        "https://h;.example/",
        "https://?h.example/",
        "https://h&.example/",
        "https://<h>.example/",
        "https://h|.example/",
    ];
    for text in hostile {
        let error = locate("https://h.example", &url(text), &of_base()).unwrap_err();
        assert!(matches!(error, TargetError::Malformed(_)), "{text:?}: {error:?}");
    }
    let (label, name) = ("a".repeat(64), ["a"; 127].join("."));
    for host in [label, format!("{name}.b")] {
        let error = locate("https://h.example", &url(&format!("https://{host}/")), &of_base()).unwrap_err();
        assert!(matches!(error, TargetError::Malformed(_)), "{host}");
    }
}

#[test]
fn the_same_bytes_in_a_base_uri_are_the_connectors_fault() {
    let bad = [
        "",
        "h.example",
        "https://u@h.example",
        "https://h.example\\x",
        "https://h.example./",
        "https://h.example/?a=1",
    ];
    for base in bad {
        let error = locate(base, &path("/a"), &of_base()).unwrap_err();
        assert!(matches!(error, TargetError::BaseUri(_)), "{base:?}: {error:?}");
    }
}

#[test]
fn another_host_scheme_or_port_is_not_admitted() {
    let elsewhere = [
        ("https://evil.example/", "https://evil.example:443"),
        ("https://h.example.evil.example/", "https://h.example.evil.example:443"),
        ("https://sub.h.example/", "https://sub.h.example:443"),
        ("https://h.example:8443/", "https://h.example:8443"),
        ("https://h.example:80/", "https://h.example:80"),
        ("http://h.example/", "http://h.example:80"),
        ("http://h.example:443/", "http://h.example:443"),
        ("https://127.0.0.1/", "https://127.0.0.1:443"),
        ("https://[::1]/", "https://[::1]:443"),
        ("https://169.254.169.254/latest/meta-data/", "https://169.254.169.254:443"),
        ("https://xn--h-zfa.example/", "https://xn--h-zfa.example:443"),
        ("https://h_example/", "https://h_example:443"),
    ];
    for (text, named) in elsewhere {
        match locate("https://h.example", &url(text), &Allowed { egress: PLAIN_TOO, ..of_base() }) {
            Err(TargetError::NotAllowed { origin }) => assert_eq!(origin, named),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn listed_hosts_are_admitted_and_the_base_uri_has_no_special_right() {
    let patterns =
        ["a.example", "*.b.example", "c.example:8443"].map(|text| HostPattern::parse(text).unwrap());
    let hosts = Hosts::Listed(patterns.to_vec());
    let allowed = Allowed { hosts: &hosts, ..of_base() };
    let at = |text: &str| locate("https://a.example/v1", &url(text), &allowed);
    for text in
        ["https://a.example/", "https://x.b.example/", "https://x.y.b.example/", "https://c.example:8443/"]
    {
        assert!(at(text).is_ok(), "{text}");
    }
    for text in ["https://b.example/", "https://xb.example/", "https://c.example/", "https://a.example:8443/"]
    {
        assert!(matches!(at(text), Err(TargetError::NotAllowed { .. })), "{text}");
    }
    let base_elsewhere = locate("https://d.example", &path("/"), &allowed);
    assert!(matches!(base_elsewhere, Err(TargetError::NotAllowed { .. })));
}

#[test]
fn plain_http_needs_its_door_open() {
    let base = "http://h.example:8080/v1";
    assert!(matches!(locate(base, &path("/a"), &of_base()), Err(TargetError::Plain { .. })));
    let target = locate(base, &path("/a"), &Allowed { egress: PLAIN_TOO, ..of_base() }).unwrap();
    assert_eq!(target.origin, Origin::Tcp { host: Arc::from("h.example"), port: 8080, tls: false });
    assert_eq!(target.path_and_query, "/v1/a");
}

#[test]
fn an_address_is_a_host_like_any_other_and_the_guard_decides_later() {
    for (base, host) in [("https://[2001:DB8::0:1]", "2001:db8::1"), ("https://192.0.2.7", "192.0.2.7")] {
        let target = locate(base, &path("/"), &of_base()).unwrap();
        assert_eq!(target.origin, Origin::Tcp { host: Arc::from(host), port: 443, tls: true });
    }
}

#[test]
fn the_pinned_origin_is_the_only_one_where_hosts_says_connection() {
    let allowed = |origin| Allowed { hosts: &Hosts::Connection, pinned_origin: origin, egress: HTTPS_ONLY };
    let base = "https://acme.example/api";
    assert!(locate(base, &path("/a"), &allowed(Some("https://acme.example"))).is_ok());
    let moved = locate(base, &path("/a"), &allowed(Some("https://other.example")));
    assert!(matches!(moved, Err(TargetError::NotAllowed { .. })));
    assert!(matches!(locate(base, &path("/a"), &allowed(None)), Err(TargetError::NoPinnedOrigin)));
    let unusable = locate(base, &path("/a"), &allowed(Some("acme.example")));
    assert!(matches!(unusable, Err(TargetError::NotAllowed { .. })));
}
