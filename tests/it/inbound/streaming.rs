//! Bodies and connections: streamed and held back both ways, reused, and let go when somebody leaves.

use std::io::Write as _;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::support::{Gate, Origin, PATIENCE, Peer, Process, as_anna, eventually};

const MIB: usize = 1024 * 1024;
/// What goes through, and how much of it may ever be held: many times what buffers need, a fraction of the body.
const BODY: usize = 64 * MIB;
const HELD: u64 = 16 * 1024;

fn request(line: &str, headers: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: api.test\r\n{}{headers}\r\n", as_anna())
}

/// Writes until nobody takes more for a while; how much went out.
fn write_until_held_back(peer: &mut Peer) -> usize {
    peer.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut written = 0;
    while written < BODY {
        match peer.stream.write(&[b'x'; 64 * 1024]) {
            Ok(length) => written += length,
            Err(_) => break,
        }
    }
    peer.stream.set_write_timeout(Some(PATIENCE)).unwrap();
    written
}

#[test]
fn a_large_upload_and_a_large_download_go_through_at_flat_memory() {
    let origin = Origin::played(|api| {
        api.head();
        let mut left = BODY;
        while left > 0 {
            left -= api.peer.bytes(MIB.min(left)).unwrap().len();
        }
        api.say(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\n\r\n"));
        for _ in 0..BODY / MIB {
            api.say(vec![b'y'; MIB]);
        }
    });
    let gate = Process::before(origin.address, "accessLog: {to: off}\n");
    let before = gate.peak_memory();
    let mut caller = gate.connect();
    caller.say(request("POST /upload", &format!("Content-Length: {BODY}\r\n")));
    for _ in 0..BODY / MIB {
        caller.say(vec![b'x'; MIB]);
    }
    let answer = caller.answer_without_body();
    assert_eq!(answer.values("content-length"), [BODY.to_string()]);
    for _ in 0..BODY / MIB {
        assert!(caller.bytes(MIB).unwrap().iter().all(|byte| *byte == b'y'));
    }
    let grown = gate.peak_memory() - before;
    assert!(grown < HELD, "{grown} KiB more for bodies of {BODY} bytes");
}

#[test]
fn who_does_not_read_holds_the_other_side_back() {
    let (read_on, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::played(move |api| {
        let head = api.head().unwrap();
        if head.starts_with("POST") {
            wait.lock().unwrap().recv().unwrap();
            return;
        }
        api.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000000\r\n");
        let written = write_until_held_back(&mut api.peer);
        assert!(written < BODY);
        api.say("");
    });
    let gate = Process::before(origin.address, "accessLog: {to: off}\n");
    let before = gate.peak_memory();
    let mut uploader = gate.connect();
    uploader.say(request("POST /", &format!("Content-Length: {BODY}\r\n")));
    assert!(write_until_held_back(&mut uploader) < BODY);
    let mut downloader = gate.connect();
    downloader.say(request("GET /", ""));
    assert_eq!(downloader.answer_without_body().status, 200);
    let grown = gate.peak_memory() - before;
    assert!(grown < HELD, "{grown} KiB more for bodies that nobody reads");
    read_on.send(()).unwrap();
}

#[test]
fn a_piece_of_a_body_goes_on_before_the_next_is_there() {
    let origin = Origin::played(|api| {
        api.head();
        assert_eq!(api.peer.until(b"ping\r\n").unwrap(), b"4\r\nping\r\n");
        api.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong\r\n");
        assert_eq!(api.peer.until(b"0\r\n\r\n").unwrap(), b"4\r\nmore\r\n0\r\n\r\n");
        api.say("0\r\n\r\n");
    });
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(request("POST /", "Transfer-Encoding: chunked\r\n") + "4\r\nping\r\n");
    assert_eq!(caller.answer_without_body().status, 200);
    assert_eq!(caller.until(b"pong\r\n").unwrap(), b"4\r\npong\r\n");
    caller.say("4\r\nmore\r\n0\r\n\r\n");
    assert_eq!(caller.until(b"0\r\n\r\n").unwrap(), b"0\r\n\r\n");
}

#[test]
fn a_caller_who_leaves_cancels_the_request_at_the_api() {
    for answered in [false, true] {
        let (gone, heard) = channel();
        let origin = Origin::played(move |api| {
            api.request();
            if answered {
                api.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe");
            }
            gone.send(api.peer.rest()).unwrap();
        });
        let gate = Gate::before(&origin);
        let mut caller = gate.connect();
        caller.say(request("GET /", ""));
        if answered {
            assert_eq!(caller.answer_without_body().status, 200);
        } else {
            eventually("the API has the request", || origin.seen().len() == 1);
        }
        drop(caller);
        assert_eq!(heard.recv_timeout(PATIENCE).unwrap(), b"");
    }
}

#[test]
fn a_caller_who_leaves_in_an_upload_leaves_no_whole_request_behind() {
    let (gone, heard) = channel();
    let origin = Origin::played(move |api| {
        let whole = api.request();
        gone.send(whole.is_some()).unwrap();
    });
    let gate = Gate::before(&origin);
    for framing in ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"] {
        let mut caller = gate.connect();
        caller.say(request("POST /", "").trim_end().to_owned() + "\r\n" + framing);
        eventually("the API is connected", || origin.connections() > 0);
        drop(caller);
        assert!(!heard.recv_timeout(PATIENCE).unwrap(), "{framing}");
    }
}

#[test]
fn connections_are_used_again_on_both_sides() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    for number in 0..20 {
        let body = format!("{number}");
        caller.say(request("POST /", &format!("Content-Length: {}\r\n", body.len())) + &body);
        assert_eq!(caller.answer().text(), "ok");
    }
    let bodies: Vec<_> =
        origin.seen().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
    assert_eq!(bodies, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(origin.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order_each_by_its_own_token() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    let stranger = "GET /b HTTP/1.1\r\nHost: api.test\r\n\r\n";
    let upload = request("POST /c", "Content-Length: 5\r\n") + "hello";
    caller.say(request("GET /a", "") + stranger + &upload + stranger);
    let statuses: Vec<u16> = (0..4).map(|_| caller.answer().status).collect();
    assert_eq!(statuses, [200, 401, 200, 401]);
    let lines: Vec<_> = origin.seen().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(lines, ["GET /a HTTP/1.1", "POST /c HTTP/1.1"]);
}

#[test]
fn an_api_that_closes_kept_connections_costs_nobody_a_request() {
    let (closed, heard) = channel();
    let origin = Origin::played(move |api| {
        api.request();
        api.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        api.peer.finish();
        closed.send(()).unwrap();
    });
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    for number in 1..=10 {
        caller.say(request("GET /", ""));
        assert_eq!(caller.answer().text(), "ok", "request {number}");
        heard.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(origin.connections(), 10);
}
