//! Connection requests as their customers follow them in a browser, and as whoever made one is told what came of it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::browsers::{APP, Headers as _, as_anna, ask, gate_at, json, sent_to, submit};
use crate::support::{Answer, Folder, Gate, Peer, Process, SECRET};

/// Asks for a connection to `crm`: the request's name.
fn asked_for(gate: &Gate, more: &Value) -> String {
    let mut body = json!({"integrationKey": "crm"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = json(&ask(gate, "POST /connection-requests", &as_anna(), &body.to_string()));
    made["requestId"].as_str().unwrap().to_owned()
}

fn followed(gate: &Gate, request: &str, typed: &[(&str, &str)]) -> Answer {
    submit(gate, "/screens/connections", &[&[("connectionRequestId", request)], typed].concat())
}

fn state_of(gate: &Gate, request: &str) -> Value {
    json(&ask(gate, &format!("GET /connection-requests/{request}"), &as_anna(), ""))
}

/// The message of the event that whoever waits for a request is sent.
fn told_of(gate: &Gate, request: &str) -> Value {
    let text = ask(gate, &format!("GET /sse/connection-events/{request}"), "", "").text();
    let data = text.lines().find_map(|line| line.strip_prefix("data: "));
    serde_json::from_str(data.unwrap_or_else(|| panic!("no event: {text}"))).unwrap()
}

#[test]
fn a_connection_request_leads_to_the_form_without_a_token_and_only_once() {
    let gate = gate_at("store.redb");
    let body = json!({"integrationKey": "crm", "name": "Asked for", "redirectUri": format!("{APP}/done")})
        .to_string();
    let made = json(&ask(&gate, "POST /connection-requests", &as_anna(), &body));
    let id = made["requestId"].as_str().unwrap();
    assert_eq!(made["url"], format!("https://auth.example.com/screens/connections?connectionRequestId={id}"));
    let path = format!("/screens/connections?connectionRequestId={id}");
    let form = ask(&gate, &format!("GET {path}"), "", "");
    assert!(form.text().contains("Connect CRM"), "{}", form.text());
    let typed = [("connectionRequestId", id), ("filledIn", "1"), ("/key", "planted-key")];
    let (place, query) = sent_to(&submit(&gate, "/screens/connections", &typed));
    assert_eq!(place, format!("{APP}/done"));
    let done = json(&ask(&gate, &format!("GET /connection-requests/{id}"), &as_anna(), ""));
    assert_eq!(
        (&done["status"], &done["resultConnectionId"]),
        (&json!("success"), &json!(query["connectionId"]))
    );
    assert_eq!(json(&ask(&gate, "GET /connections/crm", &as_anna(), ""))["name"], "Asked for");
    // Once more it changes nothing.
    let again = submit(
        &gate,
        "/screens/connections",
        &[("connectionRequestId", id), ("filledIn", "1"), ("/key", "other")],
    );
    assert!(again.text().contains("Connected") && again.header("location").is_none());
    let listed = json(&ask(&gate, "GET /connections?includeArchived=true", &as_anna(), ""));
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    for odd in ["", "?connectionRequestId=junk", "?connectionRequestId=1-2"] {
        assert!(ask(&gate, &format!("GET /screens/connections{odd}"), "", "").status >= 400, "{odd}");
    }
}

#[test]
fn whoever_cancels_says_so_to_all_who_wait_and_may_come_again() {
    let gate = gate_at("store.redb");
    let request = asked_for(&gate, &json!({}));
    let form = ask(&gate, &format!("GET /screens/connections?connectionRequestId={request}"), "", "");
    assert!(form.text().contains("name=\"cancel\" value=\"1\""), "{}", form.text());
    let left = followed(&gate, &request, &[("filledIn", "1"), ("/key", ""), ("cancel", "1")]);
    assert_eq!((left.status, left.text().contains("You cancelled it")), (200, true));
    assert_eq!(state_of(&gate, &request)["status"], "cancelled");
    let told = told_of(&gate, &request);
    assert_eq!((&told["type"], &told["requestId"]), (&json!("newConnectionFailure"), &json!(request)));
    assert_eq!(told["error"], "Connecting was cancelled.");

    let done = followed(&gate, &request, &[("filledIn", "1"), ("/key", "planted-key")]);
    assert!(done.text().contains("Connected"), "{}", done.text());
    assert_eq!(state_of(&gate, &request)["status"], "success");
    assert_eq!(told_of(&gate, &request)["type"], "newConnectionCreated");
    // Too late.
    followed(&gate, &request, &[("cancel", "1")]);
    assert_eq!(state_of(&gate, &request)["status"], "success");
}

#[test]
fn whoever_cancels_goes_where_the_request_leads() {
    let gate = gate_at("store.redb");
    let request = asked_for(&gate, &json!({"redirectUri": format!("{APP}/done?tab=2")}));
    let (place, query) = sent_to(&followed(&gate, &request, &[("cancel", "1")]));
    assert_eq!(
        (place, query["error"].as_str(), query["tab"].as_str()),
        (format!("{APP}/done"), "cancelled", "2")
    );
}

#[test]
fn who_waits_is_told_what_came_of_a_request_also_after_a_restart() {
    let folder = Folder::new();
    let store = folder.path().join("store.redb").display().to_string();
    let gate = gate_at(&store);
    let [connected, cancelled, waiting] = [(); 3].map(|()| asked_for(&gate, &json!({})));
    followed(&gate, &connected, &[("filledIn", "1"), ("/key", "planted-key")]);
    followed(&gate, &cancelled, &[("cancel", "1")]);
    gate.stop().join().unwrap();

    let gate = gate_at(&store);
    let told = told_of(&gate, &connected);
    assert_eq!(
        (&told["type"], &told["connection"]["userId"]),
        (&json!("newConnectionCreated"), &json!("anna"))
    );
    assert!(!told.to_string().contains("planted"), "{told}");
    assert_eq!(told_of(&gate, &cancelled)["type"], "newConnectionFailure");
    // One that nobody has followed yet is waited for.
    assert_eq!(state_of(&gate, &waiting)["status"], "pending");
    followed(&gate, &waiting, &[("filledIn", "1"), ("/key", "planted-key")]);
    assert_eq!(told_of(&gate, &waiting)["type"], "newConnectionCreated");
}

const OAUTH: &str = "
listeners:
  outbound: {address: '127.0.0.1:0'}
  connect: {address: '127.0.0.1:0'}
workspaces: {acme: {secret: {file: acme}}}
publicUrl: https://auth.example.com
shutdown: {delay: 0s, grace: 100ms}
store: {redb: {path: store.redb}}
encryption: {keys: [{id: k1, key: {value: 'q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k='}}]}
connectors:
  crm:
    name: CRM
    auth:
      type: oauth2
      getOAuthConfig: {type: mapping, mapping: {clientId: a, clientSecret: b, authorizeUri: 'https://crm.test/a', tokenUri: 'https://crm.test/t'}}
      makeApiClient: {type: mapping, mapping: {baseUri: 'https://crm.test'}}
integrations: {crm: {connector: crm}}
";

#[test]
fn the_test_of_an_integration_with_oauth_gives_an_address_and_waits_for_what_comes_of_it() {
    let folder = Folder::new();
    folder.write("acme", SECRET);
    folder.write("sidegate.yaml", OAUTH);
    let process = Process::within(folder, 2);
    let address = process.address("outbound").to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidegate"))
        .args(["integrations", "test", "crm", "--config", ".", "--address", &address])
        .current_dir(process.folder())
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(command.stderr.take().unwrap());
    let mut line = String::new();
    let request = loop {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended before it gave an address");
        let address = "https://auth.example.com/screens/connections?connectionRequestId=";
        if let Some(request) = line.trim().strip_prefix(address) {
            break request.to_owned();
        }
    };
    let mut browser = Peer::to(process.address("connect"));
    let form = format!("connectionRequestId={request}&cancel=1");
    browser.say(format!(
        "POST /screens/connections HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    ));
    assert_eq!(browser.answer().status, 200);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(command.wait().unwrap().code(), Some(1));
    assert!(rest.contains("it was cancelled in the browser"), "{rest}");
}
