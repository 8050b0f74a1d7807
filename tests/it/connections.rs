//! What operators ask about connections on the command line: of the running process, and of the store where none runs.
//! And that nothing a command prints holds a secret, in any form.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::commands::Ran;
use crate::support::service::{LISTENERS, api_key, fill, folder, settings};
use crate::support::{Origin, Process, SECRET};

const KEYS: &[(&str, u8)] = &[("k1", 1)];
/// With characters that JSON and URLs write otherwise.
const PLANTED: &str = r#"planted-"7f3a\91c2/d8e6+4b05=zz"#;

/// Runs the binary with this as its standard input.
fn sidegate_told(input: &str, arguments: &[&str], folder: &std::path::Path) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sidegate"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that is done before it reads has closed the pipe.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The commands against one Sidegate: that which runs, or none.
struct Operator<'a> {
    folder: &'a std::path::Path,
    outbound: Option<String>,
    admin: Option<String>,
    printed: String,
}

impl<'a> Operator<'a> {
    fn of(process: &'a Process) -> Self {
        Self {
            folder: process.folder(),
            outbound: Some(process.address("outbound").to_string()),
            admin: Some(process.address("admin").to_string()),
            printed: String::new(),
        }
    }

    fn alone(folder: &'a std::path::Path) -> Self {
        Self { folder, outbound: None, admin: None, printed: String::new() }
    }

    fn told(&mut self, input: &str, words: &[&str]) -> Ran {
        let mut arguments = words.to_vec();
        arguments.extend(["--config", "."]);
        if let Some(address) = &self.outbound {
            arguments.extend(["--address", address]);
        }
        if let (Some(address), true) = (&self.admin, words.contains(&"request")) {
            arguments.extend(["--admin", address]);
        }
        let ran = sidegate_told(input, &arguments, self.folder);
        self.printed += &ran.out;
        self.printed += &ran.err;
        ran
    }

    #[track_caller]
    fn done(&mut self, words: &[&str]) -> String {
        let ran = self.told("", words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}{}", ran.out, ran.err);
        ran.out
    }

    #[track_caller]
    fn refused(&mut self, words: &[&str], why: &str) {
        let ran = self.told("", words);
        assert!(
            ran.code != Some(0) && ran.err.contains(why),
            "{words:?}: {:?} {}{}",
            ran.code,
            ran.out,
            ran.err
        );
    }
}

/// The same asked of a Sidegate that runs, and of a store that nobody holds.
fn everything(operator: &mut Operator<'_>) {
    let list = operator.done(&["connections", "list"]);
    let lines: Vec<_> = list.lines().collect();
    let heads: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(heads[..5], ["CONNECTION", "CUSTOMER", "INTEGRATION", "STATE", "NAME"], "{list}");
    assert_eq!(lines.len(), 1 + 12, "{list}");
    assert!(lines[1].contains("c0") && lines[1].contains("ada") && lines[1].contains("ready"), "{list}");
    let of_ada: Value =
        serde_json::from_str(&operator.done(&["connections", "list", "--customer", "ada", "--json"]))
            .unwrap();
    assert_eq!(of_ada.as_array().unwrap().len(), 10, "{of_ada}");

    // Made from a file, changed from standard input.
    std::fs::write(operator.folder.join("new.json"), json!({"credentials": {"apiKey": PLANTED}}).to_string())
        .unwrap();
    let put = ["connections", "put", "--customer", "eve", "--integration", "crm", "--from", "new.json"];
    let made = operator.done(&[&put[..], &["--name", "Eve's", "--key", "main", "--json"]].concat());
    let made: Value = serde_json::from_str(&made).unwrap();
    let id = made["id"].as_str().unwrap().to_owned();
    let secret = json!({"credentials": {"apiKey": format!("{PLANTED}2")}}).to_string();
    let ran = operator.told(&secret, &["connections", "put", &id, "--from", "-"]);
    assert!(ran.code == Some(0) && ran.out.contains("ready"), "{}{}", ran.out, ran.err);
    let shown = operator.done(&["connections", "show", "main", "--customer", "eve"]);
    for wanted in ["state        ready", &id, "Eve's", "crm", "eve"] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let integrations = operator.done(&["integrations", "list"]);
    assert!(integrations.lines().nth(1).unwrap().starts_with("crm"), "{integrations}");

    // What would be sent, and that nothing is.
    let request =
        operator.done(&["connections", "request", &id, "/things?a=1", "--method", "PUT", "--dry-run"]);
    let lines: Vec<_> = request.lines().collect();
    assert!(lines[0].starts_with("PUT http://127.0.0.1:") && lines[0].ends_with("/things?a=1"), "{request}");
    assert!(lines.contains(&"x-api-key: [masked]"), "{request}");
    operator
        .refused(&["connections", "request", &id, "https://evil.example/", "--dry-run"], "is not admitted");
    operator.refused(
        &["connections", "request", "nobody", "/", "--dry-run"],
        "there is no connection of this id",
    );

    let removed = operator.done(&["connections", "remove", &id]);
    assert_eq!(removed, format!("archived {id}; its secrets are gone\n"));
    operator.refused(&["connections", "show", &id], "there is no connection of this id");

    // Mistakes are told with what to do, and without what was typed wrong.
    std::fs::write(operator.folder.join("bad.json"), format!("{{\"credentials\":\n {PLANTED}")).unwrap();
    operator.refused(&["connections", "put", "c0", "--from", "bad.json"], "bad.json:2:2: this is not JSON");
    operator.refused(&["connections", "put", "c0"], "nothing would change; give --from, --name or --key");
    operator.refused(&["connections", "put", "--integration", "crm"], "--customer");
    operator.refused(
        &["connections", "list", "--in", "globex"],
        "there is no workspace `globex`; there are acme",
    );
    operator.refused(&["connections", "show", "crm", "--customer", "ada"], "crm");
}

