//! A configuration that changes under a running Sidegate: taken whole or not at all, and no request notices.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

use serde_json::json;

use crate::support::{Gate, OTHER_SECRET, Origin, Peer, Process, SECRET, as_anna, eventually, signed};

/// One upstream with these settings, and these at the top.
fn one(origin: &Origin, settings: &str, top: &str) -> String {
    format!("upstreams: {{api: {{upstream: 'http://{}', {settings}}}}}\n{top}", origin.address)
}

const PUBLIC: &str = "rules: [{path: /*, allow: public}]";

#[test]
fn a_reload_puts_new_rules_in_force_and_keeps_idle_connections() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(format!("GET / HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna()));
    assert_eq!(caller.answer().status, 200);
    assert_eq!(gate.get("/", "").status, 401);

    gate.reconfigure(&one(&origin, PUBLIC, ""));
    let report = gate.reload();
    assert!(report.is_applied() && report.generation == 2, "{report:?}");
    assert_eq!(gate.get("/", "").status, 200);
    caller.say("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n");
    assert_eq!(caller.answer().status, 200, "the caller's own connection serves on");
    assert_eq!(origin.connections(), 1, "the connection to the API was kept");
}

#[test]
fn a_request_in_flight_ends_as_it_began() {
    let (answer, wait) = channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::played(move |api| {
        while api.request().is_some() {
            let _ = wait.lock().unwrap().recv();
            api.try_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    let other = Origin::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(format!("GET / HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna()));
    eventually("the API has the request", || origin.seen().len() == 1);

    gate.rewrite("acme", "another secret of acme, long enough for HS512: 0123456789abcdefghijkl");
    gate.reconfigure(&one(&other, PUBLIC, ""));
    assert!(gate.reload().is_applied());
    assert_eq!(gate.get("/", "").text(), "other");
    answer.send(()).unwrap();
    assert_eq!(caller.answer().text(), "ok");
    caller.say("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n");
    assert_eq!(caller.answer().text(), "other");
}

#[test]
fn a_withdrawn_secret_and_a_removed_workspace_verify_nothing_from_the_reload_on() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let globex = signed(&json!({"iss": "globex", "id": "bob", "exp": 4_000_000_000_u64}), OTHER_SECRET);
    let globex = format!("X-Integration-App-Token: {globex}\r\n");
    // Both are remembered as verified.
    assert_eq!((gate.get("/", &as_anna()).status, gate.get("/", &globex).status), (200, 200));
    gate.rewrite("acme", "another secret of acme, long enough for HS512: 0123456789abcdefghijkl");
    assert!(gate.reload().is_applied());
    assert_eq!((gate.get("/", &as_anna()).status, gate.get("/", &globex).status), (401, 200));
    gate.rewrite("acme", SECRET);
    let text = fs::read_to_string(gate.folder().join("sidegate.yaml")).unwrap();
    gate.rewrite("sidegate.yaml", &text.replace(", globex: {secret: {file: globex}}", ""));
    assert!(gate.reload().is_applied());
    assert_eq!((gate.get("/", &as_anna()).status, gate.get("/", &globex).status), (200, 401));
}

#[test]
fn a_mistake_leaves_everything_as_it_was_and_is_told_at_its_place() {
    let origin = Origin::new();
    let listeners = "listeners: {inbound: {address: '127.0.0.1:0'}, health: {address: '127.0.0.1:0'}}\n";
    let gate = Gate::configured(&one(&origin, "", listeners));
    gate.reconfigure(&one(&origin, "rules: [{path: /*, allow: publik}], tokn: {}", listeners));
    let report = gate.reload();
    assert_eq!((report.generation, report.refused.len()), (1, 2), "{report:?}");
    assert!(report.refused.iter().all(|complaint| complaint.contains("sidegate.yaml:1:")), "{report:?}");
    assert_eq!((gate.get("/", &as_anna()).status, gate.get("/", "").status), (200, 401));

    gate.reconfigure(&one(&origin, PUBLIC, listeners));
    let report = gate.reload();
    assert!(report.is_applied() && report.generation == 2, "{report:?}");
    let mut scraper = Peer::to(gate.address("health"));
    scraper.say("GET /metrics HTTP/1.1\r\nHost: sidegate\r\n\r\n");
    let metrics = scraper.answer().text();
    for line in [
        "sidegate_config_reloads_total{outcome=\"applied\"} 1\n",
        "sidegate_config_reloads_total{outcome=\"refused\"} 1\n",
        "sidegate_config_generation 2\n",
    ] {
        assert!(metrics.contains(line), "{line} {metrics}");
    }
}

#[test]
fn a_mistake_that_only_a_room_can_find_leaves_everything_as_it_was_too() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    fs::write(gate.folder().join("key.pem"), "no key").unwrap();
    let text = fs::read_to_string(gate.folder().join("sidegate.yaml")).unwrap();
    let with_key = "acme: {publicKeys: [{name: one, file: key.pem}], secret";
    gate.rewrite("sidegate.yaml", &text.replace("acme: {secret", with_key));
    let report = gate.reload();
    assert!(report.refused.iter().any(|complaint| complaint.contains("publicKeys one")), "{report:?}");
    assert_eq!((report.generation, gate.get("/", &as_anna()).status), (1, 200));
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_taken() {
    let origin = Origin::new();
    let gate = Gate::before(&origin);
    let address = gate.address("inbound");
    gate.reconfigure(&one(
        &origin,
        PUBLIC,
        "workers: 2\nlisteners: {inbound: {address: '127.0.0.1:1', limits: {maxHeaders: 50}}}\n",
    ));
    let report = gate.reload();
    assert!(report.is_applied(), "{report:?}");
    let named = ["workers", "listeners.inbound.address", "listeners.inbound.limits.maxHeaders"];
    for key in named {
        let names = |line: &String| line.contains(&format!("`{key}`")) && line.contains("sidegate.yaml:");
        assert!(report.needs_restart.iter().any(names), "{key}: {report:?}");
    }
    assert_eq!(report.needs_restart.len(), named.len(), "{report:?}");
    assert_eq!((gate.address("inbound"), gate.get("/", "").status), (address, 200));
}

#[test]
fn every_setting_that_takes_a_restart_is_named_with_its_place_also_one_that_is_gone() {
    let origin = Origin::new();
    let settings = |listeners: &str| {
        let listeners = format!("listeners:\n  inbound: {{address: '127.0.0.1:0'}}\n{listeners}");
        let key = "{id: k1, key: {value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}";
        let store = format!("store: {{redb: {{path: a.redb}}}}\nencryption: {{keys: [{key}]}}\n");
        one(&origin, PUBLIC, &format!("{listeners}{store}"))
    };
    let gate = Gate::configured(&settings(
        "  outbound: {address: '127.0.0.1:0'}\n  health: {address: '127.0.0.1:0'}\n",
    ));
    let before = gate.address("outbound");

    let after = settings("  outbound: {address: '127.0.0.1:1', trustCaller: true}\n");
    gate.reconfigure(&after.replace("a.redb", "b.redb"));
    let text = fs::read_to_string(gate.folder().join("sidegate.yaml")).unwrap();
    gate.rewrite("sidegate.yaml", &text.replace("to: off", "to: off, sample: 50"));
    let report = gate.reload();
    assert!(report.is_applied(), "{report:?}");
    let line_of = |typed: &str| 1 + text.lines().position(|line| line.contains(typed)).unwrap();
    let expected = [
        ("accessLog.sample", line_of("accessLog")),
        // Nothing sets it any more; here begins what could.
        ("listeners.health.address", line_of("listeners:") + 1),
        ("listeners.outbound.address", line_of("outbound:")),
        ("listeners.outbound.trustCaller", line_of("outbound:")),
        ("store.redb.path", line_of("b.redb")),
    ];
    assert_eq!(report.needs_restart.len(), expected.len(), "{report:#?}");
    for ((key, line), told) in expected.into_iter().zip(&report.needs_restart) {
        assert!(told.contains(&format!("sidegate.yaml:{line}:")), "{key} at {line}: {told}");
        assert!(told.contains(&format!("`{key}` changed, and a reload cannot change it; restart")), "{told}");
    }
    // What else was in it counts, and of these nothing.
    assert_eq!((gate.get("/", "").status, gate.address("outbound")), (200, before));

    // A key that was replaced under its id: nobody could open what the old one sealed.
    gate.rewrite("sidegate.yaml", &text.replace("MDEyMzQ1", "MTExMzQ1"));
    let report = gate.reload();
    let [told] = &report.refused[..] else { panic!("{report:#?}") };
    assert!(told.contains(&format!("sidegate.yaml:{}:", line_of("id: k1"))), "{told}");
    assert!(told.contains("the sealing key `k1` is not the one the store"), "{told}");
    assert!(!told.contains("MTEx"), "{told}");
}

#[test]
fn changed_files_are_noticed_without_being_told() {
    let origin = Origin::new();
    let gate = Gate::configured(&one(&origin, "match: {pathPrefix: /old}", "reload: {poll: 10ms}\n"));
    let is = |status, path: &str, headers: &str| gate.get(path, headers).status == status;
    assert!(is(200, "/old", &as_anna()) && is(404, "/new", ""));

    // A new file in a folder that was not there.
    fs::create_dir(gate.folder().join("upstreams")).unwrap();
    let text = format!("upstream: 'http://{}'\nmatch: {{pathPrefix: /new}}\n{PUBLIC_BLOCK}", origin.address);
    fs::write(gate.folder().join("upstreams/new.yaml"), text).unwrap();
    eventually("the new upstream serves", || is(200, "/new", ""));

    // A secret that a volume swaps by its link.
    for (version, secret) in [("..1", SECRET), ("..2", OTHER_SECRET)] {
        fs::create_dir(gate.folder().join(version)).unwrap();
        fs::write(gate.folder().join(version).join("acme"), secret).unwrap();
    }
    symlink("..1", gate.folder().join("..data")).unwrap();
    symlink("..data/acme", gate.folder().join(".link")).unwrap();
    fs::rename(gate.folder().join(".link"), gate.folder().join("acme")).unwrap();
    symlink("..2", gate.folder().join("..new")).unwrap();
    fs::rename(gate.folder().join("..new"), gate.folder().join("..data")).unwrap();
    let other = signed(&json!({"iss": "acme", "id": "anna", "exp": 4_000_000_000_u64}), OTHER_SECRET);
    let other = format!("X-Integration-App-Token: {other}\r\n");
    eventually("the new secret verifies", || is(200, "/old", &other) && is(401, "/old", &as_anna()));

    // A file that goes takes its upstream with it, and one that is broken takes nothing with it.
    fs::remove_file(gate.folder().join("upstreams/new.yaml")).unwrap();
    eventually("the upstream is gone", || is(404, "/new", ""));
    let whole = fs::read_to_string(gate.folder().join("sidegate.yaml")).unwrap();
    gate.rewrite("sidegate.yaml", "upstreams: [");
    assert!(!gate.reload().is_applied());
    assert!(is(200, "/old", &other));
    gate.rewrite("sidegate.yaml", &whole.replace("/old", "/mended"));
    eventually("the mended file is in force", || is(200, "/mended", &other));
}

const PUBLIC_BLOCK: &str = "rules: [{path: /*, allow: public}]\n";

#[test]
fn sighup_reloads_a_running_process() {
    let origin = Origin::new();
    let process = Process::before(origin.address, "reload: {poll: 0s}\n");
    let ask = |secret| {
        let token = signed(&json!({"iss": "acme", "id": "anna", "exp": 4_000_000_000_u64}), secret);
        let mut caller = process.connect();
        caller.say(format!("GET / HTTP/1.1\r\nHost: api.test\r\nX-Integration-App-Token: {token}\r\n\r\n"));
        caller.answer().status
    };
    assert_eq!((ask(SECRET), ask(OTHER_SECRET)), (200, 401));
    process.rewrite("acme", OTHER_SECRET);
    process.hang_up();
    eventually("the new secret verifies", || ask(OTHER_SECRET) == 200);
    assert_eq!(ask(SECRET), 401);
}

#[test]
fn a_thousand_reloads_and_key_rotations_under_load_fail_no_request() {
    let origin = Origin::new();
    // Only the reloads below count: where this takes long, the watch of the files would add its own.
    let gate = Gate::configured(&one(&origin, "", "workers: 2\nreload: {poll: 0s}\n"));
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let secrets = [SECRET, OTHER_SECRET];
    // The key of acme is another in each generation; globex keeps its own.
    let token = signed(&json!({"iss": "globex", "id": "bob", "exp": 4_000_000_000_u64}), OTHER_SECRET);
    let request = format!("GET / HTTP/1.1\r\nHost: api.test\r\nX-Integration-App-Token: {token}\r\n\r\n");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut caller = gate.connect();
                while !done.load(Ordering::Relaxed) {
                    caller.say(&request);
                    let answer = caller.answer();
                    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..1000 {
            gate.rewrite("acme", secrets[round % 2]);
            let report = gate.reload();
            if !report.is_applied() {
                done.store(true, Ordering::Relaxed);
                panic!("{report:?}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(gate.reload().generation, 1002);
    assert!(asked.load(Ordering::Relaxed) > 100, "{asked:?}");
    assert!(origin.connections() <= 3, "{}: connections were thrown away", origin.connections());
}
