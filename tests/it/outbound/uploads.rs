//! Uploads that a third party answers before they have come to their end.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::scene::{HOST, KEYS, OPEN, Service, at, request};
use crate::support::outside;

const REFUSAL: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";

/// What a third party does once it has answered.
type Then = fn(TcpStream);

/// Answers each request when it has seen its head; the heads.
fn refusing(then: Then) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).unwrap();
                head.extend_from_slice(&piece[..read]);
            }
            seen.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
            stream.write_all(REFUSAL.as_bytes()).unwrap();
            std::thread::spawn(move || then(stream));
        }
    });
    (port, heads)
}

fn closes(stream: TcpStream) {
    drop(stream);
}

fn reads_no_more(stream: TcpStream) {
    // Open for as long as the process.
    std::mem::forget(stream);
}

fn reads_on(mut stream: TcpStream) {
    let mut piece = [0; 65536];
    while matches!(stream.read(&mut piece), Ok(1..)) {}
}

#[test]
fn a_refusal_of_an_upload_goes_back_before_the_upload_has_come() {
    for then in [closes, reads_no_more, reads_on] as [Then; 3] {
        let (port, heads) = refusing(then);
        let base = format!("http://{HOST}:{port}/v1");
        let service = Service::of(&base, KEYS, OPEN, outside(at([127, 0, 0, 1].into())));
        for framing in ["Content-Length: 1073741824\r\n", "Transfer-Encoding: chunked\r\n"] {
            let mut caller = service.connect();
            caller.say(request("POST /crm/upload", framing));
            caller.say("2\r\nab\r\n");
            let answer = caller.answer();
            assert_eq!((answer.status, answer.text().as_str()), (401, "no"), "{framing}");
            assert_eq!(answer.values("x-sidegate-rejection").len(), 0, "it is the third party's own");
        }
        assert_eq!(heads.lock().unwrap().len(), 2, "each was sent once");
    }
}
