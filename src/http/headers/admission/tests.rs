use http::Request;

use super::*;

fn head(method: &str, target: &str, fields: &[(&str, &[u8])]) -> Parts {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in fields {
        request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    request.body(()).unwrap().into_parts().0
}

fn with_host(method: &str, target: &str) -> Result<(), Malformed> {
    admit(&head(method, target, &[("host", b"orders.example.com")]))
}

fn with_fields(fields: &[(&str, &[u8])]) -> Result<(), Malformed> {
    admit(&head("GET", "/", fields))
}

fn with_path(path: &[u8]) -> Result<(), Malformed> {
    let mut head = head("GET", "/", &[("host", b"a")]);
    head.uri = Uri::from_maybe_shared(bytes::Bytes::copy_from_slice(path)).unwrap();
    admit(&head)
}

#[test]
fn ordinary_requests_are_admitted() {
    for target in [
        "/",
        "/a/b?c=d%2Fe",
        "/a//b",
        "/a;v=1/b",
        "/caf%C3%A9",
        "/.well-known/x",
        "/...",
        "/a.b/..c",
        "/?q=100%",
    ] {
        assert_eq!(with_host("GET", target), Ok(()), "{target}");
    }
    assert_eq!(with_host("OPTIONS", "*"), Ok(()));
}

#[test]
fn h1_exactly_one_wellformed_host() {
    assert_eq!(with_fields(&[]), Err(Malformed::HostMissing));
    assert_eq!(with_fields(&[("host", b"a"), ("host", b"a")]), Err(Malformed::HostRepeated));
    for good in ["a", "a:80", "a_b.example.com:65535", "a.b.:80", "127.0.0.1:8080", "[::1]", "[::1]:8080"] {
        assert_eq!(with_fields(&[("host", good.as_bytes())]), Ok(()), "{good}");
    }
    for bad in [
        "",
        " ",
        "a b",
        "a/b",
        "user@a",
        "a,b",
        "a:",
        "a:x",
        "a:+1",
        "a:65536",
        "a:1:2",
        "[::1",
        "::1",
        "[::1]x",
        "[::1%eth0]",
        "a\"",
        "%61",
        ":80",
        "[]",
        "a..b",
        ".a",
        ".",
        "a..",
    ] {
        assert_eq!(with_fields(&[("host", bad.as_bytes())]), Err(Malformed::HostInvalid), "{bad:?}");
    }
    assert_eq!(with_fields(&[("host", b"\xe4")]), Err(Malformed::HostInvalid));
}

#[test]
fn h2_an_absolute_target_must_agree_with_host() {
    let absolute = |target, host: &str| admit(&head("GET", target, &[("host", host.as_bytes())]));
    assert_eq!(absolute("http://a:80/x", "A:80"), Ok(()));
    assert_eq!(absolute("http://a/x", "b"), Err(Malformed::HostMismatch));
    assert_eq!(absolute("http://a/x", "a:80"), Err(Malformed::HostMismatch));
    assert_eq!(absolute("http://user@a/x", "user@a"), Err(Malformed::HostInvalid));
    assert_eq!(absolute("ftp://a/x", "a"), Err(Malformed::TargetForm));
    assert_eq!(admit(&head("GET", "http://a/x", &[])), Err(Malformed::HostMissing));
    let named = head("GET", "http://a/x", &[("host", b"A")]);
    assert_eq!(host(&named), Some("a"));
    assert_eq!(host(&head("GET", "/x", &[("host", b"b:1")])), Some("b:1"));
}

#[test]
fn h3_targets_of_other_forms_are_refused() {
    assert_eq!(with_host("CONNECT", "a:443"), Err(Malformed::Connect));
    assert_eq!(with_host("CONNECT", "/"), Err(Malformed::Connect));
    assert_eq!(with_host("GET", "a:443"), Err(Malformed::TargetForm));
    assert_eq!(with_host("GET", "a"), Err(Malformed::TargetForm));
    assert_eq!(with_host("GET", "*"), Err(Malformed::TargetForm));
}

#[test]
fn h5_paths_that_parsers_read_differently_are_refused() {
    for (path, expected) in [
        (&b"/a%00"[..], Malformed::PathNul),
        (b"/a%", Malformed::PathPercent),
        (b"/a%2", Malformed::PathPercent),
        (b"/a%zz", Malformed::PathPercent),
        (b"/a%2g/b", Malformed::PathPercent),
        (b"/a\\b", Malformed::PathBackslash),
        (b"/a%5cb", Malformed::PathBackslash),
        (b"/a%5Cb", Malformed::PathBackslash),
        (b"/a%2fb", Malformed::PathEncodedSlash),
        (b"/a%2Fb", Malformed::PathEncodedSlash),
        ("/é".as_bytes(), Malformed::TargetNotAscii),
        ("/?é".as_bytes(), Malformed::TargetNotAscii),
        (b"/.", Malformed::PathDotSegment),
        (b"/..", Malformed::PathDotSegment),
        (b"/a/../b", Malformed::PathDotSegment),
        (b"/a/./b", Malformed::PathDotSegment),
        (b"/a/..?b", Malformed::PathDotSegment),
        (b"/%2e", Malformed::PathDotSegment),
        (b"/a/%2E%2e/b", Malformed::PathDotSegment),
        (b"/a/.%2e/b", Malformed::PathDotSegment),
        (b"/a/%2e./b", Malformed::PathDotSegment),
        (b"/a/..;x=1/b", Malformed::PathDotSegment),
        (b"/a/.;/b", Malformed::PathDotSegment),
        (b"/a/..%3b/b", Malformed::PathDotSegment),
        (b"/a/%2e%3Bx", Malformed::PathDotSegment),
    ] {
        assert_eq!(with_path(path), Err(expected), "{}", String::from_utf8_lossy(path));
    }
}

#[test]
fn h17_a_target_has_8_kib_and_no_more() {
    let target = |length: usize| format!("/?{}", "x".repeat(length - 2));
    assert_eq!(with_path(target(MAX_TARGET).as_bytes()), Ok(()));
    assert_eq!(with_path(target(MAX_TARGET + 1).as_bytes()), Err(Malformed::TargetTooLong));
}

#[test]
fn h6_transfer_encoding_is_one_chunked_or_absent() {
    let encodings = |values: &[&'static str]| {
        let mut fields: Vec<(&str, &[u8])> = vec![("host", b"a")];
        fields.extend(values.iter().map(|value| ("transfer-encoding", value.as_bytes())));
        with_fields(&fields)
    };
    assert_eq!(encodings(&["chunked"]), Ok(()));
    for bad in
        [&["gzip, chunked"][..], &["chunked", "chunked"], &[",chunked"], &["identity"], &[""], &["xchunked"]]
    {
        assert_eq!(encodings(bad), Err(Malformed::TransferEncoding), "{bad:?}");
    }
}

#[test]
fn h8_content_length_is_one_plain_number_or_absent() {
    for good in ["0", "5", "1234567890"] {
        assert_eq!(with_fields(&[("host", b"a"), ("content-length", good.as_bytes())]), Ok(()), "{good}");
    }
    for bad in ["05", "+5", "-1", "5, 5", "", "0x5", "5 5", "00", "18446744073709551616"] {
        let fields: [(&str, &[u8]); 2] = [("host", b"a"), ("content-length", bad.as_bytes())];
        assert_eq!(with_fields(&fields), Err(Malformed::ContentLength), "{bad}");
    }
    let twice: [(&str, &[u8]); 3] = [("host", b"a"), ("content-length", b"5"), ("content-length", b"5")];
    assert_eq!(with_fields(&twice), Err(Malformed::ContentLength));
}

#[test]
fn in_http_2_the_target_alone_names_the_host() {
    let mut head = head("GET", "https://a/x", &[]);
    head.version = Version::HTTP_2;
    assert_eq!(admit(&head), Ok(()));
}

#[test]
fn every_code_is_its_own() {
    use Malformed::*;
    let all = [
        HostMissing,
        HostRepeated,
        HostInvalid,
        HostMismatch,
        TargetForm,
        TargetTooLong,
        Connect,
        PathNul,
        PathPercent,
        TargetNotAscii,
        PathBackslash,
        PathEncodedSlash,
        PathDotSegment,
        TransferEncoding,
        ContentLength,
    ];
    let codes: std::collections::HashSet<_> = all.iter().map(|malformed| malformed.code()).collect();
    assert_eq!(codes.len(), all.len());
}

#[test]
fn h32_a_name_of_http_2_is_a_token() {
    let mut odd = head("GET", "/", &[("host", b"a.test")]);
    odd.version = Version::HTTP_2;
    assert_eq!(admit(&odd), Ok(()));
    let name = header::HeaderName::from_lowercase(b"\"x").expect("what h2 reads names with takes it");
    odd.headers.insert(name, HeaderValue::from_static("1"));
    assert_eq!(admit(&odd), Err(Malformed::HeaderName));
}

#[test]
fn h19_a_method_in_small_letters_is_refused() {
    for method in ["get", "Post", "pATCH"] {
        assert_eq!(with_host(method, "/"), Err(Malformed::MethodCase), "{method}");
    }
    assert_eq!(with_host("M-SEARCH", "/"), Ok(()));
}
