//! From the start to the end of a process that carries traffic: nobody who behaves notices either.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Gate, Origin, Peer, Process, as_anna, eventually};

fn request() -> String {
    format!("GET / HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna())
}

/// Whether traffic should come, as a load balancer sees it.
fn is_ready(process: &Process) -> bool {
    let mut prober = Peer::to(process.address("health"));
    prober.say("GET /readyz HTTP/1.1\r\nHost: sidegate\r\n\r\n");
    prober.answer().status == 200
}

#[test]
fn sigterm_under_load_drops_no_request() {
    let origin = Origin::new();
    let listeners = "health: {address: '127.0.0.1:0'}";
    let process = Process::listening(origin.address, listeners, "shutdown: {delay: 2s, grace: 10s}\n");
    let (leave, answered, late) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let request = request();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut caller = process.connect();
                while !leave.load(Ordering::SeqCst) {
                    caller.say(&request);
                    let answer = caller.answer();
                    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
                    answered.fetch_add(1, Ordering::SeqCst);
                    if answer.values("connection") == ["close"] {
                        late.fetch_add(1, Ordering::SeqCst);
                        assert_eq!(caller.rest(), b"");
                        caller = process.connect();
                    }
                }
            });
        }
        eventually("there is load", || answered.load(Ordering::SeqCst) > 50);
        process.terminate();
        eventually("the load balancer is told", || !is_ready(&process));
        let so_far = late.load(Ordering::SeqCst);
        eventually("traffic goes on meanwhile", || late.load(Ordering::SeqCst) > so_far + 4);
        leave.store(true, Ordering::SeqCst);
    });
    let (status, log) = process.end();
    assert!(status.success(), "{status}");
    assert_eq!(log.lines().count(), answered.load(Ordering::SeqCst), "each request is logged once");
    assert!(log.lines().all(|line| line.contains("\"status\":200")), "{log}");
}

#[test]
fn it_starts_before_its_upstream() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let gate = Gate::configured(&format!("upstreams: {{api: {{upstream: 'http://{address}'}}}}\n"));
    assert_eq!(gate.get("/", &as_anna()).status, 502);
    let origin = Origin::at(address);
    eventually("the API is reached", || gate.get("/", &as_anna()).status == 200);
    assert!(!origin.seen().is_empty());
}
