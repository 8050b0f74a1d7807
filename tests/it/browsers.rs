//! The connect listener as browsers and their apps meet it: who may ask, what is shown, how it ended.

use serde_json::{Value, json};

use crate::support::{Answer, Gate, Peer, token};

pub(super) const APP: &str = "https://app.example.com";
const REQUEST: &str = "0123456789abcdefghijkl";

/// A Sidegate whose integration `crm` takes a key, for customers with one connection, and `many` for several.
fn gate() -> Gate {
    gate_at("store.redb")
}

/// The same with its store here.
pub(super) fn gate_at(store: &str) -> Gate {
    let crm = "{type: client-credentials, ui: {schema: {type: object, required: [key], properties: {key: {type: string}, site: {type: string}}}}, \
               makeApiClient: {type: mapping, mapping: {baseUri: 'https://api.crm.test', headers: {X-Key: {$var: credentials.key}}}}}";
    Gate::configured(&format!(
        "listeners: {{connect: {{address: '127.0.0.1:0'}}, outbound: {{address: '127.0.0.1:0', trustCaller: true}}}}\n\
         publicUrl: https://auth.example.com\n\
         cors: {{origins: ['{APP}']}}\n\
         connect: {{redirectUris: ['{APP}/done']}}\n\
         store: {{redb: {{path: '{store}'}}}}\n\
         encryption: {{keys: [{{id: k1, key: {{value: 'q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k='}}}}]}}\n\
         connectors: {{crm: {{name: CRM, auth: {crm}}}}}\n\
         integrations: {{crm: {{connector: crm}}, many: {{connector: crm, connections: many}}}}\n"
    ))
}

pub(super) fn ask(gate: &Gate, request: &str, headers: &str, body: &str) -> Answer {
    let mut browser = Peer::to(gate.address("connect"));
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    browser.say(format!("{request} HTTP/1.1\r\nHost: auth.example.com\r\n{headers}{length}\r\n{body}"));
    browser.answer()
}

/// A form as browsers send it.
pub(super) fn submit(gate: &Gate, path: &str, fields: &[(&str, &str)]) -> Answer {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nOrigin: https://app.example.com\r\n";
    ask(gate, &format!("POST {path}"), headers, &form)
}

pub(super) fn as_anna() -> String {
    format!("Authorization: Bearer {}\r\n", token(&json!({})))
}

pub(super) trait Headers {
    fn header(&self, name: &str) -> Option<&str>;
}

impl Headers for Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.values(name).first().copied()
    }
}

pub(super) fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{}", answer.text()))
}

/// The parameters of the place that an answer sends a browser to.
pub(super) fn sent_to(answer: &Answer) -> (String, std::collections::BTreeMap<String, String>) {
    let place = url::Url::parse(answer.header("location").unwrap()).unwrap();
    let bare = place.as_str().split('?').next().unwrap().to_owned();
    (bare, place.query_pairs().into_owned().collect())
}

fn payload(more: &Value) -> String {
    let mut payload =
        json!({"token": token(&json!({})), "integrationKey": "crm", "input": {"key": "planted-key"}});
    for (name, value) in more.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload.to_string()
}

#[test]
fn a_listed_web_app_may_ask_the_api_and_read_what_comes() {
    let gate = gate();
    for listener in ["connect", "outbound"] {
        let preflight = format!(
            "OPTIONS /self HTTP/1.1\r\nHost: x\r\nOrigin: {APP}\r\nAccess-Control-Request-Method: PATCH\r\n\
             Access-Control-Request-Headers: authorization,membrane-api-version\r\n\r\n"
        );
        let mut browser = Peer::to(gate.address(listener));
        browser.say(&preflight);
        let answer = browser.answer();
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (204, Some(APP)),
            "{listener}"
        );
        assert!(answer.header("access-control-allow-headers").unwrap().contains("membrane-api-version"));
        assert!(answer.header("access-control-allow-methods").unwrap().contains("PATCH"));
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    let origin = format!("Origin: {APP}\r\nmembrane-api-version: 2025-10-21\r\n");
    let answer = ask(&gate, "GET /self", &format!("{origin}{}", as_anna()), "");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(APP)));
    // What went wrong may be read as well, also before anybody was identified.
    let refused = ask(&gate, "GET /self", &origin, "");
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(APP)));
    assert!(refused.header("access-control-expose-headers").unwrap().contains("x-sidegate-rejection"));
}

