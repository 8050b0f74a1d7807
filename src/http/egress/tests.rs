use super::*;
use Class::{
    Broadcast, Documentation, Embedded, LinkLocal, Loopback, Metadata, Multicast, Private, Public, Reserved,
    Shared, SiteLocal, Unspecified,
};

const SHUT: Egress = Egress { allow_private: false, allow_plain: false };
const OPEN: Egress = Egress { allow_private: true, allow_plain: true };

const ADDRESSES: &[(&str, Class)] = &[
    ("8.8.8.8", Public),
    ("1.1.1.1", Public),
    ("9.255.255.255", Public),
    ("11.0.0.0", Public),
    ("100.63.255.255", Public),
    ("100.128.0.0", Public),
    ("126.255.255.255", Public),
    ("128.0.0.0", Public),
    ("169.253.255.255", Public),
    ("172.15.255.255", Public),
    ("172.32.0.0", Public),
    ("192.167.255.255", Public),
    ("192.169.0.0", Public),
    ("223.255.255.255", Public),
    ("127.0.0.1", Loopback),
    ("127.255.255.254", Loopback),
    ("10.0.0.1", Private),
    ("10.255.255.255", Private),
    ("172.16.0.1", Private),
    ("172.31.255.255", Private),
    ("192.168.0.1", Private),
    ("192.168.255.255", Private),
    ("100.64.0.1", Shared),
    ("100.127.255.255", Shared),
    ("169.254.169.254", Metadata),
    ("169.254.170.2", Metadata),
    ("169.254.170.23", Metadata),
    ("100.100.100.200", Metadata),
    ("168.63.129.16", Metadata),
    ("192.0.0.192", Metadata),
    ("169.254.0.1", LinkLocal),
    ("169.254.255.255", LinkLocal),
    ("0.0.0.0", Unspecified),
    ("0.1.2.3", Unspecified),
    ("192.0.0.1", Reserved),
    ("192.0.2.1", Documentation),
    ("192.88.99.1", Embedded),
    ("198.18.0.1", Reserved),
    ("198.19.255.255", Reserved),
    ("198.51.100.7", Documentation),
    ("203.0.113.7", Documentation),
    ("233.252.0.1", Documentation),
    ("224.0.0.1", Multicast),
    ("239.255.255.255", Multicast),
    ("240.0.0.1", Reserved),
    ("255.255.255.254", Reserved),
    ("255.255.255.255", Broadcast),
    ("2606:4700:4700::1111", Public),
    ("2a00:1450:4001::200e", Public),
    ("::", Unspecified),
    ("::1", Loopback),
    ("::127.0.0.1", Embedded),
    ("::8.8.8.8", Embedded),
    ("::ffff:127.0.0.1", Embedded),
    ("::ffff:8.8.8.8", Embedded),
    ("::ffff:a9fe:a9fe", Embedded),
    ("::ffff:0:127.0.0.1", Embedded),
    ("64:ff9b::a9fe:a9fe", Embedded),
    ("64:ff9b:1::7f00:1", Embedded),
    ("64:ff9b:2::1", Reserved),
    ("100::1", Reserved),
    ("2001::1", Embedded),
    ("2001:10::1", Reserved),
    ("2001:20::1", Reserved),
    ("2001:db8::1", Documentation),
    ("3fff::1", Documentation),
    ("2002:7f00:1::", Embedded),
    ("2002:a9fe:a9fe::1", Embedded),
    ("fd00:ec2::254", Metadata),
    ("fd20:ce::254", Metadata),
    ("fc00::1", Private),
    ("fdff:ffff::1", Private),
    ("fe80::1", LinkLocal),
    ("febf::1", LinkLocal),
    ("fec0::1", SiteLocal),
    ("ff02::1", Multicast),
    ("4000::1", Reserved),
];

/// Spellings that some resolver or URL parser takes for an address, and hosts that are none.
const NOT_HOSTS: &[&str] = &[
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7f.0.0.1",
    "0X7F.1",
    "127.0.0.0x1",
    "0177.0.0.1",
    "127.0.0.01",
    "127.0.0.1.",
    "127.0.0.256",
    "1.2.3.4.5",
    "a.0x",
    "example.123",
    "0",
    "0.",
    "169.254.43518",
    "[::1",
    "::1]",
    "[]",
    "[127.0.0.1]",
    "[fe80::1%eth0]",
    "fe80::1%eth0",
    "",
    ".",
    "..",
    "a..b",
    ".a",
    "a b",
    "a/b",
    "a@b",
    "a:80",
    "a%2eb",
    "\u{ff11}27.0.0.1",
    "127\u{3002}0.0.1",
    "ex\tample.com",
    "a\0b",
    "a\\b",
    "b\u{fc}cher.example",
];

