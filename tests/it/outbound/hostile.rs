//! Targets that try to lead credentials elsewhere. A trap listens wherever they could lead.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::scene::{HOST, KEY, Service, TOKEN, request};
use crate::dice::Dice;
use crate::support::{Answer, Origin};

const TARGETS: u32 = 2000;
/// Repeats what happens.
const SEED: u64 = 0x5eed_0f05_711e;

/// How a target may be refused. Anything else must have reached the third party itself.
const REFUSALS: [&str; 7] = [
    "malformed_request",
    "malformed_target",
    "target_not_allowed",
    "plain_target",
    "egress_refused",
    "nothing_here",
    "unknown_connection",
];

/// A socket that nobody may come to.
struct Trap(Arc<AtomicUsize>);

impl Trap {
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let caught = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&caught);
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self(caught)
    }

    fn caught(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Authorities that some parser takes for another than the rest: `H` is the third party's host, `P` its port.
const AUTHORITIES: [&str; 64] = [
    "evil.test:P",
    "evil.test",
    "H:P@evil.test:P",
    "H@evil.test:P",
    "user:pass@H:P",
    "user@H:P",
    "@H:P",
    "H:P:P",
    "H:",
    "H:0P",
    "H:+P",
    "H:P ",
    "H:99999",
    "H:0",
    "H:8x",
    "H.:P",
    "H..:P",
    ".H:P",
    "H.evil.test:P",
    "evil-H:P",
    "evil.test%2fH:P",
    "evil.test%00H:P",
    "evil.test%23H:P",
    "H%2eevil.test:P",
    "H%40evil.test:P",
    "H\\@evil.test:P",
    "evil.test\\H:P",
    "evil.test#H:P",
    "evil.test?H:P",
    "evil.test;H:P",
    "H\tevil.test:P",
    "evil.test\t:P",
    "H\u{e9}:P",
    "\u{ff28}:P",
    "\u{24d4}vil.test:P",
    "xn--evil-9za.test:P",
    "xn--H:P",
    "H\u{3002}evil.test:P",
    "127.0.0.66:P",
    "127.0.0.2:P",
    "127.1:P",
    "127.66:P",
    "0x7f.0.0.1:P",
    "0x7f000042:P",
    "2130706433:P",
    "2130706498:P",
    "017700000102:P",
    "0177.0.0.102:P",
    "127.0.0.066:P",
    "0:P",
    "0.0.0.0:P",
    "localhost:P",
    "[::1]:P",
    "[::]:P",
    "[::ffff:127.0.0.66]:P",
    "[::ffff:7f00:42]:P",
    "[64:ff9b::7f00:42]:P",
    "[2002:7f00:42::]:P",
    "[fe80::1%25lo]:P",
    "[fe80::1%lo]:P",
    "[127.0.0.66]:P",
    "[::1:P",
    "169.254.169.254",
    "metadata.google.internal",
];

const SCHEMES: [&str; 22] = [
    "http://",
    "https://",
    "HTTP://",
    "hTTps://",
    "http:/",
    "http:",
    "http:///",
    "http:\\\\",
    "http:/\\",
    "//",
    "///",
    "\\\\",
    "ftp://",
    "file://",
    "javascript://",
    "ws://",
    "http%3A//",
    "http:%2F%2F",
    "http://http://",
    "https:https://",
    "%68ttp://",
    " http://",
];

const TAILS: [&str; 12] = [
    "",
    "/",
    "/a",
    "/a?b=c",
    "?b=c",
    "/../a",
    "/%2e%2e/a",
    "/..;/a",
    "//a",
    "/a#b",
    "/\\a",
    "/a%0d%0aHost:%20evil.test",
];

const PREFIXES: [&str; 8] = [
    "/connections/crm/proxy/",
    "/connections/crm/proxy",
    "/connections/crm/proxy//",
    "/connections/crm/proxy?",
    "/crm/",
    "/crm",
    "/crm//",
    "/connections/crm/proxy/a/../",
];

fn hostile(dice: &mut Dice, port: u16) -> Vec<u8> {
    let authority = dice.of(&AUTHORITIES).replace('P', &port.to_string()).replace('H', HOST);
    let target = format!("{}{}{authority}{}", dice.of(&PREFIXES), dice.of(&SCHEMES), dice.of(&TAILS));
    match dice.below(12) {
        // The proxy's own request in absolute form, and a Host that says something else.
        0 => {
            let whole = format!("GET http://{authority}{target}");
            request(&whole, "").into_bytes()
        }
        1 => request(&format!("GET {target}"), "").replace("sidegate.test", &authority).into_bytes(),
        2 => request(
            &format!("GET {target}"),
            &format!("X-Forwarded-Host: {authority}\r\nForwarded: host={authority}\r\n"),
        )
        .into_bytes(),
        _ => request(&format!("{} {target}", dice.of(&["GET", "POST", "DELETE"])), "").into_bytes(),
    }
}

#[test]
fn two_thousand_hostile_targets_lead_nowhere_else() {
    let third_party = Origin::new();
    let port = third_party.address.port();
    let traps: Vec<Trap> =
        ["127.0.0.2", "127.0.0.66"].map(|host| Trap::at(format!("{host}:{port}").parse().unwrap())).into();
    let service = Service::before(&third_party);
    let (mut refused, mut passed) = (0, 0);
    for number in 0..TARGETS {
        let asked = hostile(&mut Dice::new(SEED, number), port);
        let told = String::from_utf8_lossy(&asked).into_owned();
        let before = third_party.seen().len();
        let mut caller = service.connect();
        caller.say(&asked);
        let answer: Answer = caller.answer();
        let is_refused = (400..500).contains(&answer.status)
            && (answer.code().is_empty() || REFUSALS.contains(&answer.code()));
        let arrived = third_party.seen().split_off(before);
        if is_refused {
            assert!(arrived.is_empty(), "it was refused and sent: {told}");
            refused += 1;
        } else {
            assert_eq!((answer.status, arrived.len()), (200, 1), "{told}{}{}", answer.head, answer.text());
            assert_eq!(arrived[0].values("host"), [format!("{HOST}:{port}")], "{told}");
            passed += 1;
        }
        for secret in [KEY, TOKEN] {
            assert!(!answer.head.contains(secret) && !answer.text().contains(secret), "{told}");
        }
        let caught: usize = traps.iter().map(Trap::caught).sum();
        assert_eq!(caught, 0, "{told}");
    }
    assert!(refused > 1000 && passed > 100, "the targets are of both kinds: {refused} and {passed}");
}
