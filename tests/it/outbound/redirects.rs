//! A redirect is an answer: it goes back, nobody follows it, and nothing of ours is in it.

use std::net::TcpListener;

use super::scene::{HOST, KEY, PARAMETER, Service, TOKEN};
use crate::support::Origin;

#[test]
fn no_redirect_of_any_kind_is_followed_or_leaks() {
    // Where a follower would come to, by another port and by another host.
    let elsewhere = Origin::new();
    let port = elsewhere.address.port();
    let third_party = Origin::played(move |peer| {
        while let Some(seen) = peer.request() {
            let said = |name: &str| seen.values(name).concat();
            let location = said("x-location");
            // As servers do that keep the query of what was asked.
            let location = location.replace("@QUERY@", seen.line().split(['?', ' ']).nth(2).unwrap());
            peer.say(format!(
                "HTTP/1.1 {} Moved\r\nLocation: {location}\r\nX-Api-Key: {}\r\nContent-Length: 5\r\n\r\nmoved",
                said("x-status"),
                said("x-api-key"),
            ));
        }
    });
    let service = Service::before(&third_party);
    let own = third_party.address.port();
    let kinds = [
        String::from("/v1/b"),
        String::from("b?x=1"),
        format!("http://{HOST}:{own}/v1/b"),
        format!("http://{HOST}:{port}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        String::from("http://evil.test/"),
        format!("//127.0.0.1:{port}/a"),
        format!("//{HOST}@127.0.0.1:{port}/a"),
        format!("http://{HOST}:{own}@127.0.0.1:{port}/"),
        format!("/\\127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}/?@QUERY@"),
        format!("//127.0.0.1:{port}/?next=1&@QUERY@#top"),
    ];
    let mut asked = 0;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for kind in &kinds {
            for method in ["GET", "POST"] {
                let told = format!(
                    "X-Status: {status}\r\nX-Location: {kind}\r\nReferer: /mine\r\nContent-Length: 0\r\n"
                );
                let answer = service.ask(super::scene::request(&format!("{method} /crm/a?q=1"), &told));
                asked += 1;
                let expected = kind.replace("@QUERY@", "q=1&api_token=");
                assert_eq!((answer.status, answer.text().as_str()), (status, "moved"), "{kind}");
                assert_eq!(answer.values("location"), [expected.as_str()]);
                for secret in [KEY, TOKEN, PARAMETER] {
                    assert!(!answer.head.contains(secret), "{}", answer.head);
                }
            }
        }
    }
    assert_eq!(third_party.seen().len(), asked, "each was asked once");
    elsewhere.is_untouched();
}

#[test]
fn a_free_port_stays_free_where_nothing_is_followed() {
    // Nobody listens there: a follower would be told so, and would say it.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let third_party = Origin::played(move |peer| {
        while peer.request().is_some() {
            peer.say(format!("HTTP/1.1 302 Found\r\nLocation: http://{free}/\r\nContent-Length: 0\r\n\r\n"));
        }
    });
    assert_eq!(Service::before(&third_party).get("/crm/a").status, 302);
}
