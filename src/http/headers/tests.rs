use super::*;

fn map(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
    }
    headers
}

fn names(headers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_fixed_set_goes() {
    for name in [
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "HTTP2-Settings",
    ] {
        let mut headers = map(&[(name, "x"), (name, "y"), ("accept", "*/*")]);
        strip_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), ["accept"], "{name}");
    }
}

#[test]
fn what_connection_lists_goes_from_every_line_and_in_any_case() {
    let mut headers = map(&[
        ("connection", "close, X-One"),
        ("connection", " ,x-TWO ,, no/name"),
        ("x-one", "1"),
        ("x-two", "2"),
        ("x-two", "again"),
        ("x-three", "3"),
    ]);
    strip_hop_by_hop(&mut headers);
    assert_eq!(names(&headers), ["x-three"]);
}

#[test]
fn connection_cannot_take_host_or_length_away() {
    let mut headers = map(&[("connection", "host, content-length"), ("host", "a"), ("content-length", "1")]);
    strip_hop_by_hop(&mut headers);
    assert_eq!(names(&headers), ["content-length", "host"]);
}

#[test]
fn end_to_end_fields_stay_with_their_duplicates_and_order() {
    let fields =
        [("set-cookie", "a=1"), ("set-cookie", "b=2"), ("trailer", "x-sum"), ("authorization", "Bearer t")];
    let mut headers = map(&fields);
    strip_hop_by_hop(&mut headers);
    assert_eq!(headers, map(&fields));
    assert_eq!(headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
}

#[test]
fn h10_names_fold_over_case_and_whatever_is_not_a_letter_or_digit() {
    for same in ["X-Sidegate-Customer", "x_sidegate_customer", "X-SIDEGATE_customer", "x.sidegate!customer"] {
        assert!(folds_to(same, "x-sidegate-customer"), "{same}");
    }
    for other in ["x-sidegate-custome", "x-sidegate-customers", "xsidegatecustomer", ""] {
        assert!(!folds_to(other, "x-sidegate-customer"), "{other}");
    }
}

#[test]
fn header_text_is_visible_ascii() {
    for (text, expected) in [
        ("plain-Text_1!\"#&'()*+,./:;<=>?@[\\]^`{|}~", "plain-Text_1!\"#&'()*+,./:;<=>?@[\\]^`{|}~"),
        ("", ""),
        ("100%", "100%25"),
        ("Jane Doe", "Jane%20Doe"),
        ("Zoë", "Zo%C3%AB"),
        ("a\r\nX-Admin: 1\0\u{7f}\t", "a%0D%0AX-Admin:%201%00%7F%09"),
    ] {
        assert_eq!(header_text(text), expected);
    }
}
