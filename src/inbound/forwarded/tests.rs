use std::time::Instant;

use super::*;
use crate::inbound::managed;

fn arrival(peer: Option<&str>, tls: bool) -> Arrival {
    Arrival { peer: peer.map(|peer| peer.parse().unwrap()), tls, at: Instant::now() }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    pairs.iter().map(pair).collect()
}

#[test]
fn h37_what_the_caller_says_of_the_way_is_dropped_and_written_anew() {
    let mut sent = headers(&[
        ("host", "api.example.com"),
        ("forwarded", "for=10.0.0.1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
        ("x-forwarded-host", "evil.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/admin"),
        ("x_forwarded_for", "10.0.0.3"),
        ("x-real-ip", "10.0.0.1"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("x-http-method-override", "DELETE"),
        ("x-sidegate-anything", "1"),
        ("x_sidegate_anything", "1"),
        ("traceparent", "00-aa-bb-01"),
        ("x-own", "stays"),
    ]);
    managed::remove_all(&mut sent, managed::is_reserved);
    write(&mut sent, arrival(Some("[::ffff:192.0.2.7]:4711"), false), &HeaderValue::from_static("r-1"));
    let expected = headers(&[
        ("host", "api.example.com"),
        ("traceparent", "00-aa-bb-01"),
        ("x-own", "stays"),
        ("x-forwarded-host", "api.example.com"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "http"),
        ("x-request-id", "r-1"),
    ]);
    assert_eq!(sent, expected);
}

#[test]
fn over_a_unix_socket_there_is_no_address_to_tell() {
    let mut sent = headers(&[("x-forwarded-for", "10.0.0.1")]);
    managed::remove_all(&mut sent, managed::is_reserved);
    write(&mut sent, arrival(None, true), &HeaderValue::from_static("r-1"));
    assert_eq!(sent, headers(&[("x-forwarded-proto", "https"), ("x-request-id", "r-1")]));
}
