//! Calls through an integration of type `oauth1`: what a third party sees of them.
//! Whether its signatures hold, real servers say: tests/sdk/oauth1.test.mjs.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use sidegate::clock::Timestamp;
use sidegate::http::egress::Names;
use sidegate::oauth1::{Request, SignatureMethod, Signer, Stamp, Token};
use sidegate::secret::Secret;

use crate::support::{Answer, Gate, Origin, Peer, Seen, outside};

const FORM: &str = "application/x-www-form-urlencoded";

/// A Sidegate with a connection of ada's to the third party.
struct Service(Gate);

impl Service {
    fn to(third_party: &Origin, method: &str) -> Self {
        let address = third_party.address;
        let settings = format!(
            "listeners: {{outbound: {{address: '127.0.0.1:0', trustCaller: true}}, health: {{address: '127.0.0.1:0'}}}}
store: {{redb: {{path: store.redb}}}}
encryption: {{keys: [{{id: k1, key: {{value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}}}]}}
integrations:
  boards: {{connector: boards, egress: {{allowPrivate: true, allowPlain: true}}}}
connectors:
  boards:
    type: oauth1
    makeApiClient: {{type: mapping, mapping: {{baseUri: 'http://{address}/1'}}}}
    test: {{type: mapping, mapping: {{path: /me}}}}
    getOAuthConfig:
      type: mapping
      mapping:
        consumerKey: app
        consumerSecret: app-secret
        requestTokenUri: 'http://{address}/request'
        authorizeUri: 'http://{address}/authorize'
        tokenUri: 'http://{address}/access'
        signatureMethod: {method}
        realm: Boards_1
"
        );
        let gate = Gate::start_in(&settings, outside(Names::default()));
        Self(gate.unwrap_or_else(|error| panic!("{error:?}")))
    }

    fn connected(third_party: &Origin, method: &str) -> Self {
        let service = Self::to(third_party, method);
        let created = service.create(&json!({"oauth_token": "ada/1", "oauth_token_secret": "ada-secret"}));
        assert_eq!(created.status, 200, "{}", created.text());
        service
    }

    fn create(&self, credentials: &Value) -> Answer {
        let body = json!({"integrationKey": "boards", "credentials": credentials}).to_string();
        self.ask("POST", "/connections", "application/json", &body)
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let mut caller = Peer::to(self.0.address("outbound"));
        caller.say(format!(
            "{method} {path} HTTP/1.1\r\nHost: sidegate.test\r\nX-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: ada\r\n\
             Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        caller.answer()
    }
}

/// A parameter of the `Authorization` that was seen.
fn parameter(seen: &Seen, name: &str) -> String {
    let [authorization] = seen.values("authorization")[..] else { panic!("{}", seen.head) };
    let (_, after) =
        authorization.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{authorization}"));
    after.split('"').next().unwrap().to_owned()
}

/// Whether what arrived is what ada's token and the app sign.
fn is_signed(seen: &Seen, third_party: &Origin, method: &str, form: &[u8]) -> bool {
    let signer = Signer {
        consumer_key: String::from("app"),
        consumer_secret: Secret::new(String::from("app-secret")),
        token: Some(Token { key: "ada/1".into(), secret: Secret::new("ada-secret".into()) }),
        method: SignatureMethod::named(method).unwrap(),
        realm: Some(String::from("Boards_1")),
    };
    let mut line = seen.line().split(' ');
    let request = Request {
        method: line.next().unwrap(),
        https: false,
        host: "127.0.0.1",
        port: third_party.address.port(),
        path_and_query: line.next().unwrap(),
        form,
    };
    let timestamp = Timestamp::from_secs(parameter(seen, "oauth_timestamp").parse().unwrap());
    let stamp = Stamp { timestamp, nonce: parameter(seen, "oauth_nonce") };
    seen.values("authorization") == [signer.authorization(&request, &[], &stamp).as_str()]
}

#[test]
fn each_request_is_signed_with_the_token_of_the_customer() {
    for method in ["HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT"] {
        let third_party = Origin::new();
        let service = Service::connected(&third_party, method);
        for target in ["/a?x=1+2&y=%2f", "/a?x=1+2&y=%2f", "//b/;c?oauth_token=eve&z"] {
            let answer = service.ask("GET", &format!("/connections/boards/proxy{target}"), "text/plain", "");
            assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        }
        let seen = third_party.seen();
        let lines: Vec<_> = seen.iter().map(Seen::line).collect();
        assert_eq!(lines[0], "GET /1/me HTTP/1.1", "the connector's own test is signed, too");
        assert_eq!(lines[1..3], ["GET /1/a?x=1+2&y=%2f HTTP/1.1"; 2]);
        assert_eq!(lines[3], "GET /1//b/;c?z HTTP/1.1");
        assert!(seen.iter().all(|seen| is_signed(seen, &third_party, method, b"")), "{method}");
        let nonces: BTreeSet<_> = seen.iter().map(|seen| parameter(seen, "oauth_nonce")).collect();
        assert_eq!(nonces.len(), seen.len());
        assert!(seen.iter().all(|seen| method == "PLAINTEXT" || !seen.head.contains("secret")), "{method}");
    }
}

#[test]
fn a_form_is_signed_with_its_parameters_and_arrives_as_it_was_sent() {
    let third_party = Origin::new();
    let service = Service::connected(&third_party, "HMAC-SHA1");
    let form = "name=a+b&name=%26&empty=&%C3%BC=1";
    let answer = service.ask("POST", "/connections/boards/proxy/cards", FORM, form);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = third_party.seen().pop().unwrap();
    assert_eq!(seen.body, form.as_bytes());
    assert!(is_signed(&seen, &third_party, "HMAC-SHA1", form.as_bytes()));
    assert!(!is_signed(&seen, &third_party, "HMAC-SHA1", b""));
    let json = service.ask("POST", "/connections/boards/proxy/cards", "application/json", "{\"a\": 1}");
    assert_eq!(json.status, 200);
    assert!(is_signed(&third_party.seen().pop().unwrap(), &third_party, "HMAC-SHA1", b""));
}

#[test]
fn a_form_that_is_too_long_to_be_signed_is_refused_and_other_bodies_stream_on() {
    let third_party = Origin::new();
    let service = Service::connected(&third_party, "HMAC-SHA256");
    let before = third_party.seen().len();
    let long = format!("a={}", "x".repeat(64 * 1024));
    let refused = service.ask("POST", "/connections/boards/proxy/cards", FORM, &long);
    assert_eq!((refused.status, refused.values("x-sidegate-rejection")), (413, vec!["long_form"]));
    assert_eq!(third_party.seen().len(), before);
    let streamed = service.ask("POST", "/connections/boards/proxy/cards", "text/plain", &long);
    assert_eq!(streamed.status, 200);
    let plain = Service::connected(&third_party, "PLAINTEXT");
    assert_eq!(plain.ask("POST", "/connections/boards/proxy/cards", FORM, &long).status, 200);
}

#[test]
fn credentials_without_a_token_make_no_connection() {
    let third_party = Origin::new();
    let service = Service::to(&third_party, "HMAC-SHA1");
    for credentials in [json!({"oauth_token": "t"}), json!({"oauth_token": "", "oauth_token_secret": "s"})] {
        let refused = service.create(&credentials);
        assert_eq!(refused.status, 400, "{}", refused.text());
    }
    assert!(third_party.seen().is_empty());
}
