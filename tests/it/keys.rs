//! Sealing keys of a whole Sidegate: rotated under load, after a kill, with rows that somebody meddled with; and a key
//! that is missing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::commands::{Ran, sidegate};
use crate::support::service::{LISTENERS, api_key, fill, folder, settings};
use crate::support::{Origin, Peer, Process, eventually};

const ADA: &str = "X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: ada\r\n";

fn key(process: &Process, what: &str) -> Ran {
    let address = process.address("admin").to_string();
    sidegate(&["key", what, "--address", &address], process.folder())
}

fn reload(process: &Process) -> Ran {
    let address = process.address("admin").to_string();
    sidegate(&["reload", "--address", &address], process.folder())
}

fn rotation(process: &Process) -> Value {
    let mut operator = Peer::to(process.address("admin"));
    operator.say("GET /status?format=json HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let status: Value = serde_json::from_str(&operator.answer().text()).unwrap();
    status["sealing"]["rotation"].clone()
}

fn metric(process: &Process, line: &str) -> bool {
    let mut prober = Peer::to(process.address("health"));
    prober.say("GET /metrics HTTP/1.1\r\nHost: sidegate\r\n\r\n");
    prober.answer().text().lines().any(|found| found == line)
}

/// One caller that calls out with one connection and writes to it, over and over.
fn load(
    outbound: SocketAddr,
    number: usize,
    stop: &Arc<AtomicBool>,
    done: &Arc<AtomicUsize>,
) -> JoinHandle<Vec<String>> {
    let (stop, done) = (Arc::clone(stop), Arc::clone(done));
    std::thread::spawn(move || {
        let mut caller = Peer::to(outbound);
        let mut wrong = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let new_secret = format!(r#"{{"credentials": {{"apiKey": "{}"}}}}"#, api_key(number));
            let length = new_secret.len();
            for request in [
                format!("GET /connections/c{number}/proxy/x HTTP/1.1\r\nHost: a\r\n{ADA}\r\n"),
                format!(
                    "PATCH /connections/c{number} HTTP/1.1\r\nHost: a\r\n{ADA}Content-Length: {length}\r\n\r\n{new_secret}"
                ),
            ] {
                caller.say(request);
                let answer = caller.answer();
                if answer.status != 200 {
                    wrong.push(format!("{} {}", answer.head, answer.text()));
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
        }
        wrong
    })
}

#[test]
fn keys_are_rotated_under_load_and_the_old_one_is_taken_out_without_a_failure() {
    let third_party = Origin::new();
    let files = folder(third_party.address, &[("k1", 1)]);
    fill(files.path(), &[("k1", 1)], 500);
    let process = Process::within(files, LISTENERS);
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> =
        (0..4).map(|number| load(process.address("outbound"), number, &stop, &done)).collect();

    process.rewrite("sidegate.yaml", &settings(third_party.address, &[("k2", 2), ("k1", 1)]));
    let ran = reload(&process);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = key(&process, "rotate");
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("every row is under it"), "{}", ran.out);
    let ran = key(&process, "list");
    let lines: Vec<Vec<&str>> = ran.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        (lines[1][..4].to_vec(), lines[2].clone()),
        (vec!["k2", "500", "1", "0"], vec!["k1", "0", "0", "0"])
    );
    assert!(metric(&process, "sidegate_sealed_rows_outdated 0"));

    process.rewrite("sidegate.yaml", &settings(third_party.address, &[("k2", 2)]));
    let ran = reload(&process);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let so_far = done.load(Ordering::Relaxed);
    eventually("calls go on without the old key", || done.load(Ordering::Relaxed) > so_far + 100);
    stop.store(true, Ordering::Relaxed);
    for caller in callers {
        assert_eq!(caller.join().unwrap(), Vec::<String>::new());
    }
    for call in third_party.seen() {
        let [sent] = call.values("x-api-key")[..] else { panic!("{}", call.head) };
        assert!((0..4).any(|number| sent == api_key(number)), "{sent}");
    }
}

#[test]
fn a_rotation_that_was_killed_goes_on_with_the_next_and_without_a_running_sidegate() {
    const ROWS: usize = 5000;
    let third_party = Origin::new();
    let both = &[("k2", 2), ("k1", 1)];
    let files = folder(third_party.address, both);
    fill(files.path(), &[("k1", 1)], ROWS);
    let mut process = Process::within(files, LISTENERS);
    let mut operator = Peer::to(process.address("admin"));
    operator.say("POST /key-rotate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(operator.answer().status, 202);
    operator.say("POST /key-rotate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    let joined: Value = serde_json::from_str(&operator.answer().text()).unwrap();
    assert_eq!((&joined["running"], &joined["key"]), (&true.into(), &"k2".into()));
    eventually("some rows are done", || rotation(&process)["resealed"].as_u64() > Some(0));
    process.kill();

    // Nothing holds the store now: the command does it itself.
    let ran = sidegate(&["key", "rotate", "--config", "."], process.folder());
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let end = ran.out.lines().rev().nth(1).unwrap();
    let rest = end.split(' ').next().unwrap().parse::<usize>().unwrap();
    assert!(0 < rest && rest <= ROWS + 1 - 64, "{end}");
    let ran = sidegate(&["key", "list", "--config", "."], process.folder());
    assert!(ran.out.contains(&format!("k2   {ROWS}")), "{}", ran.out);
}

#[test]
fn a_key_that_rows_need_is_missed_with_its_place_and_a_count_at_the_start_and_at_a_reload() {
    let third_party = Origin::new();
    let files = folder(third_party.address, &[("k1", 1)]);
    fill(files.path(), &[("k1", 1)], 3);
    let mut process = Process::within(files, LISTENERS);
    let said = "sidegate.yaml:12:5: 3 connections and 1 customer are sealed with the key `k1`, not configured any more";
    process.rewrite("sidegate.yaml", &settings(third_party.address, &[("k2", 2)]));
    let ran = reload(&process);
    assert!(ran.code == Some(1) && ran.err.contains(said), "{}", ran.err);
    let mut caller = Peer::to(process.address("outbound"));
    caller.say(format!("GET /connections/c1/proxy/x HTTP/1.1\r\nHost: a\r\n{ADA}\r\n"));
    assert_eq!(caller.answer().status, 200, "the old key stays in use");
    process.kill();
    for arguments in [["run", "--config", "."].as_slice(), &["key", "rotate", "--config", "."]] {
        let ran = sidegate(arguments, process.folder());
        assert!(ran.code == Some(1) && ran.err.contains(said), "{}", ran.err);
    }

    // Another key under the old one's id.
    process.rewrite("sidegate.yaml", &settings(third_party.address, &[("k2", 2), ("k1", 9)]));
    let ran = sidegate(&["run", "--config", "."], process.folder());
    let said = "sidegate.yaml:13:21: the sealing key `k1` is not the one the store";
    assert!(ran.code == Some(1) && ran.err.contains(said), "{}", ran.err);
}

#[test]
fn rows_that_were_meddled_with_name_themselves_and_nothing_else() {
    use redb::{Database, ReadableTable as _, TableDefinition};
    let third_party = Origin::new();
    let files = folder(third_party.address, &[("k2", 2), ("k1", 1)]);
    fill(files.path(), &[("k1", 1)], 4);
    let database = Database::open(files.path().join("store.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut secrets = transaction.open_table(TableDefinition::<&str, &[u8]>::new("secrets")).unwrap();
        let row = |id: &str| secrets.get(id).unwrap().unwrap().value().to_vec();
        let (mut flipped, cut, copied) = (row("c0"), row("c1"), row("c3"));
        flipped[100] ^= 1;
        secrets.insert("c0", flipped.as_slice()).unwrap();
        secrets.insert("c1", &cut[..90]).unwrap();
        secrets.insert("c2", copied.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let process = Process::within(files, LISTENERS);
    let ran = key(&process, "rotate");
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    for id in ["c0", "c1", "c2"] {
        assert!(
            ran.err.contains(&format!("error: the secrets of connection `{id}` cannot be opened")),
            "{}",
            ran.err
        );
    }
    assert!(ran.err.contains("3 rows cannot be opened and stay as they are"), "{}", ran.err);
    assert!(ran.out.contains("2 rows sealed anew"), "{}", ran.out);
    assert!(!(ran.out + &ran.err).contains("api-key"));
    for (number, status) in [(0, 500), (1, 500), (2, 500), (3, 200)] {
        let mut caller = Peer::to(process.address("outbound"));
        caller.say(format!("GET /connections/c{number}/proxy/x HTTP/1.1\r\nHost: a\r\n{ADA}\r\n"));
        let answer = caller.answer();
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(!answer.text().contains("api-key"));
    }
    assert_eq!(third_party.seen().len(), 1);
    process.terminate();
    let (_, log) = process.end();
    for id in ["c0", "c1", "c2"] {
        assert!(log.contains(&format!("the secrets of connection `{id}` cannot be opened")), "{log}");
    }
    assert!(!log.contains("api-key"));
}

#[test]
fn a_sidegate_without_a_store_says_so() {
    let origin = Origin::new();
    let process = Process::listening(origin.address, "admin: {address: '127.0.0.1:0'}", "");
    let ran = key(&process, "rotate");
    assert!(ran.code == Some(1) && ran.err.contains("this Sidegate has no store"), "{}", ran.err);
    let ran = sidegate(&["key", "list", "--config", "."], process.folder());
    assert!(ran.code == Some(1) && ran.err.contains("no store is configured"), "{}", ran.err);
}
