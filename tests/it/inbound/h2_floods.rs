//! Clients that send what costs them little: each is cut off after a bounded number of frames, and a good client beside
//! them loses nothing.

use std::time::Duration;

use crate::support::http_2::*;
use crate::support::{Gate, Origin, Process, token};

/// More of any frame than a client may send for nothing.
const FLOOD: usize = 200_000;

/// A name, what begins it, and what is said again and again.
type Flood = (&'static str, Vec<u8>, fn(usize) -> Vec<u8>);

fn public(origin: &Origin) -> Gate {
    Gate::with(origin, "rules: [{path: /*, allow: public}]")
}

/// Says this again and again, until nobody takes it any more.
fn is_cut_off(client: &mut Client, mut say: impl FnMut(usize) -> Vec<u8>) -> Outcome {
    client.peer.stream.set_nonblocking(false).unwrap();
    for round in 0..FLOOD / 100 {
        let said: Vec<u8> = (0..100).flat_map(|number| say(100 * round + number)).collect();
        if !client.try_say(said) {
            return client.fault(0);
        }
    }
    panic!("{FLOOD} frames were taken")
}

#[test]
fn h34_frames_that_bring_nothing_end_the_connection() {
    let origin = Origin::new();
    let gate = public(&origin);
    let mut good = Client::to(gate.address("inbound"));
    let head = |stream| frame(HEADERS, END_HEADERS, stream, get(&[]));
    let floods: Vec<Flood> = vec![
        ("PING", vec![], |_| frame(PING, 0, 0, [0; 8])),
        ("SETTINGS", vec![], |_| frame(SETTINGS, 0, 0, [])),
        ("PRIORITY", vec![], |_| frame(PRIORITY, 0, 1, [0, 0, 0, 3, 0])),
        ("an unknown frame", vec![], |_| frame(0xf0, 0, 0, [])),
        ("WINDOW_UPDATE", vec![], |_| frame(WINDOW_UPDATE, 0, 0, [0, 0, 0, 1])),
        ("empty DATA", head(1), |_| frame(DATA, 0, 1, [])),
        ("CONTINUATION", frame(HEADERS, 0, 1, get(&[])), |_| frame(CONTINUATION, 0, 1, block(&[("x", "y")]))),
        ("empty CONTINUATION", frame(HEADERS, 0, 1, get(&[])), |_| frame(CONTINUATION, 0, 1, [])),
    ];
    for (flood, beginning, say) in floods {
        let mut client = Client::to(gate.address("inbound"));
        client.say(beginning);
        let outcome = is_cut_off(&mut client, say);
        let is_good = matches!(outcome, Outcome::Ended(_) | Outcome::Closed);
        assert!(is_good, "{flood}: {outcome:?}");
        assert!(good.is_alive(), "{flood}");
    }
    good.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, get(&[])));
    assert_eq!(good.outcome(1), Outcome::Answered(200));
}

#[test]
fn h34_streams_that_are_reset_at_once_end_the_connection() {
    // The API answers nobody, so that every stream is one that was given up.
    let origin = Origin::played(|api| while api.request().is_some() {});
    let gate = public(&origin);
    let stream = |number: usize| u32::try_from(2 * number + 1).unwrap();
    let whole = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, get(&[]));
    let mut rapid = Client::to(gate.address("inbound"));
    let outcome = is_cut_off(&mut rapid, |number| {
        let stream = stream(number);
        [whole(stream), frame(RST_STREAM, 0, stream, CANCEL.to_be_bytes())].concat()
    });
    assert!(matches!(outcome, Outcome::Ended(ENHANCE_YOUR_CALM) | Outcome::Closed), "{outcome:?}");

    // MadeYouReset: we do the resetting, for a mistake the client makes on purpose.
    let mut made = Client::to(gate.address("inbound"));
    let outcome = is_cut_off(&mut made, |number| {
        let stream = stream(number);
        [whole(stream), frame(WINDOW_UPDATE, 0, stream, [0x7f, 0xff, 0xff, 0xff])].concat()
    });
    assert!(matches!(outcome, Outcome::Ended(ENHANCE_YOUR_CALM) | Outcome::Closed), "{outcome:?}");
    assert!(origin.seen().len() < 1000, "{} requests reached the API", origin.seen().len());
}

#[test]
fn h34_a_client_that_gives_up_now_and_then_is_left_alone() {
    let origin = Origin::new();
    let gate = public(&origin);
    let mut client = Client::to(gate.address("inbound"));
    for number in 0..50 {
        let (kept, given_up) = (4 * number + 1, 4 * number + 3);
        client.say(frame(HEADERS, END_HEADERS | END_STREAM, kept, get(&[])));
        assert_eq!(client.outcome(kept), Outcome::Answered(200));
        client.say(frame(HEADERS, END_HEADERS, given_up, get(&[])));
        client.say(frame(RST_STREAM, 0, given_up, CANCEL.to_be_bytes()));
        client.say(frame(PING, 0, 0, [0; 8]));
    }
    assert!(client.is_alive());
}

#[test]
fn h34_nobody_makes_us_hold_what_they_do_not_read() {
    const BODY: usize = 8 * 1024 * 1024;
    let origin = Origin::played(|api| {
        while api.request().is_some() {
            api.try_say(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n"));
            api.try_say(vec![b'x'; BODY]);
        }
    });
    let process = Process::before(origin.address, "");
    let token = token(&serde_json::json!({}));
    // A hundred streams without a window, on each of eight connections: 6 GiB if it were all held.
    let mut clients: Vec<Client> = (0..8).map(|_| Client { peer: process.connect() }).collect();
    for client in &mut clients {
        client.say(PREFACE);
        client.say(frame(SETTINGS, 0, 0, [0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]));
        for number in 0..100 {
            let fields = get(&[("x-integration-app-token", &token)]);
            client.say(frame(HEADERS, END_HEADERS | END_STREAM, 2 * number + 1, fields));
        }
    }
    for client in &mut clients {
        for _ in 0..100 {
            client.find(|frame| frame.kind == HEADERS).expect("each is answered");
        }
    }
    assert!(process.peak_memory() < 192 * 1024, "{} KiB", process.peak_memory());
}

#[test]
fn h34_a_head_that_never_ends_is_closed_in_time_and_so_is_a_stream_without_a_window() {
    let origin = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let gate = Gate::configured(&format!(
        "listeners: {{inbound: {{address: '127.0.0.1:0', limits: {{requestHead: 200ms, streamIdle: 200ms}}}}}}\n\
         upstreams: {{api: {{upstream: 'http://{}', rules: [{{path: /*, allow: public}}]}}}}\n",
        origin.address
    ));
    let mut endless = Client::to(gate.address("inbound"));
    endless.say(frame(HEADERS, 0, 1, get(&[])));
    assert_eq!(endless.fault(1), Outcome::Closed);
    // Pings are no progress.
    let mut stalled = Client { peer: gate.connect() };
    stalled.say(PREFACE);
    stalled.say(frame(SETTINGS, 0, 0, [0, 1, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0]));
    stalled.say(frame(HEADERS, END_HEADERS | END_STREAM, 1, get(&[])));
    assert_eq!(stalled.outcome(1), Outcome::Answered(200));
    while stalled.try_say(frame(PING, 0, 0, [0; 8])) {
        std::thread::sleep(Duration::from_millis(20));
    }
}
