use std::time::Instant;

use http::header::HOST;

use super::*;
use crate::inbound::managed;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

fn trusted() -> TrustedProxies {
    TrustedProxies { networks: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()], unix: false }
}

fn way(sent: &HeaderMap, peer: Option<&str>, tls: bool, trusted: &TrustedProxies) -> Way {
    let peer = peer.map(|peer| peer.parse().unwrap());
    let arrival = Arrival { peer, tls, misdirected: false, at: Instant::now() };
    Way::of(sent, &arrival, trusted)
}

/// What the upstream gets of what was sent.
fn passed(mut sent: HeaderMap, way: &Way) -> HeaderMap {
    managed::remove_all(&mut sent, managed::is_reserved);
    let host = sent.get(HOST).cloned();
    way.write(&mut Fields::of_map(&mut sent), host.as_ref());
    sent
}

/// The client and the X-Forwarded-For that is told on.
fn told(peer: &str, sent: &[(&'static str, &'static str)]) -> (String, String) {
    let sent = headers(sent);
    let way = way(&sent, Some(peer), false, &trusted());
    let client = way.client().map_or_else(|| "the peer".to_owned(), |client| client.to_string());
    (client, passed(sent, &way)["x-forwarded-for"].to_str().unwrap().to_owned())
}

#[test]
fn h37_what_the_caller_says_of_the_way_is_dropped_and_written_anew() {
    let sent = headers(&[
        ("host", "api.example.com"),
        ("forwarded", "for=10.0.0.1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x-forwarded-host", "evil.example.com"),
        ("x-forwarded-port", "444"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/admin"),
        ("x_forwarded_for", "10.0.0.3"),
        ("x-real-ip", "10.0.0.1"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x-http-method-override", "DELETE"),
        ("x-forwarded-client-cert", "Hash=1"),
        ("x-sidegate-anything", "1"),
        ("x_sidegate_anything", "1"),
        ("traceparent", "00-aa-bb-01"),
        ("x-own", "stays"),
    ]);
    let expected = headers(&[
        ("host", "api.example.com"),
        ("traceparent", "00-aa-bb-01"),
        ("x-own", "stays"),
        ("x-forwarded-host", "api.example.com"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "http"),
    ]);
    for trusted in [TrustedProxies::default(), trusted()] {
        let way = way(&sent, Some("[::ffff:192.0.2.7]:4711"), false, &trusted);
        assert_eq!(way.client(), None);
        assert_eq!(passed(sent.clone(), &way), expected);
    }
}

#[test]
fn over_a_unix_socket_there_is_no_address_to_tell_unless_it_is_trusted() {
    let sent = headers(&[("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "http")]);
    let untold = way(&sent, None, true, &trusted());
    assert_eq!(passed(sent.clone(), &untold), headers(&[("x-forwarded-proto", "https")]));
    let believed = way(&sent, None, true, &TrustedProxies { unix: true, ..trusted() });
    let expected = [("x-forwarded-for", "192.0.2.7"), ("x-forwarded-proto", "http")];
    assert_eq!(passed(sent, &believed), headers(&expected));
}

#[test]
fn h37_a_trusted_peer_is_believed_and_its_word_extended() {
    let sent = headers(&[
        ("host", "10.1.1.1"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-host", "shop.example.com:8443"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-proto", "HTTPS"),
        ("x-forwarded-prefix", "/admin"),
        ("x-real-ip", "192.0.2.9"),
        ("x-original-url", "/admin"),
        ("x-http-method-override", "DELETE"),
    ]);
    let way = way(&sent, Some("10.0.0.1:4711"), false, &trusted());
    let expected = headers(&[
        ("host", "10.1.1.1"),
        ("x-forwarded-host", "shop.example.com:8443"),
        ("x-forwarded-for", "192.0.2.7, 10.0.0.1"),
        ("x-forwarded-port", "8443"),
        ("x-forwarded-proto", "https"),
    ]);
    assert_eq!(passed(sent, &way), expected);
}

#[test]
fn h37_the_client_is_the_nearest_address_that_nobody_trusted_vouches_behind() {
    for (sent, client, told_on) in [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("192.0.2.7, 10.0.0.2", "192.0.2.7", "192.0.2.7, 10.0.0.2, 10.0.0.1"),
        ("203.0.113.9, 192.0.2.7, 10.0.0.2", "192.0.2.7", "192.0.2.7, 10.0.0.2, 10.0.0.1"),
        ("10.9.9.9, 192.0.2.7", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("10.0.0.3, 10.0.0.2", "10.0.0.3", "10.0.0.3, 10.0.0.2, 10.0.0.1"),
        ("evil, 10.0.0.2", "10.0.0.2", "10.0.0.2, 10.0.0.1"),
        ("192.0.2.7:1234", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("[2001:db8::7]:1234", "2001:db8::7", "2001:db8::7, 10.0.0.1"),
        ("2001:db8::7, fd00::1", "2001:db8::7", "2001:db8::7, fd00::1, 10.0.0.1"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7, 10.0.0.1"),
        ("", "the peer", "10.0.0.1"),
        ("unknown", "the peer", "10.0.0.1"),
        ("192.0.2.7,", "the peer", "10.0.0.1"),
    ] {
        let expected = (client.to_owned(), told_on.to_owned());
        assert_eq!(told("10.0.0.1:1", &[("x-forwarded-for", sent)]), expected, "{sent}");
    }
    let two_lines = [("x-forwarded-for", "203.0.113.9, 192.0.2.7"), ("x-forwarded-for", "10.0.0.2")];
    assert_eq!(told("10.0.0.1:1", &two_lines), ("192.0.2.7".into(), "192.0.2.7, 10.0.0.2, 10.0.0.1".into()));
    let both = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=203.0.113.9")];
    assert_eq!(told("10.0.0.1:1", &both), ("192.0.2.7".into(), "192.0.2.7, 10.0.0.1".into()));
}

#[test]
fn h37_forwarded_is_read_and_extended_as_rfc_7239_has_it() {
    let sent = headers(&[
        ("host", "10.1.1.1"),
        (
            "forwarded",
            r#"for=203.0.113.9;host=evil.test, For="[2001:db8::7]:4711";Proto=https;host="shop.example.com""#,
        ),
        ("forwarded", "for=10.0.0.2;by=10.0.0.9"),
    ]);
    let way = way(&sent, Some("10.0.0.1:4711"), false, &trusted());
    assert_eq!(way.client().map(|client| client.to_string()).as_deref(), Some("2001:db8::7"));
    let passed = passed(sent, &way);
    for (name, value) in [
        (
            "forwarded",
            r#"For="[2001:db8::7]:4711";Proto=https;host="shop.example.com", for=10.0.0.2;by=10.0.0.9, for=10.0.0.1"#,
        ),
        ("x-forwarded-for", "2001:db8::7, 10.0.0.2, 10.0.0.1"),
        ("x-forwarded-host", "shop.example.com"),
        ("x-forwarded-proto", "https"),
    ] {
        assert_eq!(passed[name], value);
    }
    for hidden in
        ["for=_hidden", "for=unknown", "proto=https", "for=192.0.2.7;for=192.0.2.8", "for=\"192.0.2.7"]
    {
        assert_eq!(
            told("10.0.0.1:1", &[("forwarded", hidden)]),
            ("the peer".into(), "10.0.0.1".into()),
            "{hidden}"
        );
    }
    let quoted = r#"for="1,2", for=192.0.2.7"#;
    assert_eq!(told("10.0.0.1:1", &[("forwarded", quoted)]).0, "192.0.2.7");
}

#[test]
fn h37_what_even_a_trusted_peer_cannot_say_plainly_is_not_passed_on() {
    for (name, value) in [
        ("x-forwarded-proto", "https, http"),
        ("x-forwarded-proto", "javascript"),
        ("x-forwarded-host", "a b"),
        ("x-forwarded-host", "a/b@c"),
        ("x-forwarded-port", "99999"),
    ] {
        let sent = headers(&[("host", "api.example.com"), (name, value)]);
        let way = way(&sent, Some("10.0.0.1:4711"), false, &trusted());
        let passed = passed(sent, &way);
        assert_ne!(passed.get(name).map(HeaderValue::as_bytes), Some(value.as_bytes()), "{name}: {value}");
        assert_eq!(
            (&passed["x-forwarded-proto"], &passed["x-forwarded-host"]),
            (&"http".parse().unwrap(), &"api.example.com".parse().unwrap())
        );
    }
}
