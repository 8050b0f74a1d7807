//! Bodies that nobody reads: who is refused still learns why.

use crate::support::{Gate, Origin};

const BODY: usize = 4 * 1024 * 1024;

fn upload(framing: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: api.test\r\n{framing}\r\n\r\n")
}

#[test]
fn who_is_refused_may_finish_its_upload_and_reads_the_refusal() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(upload(&format!("Content-Length: {BODY}")));
    // As most clients do: all of it, then the answer.
    caller.say(vec![b'x'; BODY]);
    let answer = caller.answer();
    assert_eq!((answer.status, answer.code()), (401, "no_token"));
    origin.is_untouched();
}

#[test]
fn who_sends_no_http_may_finish_it_and_reads_the_refusal() {
    let gate = Gate::before(&Origin::new());
    let mut caller = gate.connect();
    caller.say("no http at all\r\n\r\n");
    caller.say(vec![b'x'; BODY]);
    assert_eq!(caller.answer().status, 400);
}

#[test]
fn who_never_finishes_is_let_go() {
    let gate = Gate::before(&Origin::new());
    let mut caller = gate.connect();
    caller.say(upload("Transfer-Encoding: chunked"));
    let mut sent = 0;
    while caller.try_say([b"400\r\n", &[b'x'; 1024][..], b"\r\n"].concat()) {
        sent += 1;
    }
    assert!(sent > 0);
}
