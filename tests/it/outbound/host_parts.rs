//! What a customer typed in as a part of the host: one label, or nothing is kept and nothing is sent.

use serde_json::json;

use super::scene::{KEYS, OPEN, Service, configuration};
use crate::support::{Origin, outside};
use sidegate::http::egress::Names;

/// Wherever a name leads here, it is a trap but for the one that is meant.
fn everything_is_here() -> Names {
    Names::answered_by(|_| Ok(vec![[127, 0, 0, 1].into()]))
}

fn base(port: u16) -> String {
    format!("{{$concat: ['http://', {{$var: connectionParameters.domain}}, '.crm.test:{port}/v1']}}")
}

fn listed(port: u16) -> String {
    format!("{OPEN}, hosts: ['*.crm.test:{port}']")
}

/// Texts that would make another host of it, or several of one.
fn hostile() -> Vec<String> {
    let mut hostile: Vec<String> = [
        "x.evil.test/",
        "x@evil",
        "x#",
        "x?",
        "x\\",
        "x:1",
        "..",
        "",
        ".",
        "a.",
        "a..b",
        "-a",
        "a-",
        "a b",
        " a",
        "a\t",
        "a\n",
        "a\r\nHost: evil.test",
        "xn--e1awd7f",
        "a.xn--e1awd7f",
        "\u{435}vil",
        "a%2eb",
        "a%00",
        "evil.test/?x=",
        "evil.test:80/",
        "user:password@evil.test/",
        "[::1]",
        "127.0.0.1/",
        "127.0.0.1:80#",
        "a,b",
        "a;b",
        "a'b",
        "a\"b",
        "a<b",
        "{a}",
        "$a",
        "a|b",
        "a\u{0}",
    ]
    .map(String::from)
    .into();
    hostile.extend([64, 255, 5000].map(|length| "a".repeat(length)));
    hostile
}

#[test]
fn a_connection_field_that_is_no_host_label_is_refused_when_it_is_saved() {
    let third_party = Origin::new();
    let port = third_party.address.port();
    let service = Service::unconnected(&base(port), KEYS, &listed(port), outside(everything_is_here()));
    for domain in hostile() {
        let refused =
            service.create(&json!({"input": {"domain": domain}, "credentials": {"key": "k", "token": "t"}}));
        assert_eq!(
            (refused.status, refused.code()),
            (400, "origin_refused"),
            "{domain:?}: {}",
            refused.text()
        );
    }
    assert_eq!(service.get("/crm/a").code(), "no_connection", "nothing was kept");
    for domain in ["acme", "acme-2", "A_1", "a.b"] {
        let made =
            service.create(&json!({"input": {"domain": domain}, "credentials": {"key": "k", "token": "t"}}));
        assert_eq!(made.status, 200, "{domain}: {}", made.text());
    }
    third_party.is_untouched();
}

#[test]
fn a_connection_field_that_is_no_host_label_is_refused_again_when_it_is_used() {
    let third_party = Origin::new();
    let port = third_party.address.port();
    // While the spec names its host itself, anything may be typed in.
    let literal = format!("http://api.crm.test:{port}/v1");
    let service = Service::unconnected(&literal, KEYS, OPEN, outside(everything_is_here()));
    let mut ids = Vec::new();
    for domain in hostile().into_iter().chain([String::from("acme")]) {
        let made =
            service.create(&json!({"input": {"domain": domain}, "credentials": {"key": "k", "token": "t"}}));
        assert_eq!(made.status, 200, "{domain:?}: {}", made.text());
        let made: serde_json::Value = serde_json::from_slice(&made.body).unwrap();
        ids.push((made["id"].as_str().unwrap().to_owned(), domain));
    }
    service.gate.reconfigure(&configuration(&base(port), KEYS, &listed(port)));
    assert!(service.gate.reload().is_applied());
    let (acme, _) = ids.pop().unwrap();
    for (id, domain) in ids {
        let refused = service.get(&format!("/connections/{id}/proxy/a"));
        let is_refused = matches!(refused.code(), "misconfigured_connector" | "target_not_allowed");
        assert!(is_refused, "{domain:?}: {} {}", refused.status, refused.text());
    }
    third_party.is_untouched();
    assert_eq!(service.get(&format!("/connections/{acme}/proxy/a")).status, 200);
    assert_eq!(third_party.only().values("host"), [format!("acme.crm.test:{port}")]);
}
