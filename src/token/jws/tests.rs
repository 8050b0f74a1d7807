use proptest::prelude::*;

use super::*;

/// A token with this header, this payload and a signature of nine bytes.
fn token(header: &str, payload: &str) -> String {
    let [header, payload, signature] =
        [header, payload, "signature"].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{payload}.{signature}")
}

fn refusal(token: &str) -> TokenError {
    parse(token).expect_err(token)
}

#[test]
fn a_token_is_taken_apart() {
    let token = token(r#"{"alg":"ES256","kid":"k1","typ":"JWT"}"#, "{}");
    let jws = parse(&token).unwrap();
    assert_eq!(jws.algorithm, Algorithm::ES256);
    assert_eq!(jws.kid, Some(KeyId::from("k1")));
    assert_eq!(jws.payload, b"{}");
    assert_eq!(jws.signature, b"signature");
    assert_eq!(jws.signing_input, token.rsplit_once('.').unwrap().0.as_bytes());
}

#[test]
fn a_header_that_was_read_before_is_not_taken_for_another() {
    let tokens = ["ES256", "ES384", "ES256"]
        .map(|name| (name, token(&format!(r#"{{"alg":"{name}","kid":"{name}"}}"#), "{}")));
    for (name, token) in tokens.iter().chain(&tokens) {
        let jws = parse(token).unwrap();
        assert_eq!((jws.algorithm.as_str(), jws.kid), (*name, Some(KeyId::from(*name))));
        let (_, rest) = token.split_once('.').unwrap();
        assert_eq!(
            refusal(&format!("{}.{rest}", URL_SAFE_NO_PAD.encode("{}"))),
            TokenError::Malformed("its header has no `alg`")
        );
    }
}

#[test]
fn t1_none_in_any_case_is_refused() {
    for name in ["none", "None", "NONE", "nOnE", "none ", ""] {
        let token = token(&format!(r#"{{"alg":"{name}"}}"#), "{}");
        assert_eq!(refusal(&token), TokenError::UnsupportedAlgorithm);
        let unsigned = token.rsplit_once('.').unwrap().0;
        assert!(parse(&format!("{unsigned}.")).is_err());
    }
}

#[test]
fn the_algorithm_is_one_of_the_twelve_exactly_as_written() {
    for algorithm in Algorithm::ALL {
        let token = token(&format!(r#"{{"alg":"{algorithm}"}}"#), "{}");
        assert_eq!(parse(&token).unwrap().algorithm, algorithm);
    }
    for name in ["hs256", "Hs256", "HS256 ", "HS1", "ES521", "ES256K", "EdDSA", "RSA1_5", "dir"] {
        let token = token(&format!(r#"{{"alg":"{name}"}}"#), "{}");
        assert_eq!(refusal(&token), TokenError::UnsupportedAlgorithm, "{name}");
    }
    for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"alg":256}"#] {
        assert_eq!(refusal(&token(header, "{}")).code(), "malformed");
    }
}

#[test]
fn t4_a_token_has_three_parts_and_a_signature() {
    let good = token(r#"{"alg":"HS256"}"#, "{}");
    let parts: Vec<&str> = good.split('.').collect();
    let (header, payload, signature) = (parts[0], parts[1], parts[2]);
    for bad in [
        String::new(),
        ".".into(),
        "..".into(),
        header.into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!(".{payload}.{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"{signature}"}}"#),
    ] {
        assert_eq!(refusal(&bad).code(), "malformed", "{bad}");
    }
}

#[test]
fn t7_only_canonical_base64url_is_read() {
    let good = token(r#"{"alg":"HS256"}"#, r#"{"a":"?>?>"}"#);
    assert!(parse(&good).is_ok());
    for (from, to) in
        [(".", " ."), (".", "=."), (".", ".\n"), (".", ". "), ("e", "+"), ("e", "/"), ("e", "é")]
    {
        let bad = good.replacen(from, to, 1);
        assert!(parse(&bad).is_err(), "{bad}");
    }
    for suffix in ["=", "==", " ", "\n", "A="] {
        assert!(parse(&format!("{good}{suffix}")).is_err());
    }
    let unused_bits = format!("{}.AB.AA", good.split('.').next().unwrap());
    assert!(parse(&unused_bits).is_err());
    assert!(parse(&unused_bits.replace(".AB.", ".AA.")).is_ok());
    assert!(parse(&format!("Bearer {good}")).is_err());
}

#[test]
fn t8_t9_keys_and_addresses_in_the_header_are_ignored() {
    let header = r#"{"alg":"RS256","jwk":{"kty":"oct","k":"AA"},"jku":"http://169.254.169.254/","x5u":"https://a",
        "x5c":["AA"],"x5t":"AA","typ":"at+jwt","cty":7}"#;
    let token = token(header, "{}");
    let jws = parse(&token).unwrap();
    assert_eq!(jws.kid, None);
}

#[test]
fn t10_a_kid_is_an_opaque_string_of_at_most_256_bytes() {
    for kid in ["../../../../dev/null", "' OR 1=1 --", "k\\u0000", "", "a b"] {
        let token = token(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#), "{}");
        assert!(parse(&token).unwrap().kid.is_some(), "{kid}");
    }
    let longest = token(&format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(256)), "{}");
    assert!(parse(&longest).is_ok());
    let long = "k".repeat(257);
    for kid in [r#"7"#, "null", "[]", "{}", "true", &format!("\"{long}\"")] {
        let token = token(&format!(r#"{{"alg":"HS256","kid":{kid}}}"#), "{}");
        assert_eq!(refusal(&token).code(), "malformed", "{kid}");
    }
}

#[test]
fn t11_crit_is_always_refused() {
    for crit in [r#"["exp"]"#, r#"["b64"]"#, "[]", "null", "7", r#"["alg","alg"]"#, r#""exp""#] {
        let token = token(&format!(r#"{{"alg":"HS256","crit":{crit}}}"#), "{}");
        assert_eq!(refusal(&token), TokenError::Crit, "{crit}");
    }
}

#[test]
fn t12_b64_zip_and_enc_are_refused_whatever_they_say() {
    for (name, value) in [("b64", "false"), ("b64", "true"), ("zip", r#""DEF""#), ("enc", r#""A128GCM""#)] {
        let token = token(&format!(r#"{{"alg":"HS256","{name}":{value}}}"#), "{}");
        assert_eq!(refusal(&token), TokenError::UnsupportedHeader(name));
    }
}

#[test]
fn t13_an_encrypted_token_is_refused_by_its_parts() {
    let jwe = "eyJhbGciOiJQQkVTMi1IUzI1NitBMTI4S1ciLCJwMmMiOjIxNDc0ODM2NDd9.AA.AA.AA.AA";
    assert_eq!(refusal(jwe).code(), "malformed");
}

#[test]
fn t15_a_header_member_that_stands_twice_is_refused() {
    for header in [
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"none","\u0061lg":"HS256"}"#,
        r#"{"alg":"HS256","jwk":{"kty":"oct","kty":"EC"}}"#,
    ] {
        assert_eq!(refusal(&token(header, "{}")).code(), "malformed", "{header}");
    }
}

#[test]
fn t17_a_token_over_the_cap_is_refused_before_it_is_decoded() {
    for length in [MAX_TOKEN + 1, 64 * 1024, 400 * 1024] {
        assert_eq!(refusal(&"!".repeat(length)), TokenError::TooLong);
    }
    assert_eq!(refusal(&"!".repeat(MAX_TOKEN)).code(), "malformed");
    let header = format!(r#"{{"alg":"HS256","x":"{}"}}"#, "x".repeat(MAX_HEADER));
    assert_eq!(refusal(&token(&header, "{}")).code(), "malformed");
}

#[test]
fn a_payload_need_not_be_json_until_claims_are_read_from_it() {
    let token = token(r#"{"alg":"HS256"}"#, "not json");
    let jws = parse(&token).unwrap();
    assert_eq!(claims(&jws.payload).unwrap_err().code(), "malformed");
    assert_eq!(claims(b"[]").unwrap_err().code(), "malformed");
    assert!(claims(br#"{"iss":"w"}"#).is_ok());
}

proptest! {
    #[test]
    fn t7_what_is_read_is_written_the_same_way(payload in "[A-Za-z0-9_=+/ -]{0,9}", signature in "[A-Za-z0-9_-]{1,9}") {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let token = format!("{header}.{payload}.{signature}");
        if let Ok(jws) = parse(&token) {
            prop_assert_eq!(URL_SAFE_NO_PAD.encode(&jws.payload), payload);
            prop_assert_eq!(URL_SAFE_NO_PAD.encode(&jws.signature), signature);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(token in "\\PC{0,40}", parts in "([A-Za-z0-9_-]{0,20}\\.){0,4}") {
        let _ = (parse(&token), parse(&parts));
    }
}
