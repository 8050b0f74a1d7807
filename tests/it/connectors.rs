//! The sample connectors, each against a third party of the test's that wants what the real one wants.
//! The samples run as they are committed, but for the third party's address.

mod consents;
mod lenders;
mod methods;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use sidegate::http::egress::Names;

use crate::support::{Answer, Folder, Gate, Origin, Peer, Seen, outside};

const OK: &str = "{\"id\":\"u1\",\"status\":\"active\"}";

/// A sample connector under `sample`, and whoever asks through the outbound listener.
struct Service(Gate);

impl Service {
    /// `address`: what stands in the sample for the third party's own.
    fn with(sample: &str, address: &str, third_party: &Origin, hosts: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/connectors");
        let spec = std::fs::read_to_string(format!("{folder}/{sample}/spec.yml")).unwrap();
        assert!(address.is_empty() || spec.contains(address), "{sample} names {address}");
        let here = format!("http://{}", third_party.address);
        let spec = if address.is_empty() { spec } else { spec.replace(address, &here) };
        let spec: String = spec.lines().map(|line| format!("    {line}\n")).collect();
        Self::configured(&format!(
            "integrations:
  sample: {{connector: sample, egress: {{allowPrivate: true, allowPlain: true}}{hosts}}}
connectors:
  sample:
{spec}"
        ))
    }

    /// With these integrations and connectors.
    fn configured(more: &str) -> Self {
        Self::beside(Folder::new(), more)
    }