#[test]
fn a_running_sidegate_and_a_store_that_nobody_holds_answer_alike_and_show_no_secret() {
    let third_party = Origin::new();
    let files = folder(third_party.address, KEYS);
    fill(files.path(), KEYS, 12);
    let mut process = Process::within(files, LISTENERS);
    let mut operator = Operator::of(&process);
    everything(&mut operator);
    let mut printed = std::mem::take(&mut operator.printed);
    process.kill();
    let mut operator = Operator::alone(process.folder());
    everything(&mut operator);
    for more in [&["key", "list"][..], &["key", "rotate"], &["check"], &["config", "show"]] {
        operator.done(more);
    }
    printed += &operator.printed;
    // The connector's own test is all that was sent.
    assert!(third_party.seen().iter().all(|asked| asked.line() == "GET /me HTTP/1.1"));

    assert!(printed.contains("Eve's") && printed.contains("k1"));
    let sealing_key = base64::engine::general_purpose::STANDARD.encode([1; 32]);
    for secret in [PLANTED, SECRET, &sealing_key, "api-key-of-c"] {
        for form in forms_of(secret) {
            assert!(!printed.contains(&form), "{form} of {secret} in:\n{printed}");
        }
    }
    assert!(!printed.contains("eyJ"), "a token:\n{printed}");
}

#[test]
fn a_test_tells_which_connections_work_and_a_script_by_its_exit_code() {
    let third_party = Origin::played(|peer| {
        while let Some(asked) = peer.request() {
            let takes = asked.line() == "GET /me HTTP/1.1" && asked.values("x-api-key") == [api_key(0)];
            let status = if takes { "200 OK" } else { "401 Unauthorized" };
            peer.try_say(format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}"));
        }
    });
    let files = folder(third_party.address, KEYS);
    fill(files.path(), KEYS, 2);
    let mut process = Process::within(files, LISTENERS);
    for running in [true, false] {
        if !running {
            process.kill();
        }
        let mut operator = if running { Operator::of(&process) } else { Operator::alone(process.folder()) };
        assert_eq!(operator.done(&["connections", "test", "c0"]), "c0 works\n");
        operator.refused(&["connections", "test", "c1"], "c1 does not work");
        let ran = operator.told("", &["integrations", "test", "crm"]);
        assert!(
            ran.code == Some(1) && ran.err.contains("1 of 2 connections failed"),
            "{}{}",
            ran.out,
            ran.err
        );
        let rows: Vec<_> = ran.out.lines().collect();
        assert!(rows[1].starts_with("c0") && rows[1].ends_with("works"), "{}", ran.out);
        assert!(rows[2].starts_with("c1") && !rows[2].ends_with("works"), "{}", ran.out);
        operator.refused(&["integrations", "test", "nowhere"], "nowhere");
        assert!(!operator.printed.contains("api-key-of"), "{}", operator.printed);
    }
}

/// A secret raw, in hex, in base64 wherever it may begin within a group of three bytes, and as URLs and JSON write it.
fn forms_of(secret: &str) -> Vec<String> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let escaped = json!(secret).to_string();
    let mut forms = vec![
        secret.to_owned(),
        hex.to_uppercase(),
        hex,
        escaped.trim_matches('"').to_owned(),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        secret.replace('/', "%2F").replace('+', "%2B"),
    ];
    for skipped in 0..3 {
        let inner = &secret[skipped..];
        let whole_groups = &inner[..inner.len() / 3 * 3];
        forms.extend([STANDARD_NO_PAD.encode(whole_groups), URL_SAFE_NO_PAD.encode(whole_groups)]);
    }
    forms
}

#[test]
fn a_process_that_holds_the_store_and_cannot_be_asked_is_told_with_what_to_do() {
    let third_party = Origin::new();
    let files = folder(third_party.address, KEYS);
    fill(files.path(), KEYS, 1);
    let process = Process::within(files, LISTENERS);
    let mut operator = Operator::alone(process.folder());
    // The configuration says port 0, so nobody can know where it is.
    operator.refused(&["connections", "list"], "--address names its outbound listener");
    let text = settings(third_party.address, KEYS).replace("  admin: {address: '127.0.0.1:0'}\n", "");
    process.rewrite("sidegate.yaml", &text);
    operator.refused(&["key", "rotate"], "no `listeners.admin` is configured to ask it by");
}

#[test]
fn another_secret_than_the_running_sidegates_is_told() {
    let third_party = Origin::new();
    let files = folder(third_party.address, KEYS);
    fill(files.path(), KEYS, 1);
    let process = Process::within(files, LISTENERS);
    process.rewrite("acme", "another secret that is long enough to sign with");
    let mut operator = Operator::of(&process);
    operator.refused(&["connections", "list"], "is this the configuration of the running Sidegate?");
    operator.refused(&["integrations", "test", "crm"], "is this the configuration of the running Sidegate?");
}
