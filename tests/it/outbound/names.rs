//! Names and addresses: resolved once, checked, and exactly that is dialled.

use std::net::{IpAddr, TcpListener};

use super::scene::{HOST, KEYS, OPEN, Service, in_turn};
use crate::support::{Origin, outside};

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn v4(address: [u8; 4]) -> IpAddr {
    address.into()
}

/// Answers once on each connection and closes it, so that the next call needs another.
fn once() -> Origin {
    Origin::played(|peer| {
        if peer.request().is_some() {
            peer.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    })
}

#[test]
fn a_name_that_changes_after_the_check_is_not_followed() {
    let third_party = once();
    let port = third_party.address.port();
    // What would be dialled by whoever resolves a second time.
    let trap = TcpListener::bind(("127.0.0.2", port)).unwrap();
    trap.set_nonblocking(true).unwrap();
    let (names, asked) = in_turn(vec![vec![HERE], vec![v4([127, 0, 0, 2])]]);
    let service = Service::of(&format!("http://{HOST}:{port}"), KEYS, OPEN, outside(names));
    assert_eq!(service.get("/crm/a").status, 200);
    assert_eq!(*asked.lock().unwrap(), 1, "one look-up for one connection");
    assert!(trap.accept().is_err(), "the other answer was dialled");
    assert_eq!(third_party.connections(), 1);
}

#[test]
fn every_new_connection_is_checked_anew() {
    let third_party = once();
    let port = third_party.address.port();
    let forbidden = [
        v4([169, 254, 169, 254]),
        v4([0, 0, 0, 0]),
        v4([224, 0, 0, 1]),
        "::ffff:127.0.0.1".parse().unwrap(),
        "64:ff9b::7f00:1".parse().unwrap(),
        "2002:7f00:1::".parse().unwrap(),
        "fe80::1".parse().unwrap(),
        "::".parse().unwrap(),
    ];
    let answers = [vec![HERE]].into_iter().chain(forbidden.map(|address| vec![address])).chain([vec![HERE]]);
    let (names, _) = in_turn(answers.collect());
    let service = Service::of(&format!("http://{HOST}:{port}"), KEYS, OPEN, outside(names));
    assert_eq!(service.get("/crm/a").status, 200);
    for address in forbidden {
        let refused = service.get("/crm/a");
        assert_eq!((refused.status, refused.code()), (403, "egress_refused"), "{address}");
    }
    assert_eq!(service.get("/crm/a").status, 200);
    assert_eq!(third_party.connections(), 2);
}

#[test]
fn of_several_addresses_only_the_allowed_are_dialled() {
    let third_party = once();
    let port = third_party.address.port();
    let mixed = vec![v4([169, 254, 169, 254]), "::ffff:127.0.0.1".parse().unwrap(), HERE];
    let (names, _) = in_turn(vec![mixed]);
    let service = Service::of(&format!("http://{HOST}:{port}"), KEYS, OPEN, outside(names));
    assert_eq!(service.get("/crm/a").status, 200);
    assert_eq!(third_party.connections(), 1);
}

#[test]
fn a_public_name_that_leads_home_is_refused_where_the_door_is_shut() {
    let third_party = once();
    let port = third_party.address.port();
    for address in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1"] {
        let (names, _) = in_turn(vec![vec![address.parse().unwrap()]]);
        let plain = "egress: {allowPlain: true}";
        let service = Service::of(&format!("http://{HOST}:{port}"), KEYS, plain, outside(names));
        let refused = service.get("/crm/a");
        assert_eq!((refused.status, refused.code()), (403, "egress_refused"), "{address}");
        assert!(refused.text().contains("allowPrivate"), "{}", refused.text());
    }
    third_party.is_untouched();
}
