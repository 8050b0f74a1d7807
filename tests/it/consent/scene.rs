//! An app, a customer's browser, a provider, and the Sidegate between them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;

use crate::support::provider::{Pairs, Provider};
use crate::support::{Answer, Gate, Peer, token};

pub(super) const APP: &str = "https://app.example.com";
pub(super) const OURS: &str = "https://auth.example.com/oauth-callback";
pub(super) const INPUT: &str = "      inputSchema: {type: object, required: [domain], properties: {domain: {type: string, title: Domain}}}\n";
pub(super) const REQUEST: &str = "0123456789abcdefghijkl";

/// What a test says about the integration `crm`.
#[derive(Clone)]
pub(super) struct Setting {
    /// More of `getOAuthConfig`.
    pub(super) config: &'static str,
    /// More of the auth spec.
    pub(super) auth: &'static str,
    /// More of the integration.
    pub(super) integration: &'static str,
    /// Its apps, by id.
    pub(super) apps: Vec<&'static str>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { config: "", auth: "", integration: "", apps: vec!["a1"] }
    }
}

impl Setting {
    pub(super) fn written(&self, provider: &Provider) -> String {
        let Self { config, auth, integration, apps } = self;
        let url = provider.url();
        let host = url.trim_start_matches("http://");
        let apps: Vec<_> = apps
            .iter()
            .map(|id| {
                format!("{{id: {id}, clientId: {id}, clientSecret: {{value: planted-secret-of-{id}}}}}")
            })
            .collect();
        format!(
            "listeners: {{connect: {{address: '127.0.0.1:0'}}, outbound: {{address: '127.0.0.1:0', trustCaller: true}}}}\n\
             publicUrl: https://auth.example.com\n\
             cors: {{origins: ['{APP}']}}\n\
             connect: {{redirectUris: ['{APP}/done']}}\n\
             store: {{redb: {{path: store.redb}}}}\n\
             encryption: {{keys: [{{id: k1, key: {{value: 'q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k='}}}}]}}\n\
             connectors:\n  crm:\n    name: CRM\n    auth:\n      type: oauth2\n      \
             getOAuthConfig: {{type: mapping, mapping: {{clientId: {{$var: connectorParameters.clientId}}, \
             clientSecret: {{$var: connectorParameters.clientSecret}}, authorizeUri: '{url}/authorize?tenant=t', \
             tokenUri: '{url}/token', scopes: [read, write], extra: {{prompt: consent, state: evil, client_id: evil}}{config}}}}}\n      \
             makeApiClient: {{type: mapping, mapping: {{baseUri: '{url}', headers: {{Authorization: {{$concat: ['Bearer ', {{$var: credentials.access_token}}]}}}}}}}}\n      \
             test: {{type: rest-api-mapping, mapping: {{path: /me, method: GET}}}}\n{auth}\
             integrations: {{crm: {{connector: crm, hosts: ['{host}'], apps: [{}], egress: {{allowPrivate: true, allowPlain: true}}{integration}}}}}\n",
            apps.join(", ")
        )
    }
}

/// A provider, and a Sidegate that knows it.
pub(super) struct Scene {
    pub(super) provider: Provider,
    pub(super) gate: Gate,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::with(&Setting::default())
    }

    pub(super) fn with(setting: &Setting) -> Self {
        let provider = Provider::new();
        let gate = Gate::configured(&setting.written(&provider));
        Self { provider, gate }
    }

    pub(super) fn browser(&self) -> Browser<'_> {
        Browser { scene: self, cookies: BTreeMap::new() }
    }

    /// A browser that has been sent to the provider.
    pub(super) fn sent_away(&self, wish: &Value) -> (Browser<'_>, Url) {
        let mut browser = self.browser();
        let place = browser.begin(wish);
        (browser, place)
    }

    /// Connects as the wish says; what comes of it.
    pub(super) fn connect(&self, wish: &Value) -> Answer {
        let (mut browser, place) = self.sent_away(wish);
        browser.come_back(&self.provider.consent(&place))
    }

    pub(super) fn api(&self, line: &str, claims: &Value) -> Answer {
        let authorization = format!("Authorization: Bearer {}\r\n", token(claims));
        ask(&self.gate, "connect", line, &authorization, "")
    }

    pub(super) fn connections(&self) -> Vec<Value> {
        let listed = json(&self.api("GET /connections?includeArchived=true", &json!({})));
        listed["items"].as_array().unwrap().clone()
    }

    /// A call to the third party on the connection.
    pub(super) fn call(&self, connection: &str) -> Answer {
        let whose = "X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: anna\r\n";
        ask(&self.gate, "outbound", &format!("GET /connections/{connection}/proxy/me"), whose, "")
    }
}

/// A browser that keeps cookies.
pub(super) struct Browser<'s> {
    pub(super) scene: &'s Scene,
    pub(super) cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    pub(super) fn ask(&mut self, line: &str, form: &[(&str, &str)]) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut headers = format!("Cookie: {}\r\n", cookies.join("; "));
        let mut body = String::new();
        if !form.is_empty() {
            body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
            headers.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
        let answer = ask(&self.scene.gate, "connect", line, &headers, &body);
        for cookie in answer.values("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            match attributes.contains("Max-Age=0") {
                true => drop(self.cookies.remove(name)),
                false => drop(self.cookies.insert(name.into(), value.into())),
            }
        }
        answer
    }

    /// Asks to connect `crm`, and is sent to the provider.
    #[track_caller]
    pub(super) fn begin(&mut self, wish: &Value) -> Url {
        let answer = self.ask("POST /connect", &[("payload", &payload(wish))]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        Url::parse(answer.values("location")[0]).unwrap()
    }

    pub(super) fn come_back(&mut self, query: &str) -> Answer {
        self.ask(&format!("GET /oauth-callback?{query}"), &[])
    }
}

pub(super) fn ask(gate: &Gate, listener: &str, line: &str, headers: &str, body: &str) -> Answer {
    let mut peer = Peer::to(gate.address(listener));
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    peer.say(format!("{line} HTTP/1.1\r\nHost: auth.example.com\r\n{headers}{length}\r\n{body}"));
    let answer = peer.answer();
    // Only an admin who asks for them is shown secrets.
    assert!(
        line.contains("includeSecrets")
            || !answer.text().contains("planted") && !answer.head.contains("planted-a"),
        "{} {}",
        answer.head,
        answer.text()
    );
    answer
}

pub(super) fn payload(wish: &Value) -> String {
    let mut payload = json!({"token": token(&json!({})), "integrationKey": "crm"});
    for (name, value) in wish.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload.to_string()
}

pub(super) fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{}", answer.text()))
}

pub(super) fn query(url: &Url) -> Pairs {
    url.query_pairs().into_owned().collect()
}

/// The parameters of the place that an answer sends a browser to.
#[track_caller]
pub(super) fn sent_to(answer: &Answer) -> Pairs {
    let place = answer.values("location").first().map(|place| Url::parse(place).unwrap());
    let place = place.unwrap_or_else(|| panic!("{}", answer.text()));
    assert!(place.as_str().starts_with(&format!("{APP}/done")), "{place}");
    query(&place)
}

pub(super) fn by_redirect() -> Value {
    json!({"redirectUri": format!("{APP}/done")})
}

/// Where a page leads on to by itself.
#[track_caller]
pub(super) fn place_on(page: &Answer) -> Url {
    let text = page.text();
    let place = text.split("0;url=").nth(1).unwrap_or_else(|| panic!("{text}"));
    Url::parse(&place.split('"').next().unwrap().replace("&amp;", "&")).unwrap()
}
