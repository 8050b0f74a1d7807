//! Secrets stay where they belong: none shows in a line, a metric or an answer, in any form that it could travel in.

use std::net::{SocketAddr, TcpListener};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::scene::request;
use crate::support::{Answer, Origin, Peer, Process, SECRET};

/// Each with signs that some form writes otherwise.
const KEY: &str = "planted/key+1=\"&%41'<>";
const PASSWORD: &str = "planted pass:word\\2 \u{e9}";
const PARAMETER: &str = "planted param\"eter/3+&=#";
const LINES: &str = "planted line-4\r\nX-Evil: 1";
const HOST: &str = "planted-host-5/@evil";
const BY_CALLER: &str = "planted-by-caller-6";
const BOUND_TO_FAIL: &str = "planted-unknown-7";

/// Every form of a secret that has been seen in logs, whatever stands around it.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(secret).unwrap();
    let percent = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let mut forms = vec![
        secret.to_owned(),
        hex.to_uppercase(),
        hex,
        json.trim_matches('"').to_owned(),
        format!("{secret:?}").trim_matches('"').to_owned(),
        secret.escape_default().to_string(),
        url::form_urlencoded::byte_serialize(bytes).collect(),
        percent.replace("%2D", "-").replace("%2E", "."),
        percent,
    ];
    // Within a longer text, the alphabet's letters depend on where the secret begins; those at its ends on its neighbours.
    for before in 0..3 {
        let shifted = [vec![0; before], bytes.to_vec()].concat();
        let whole = shifted.len() / 3 * 3;
        for encoded in [STANDARD.encode(&shifted[..whole]), URL_SAFE.encode(&shifted[..whole])] {
            forms.push(encoded[if before == 0 { 0 } else { 4 }..].to_owned());
        }
    }
    forms
}

#[track_caller]
fn assert_hidden(text: &str, place: &str) {
    for secret in [KEY, PASSWORD, PARAMETER, LINES, HOST, BY_CALLER, BOUND_TO_FAIL, SECRET] {
        for form in forms(secret) {
            assert!(!text.contains(&form), "{form} shows in {place}: {text}");
        }
    }
}

fn integration(name: &str, more: &str) -> String {
    format!("  {name}: {{connector: {name}, route: {{pathPrefix: /{name}}}, {more}}}\n")
}

fn connector(name: &str, client: &str) -> String {
    format!(
        "  {name}:\n    name: {name}\n    auth:\n      type: client-credentials\n      makeApiClient:\n        \
         implementationType: mapping\n        mapping: {{{client}}}\n"
    )
}

/// One integration for each way in which a call can go wrong, and one that goes well.
fn configuration(good: SocketAddr, dead: SocketAddr, no_tls: SocketAddr) -> String {
    let keys = "headers: {X-Key: {$var: credentials.key}}, query: {token: {$var: credentials.parameter}}, \
                auth: {username: anna, password: {$var: credentials.password}}";
    let open = "egress: {allowPrivate: true, allowPlain: true}";
    let kinds = [
        ("good", format!("baseUri: 'http://{good}/v1', {keys}"), open),
        ("dead", format!("baseUri: 'http://{dead}/v1', {keys}"), open),
        ("shut", format!("baseUri: 'https://{good}/v1', {keys}"), "enabled: true"),
        ("plain", format!("baseUri: 'http://{good}/v1', {keys}"), "egress: {allowPrivate: true}"),
        ("insecure", format!("baseUri: 'https://{no_tls}/v1', {keys}"), open),
        (
            "lines",
            format!("baseUri: 'http://{good}/v1', headers: {{X-Key: {{$var: credentials.lines}}}}"),
            open,
        ),
        (
            "colon",
            format!("baseUri: 'http://{good}/v1', auth: {{username: {{$var: credentials.password}}}}"),
            open,
        ),
        ("none", format!("baseUri: 'http://{good}/v1', headers: {{X-Key: {{$var: credentials}}}}"), open),
    ];
    let mut text = String::from("store: {redb: {path: store.redb}}\n");
    text += "encryption: {keys: [{id: k1, key: {value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}]}\n";
    text += "upstreams: {api: {upstream: 'http://127.0.0.1:1'}}\nshutdown: {delay: 0s}\nconnectors:\n";
    text.extend(kinds.iter().map(|(name, client, _)| connector(name, client)));
    let of_customer = "baseUri: {$concat: ['https://', {$var: connectionParameters.host}, '.crm.test']}";
    text += &connector("typed", of_customer);
    text += "integrations:\n";
    text.extend(kinds.iter().map(|(name, _, more)| integration(name, more)));
    text + &integration("typed", "hosts: ['*.crm.test']")
}

fn ask(process: &Process, asked: impl AsRef<[u8]>) -> Answer {
    let mut caller = Peer::to(process.address("outbound"));
    caller.say(asked);
    caller.answer()
}

