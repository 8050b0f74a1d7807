//! The admin listener of a whole Sidegate: what it shows, and the commands that ask it.

use serde_json::Value;

use crate::commands::{Ran, sidegate};
use crate::support::{Gate, OTHER_SECRET, Origin, Peer, Process, SECRET, as_anna, eventually};

const LISTENERS: &str = "listeners: {inbound: {address: '127.0.0.1:0'}, health: {address: '127.0.0.1:0'}, admin: {address: '127.0.0.1:0'}}\n";

fn gate(origin: &Origin, settings: &str) -> Gate {
    Gate::configured(&format!(
        "{LISTENERS}upstreams: {{api: {{upstream: 'http://{}', {settings}}}}}\n",
        origin.address
    ))
}

fn ask(gate: &Gate, line: &str) -> (u16, Value) {
    let mut operator = Peer::to(gate.address("admin"));
    operator.say(format!("{line} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"));
    let answer = operator.answer();
    (answer.status, serde_json::from_str(&answer.text()).unwrap_or_default())
}

#[test]
fn the_status_tells_what_is_in_force_and_what_happened() {
    let origin = Origin::new();
    let gate =
        gate(&origin, "rules: [{path: /open, allow: public}, {path: /*, methods: [GET], allow: admin}]");
    assert_eq!((gate.get("/open", "").status, gate.get("/", "").status), (200, 401));
    let (status, shown) = ask(&gate, "GET /status");
    assert_eq!((status, &shown["generation"], &shown["unmet"]), (200, &1.into(), &Value::Array(Vec::new())));
    let upstream = &shown["upstreams"][0];
    assert_eq!((&upstream["name"], &upstream["mode"]), (&"api".into(), &"enforce".into()));
    assert_eq!(upstream["url"], format!("http://{}", origin.address));
    assert_eq!(
        (&upstream["rules"][1]["methods"][0], &upstream["rules"][1]["allow"]),
        (&"GET".into(), &"admin".into())
    );
    let counted = |reason: &str| {
        let rows = shown["requests"].as_array().unwrap();
        rows.iter()
            .find(|row| row["reason"] == reason && row["door"] == "inbound")
            .map(|row| row["count"].clone())
    };
    assert_eq!((counted("ok"), counted("no_token")), (Some(1.into()), Some(1.into())), "{shown}");
    let names: Vec<_> = shown["listeners"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["inbound", "health", "admin"]);
    assert!(shown["lastReload"].is_null());

    gate.rewrite("sidegate.yaml", "upstreams: {api: {upstrem: x}}\n");
    let (status, reloaded) = ask(&gate, "POST /reload");
    assert_eq!((status, &reloaded["applied"]), (422, &false.into()));
    let (_, shown) = ask(&gate, "GET /status");
    assert_eq!(shown["lastReload"]["complaints"], reloaded["complaints"]);
    assert!(shown["lastReload"]["complaints"][0].as_str().unwrap().contains("sidegate.yaml:1:"), "{shown}");
}

#[test]
fn k7_neither_page_nor_json_shows_a_secret() {
    let origin = Origin::new();
    let gate = gate(&origin, "");
    assert_eq!(gate.get("/?q=PLANTED", &as_anna()).status, 200);
    for query in ["", "?format=json"] {
        let mut operator = Peer::to(gate.address("admin"));
        operator.say(format!("GET /status{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let page = operator.answer().text();
        assert!(page.contains("acme"), "{page}");
        for secret in [SECRET, OTHER_SECRET, "PLANTED", "anna"] {
            assert!(!page.contains(secret), "{secret}: {page}");
        }
    }
}

#[test]
fn h46_the_other_listeners_have_none_of_these_pages() {
    let origin = Origin::new();
    let gate = gate(&origin, "");
    for path in ["/status", "/reload", "/drain"] {
        for method in ["GET", "POST"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            let mut prober = Peer::to(gate.address("health"));
            prober.say(&request);
            assert_eq!(prober.answer().status, 404);
            assert_eq!(gate.ask(&request).status, 401, "it is the API's path there");
        }
    }
    assert_eq!(gate.get("/", &as_anna()).status, 200);
}

fn command(process: &Process, arguments: &[&str]) -> Ran {
    let address = process.address("admin").to_string();
    sidegate(&[arguments, &["--address", &address]].concat(), &std::env::temp_dir())
}

#[test]
fn commands_ask_the_running_process() {
    let origin = Origin::new();
    let more = "shutdown: {delay: 0s, grace: 1s}\nreload: {poll: 0s}\n";
    let process = Process::listening(origin.address, "admin: {address: '127.0.0.1:0'}", more);
    let status = command(&process, &["status"]);
    assert!(status.code == Some(0) && status.out.contains(": ready"), "{}{}", status.out, status.err);
    assert!(status.out.contains("upstream api: enforce"), "{}", status.out);
    let reload = command(&process, &["reload"]);
    assert!(reload.code == Some(0) && reload.out.contains("generation 2 is in force"), "{}", reload.err);
    process.rewrite("sidegate.yaml", "nothing: here\n");
    let reload = command(&process, &["reload"]);
    assert!(reload.code == Some(1) && reload.err.contains("sidegate.yaml:1:1"), "{}", reload.err);
    let json = command(&process, &["status", "--json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["generation"], &json["lastReload"]["applied"]), (&2.into(), &false.into()));
    let drain = command(&process, &["drain"]);
    assert_eq!(drain.code, Some(0), "{}", drain.err);
    let address = process.address("admin").to_string();
    let (status, _) = process.end();
    assert!(status.success(), "{status}");
    let gone = sidegate(&["status", "--address", &address], &std::env::temp_dir());
    assert!(gone.code == Some(1) && gone.err.contains("listeners.admin"), "{}", gone.err);
}

#[test]
fn a_drain_that_was_asked_for_is_told_to_probes_and_callers_before_anything_closes() {
    let origin = Origin::new();
    let listeners = "health: {address: '127.0.0.1:0'}, admin: {address: '127.0.0.1:0'}";
    let process = Process::listening(origin.address, listeners, "shutdown: {delay: 5s, grace: 5s}\n");
    let request = format!("GET / HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna());
    let mut caller = process.connect();
    caller.say(&request);
    let before = caller.answer();
    assert!(before.status == 200 && before.values("connection").is_empty(), "{}", before.head);
    assert_eq!(command(&process, &["drain"]).code, Some(0));
    let ready = || {
        let mut prober = Peer::to(process.address("health"));
        prober.say("GET /readyz HTTP/1.1\r\nHost: sidegate\r\n\r\n");
        prober.answer()
    };
    eventually("readiness fails", || ready().status == 503);
    assert!(ready().text().contains("draining"));
    caller.say(&request);
    let last = caller.answer();
    assert_eq!((last.status, last.values("connection")), (200, vec!["close"]));
    assert_eq!(caller.rest(), b"");
    let mut newcomer = process.connect();
    newcomer.say(&request);
    assert_eq!(newcomer.answer().status, 200, "new connections are still taken");
    assert!(process.end().0.success());
}
