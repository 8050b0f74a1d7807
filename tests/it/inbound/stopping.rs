//! Start and stop: nothing in flight is lost, nothing is left behind, and the log tells each request once.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;

use serde_json::Value;
use sidegate::app::StartError;
use sidegate::app::lifecycle::Ended;
use sidegate::clock::SystemClock;
use sidegate::config::{self, Flags, Sources};

use crate::support::{Folder, Gate, Origin, Process, SECRET, as_anna, eventually};

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna())
}

/// An API that answers once the test says so.
fn held() -> (Origin, std::sync::mpsc::Sender<()>) {
    let (answer, wait) = channel();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::played(move |api| {
        while api.request().is_some() {
            let _ = wait.lock().unwrap().recv();
            api.try_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    (origin, answer)
}

fn in_flight(origin: &Origin, count: usize) {
    eventually("the API has the request", || origin.seen().len() == count);
}

#[test]
fn a_stop_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let (origin, answer) = held();
    let gate = Gate::configured(&format!(
        "upstreams: {{api: {{upstream: 'http://{}'}}}}\nshutdown: {{delay: 0s, grace: 10s}}\n",
        origin.address
    ));
    let address = gate.address("inbound");
    let mut busy = gate.connect();
    let mut idle = gate.connect();
    idle.say("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n");
    assert_eq!(idle.answer().status, 401);
    busy.say(request("/"));
    in_flight(&origin, 1);
    let stopping = gate.stop();
    assert_eq!(idle.rest(), b"");
    eventually("nothing new is taken", || TcpStream::connect(address).is_err());
    answer.send(()).unwrap();
    let last = busy.answer();
    assert_eq!((last.status, last.text().as_str()), (200, "ok"));
    assert_eq!(last.values("connection"), ["close"]);
    assert_eq!(busy.rest(), b"");
    assert_eq!(stopping.join().unwrap(), Ended::Drained);
}

#[test]
fn a_connection_that_never_asked_anything_does_not_hold_up_a_stop() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let mut silent = gate.connect();
    // Answered after the silent one was accepted.
    assert_eq!(gate.get("/", &as_anna()).status, 200);
    assert_eq!(gate.stop().join().unwrap(), Ended::Drained);
    assert_eq!(silent.rest(), b"");
}

#[test]
fn two_cannot_listen_on_one_port_even_with_several_workers() {
    let origin = Origin::new();
    let configured = |address: &str| {
        format!(
            "listeners: {{inbound: {{address: '{address}'}}}}\nworkers: 2\n\
             upstreams: {{api: {{upstream: 'http://{}'}}}}\n",
            origin.address
        )
    };
    let first = Gate::configured(&configured("127.0.0.1:0"));
    let second = Gate::try_configured(&configured(&first.address("inbound").to_string()));
    assert!(matches!(second, Err(StartError::Listen(_))));
    for _ in 0..20 {
        assert_eq!(first.get("/", &as_anna()).status, 200);
    }
}

#[test]
fn a_stop_waits_no_longer_than_its_grace() {
    let (origin, _never) = held();
    let gate = Gate::before(&origin);
    let mut busy = gate.connect();
    busy.say(request("/"));
    in_flight(&origin, 1);
    assert_eq!(gate.stop().join().unwrap(), Ended::CutShort);
    assert_eq!(busy.rest(), b"");
}

#[test]
fn a_start_that_fails_leaves_nothing_running() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = Folder::new();
    let socket = folder.path().join("inbound.sock");
    folder.write("acme", SECRET);
    folder.write(
        "sidegate.yaml",
        &format!(
            "listeners: {{inbound: {{address: 'unix:{}'}}, health: {{address: '{}'}}}}\nworkers: 1\n\
             accessLog: {{to: off}}\nworkspaces: {{acme: {{secret: {{file: acme}}}}}}\n\
             upstreams: {{api: {{upstream: 'http://127.0.0.1:9'}}}}\n",
            socket.display(),
            taken.local_addr().unwrap()
        ),
    );
    let paths = vec![folder.path().to_owned()];
    let sources = Sources { paths, flags: Flags::default(), environment: [].into() };
    let settings = config::load(&sources).unwrap_or_else(|complaints| panic!("{complaints:#?}"));
    assert!(sidegate::app::start(settings, Arc::new(SystemClock)).is_err());
    eventually("the inbound listener is gone", || std::os::unix::net::UnixStream::connect(&socket).is_err());
}

#[test]
fn a_terminated_process_answers_what_is_in_flight_and_logs_it_before_it_ends() {
    let (origin, answer) = held();
    let process = Process::before(origin.address, "shutdown: {delay: 0s, grace: 10s}\n");
    let mut busy = process.connect();
    busy.say(request("/last?secret=1"));
    in_flight(&origin, 1);
    process.terminate();
    answer.send(()).unwrap();
    assert_eq!(busy.answer().status, 200);
    let (status, log) = process.end();
    assert!(status.success(), "{status}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert_eq!((&lines[0]["path"], &lines[0]["status"]), (&"/last".into(), &200.into()));
    assert_eq!((&lines[0]["customer"], &lines[0]["reason"]), (&"anna".into(), &"ok".into()));
}

#[test]
fn a_process_that_is_cut_short_still_logs_what_it_dropped() {
    let (origin, _never) = held();
    let process = Process::before(origin.address, "shutdown: {delay: 0s, grace: 50ms}\n");
    let mut busy = process.connect();
    busy.say(request("/dropped"));
    in_flight(&origin, 1);
    process.terminate();
    assert_eq!(busy.rest(), b"");
    let (_, log) = process.end();
    assert_eq!(log.lines().count(), 1, "{log}");
    assert!(log.contains("/dropped") && log.contains("client_gone"), "{log}");
}

#[test]
fn h47_what_a_caller_sends_stays_within_its_field_of_the_log_and_secrets_stay_out() {
    let origin = Origin::new();
    let process = Process::before(origin.address, "shutdown: {delay: 0s, grace: 1s}\n");
    let token = as_anna();
    let signature = token.trim().rsplit('.').next().unwrap().to_owned();
    let hostile = [
        format!("GET /a\"}}{{%0d%0a%1b[31m HTTP/1.1\r\nHost: api.test\r\n{token}\r\n"),
        format!("G\"ET /b HTTP/1.1\r\nHost: api.test\r\n{token}\r\n"),
        "GET /c?token=PLANTED HTTP/1.1\r\nHost: api.test\r\nX-Request-Id: \"},{\\u001b\r\n\r\n".into(),
        "GET /d HTTP/1.1\r\nHost: api.test\r\nX-Request-Id: a\u{1b}[31mb\u{9b}\r\n\r\n".into(),
        "GET /e HTTP/1.1\r\nHost: api.test\r\nX-Membrane-Token: PLANTED.PLANTED.PLANTED\r\n\r\n".into(),
        "GET /f HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer PLANTED\r\nCookie: PLANTED\r\n\r\n"
            .into(),
    ];
    for request in &hostile {
        let mut caller = process.connect();
        caller.say(request);
        assert!(matches!(caller.answer().status, 200 | 400 | 401), "{request}");
    }
    process.terminate();
    let (status, log) = process.end();
    assert!(status.success(), "{status}");
    assert!(log.bytes().all(|byte| byte == b'\n' || (0x20..0x7f).contains(&byte)), "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    assert!(!log.contains("PLANTED") && !log.contains(&signature) && !log.contains(SECRET), "{log}");
    assert!(log.lines().count() >= 4, "{log}");
}
