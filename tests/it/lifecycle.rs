//! From the start to the end of a process that carries traffic: nobody who behaves notices either.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use sidegate::app::{self, Running};
use sidegate::clock::SystemClock;
use sidegate::config::{self, Flags, Sources};
use sidegate::http::listener::Address;

use crate::support::{Answer, Folder, Gate, Origin, Peer, Process, as_anna, eventually};

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

/// A public key of nobody's.
const KEY_SET: &str = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"one","use":"sig","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;

fn ask(running: &Running, listener: &str, path: &str) -> Answer {
    let found = running.addresses().iter().find(|(name, _)| *name == listener);
    let Some((_, Address::Tcp(address))) = found else { panic!("no {listener}") };
    let mut asker = Peer::to(*address);
    asker.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    asker.answer()
}

#[test]
fn readiness_waits_for_the_key_set_of_each_required_workspace_and_a_reload_keeps_it() {
    let (answer, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let issuer = Origin::played(move |peer| {
        while peer.request().is_some() {
            let _ = wait.lock().unwrap().recv();
            let length = KEY_SET.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            );
            peer.try_say(head + KEY_SET);
        }
    });
    let folder = Folder::new();
    let text = format!(
        "listeners: {{inbound: {{address: '127.0.0.1:0'}}, health: {{address: '127.0.0.1:0'}}, admin: {{address: '127.0.0.1:0'}}}}\n\
         workers: 1\naccessLog: {{to: off}}\nshutdown: {{delay: 0s, grace: 1s}}\n\
         workspaces: {{acme: {{jwks: {{url: 'http://{}/keys', allowPrivate: true, allowPlain: true}}}}}}\n\
         upstreams: {{api: {{upstream: 'http://127.0.0.1:9'}}}}\n",
        issuer.address
    );
    folder.write("sidegate.yaml", &text);
    let paths = vec![folder.path().to_owned()];
    let sources = Sources { paths, flags: Flags::default(), environment: [].into() };
    let settings = config::load(&sources).unwrap_or_else(|complaints| panic!("{complaints:#?}"));
    let running = app::start(settings, Arc::new(SystemClock)).unwrap();
    eventually("the key set is asked for", || issuer.seen().len() == 1);
    let ready = ask(&running, "health", "/readyz");
    assert!(
        ready.status == 503 && ready.text().contains("the key set of the workspace `acme`"),
        "{}",
        ready.text()
    );
    answer.send(()).unwrap();
    eventually("it is ready", || ask(&running, "health", "/readyz").status == 200);

    // Another rule: the workspace stays as it is, and so does its set.
    folder.write(
        "sidegate.yaml",
        &text.replace("127.0.0.1:9'", "127.0.0.1:9', rules: [{path: /*, allow: admin}]"),
    );
    let report = running.reload();
    assert!(report.is_applied() && report.generation == 2, "{report:?}");
    assert_eq!(ask(&running, "health", "/readyz").status, 200);
    let status: serde_json::Value =
        serde_json::from_str(&ask(&running, "admin", "/status?format=json").text()).unwrap();
    let workspace = &status["workspaces"][0];
    assert_eq!((&workspace["usable"], &workspace["required"]), (&true.into(), &true.into()), "{status}");
    assert_eq!(
        (&workspace["keys"][0]["kid"], &workspace["keys"][0]["algorithms"][0]),
        (&"one".into(), &"ES256".into())
    );
    // Whatever still asks for the set gets an end.
    drop(answer);
    running.wind_down();
}