fn send(process: &Process, line: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    ask(process, request(line, &headers) + &body)
}

#[test]
fn no_secret_shows_in_any_form_in_a_log_a_metric_or_an_answer() {
    // It sends back what it was sent, as a debugging endpoint does, in its head; and refuses.
    let third_party = Origin::played(|peer| {
        while let Some(seen) = peer.request() {
            let target = seen.line().split(' ').nth(1).unwrap_or_default().to_owned();
            peer.say(format!(
                "HTTP/1.1 401 No\r\nLocation: {target}\r\nLink: <{target}>; rel=next\r\nX-Key: {}\r\n\
                 Authorization: {}\r\nContent-Length: 0\r\n\r\n",
                seen.values("x-key").concat(),
                seen.values("authorization").concat(),
            ));
        }
    });
    let no_tls = Origin::played(|peer| peer.say("HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"));
    // A port on which nobody listens.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let process = Process::in_environment(
        &[("SIDEGATE_LOG", "trace")],
        "outbound: {address: '127.0.0.1:0', trustCaller: true}, health: {address: '127.0.0.1:0'}",
        &configuration(third_party.address, dead, no_tls.address),
    );
    let credentials = json!({"key": KEY, "password": PASSWORD, "parameter": PARAMETER, "lines": LINES});
    let mut shown = String::new();
    let mut outcomes = Vec::new();
    for name in ["good", "dead", "shut", "plain", "insecure", "lines", "colon", "none"] {
        let made = send(
            &process,
            "POST /connections",
            &json!({"name": name, "integrationKey": name, "credentials": credentials}),
        );
        assert_eq!(made.status, 200, "{name}: {}", made.text());
        shown += &format!("{}{}", made.head, made.text());
        // Whose answer goes back as it is has it from the caller, who knows it.
        let mine = if name == "good" { String::new() } else { format!("?mine={BY_CALLER}") };
        for path in [format!("/{name}/a"), format!("/connections/{name}/proxy/a{mine}")] {
            let answer = ask(&process, request(&format!("GET {path}"), &format!("X-Mine: {BY_CALLER}\r\n")));
            outcomes.push(format!("{name} {} {}", answer.status, answer.code()));
            shown += &format!("{}{}", answer.head, answer.text());
        }
    }
    outcomes.dedup();
    let expected = [
        "good 401 ",
        "dead 502 third_party_down",
        "shut 403 egress_refused",
        "plain 403 plain_target",
        "insecure 502 third_party_down",
        "lines 500 misconfigured_connector",
        "colon 500 misconfigured_connector",
        "none 500 misconfigured_connector",
    ];
    assert_eq!(outcomes, expected);
    let others = [
        ask(&process, request(&format!("GET /dead/https://anna:{BY_CALLER}@evil.test/"), "")),
        ask(
            &process,
            request(
                &format!("GET /connections/dead/proxy/https://anna:{BY_CALLER}@evil.test/?q={BY_CALLER}"),
                "",
            ),
        ),
        ask(&process, request("GET /good/a", &format!("X-Sidegate-Token: {BOUND_TO_FAIL}.a.b\r\n"))),
        ask(&process, request("GET /good/a", &format!("Authorization: Bearer a.{BOUND_TO_FAIL}.b\r\n"))),
        send(
            &process,
            "POST /connections",
            &json!({"integrationKey": "typed", "input": {"host": HOST}, "credentials": credentials}),
        ),
        send(&process, "POST /connections", &json!({"integrationKey": "good", "credentials": BOUND_TO_FAIL})),
        send(
            &process,
            "POST /connections",
            &json!({"integrationKey": "good", "credentials": credentials, "meta": 7, "name": 7}),
        ),
        send(&process, "PATCH /connections/good", &json!({"credentials": [BOUND_TO_FAIL]})),
        ask(&process, request("GET /connections/good?includeSecrets=true", "")),
        ask(&process, request("GET /connections", "")),
        ask(&process, request("POST /connections/good/test", "Content-Length: 0\r\n")),
    ];
    for answer in &others {
        shown += &format!("{}{}", answer.head, answer.text());
    }
    let mut scraper = Peer::to(process.address("health"));
    scraper.say("GET /metrics HTTP/1.1\r\nHost: sidegate\r\n\r\n");
    let metrics = scraper.answer().text();
    process.terminate();
    let (_, log, diagnostics) = process.end_with_diagnostics();
    assert!(log.contains("egress_refused") && diagnostics.contains("TRACE"), "{log}{diagnostics}");
    // The test can see a secret where one is: the third party has them all.
    let seen = format!("{:?}", third_party.seen());
    assert!(forms(KEY).iter().any(|form| seen.contains(form)) && seen.contains(BY_CALLER), "{seen}");
    assert_hidden(&shown, "an answer");
    assert_hidden(&log, "the access log");
    assert_hidden(&diagnostics, "the diagnostics");
    assert_hidden(&metrics, "the metrics");
}