    /// The same with what else is in the folder.
    fn beside(folder: Folder, more: &str) -> Self {
        let settings = format!(
            "listeners: {{outbound: {{address: '127.0.0.1:0', trustCaller: true}}, health: {{address: '127.0.0.1:0'}}}}
store: {{redb: {{path: store.redb}}}}
encryption: {{keys: [{{id: k1, key: {{value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}}}]}}
{more}"
        );
        let gate = Gate::start_beside(folder, &settings, outside(Names::default()));
        Self(gate.unwrap_or_else(|error| panic!("{error:?}")))
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_as("X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: anna\r\n", method, path, body)
    }

    /// Asks with these header lines, which say who it is.
    fn ask_as(&self, who: &str, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut caller = Peer::to(self.0.address("outbound"));
        caller.say(format!(
            "{method} {path} HTTP/1.1\r\nHost: sidegate.test\r\n{who}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        caller.answer()
    }

    fn create(&self, input: &Value) -> Answer {
        self.ask("POST", "/connections", &json!({"integrationKey": "sample", "input": input}))
    }

    fn connections(&self) -> usize {
        let list: Value =
            serde_json::from_str(&self.ask("GET", "/connections", &Value::Null).text()).unwrap();
        list["items"].as_array().unwrap().len()
    }
}

/// A third party that answers 200 to what `admits` takes, and 401 to all else.
fn third_party(admits: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Origin {
    Origin::played(move |peer| {
        while let Some(request) = peer.request() {
            let (status, body) = if admits(&request) { ("200 OK", OK) } else { ("401 Unauthorized", "{}") };
            if !peer.try_say(answer(status, body)) {
                return;
            }
        }
    })
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn has(name: &'static str, value: &'static str) -> impl Fn(&Seen) -> bool {
    move |request| request.values(name) == [value]
}

fn basic(username: &str, password: &str) -> impl Fn(&Seen) -> bool + use<> {
    let value = format!("Basic {}", STANDARD.encode(format!("{username}:{password}")));
    move |request| request.values("authorization") == [value.as_str()]
}

/// Wrong input is refused and leaves nothing; right input is tested first, and then carries each call.
fn works(service: &Service, third_party: &Origin, wrong: &Value, right: &Value) {
    let refused = service.create(wrong);
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(refused.values("x-sidegate-rejection"), ["test_failed"]);
    let error: Value = serde_json::from_str(&refused.text()).unwrap();
    assert_eq!(error["type"], "connection", "{error}");
    assert_eq!(service.connections(), 0);
    let before = third_party.seen().len();
    let made = service.create(right);
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(third_party.seen().len(), before + 1, "the test of the connector ran, once");
    let called = service.ask("GET", "/connections/sample/proxy/ping?x=1", &Value::Null);
    assert_eq!((called.status, called.text().as_str()), (200, OK));
}

#[test]
fn an_api_key_goes_into_a_header() {
    let third_party = third_party(has("authorization", "Bearer k1"));
    let service = Service::with("sendgrid", "https://api.sendgrid.com", &third_party, "");
    works(&service, &third_party, &json!({"apiKey": "k0"}), &json!({"apiKey": "k1"}));
}

#[test]
fn an_api_key_goes_into_the_query() {
    let third_party = third_party(|request| request.line().contains("api_token=k1"));
    let service = Service::with("pipedrive", "https://api.pipedrive.com", &third_party, "");
    works(&service, &third_party, &json!({"apiToken": "k0"}), &json!({"apiToken": "k1"}));
    assert!(third_party.seen().last().unwrap().line().starts_with("GET /v1/ping?x=1&api_token=k1 "));
}

#[test]
fn a_key_and_its_secret_go_into_two_headers() {
    let third_party =
        third_party(|request| has("dd-api-key", "k1")(request) && has("dd-application-key", "s1")(request));
    let service = Service::with("datadog", "https://api.datadoghq.com", &third_party, "");
    let right = json!({"apiKey": "k1", "applicationKey": "s1"});
    works(&service, &third_party, &json!({"apiKey": "k1", "applicationKey": "k1"}), &right);
}

#[test]
fn an_api_key_goes_to_the_url_that_was_entered_with_it() {
    let third_party = third_party(has("api-token", "k1"));
    let service = Service::with("activecampaign", "", &third_party, ", hosts: connection");
    let with = |key: &str| json!({"url": format!("http://{}", third_party.address), "apiKey": key});
    works(&service, &third_party, &with("k0"), &with("k1"));
}

#[test]
fn a_user_name_and_a_password_go_as_basic() {
    let third_party = third_party(basic("AC1", "t1"));
    let service = Service::with("twilio", "https://api.twilio.com", &third_party, "");
    let with = |token: &str| json!({"accountSid": "AC1", "authToken": token});
    works(&service, &third_party, &with("t0"), &with("t1"));
    assert!(third_party.seen()[1].line().starts_with("GET /2010-04-01/Accounts/AC1.json "));
}

#[test]
fn basic_goes_to_the_url_that_was_entered_with_it() {
    let third_party = third_party(basic("anna", "p w"));
    let service = Service::with("wordpress", "", &third_party, ", hosts: connection");
    let url = format!("http://{}", third_party.address);
    let with = |password: &str| json!({"url": url, "username": "anna", "applicationPassword": password});
    works(&service, &third_party, &with("no"), &with("p w"));
    assert!(third_party.seen().last().unwrap().line().starts_with("GET /wp-json/ping?x=1 "));
}

#[test]
fn a_custom_token_goes_with_the_headers_that_its_api_wants() {
    let third_party = third_party(|request| {
        has("authorization", "Bearer t1")(request) && has("notion-version", "2022-06-28")(request)
    });
    let service = Service::with("notion", "https://api.notion.com", &third_party, "");
    works(&service, &third_party, &json!({"token": "t0"}), &json!({"token": "t1"}));
}

/// Gives sessions `s1`, `s2`, …, and takes the one that `current` counts.
fn login(current: &Arc<AtomicUsize>) -> Origin {
    let (current, given) = (Arc::clone(current), AtomicUsize::new(0));
    Origin::played(move |peer| {
        while let Some(request) = peer.request() {
            let current = format!("s{}", current.load(Ordering::SeqCst));
            let has_key = request.values("x-api-key") == ["k1"];
            let text = if request.line().starts_with("POST /login ") {
                let knows = request.body == br#"{"username":"anna","password":"p1"}"#;
                if has_key && knows {
                    let session = given.fetch_add(1, Ordering::SeqCst) + 1;
                    answer("200 OK", &json!({"token": format!("s{session}")}).to_string())
                } else {
                    answer("401 Unauthorized", "{}")
                }
            } else if has_key && request.values("x-session-token") == [current.as_str()] {
                answer("200 OK", OK)
            } else {
                answer("401 Unauthorized", "{}")
            };
            if !peer.try_say(text) {
                return;
            }
        }
    })
}

#[test]
fn a_session_comes_from_a_login_and_is_renewed_when_it_has_ended() {
    let current = Arc::new(AtomicUsize::new(1));
    let third_party = login(&current);
    let address = third_party.address;
    let service = Service::with("session-login", "", &third_party, &format!(", hosts: ['{address}']"));
    let with = |password: &str| {
        json!({
            "url": format!("http://{address}"), "authorizationUrl": format!("http://{address}/login"),
            "username": "anna", "password": password, "apiKey": "k1",
        })
    };
    let refused = service.create(&with("no"));
    assert_eq!(refused.values("x-sidegate-rejection"), ["input_refused"], "{}", refused.text());
    assert!(!refused.text().contains("p1"));
    assert_eq!(service.create(&with("p1")).status, 200);
    assert_eq!(service.ask("GET", "/connections/sample/proxy/ping", &Value::Null).status, 200);

    current.store(2, Ordering::SeqCst);
    let called = service.ask("POST", "/connections/sample/proxy/orders", &json!({"order": 7}));
    assert_eq!((called.status, called.text().as_str()), (200, OK), "the refused call was sent once more");
    let lines: Vec<String> =
        third_party.seen().iter().map(|one| one.line().trim_end_matches(" HTTP/1.1").to_owned()).collect();
    let calls =
        ["POST /login", "POST /login", "GET /me", "GET /ping", "POST /orders", "POST /login", "POST /orders"];
    assert_eq!(lines, calls);
    assert_eq!(third_party.seen().last().unwrap().body, br#"{"order":7}"#);
}

#[test]
fn a_login_goes_only_to_hosts_that_the_integration_lists() {
    let (third_party, trap) = (login(&Arc::new(AtomicUsize::new(1))), Origin::new());
    let address = third_party.address;
    let service = Service::with("session-login", "", &third_party, &format!(", hosts: ['{address}']"));
    let refused = service.create(&json!({
        "url": format!("http://{address}"), "authorizationUrl": format!("http://{}/login", trap.address),
        "username": "anna", "password": "p1", "apiKey": "k1",
    }));
    assert_eq!(refused.values("x-sidegate-rejection"), ["input_refused"], "{}", refused.text());
    trap.is_untouched();
    third_party.is_untouched();
    assert_eq!(service.connections(), 0);
}
