use super::*;

const MEMBRANE: &str = "x-membrane-token";
const OLDER: &str = "x-integration-app-token";

fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()))
        .collect()
}

/// The token, `none`, or the code of the rejection.
fn read_from(pairs: &[(&'static str, &[u8])], listed: &[&'static str]) -> String {
    let listed: Vec<_> = listed.iter().map(|name| HeaderName::from_static(name)).collect();
    match read(&headers(pairs), &listed) {
        Ok(token) => token.unwrap_or("none").to_owned(),
        Err(rejection) => rejection.code().to_owned(),
    }
}

fn by_default(pairs: &[(&'static str, &[u8])]) -> String {
    read_from(pairs, &[MEMBRANE, OLDER])
}

fn from_authorization(value: &[u8]) -> String {
    read_from(&[("authorization", value)], &["authorization"])
}

#[test]
fn a_token_is_found_in_any_listed_header_and_in_no_other() {
    assert_eq!(by_default(&[(MEMBRANE, b"a.b.c")]), "a.b.c");
    assert_eq!(by_default(&[(OLDER, b"a.b.c")]), "a.b.c");
    assert_eq!(by_default(&[(MEMBRANE, b"a.b.c"), (OLDER, b"a.b.c")]), "a.b.c");
    assert_eq!(by_default(&[("authorization", b"Bearer a.b.c"), ("x-token", b"a.b.c")]), "none");
    assert_eq!(by_default(&[]), "none");
}

#[test]
fn t30_tokens_that_disagree_are_refused() {
    for pairs in [
        [(MEMBRANE, &b"a.b.c"[..]), (OLDER, b"a.b.d")],
        [(MEMBRANE, b"a.b.c"), (OLDER, b"")],
        [(OLDER, b"a.b.c"), (OLDER, b"a.b.c")],
        [(OLDER, b"a.b.c"), (OLDER, b"a.b.d")],
    ] {
        assert_eq!(by_default(&pairs), "token_headers_disagree", "{pairs:?}");
    }
    assert_eq!(by_default(&[(OLDER, b"a.b.c, a.b.c")]), "token_headers_disagree");
    let both = [("authorization", &b"Bearer a.b.d"[..]), (OLDER, b"a.b.c")];
    assert_eq!(read_from(&both, &[OLDER, "authorization"]), "token_headers_disagree");
    assert_eq!(read_from(&both, &[OLDER]), "a.b.c");
    let repeated = [("authorization", &b"Basic eA=="[..]), ("authorization", b"Bearer a.b.c")];
    assert_eq!(read_from(&repeated, &["authorization"]), "token_headers_disagree");
}

#[test]
fn t31_only_a_three_part_bearer_counts_in_authorization() {
    for value in ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer a.b.c=="] {
        assert_eq!(from_authorization(value.as_bytes()), value[7..], "{value}");
    }
    for value in [
        "a.b.c",
        "Bearer",
        "Bearer ",
        "Bearer  a.b.c",
        "Bearer\ta.b.c",
        "BearerX a.b.c",
        "XBearer a.b.c",
        "Bearer a.b.c,",
        "Bearer \"a.b.c\"",
        "Bearer a.b.c d",
        "Bearer a.b",
        "Bearer a.b.c.d.e",
        "Basic a.b.c",
        "Bearer opaque",
        "Bearer =a.b.c",
        "Bearer a.=b.c",
    ] {
        assert_eq!(from_authorization(value.as_bytes()), "none", "{value}");
    }
}

#[test]
fn h11_text_that_cannot_be_a_token_is_refused() {
    for value in [&b"a.b.\xe9"[..], b"a.b.c d", b"a.b.\tc", b"Bearer a.b.c", "a.b.\u{e9}".as_bytes()] {
        assert_eq!(by_default(&[(OLDER, value)]), "invalid_token", "{value:?}");
    }
    assert_eq!(by_default(&[(OLDER, b"")]), "", "an empty token is for the verifier to refuse");
}

#[test]
fn what_held_a_token_is_removed_and_the_rest_stays() {
    let listed = [MEMBRANE, OLDER, "authorization"].map(HeaderName::from_static);
    let mut sent =
        headers(&[(MEMBRANE, b"a.b.c"), (OLDER, b"x"), ("authorization", b"Basic eA=="), ("x-a", b"1")]);
    remove(&mut sent, &listed);
    assert_eq!(sent, headers(&[("authorization", b"Basic eA=="), ("x-a", b"1")]));
    let mut sent = headers(&[("authorization", b"Bearer a.b.c"), ("x-a", b"1")]);
    remove(&mut sent, &listed[..2]);
    assert!(sent.contains_key(AUTHORIZATION), "a header that is not listed is never removed");
    remove(&mut sent, &listed);
    assert_eq!(sent, headers(&[("x-a", b"1")]));
}