#[test]
fn a_web_app_that_is_not_listed_is_refused_and_told_the_key() {
    let gate = gate();
    for origin in
        ["https://evil.example", "https://app.example.com.evil.example", "http://app.example.com", "null"]
    {
        for method in ["GET", "OPTIONS", "POST"] {
            let headers = format!("Origin: {origin}\r\nAccess-Control-Request-Method: GET\r\n{}", as_anna());
            let answer = ask(&gate, &format!("{method} /connections"), &headers, "");
            assert_eq!(
                (answer.status, answer.header("x-sidegate-rejection")),
                (403, Some("origin_not_allowed"))
            );
            assert_eq!(answer.header("access-control-allow-origin"), None);
            assert!(json(&answer)["message"].as_str().unwrap().contains("`cors.origins`"));
        }
    }
    let twice = format!("Origin: {APP}\r\nOrigin: {APP}\r\n{}", as_anna());
    assert_eq!(ask(&gate, "GET /self", &twice, "").status, 403);
    // Our own pages need no listing.
    let own = format!("Origin: https://auth.example.com\r\n{}", as_anna());
    assert_eq!(ask(&gate, "GET /self", &own, "").status, 200);
}

#[test]
fn only_tokens_count_and_nothing_is_passed_on() {
    let gate = gate();
    let pair = ask(&gate, "GET /self", "X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: anna\r\n", "");
    assert_eq!((pair.status, pair.header("x-sidegate-rejection")), (401, Some("caller_not_trusted")));
    submit(&gate, "/connect", &[("payload", &payload(&json!({})))]);
    for path in
        ["/connections/crm/proxy/x", "/connections/crm/proxy", "/connections/crm/proxy/https://api.crm.test/"]
    {
        let answer = ask(&gate, &format!("GET {path}"), &as_anna(), "");
        assert_eq!(
            (answer.status, answer.header("x-sidegate-rejection")),
            (404, Some("nothing_here")),
            "{path}"
        );
    }
}

#[test]
fn a_post_without_a_body_may_say_that_it_is_a_form() {
    let gate = gate();
    submit(&gate, "/connect", &[("payload", &payload(&json!({})))]);
    let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{}", as_anna());
    let answer = ask(&gate, "POST /connections/crm/refresh-credentials", &headers, "");
    assert_eq!((answer.status, answer.header("x-sidegate-rejection")), (409, Some("not_refreshable")));
}

