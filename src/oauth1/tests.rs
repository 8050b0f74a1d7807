use super::*;

/// The examples of RFC 5849 section 1.2 are signed with this app.
fn photos(token: Option<(&str, &str)>) -> Signer {
    Signer {
        consumer_key: String::from("dpf43f3p2l4k3l03"),
        consumer_secret: Secret::new(String::from("kd94hf93k423kf44")),
        token: token.map(|(key, secret)| Token { key: key.into(), secret: Secret::new(secret.into()) }),
        method: SignatureMethod::HmacSha1,
        realm: Some(String::from("Photos")),
    }
}

fn request<'a>(method: &'a str, https: bool, host: &'a str, path_and_query: &'a str) -> Request<'a> {
    let port = if https { 443 } else { 80 };
    Request { method, https, host, port, path_and_query, form: b"" }
}

#[test]
fn rfc_5849_section_3_4_1_1_the_base_string() {
    let request = Request {
        form: b"c2&a3=2+q",
        ..request("POST", false, "EXAMPLE.COM", "/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b")
    };
    let protocol = [
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
    ];
    let expected = "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D\
                    %26c%2540%3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a\
                    %26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7";
    assert_eq!(base_string(&request, &protocol), expected);
    let signer = Signer {
        consumer_secret: Secret::new(String::from("j49sk3j29djd")),
        ..photos(Some(("kkk9d7dh3k39sjv7", "dh893hdasih9")))
    };
    // Section 3.1 prints another signature; erratum 2550 has the right one.
    assert_eq!(*signer.signature(&request, &protocol), "r6/TJjbCOr97/+UU0NsvSne7s5g=");
}

#[test]
fn rfc_5849_section_1_2_the_whole_dance() {
    let initiate = [
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131200"),
        ("oauth_nonce", "wIjqoS"),
        ("oauth_callback", "http://printer.example.com/ready"),
    ];
    let asked = request("POST", true, "photos.example.net", "/initiate");
    assert_eq!(*photos(None).signature(&asked, &initiate), "74KNZJeDHnMBp0EMJ9ZHt/XKycU=");
    let photo = [
        ("oauth_consumer_key", "dpf43f3p2l4k3l03"),
        ("oauth_token", "nnch734d00sl2jdk"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131202"),
        ("oauth_nonce", "chapoH"),
    ];
    let signer = photos(Some(("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")));
    let asked = request("GET", false, "photos.example.net", "/photos?file=vacation.jpg&size=original");
    assert_eq!(*signer.signature(&asked, &photo), "MdpQcU8iPSUjWoN/UDMsK2sui9I=");
}

#[test]
fn the_header_has_the_realm_as_it_is_and_every_parameter_once() {
    let stamp = Stamp { timestamp: Timestamp::from_secs(1_191_242_096), nonce: String::from("n1") };
    let signer = Signer {
        method: SignatureMethod::Plaintext,
        realm: Some(String::from("TSTDRV_123 SB1")),
        consumer_secret: Secret::new(String::from("a b&")),
        ..photos(Some(("t/k", "s%")))
    };
    let asked = request("GET", true, "a.example", "/");
    let header = signer.authorization(&asked, &[("oauth_verifier", "v=1")], &stamp);
    let expected = concat!(
        r#"OAuth realm="TSTDRV_123 SB1", oauth_consumer_key="dpf43f3p2l4k3l03", oauth_token="t%2Fk", "#,
        r#"oauth_signature_method="PLAINTEXT", oauth_timestamp="1191242096", oauth_nonce="n1", "#,
        r#"oauth_version="1.0", oauth_verifier="v%3D1", oauth_signature="a%2520b%2526%26s%2525""#
    );
    assert_eq!(*header, expected);
    let unnamed = Signer { realm: None, ..photos(None) };
    let header = unnamed.authorization(&asked, &[], &stamp);
    assert!(
        header.starts_with(r#"OAuth oauth_consumer_key="dpf43f3p2l4k3l03", oauth_signature"#),
        "{}",
        *header
    );
}

#[test]
fn the_address_is_signed_in_its_normal_form_and_the_path_as_it_is() {
    for (https, host, port, path, expected) in [
        (true, "API.Example.com", 443, "/a", "https://api.example.com/a"),
        (true, "api.example.com", 8443, "/a/", "https://api.example.com:8443/a/"),
        (false, "api.example.com", 443, "/", "http://api.example.com:443/"),
        (false, "::1", 8080, "/", "http://[::1]:8080/"),
        (true, "a.example", 443, "//x/%2f%2F;p=1/~%7e?", "https://a.example//x/%2f%2F;p=1/~%7e"),
    ] {
        let asked = Request { method: "get", https, host, port, path_and_query: path, form: b"" };
        let expected = format!("GET&{}&", encoded(expected.as_bytes()));
        assert_eq!(base_string(&asked, &[]), expected);
    }
}

#[test]
fn parameters_are_sorted_as_they_are_encoded_and_none_is_lost() {
    let asked = Request {
        form: "z=1&ü=ß&a=%FF&&=x".as_bytes(),
        ..request("POST", true, "a.example", "/?a=2&a=10&a&a+b=c+d&a%2Bb=%zz&A=1&=")
    };
    let expected = "=&=x&%C3%BC=%C3%9F&A=1&a=&a=%FF&a=10&a=2&a%20b=c%20d&a%2Bb=%25zz&z=1";
    assert!(base_string(&asked, &[]).ends_with(&format!("&{}", encoded(expected.as_bytes()))));
}

#[test]
fn every_stamp_has_a_nonce_of_its_own() {
    let now = Timestamp::from_secs(1);
    let nonces: std::collections::HashSet<_> = (0..10_000).map(|_| Stamp::new(now).nonce).collect();
    assert_eq!(nonces.len(), 10_000);
    assert!(nonces.iter().all(|nonce| nonce.len() == 32 && nonce.bytes().all(|b| b.is_ascii_alphanumeric())));
}

#[test]
fn a_signer_does_not_print_its_secrets() {
    let shown = format!("{:?}", photos(Some(("nnch", "pfkkdhi9sl3r4s00"))));
    assert!(!shown.contains("kd94") && !shown.contains("pfkk"), "{shown}");
}

#[test]
fn methods_have_the_names_of_the_protocol() {
    for name in ["HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT"] {
        assert_eq!(SignatureMethod::named(name).unwrap().name(), name);
    }
    assert_eq!(SignatureMethod::named("RSA-SHA1"), None);
}
