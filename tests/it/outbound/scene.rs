//! A Sidegate with one integration, `crm`, and anna's connection to it. The third party is a socket of the test's.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use serde_json::{Value, json};
use sidegate::app::Outside;
use sidegate::http::egress::Names;

use crate::support::{Answer, Gate, Origin, Peer, outside};

/// Where the third party has its name. Nobody else knows it.
pub(super) const HOST: &str = "api.crm.test";
/// Both doors of the guard, for third parties on loopback.
pub(super) const OPEN: &str = "egress: {allowPrivate: true, allowPlain: true}";
/// A key as header and as parameter, and a base with a path.
pub(super) const KEYS: &str =
    "headers: {X-Api-Key: {$var: credentials.key}}, query: {api_token: {$var: credentials.token}}";
/// What anna's connection holds, and no one may see but the third party.
pub(super) const KEY: &str = "planted/key+1";
pub(super) const TOKEN: &str = "planted-token-2";
/// The parameter as it is put in.
pub(super) const PARAMETER: &str = "api_token=planted-token-2";

/// Whoever asks through the outbound listener.
pub(super) struct Service {
    pub(super) gate: Gate,
}

impl Service {
    /// Base URI and third party as given; `client` is more of the API client, `integration` of the integration.
    pub(super) fn of(base: &str, client: &str, integration: &str, outside: Outside) -> Self {
        let service = Self::unconnected(base, client, integration, outside);
        let made = service.create(&json!({"credentials": {"key": KEY, "token": TOKEN}}));
        assert_eq!(made.status, 200, "{}", made.text());
        service
    }

    /// Before there is a connection.
    pub(super) fn unconnected(base: &str, client: &str, integration: &str, outside: Outside) -> Self {
        let gate = Gate::start_in(&configuration(base, client, integration), outside);
        Self { gate: gate.unwrap_or_else(|error| panic!("{error:?}")) }
    }

    /// The usual one: both keys, and `/v1` of a third party at [`HOST`].
    pub(super) fn before(third_party: &Origin) -> Self {
        let base = format!("http://{HOST}:{}/v1", third_party.address.port());
        Self::of(&base, KEYS, OPEN, outside(at(third_party.address.ip())))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.gate.address("outbound")
    }

    pub(super) fn connect(&self) -> Peer {
        Peer::to(self.address())
    }

    /// A connection for anna, from these fields.
    pub(super) fn create(&self, fields: &Value) -> Answer {
        let mut body = json!({"name": "anna's", "integrationKey": "crm"});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let body = body.to_string();
        let length = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        self.ask(format!("{}{body}", request("POST /connections", &length)))
    }

    /// One request on a connection of its own.
    pub(super) fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut caller = self.connect();
        caller.say(request);
        caller.answer()
    }

    /// `GET` of this target, as anna.
    pub(super) fn get(&self, target: &str) -> Answer {
        self.ask(request(&format!("GET {target}"), ""))
    }
}

/// The head of a request of anna's; header lines with their line ends.
pub(super) fn request(line: &str, headers: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nHost: sidegate.test\r\nX-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: anna\r\n{headers}\r\n"
    )
}

/// [`HOST`] is here; every other name is at 127.0.0.66, where only traps are.
pub(super) fn at(address: IpAddr) -> Names {
    Names::answered_by(move |host| Ok(vec![if host == HOST { address } else { [127, 0, 0, 66].into() }]))
}

/// Answers in turn; the last for ever. Counts how often it was asked.
pub(super) fn in_turn(answers: Vec<Vec<IpAddr>>) -> (Names, std::sync::Arc<Mutex<usize>>) {
    let asked = std::sync::Arc::new(Mutex::new(0));
    let count = std::sync::Arc::clone(&asked);
    let names = Names::answered_by(move |_| {
        let mut count = count.lock().unwrap();
        let answer = answers[(*count).min(answers.len() - 1)].clone();
        *count += 1;
        Ok(answer)
    });
    (names, asked)
}

pub(super) fn configuration(base: &str, client: &str, integration: &str) -> String {
    format!(
        "listeners: {{outbound: {{address: '127.0.0.1:0', trustCaller: true}}, health: {{address: '127.0.0.1:0'}}}}
store: {{redb: {{path: store.redb}}}}
encryption: {{keys: [{{id: k1, key: {{value: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}}}}]}}
connectors:
  crm:
    name: CRM
    auth:
      type: client-credentials
      makeApiClient:
        implementationType: mapping
        mapping: {{baseUri: {base}, {client}}}
integrations:
  crm: {{connector: crm, connections: many, route: {{pathPrefix: /crm}}, {integration}}}
"
    )
}
