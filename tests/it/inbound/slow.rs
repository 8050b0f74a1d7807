//! Clients that take their time: each has as much as its limit gives it, and those beside it lose nothing.

use crate::support::{Gate, Origin, as_anna};

fn gate(origin: &Origin, limits: &str) -> Gate {
    Gate::configured(&format!(
        "listeners: {{inbound: {{address: '127.0.0.1:0', limits: {{{limits}}}}}}}\n\
         upstreams: {{api: {{upstream: 'http://{}'}}}}\n",
        origin.address
    ))
}

#[test]
fn h35_a_body_that_stalls_is_answered_408_and_the_api_sees_no_whole_request() {
    let origin = Origin::new();
    let gate = gate(&origin, "bodyIdle: 200ms");
    let mut slow = gate.connect();
    let head = format!("POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: 10\r\n{}\r\n", as_anna());
    slow.say(format!("{head}12345"));
    let answer = slow.answer();
    assert_eq!((answer.status, answer.code()), (408, "request_timeout"));
    assert_eq!(answer.values("connection"), ["close"]);
    assert_eq!(slow.rest(), b"");
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
    assert_eq!(gate.ask(format!("{head}1234567890")).status, 200);
}

#[test]
fn h35_many_slow_heads_do_not_delay_a_good_request() {
    let origin = Origin::new();
    let gate = gate(&origin, "requestHead: 60s");
    let mut slow: Vec<_> = (0..400).map(|_| gate.connect()).collect();
    for caller in &mut slow {
        caller.say("GET / HTTP/1.1\r\nHost: a");
    }
    for _ in 0..20 {
        assert_eq!(gate.get("/", &as_anna()).status, 200);
    }
    for caller in &mut slow {
        caller.say("pi.test\r\n\r\n");
        assert_eq!(caller.answer().status, 401, "the slow are answered, too");
    }
}