#[test]
fn every_address_has_its_class() {
    assert!(ADDRESSES.len() >= 60);
    for (text, class) in ADDRESSES {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(Class::of(address), *class, "{text}");
    }
}

#[test]
fn only_public_addresses_are_dialled_and_literals_are_no_exception() {
    for (text, class) in ADDRESSES {
        let checked = SHUT.check_host(text);
        match class {
            Public => assert_eq!(checked.unwrap(), Some(text.parse().unwrap()), "{text}"),
            _ => assert!(
                matches!(checked, Err(EgressError::Refused { class: found, .. }) if found == *class),
                "{text}"
            ),
        }
    }
}

#[test]
fn allowing_private_addresses_opens_these_and_nothing_else() {
    for (text, class) in ADDRESSES {
        let is_open = matches!(class, Public | Loopback | Private | Shared);
        assert_eq!(OPEN.check_host(text).is_ok(), is_open, "{text}");
    }
}

#[test]
fn unusual_spellings_are_refused_whatever_is_allowed() {
    for text in NOT_HOSTS {
        assert!(matches!(OPEN.check_host(text), Err(EgressError::NotAHost { .. })), "{text:?}");
    }
}

#[test]
fn names_pass_to_the_resolver() {
    for name in [
        "api.example.com",
        "api.example.com.",
        "localhost",
        "a_b",
        "xn--bcher-kva.example",
        "0x.example",
        "1.a",
        "a-1",
    ] {
        assert_eq!(SHUT.check_host(name).unwrap(), None, "{name}");
    }
    assert_eq!(
        SHUT.check_host("[2606:4700:4700::1111]").unwrap(),
        Some("2606:4700:4700::1111".parse().unwrap())
    );
}

#[tokio::test]
async fn a_name_is_judged_by_what_it_resolves_to() {
    let error = SHUT.resolve(&Names::default(), "localhost", 443).await.unwrap_err();
    assert!(matches!(error, EgressError::Refused { class: Loopback, .. }), "{error}");
    assert!(error.to_string().contains("egress.allowPrivate"), "{error}");
    let found = OPEN.resolve(&Names::default(), "localhost", 443).await.unwrap();
    assert!(found.iter().all(|socket| socket.ip().is_loopback() && socket.port() == 443), "{found:?}");
}

#[test]
fn of_several_addresses_only_the_allowed_remain() {
    let sockets =
        |texts: &[&str]| -> Vec<SocketAddr> { texts.iter().map(|text| text.parse().unwrap()).collect() };
    let mixed = sockets(&["10.0.0.1:1", "8.8.8.8:1", "169.254.169.254:1", "1.1.1.1:1"]);
    assert_eq!(SHUT.admit("a", mixed.into_iter()).unwrap(), sockets(&["8.8.8.8:1", "1.1.1.1:1"]));
    let none = SHUT.admit("a", sockets(&["10.0.0.1:1", "127.0.0.1:1"]).into_iter()).unwrap_err();
    assert!(matches!(none, EgressError::Refused { class: Private, .. }), "the first is the error: {none}");
    assert!(matches!(SHUT.admit("a", std::iter::empty()), Err(EgressError::NoAddress { .. })));
}

#[test]
fn an_error_names_the_class_and_the_key_to_set() {
    let says = |host| SHUT.check_host(host).unwrap_err().to_string();
    assert_eq!(
        says("10.0.0.1"),
        "10.0.0.1 is at 10.0.0.1, which is a private address; egress.allowPrivate would allow it"
    );
    assert_eq!(
        says("169.254.169.254"),
        "169.254.169.254 is at 169.254.169.254, which is a cloud's metadata service; no setting allows it"
    );
}

#[test]
fn plain_http_is_allowed_by_name_only() {
    assert!(SHUT.check_scheme(true).is_ok());
    assert!(SHUT.check_scheme(false).unwrap_err().to_string().contains("egress.allowPlain"));
    assert!(OPEN.check_scheme(false).is_ok());
}