#[test]
fn what_a_page_is_asked_for_stands_in_a_payload_or_in_the_query() {
    let gate = gate();
    for path in ["/connect", "/connection-popup?integrationId=crm"] {
        let answer =
            submit(&gate, path, &[("payload", &payload(&json!({"name": "Popup", "requestId": REQUEST})))]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.text().contains("newConnectionCreated") && answer.text().contains(REQUEST));
        assert!(!answer.text().contains("planted-key"));
    }
    let input = url::form_urlencoded::byte_serialize(br#"{"key":"planted-key"}"#).collect::<String>();
    let query = format!("token={}&integrationKey=crm&name=Query&input={input}", token(&json!({})));
    assert_eq!(ask(&gate, &format!("GET /connect?{query}"), "", "").status, 200);
    let listed = json(&ask(&gate, "GET /connections", &as_anna(), ""));
    // Each took the place of the one before.
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(listed["items"][0]["name"], "Query");
}

#[test]
fn a_redirect_brings_the_connection_or_the_error_and_leads_only_where_it_may() {
    let gate = gate();
    let to = |more: &Value| {
        let mut wish = json!({"redirectUri": format!("{APP}/done?tab=1")});
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        submit(&gate, "/connect", &[("payload", &payload(&wish))])
    };
    let (place, query) = sent_to(&to(&json!({})));
    assert_eq!((place, query["tab"].as_str()), (format!("{APP}/done"), "1"));
    let id = query["connectionId"].clone();
    let kept = json(&ask(&gate, &format!("GET /connections/{id}"), &as_anna(), ""));
    assert_eq!(kept["connected"], true);
    // Connected again, it keeps its id.
    let (_, again) = sent_to(&to(&json!({"connectionId": id, "input": {"key": "k2"}})));
    assert_eq!(again["connectionId"], id);

    for (wish, key) in [
        (json!({"integrationKey": "nothing"}), Some("not_found")),
        (json!({"token": "planted.token.junk"}), Some("not_authenticated")),
        (json!({"allowMultipleConnections": true}), None),
        (json!({"integrationKey": null}), None),
    ] {
        let (place, query) = sent_to(&to(&wish));
        assert_eq!(place, format!("{APP}/done"), "{wish}");
        let data: Value = serde_json::from_str(&query["errorData"]).unwrap();
        assert_eq!(
            (data["message"].as_str(), data["key"].as_str()),
            (Some(query["error"].as_str()), key),
            "{wish}"
        );
        assert!(!query["errorData"].contains("planted"));
    }
    for bad in [
        format!("{APP}/"),
        "https://evil.example/done".into(),
        "javascript:alert(1)".into(),
        format!("{APP}/done#x"),
    ] {
        let answer = to(&json!({"redirectUri": bad}));
        assert_eq!(
            (answer.status, answer.header("x-sidegate-rejection")),
            (400, Some("redirect_not_allowed")),
            "{bad}"
        );
        assert_eq!(answer.header("location"), None);
    }
}

#[test]
fn several_connections_live_side_by_side_only_where_they_are_wanted_and_allowed() {
    let gate = gate();
    let connect = |several: bool| {
        let wish = json!({"integrationKey": "many", "allowMultipleConnections": several});
        assert_eq!(submit(&gate, "/connect", &[("payload", &payload(&wish))]).status, 200);
        json(&ask(&gate, "GET /connections", &as_anna(), ""))["items"].as_array().unwrap().len()
    };
    assert_eq!([connect(false), connect(true), connect(true), connect(false)], [1, 2, 3, 1]);
}

#[test]
fn whoever_waits_for_a_request_is_told_how_it_ended() {
    let gate = gate();
    let mut waiting = Peer::to(gate.address("connect"));
    waiting.say(format!("GET /sse/connection-events/{REQUEST} HTTP/1.1\r\nHost: x\r\nOrigin: {APP}\r\n\r\n"));
    submit(&gate, "/connect", &[("payload", &payload(&json!({"requestId": REQUEST})))]);
    let told = waiting.answer();
    assert_eq!(
        (told.header("content-type"), told.header("access-control-allow-origin")),
        (Some("text/event-stream"), Some(APP))
    );
    let text = told.text();
    let message: Value =
        serde_json::from_str(text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).unwrap();
    assert_eq!(
        (&message["source"], &message["type"]),
        (&json!("integration.app"), &json!("newConnectionCreated"))
    );
    assert_eq!((&message["requestId"], &message["connection"]["userId"]), (&json!(REQUEST), &json!("anna")));
    // Who comes later is told too; with a token, only of its own.
    let later = |query: &str| {
        let answer = ask(&gate, &format!("GET /sse/connection-events/{REQUEST}{query}"), "", "");
        (answer.status, answer.text().contains("data: "))
    };
    assert!(later("").1 && later(&format!("?token={}", token(&json!({})))).1);
    assert_eq!(later(&format!("?token={}", token(&json!({"id": "eve"})))), (200, false));
    assert_eq!(later("?token=junk").0, 401);
    let short = ask(&gate, "GET /sse/connection-events/short", "", "");
    assert_eq!((short.status, short.header("x-sidegate-rejection")), (400, Some("unsafe_request_id")));
}

#[test]
fn a_failure_is_told_as_an_event_too() {
    let gate = gate();
    submit(
        &gate,
        "/connect",
        &[("payload", &payload(&json!({"requestId": REQUEST, "integrationKey": "nothing"})))],
    );
    let told = ask(&gate, &format!("GET /sse/connection-events/{REQUEST}"), "", "");
    assert!(
        told.text().contains("newConnectionFailure") && told.text().contains("not_found"),
        "{}",
        told.text()
    );
}

#[test]
fn a_form_needs_a_token_and_takes_what_is_typed() {
    let gate = gate();
    let form = |query: &str| ask(&gate, &format!("GET /embed/integrations/crm/connect{query}"), "", "");
    assert_eq!((form("").status, form("").header("x-sidegate-rejection")), (401, Some("no_token")));
    let ended = token(&json!({"exp": 1}));
    assert_eq!(form(&format!("?token={ended}")).header("x-sidegate-rejection"), Some("expired_token"));
    let anna = token(&json!({}));
    let shown = form(&format!("?token={anna}"));
    assert_eq!((shown.status, shown.header("cache-control")), (200, Some("no-store")));
    assert!(shown.text().contains("Connect CRM") && shown.text().contains("name=\"/key\""));

    let path = "/embed/integrations/crm/connect";
    let missing =
        submit(&gate, path, &[("token", &anna), ("filledIn", "1"), ("/key", ""), ("/site", "typed-site")]);
    assert_eq!((missing.status, missing.header("x-sidegate-rejection")), (422, Some("fields_refused")));
    assert!(missing.text().contains("This is needed.") && missing.text().contains("typed-site"));
    let fields = [("token", anna.as_str()), ("filledIn", "1"), ("/key", "planted-key"), ("name", "Form")];
    let done = submit(&gate, path, &fields);
    assert!(done.text().contains("Connected") && !done.text().contains("planted-key"), "{}", done.text());
    // Nobody waits for a message of a form that nobody gave a name.
    assert!(!done.text().contains("newConnectionCreated"));
    let kept = json(&ask(&gate, "GET /connections/crm", &as_anna(), ""));
    assert_eq!(kept["name"], "Form");

    let again = submit(&gate, "/embed/connections/crm/refresh", &fields[..3]);
    assert!(again.text().contains("Connected"), "{}", again.text());
    assert_eq!(json(&ask(&gate, "GET /connections/crm", &as_anna(), ""))["id"], kept["id"]);
    let eve = token(&json!({"id": "eve"}));
    let foreign = submit(
        &gate,
        &format!("/embed/connections/{}/refresh", kept["id"].as_str().unwrap()),
        &[("token", &eve)],
    );
    assert_eq!((foreign.status, foreign.header("x-sidegate-rejection")), (404, Some("not_connected")));
}

#[test]
fn a_form_that_is_not_one_is_refused_without_a_word_of_it() {
    let gate = gate();
    let cases = [
        ("application/json", "{\"planted\":1}", 400),
        ("application/x-www-form-urlencoded", "payload=%7Bplanted", 400),
        ("application/x-www-form-urlencoded", "payload=%5B%22planted%22%5D", 400),
    ];
    for (kind, body, status) in cases {
        let answer = ask(&gate, "POST /connect", &format!("Content-Type: {kind}\r\n"), body);
        assert_eq!((answer.status, answer.header("x-sidegate-rejection")), (status, Some("malformed_form")));
        assert!(!answer.text().contains("planted"));
    }
    let wrong = ask(&gate, "PUT /connect", "", "");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, POST")));
}

#[test]
fn a_reload_changes_which_apps_may_ask() {
    let gate = gate();
    let configured = std::fs::read_to_string(gate.folder().join("sidegate.yaml")).unwrap();
    gate.rewrite("sidegate.yaml", &configured.replace(APP, "https://other.example.com"));
    let report = gate.reload();
    assert!(report.refused.is_empty(), "{report:?}");
    let asks =
        |origin: &str| ask(&gate, "GET /self", &format!("Origin: {origin}\r\n{}", as_anna()), "").status;
    assert_eq!((asks(APP), asks("https://other.example.com")), (403, 200));
    let form =
        ask(&gate, &format!("GET /embed/integrations/crm/connect?token={}", token(&json!({}))), "", "");
    assert!(
        form.header("content-security-policy")
            .unwrap()
            .ends_with("frame-ancestors https://other.example.com")
    );
}
