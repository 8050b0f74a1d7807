//! Real servers behind the gate: what Node, Python, nginx and Apache read of hostile bytes is what was authorised, and no
//! path is served to whom a rule does not admit. A server that is not installed is named and left out.

mod servers;

use std::fs;
use std::sync::Arc;

use serde_json::Value;

use crate::smoke::oracle::Oracle;
use crate::smoke::recorder::Seen;
use crate::smoke::{SEED, send};
use crate::support::Folder;
use servers::{Kind, Server, installed};

#[test]
fn h30_real_servers_read_only_what_was_authorised() {
    each_reads_only_what_was_authorised(400);
}

#[test]
#[ignore = "it wants the machine for itself: tests/run runs it alone"]
fn real_servers_read_only_what_was_authorised_of_thousands() {
    each_reads_only_what_was_authorised(6_000);
}

fn each_reads_only_what_was_authorised(cases: u32) {
    for kind in installed() {
        let folder = Folder::new();
        let server = Server::start(kind, &folder);
        // It judges what callers are answered; what the server read is judged from its log.
        let answered = Arc::new(Oracle::blind(SEED));
        send(cases, &answered, server.address);
        let log = server.stop();
        let oracle = match kind {
            // ASGI has no word for it.
            Kind::Uvicorn => Oracle::told_without_empty_queries(SEED),
            _ => Oracle::new(SEED),
        };
        for line in log.lines() {
            oracle.judge(&seen(line));
        }
        let (violations, admitted) = (oracle.violations(), oracle.admitted());
        let shown = violations.iter().take(10).cloned().collect::<Vec<_>>().join("\n");
        assert!(violations.is_empty(), "{kind:?}: {} violations:\n{shown}", violations.len());
        let admitted: usize = admitted.values().sum();
        assert!(admitted > cases as usize / 10, "{kind:?} read {admitted} of {cases}");
    }
}

/// One line of a server's log.
fn seen(line: &str) -> Seen {
    let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let words = entry["line"].as_str().unwrap().split(' ').collect::<Vec<_>>();
    let [method, target, ..] = words[..] else { panic!("no request line: {line}") };
    let field = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.as_bytes().to_vec()));
    let fields = entry["fields"].as_array().unwrap().iter().filter_map(field);
    // Logs say nothing where a header is missing.
    let fields = fields.filter(|(_, value)| !matches!(&value[..], b"" | b"-")).collect();
    Seen { method: method.into(), target: target.into(), fields }
}

#[test]
fn h39_no_spelling_of_a_path_gets_a_guarded_file_from_a_real_server() {
    for kind in installed().into_iter().filter(|kind| kind.serves_files()) {
        let folder = Folder::new();
        for (name, text) in [("admin/x", "guarded"), ("public/x", "for all"), ("o/x", "for some")] {
            let path = folder.path().join("files").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let server = Server::start(kind, &folder);
        let gate = crate::smoke::gate(server.address);
        let token = crate::support::as_anna();
        assert!(gate.get("/public/x", "").text().contains("for all"), "{kind:?}");
        for path in spellings() {
            let answer = gate.get(&path, &token);
            assert!(!answer.text().contains("guarded"), "{kind:?}: {path}: {answer:?}");
        }
    }
}

/// Detours to `/admin/x` that some server is known to take.
fn spellings() -> Vec<String> {
    let names =
        ["admin", "ADMIN", "%61dmin", "adm%69n", "admin;a", "admin%3b", "admin.", "admin%20", "%2561dmin"];
    let ways = [
        "/",
        "//",
        "/./",
        "/.//",
        "/public/../",
        "/public/..;/",
        "/public/%2e%2e/",
        "/public/%2e./",
        "/public/..%2f",
        "/public/..%5c",
        "/public/..\\",
        "/;/",
        "/o/..//",
        "/%2e/",
        "/public/x/../../",
        "/%5c",
        "/..;/",
        "/public/%252e%252e/",
        "/public/%c0%ae%c0%ae/",
        "/public/...//",
        "http://api.test/",
        "http://api.test//",
        "/public?/../",
    ];
    let between = ["/", "//", "/./", "%2f", "%2F", "\\", "%5c", "/;a/", "/a/../", "/%2e/", ";/", "/.;/"];
    let mut all = Vec::new();
    for name in names {
        for way in ways {
            all.extend(between.iter().map(|gap| format!("{way}{name}{gap}x")));
        }
    }
    all
}
