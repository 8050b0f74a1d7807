//! Connecting by a customer's consent, as a browser meets it between an app, Sidegate and a provider.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sidegate::app::Outside;
use sidegate::clock::{ManualClock, Timestamp};
use sidegate::config::{self, Flags, Sources};
use sidegate::http::egress::Names;
use url::Url;

use crate::support::provider::{Pairs, Provider};
use crate::support::{Answer, Folder, Gate, Peer, outside, token};

const APP: &str = "https://app.example.com";
const OURS: &str = "https://auth.example.com/oauth-callback";
const INPUT: &str = "      inputSchema: {type: object, required: [domain], properties: {domain: {type: string, title: Domain}}}\n";
const REQUEST: &str = "0123456789abcdefghijkl";

/// What a test says about the integration `crm`.
#[derive(Clone)]
struct Setting {
    /// More of `getOAuthConfig`.
    config: &'static str,
    /// More of the auth spec.
    auth: &'static str,
    /// More of the integration.
    integration: &'static str,
    /// Its apps, by id.
    apps: Vec<&'static str>,
}

impl Default for Setting {
    fn default() -> Self {
        Self { config: "", auth: "", integration: "", apps: vec!["a1"] }
    }
}

impl Setting {
    fn written(&self, provider: &Provider) -> String {
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
struct Scene {
    provider: Provider,
    gate: Gate,
}

impl Scene {
    fn new() -> Self {
        Self::with(&Setting::default())
    }

    fn with(setting: &Setting) -> Self {
        let provider = Provider::new();
        let gate = Gate::configured(&setting.written(&provider));
        Self { provider, gate }
    }

    fn browser(&self) -> Browser<'_> {
        Browser { scene: self, cookies: BTreeMap::new() }
    }

    /// A browser that has been sent to the provider.
    fn sent_away(&self, wish: &Value) -> (Browser<'_>, Url) {
        let mut browser = self.browser();
        let place = browser.begin(wish);
        (browser, place)
    }

    /// Connects as the wish says; what comes of it.
    fn connect(&self, wish: &Value) -> Answer {
        let (mut browser, place) = self.sent_away(wish);
        browser.come_back(&self.provider.consent(&place))
    }

    fn api(&self, line: &str, claims: &Value) -> Answer {
        let authorization = format!("Authorization: Bearer {}\r\n", token(claims));
        ask(&self.gate, "connect", line, &authorization, "")
    }

    fn connections(&self) -> Vec<Value> {
        let listed = json(&self.api("GET /connections?includeArchived=true", &json!({})));
        listed["items"].as_array().unwrap().clone()
    }

    /// A call to the third party on the connection.
    fn call(&self, connection: &str) -> Answer {
        let whose = "X-Sidegate-Workspace: acme\r\nX-Sidegate-Customer: anna\r\n";
        ask(&self.gate, "outbound", &format!("GET /connections/{connection}/proxy/me"), whose, "")
    }
}

/// A browser that keeps cookies.
struct Browser<'s> {
    scene: &'s Scene,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    fn ask(&mut self, line: &str, form: &[(&str, &str)]) -> Answer {
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
    fn begin(&mut self, wish: &Value) -> Url {
        let answer = self.ask("POST /connect", &[("payload", &payload(wish))]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        Url::parse(answer.values("location")[0]).unwrap()
    }

    fn come_back(&mut self, query: &str) -> Answer {
        self.ask(&format!("GET /oauth-callback?{query}"), &[])
    }
}

fn ask(gate: &Gate, listener: &str, line: &str, headers: &str, body: &str) -> Answer {
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

fn payload(wish: &Value) -> String {
    let mut payload = json!({"token": token(&json!({})), "integrationKey": "crm"});
    for (name, value) in wish.as_object().unwrap() {
        payload[name] = value.clone();
    }
    payload.to_string()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.text()).unwrap_or_else(|_| panic!("{}", answer.text()))
}

fn query(url: &Url) -> Pairs {
    url.query_pairs().into_owned().collect()
}

/// The parameters of the place that an answer sends a browser to.
#[track_caller]
fn sent_to(answer: &Answer) -> Pairs {
    let place = answer.values("location").first().map(|place| Url::parse(place).unwrap());
    let place = place.unwrap_or_else(|| panic!("{}", answer.text()));
    assert!(place.as_str().starts_with(&format!("{APP}/done")), "{place}");
    query(&place)
}

fn by_redirect() -> Value {
    json!({"redirectUri": format!("{APP}/done")})
}

#[test]
fn a_customer_consents_and_is_connected() {
    let scene = Scene::new();
    scene.provider.reply_with(json!({"scope": "read"}));
    let (mut browser, place) = scene.sent_away(&json!({"requestId": REQUEST, "name": "Mine"}));
    let asked = query(&place);
    let wanted = [
        ("client_id", "a1"),
        ("redirect_uri", OURS),
        ("response_type", "code"),
        ("scope", "read write"),
        ("code_challenge_method", "S256"),
        ("prompt", "consent"),
        ("tenant", "t"),
    ];
    for (name, value) in wanted {
        assert_eq!(asked[name], value, "{name}");
    }
    assert_eq!(place.query_pairs().filter(|(name, _)| name == "state" || name == "client_id").count(), 2);
    let answer = browser.come_back(&scene.provider.consent(&place));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    assert!(
        text.contains("Connected") && text.contains("newConnectionCreated") && text.contains(REQUEST),
        "{text}"
    );
    assert!(
        text.contains("Exchange what it brought for tokens")
            && text.contains("<dt>missing.scope</dt><dd>write"),
        "{text}"
    );
    assert!(text.contains("answer 200"), "{text}");
    assert!(browser.cookies.is_empty(), "the cookie is over with its consent");

    let [connection] = &scene.connections()[..] else { panic!("one connection") };
    assert_eq!((&connection["name"], &connection["connected"]), (&json!("Mine"), &json!(true)));
    assert_eq!(scene.call("crm").status, 200);
    let exchange = &scene.provider.exchanges()[0];
    assert_eq!(
        (exchange["client_secret"].as_str(), exchange["redirect_uri"].as_str()),
        ("planted-secret-of-a1", OURS)
    );
    let told = ask(&scene.gate, "connect", &format!("GET /sse/connection-events/{REQUEST}"), "", "");
    assert!(told.text().contains("newConnectionCreated"), "{}", told.text());
}

#[test]
fn how_it_ended_is_told_by_a_redirect_where_one_is_wanted() {
    let scene = Scene::new();
    let done = sent_to(&scene.connect(&by_redirect()));
    assert_eq!(scene.connections()[0]["id"], done["connectionId"].as_str());

    let (mut browser, place) = scene.sent_away(&by_redirect());
    let state = &query(&place)["state"];
    let refused =
        browser.come_back(&format!("error=access_denied&error_description=not+today&state={state}"));
    let told = sent_to(&refused);
    assert!(told["error"].contains("access_denied (not today)"), "{told:?}");
    let data: Value = serde_json::from_str(&told["errorData"]).unwrap();
    assert_eq!(data["message"], told["error"].as_str());
    // The consent is over, and what is connected stays.
    assert_eq!(browser.come_back(&scene.provider.consent(&place)).code(), "unknown_state");
    assert_eq!(scene.connections().len(), 1);
}

#[test]
fn a_refusal_says_why_and_what_to_do_and_how_far_it_came() {
    let scene = Scene::new();
    for (error, code, advice) in [
        ("access_denied", "consent_refused", "allow it"),
        ("invalid_scope", "consent_refused", "scopes"),
        ("server_error", "consent_refused", "Try again"),
    ] {
        let (mut browser, place) = scene.sent_away(&json!({}));
        let answer = browser.come_back(&format!("error={error}&state={}", query(&place)["state"]));
        assert_eq!((answer.status, answer.code()), (400, code));
        let text = answer.text();
        for part in [error, advice, "Wait for the browser to come back", "newConnectionFailure"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    for (status, reply, code, advice) in [
        (400, json!({"error": "invalid_grant"}), "code_refused", "client id, grants and scopes"),
        (401, json!({"error": "BAD_SECRET"}), "code_refused", "may not do this"),
        (401, json!({"error": "invalid_client"}), "misconfigured_app", "Compare the client id and secret"),
        (503, json!({}), "provider_down", ""),
    ] {
        scene.provider.refuse(status, reply.clone());
        let answer = scene.connect(&json!({}));
        assert_eq!(answer.code(), code, "{reply}: {}", answer.text());
        assert!(answer.text().contains(advice), "{reply}: {}", answer.text());
        assert!(
            status == 503 || answer.text().contains(&format!("answer {status}")),
            "{reply}: {}",
            answer.text()
        );
    }
    assert_eq!(scene.connections().len(), 0);
}

#[test]
fn an_answer_counts_once_and_only_if_it_was_asked_for() {
    let scene = Scene::new();
    let (mut browser, place) = scene.sent_away(&json!({}));
    let consent = scene.provider.consent(&place);
    assert_eq!(browser.come_back(&consent).status, 200);
    let state = query(&place)["state"].clone();
    let forged = format!("{}0", &state[..state.len() - 1]);
    let (time, _) = state.split_once('-').unwrap();
    let exchanges = scene.provider.exchanges().len();
    for state in [state.as_str(), &forged, &format!("{time}-"), "", "junk", "-", ":", "0-0:x", "%00"] {
        let answer = browser.come_back(&format!("code=c&state={state}"));
        assert_eq!((answer.status, answer.code()), (400, "unknown_state"), "{state}");
    }
    assert_eq!(browser.come_back("code=c").code(), "unknown_state");
    assert_eq!(browser.ask("POST /oauth-callback", &[("state", "x")]).status, 405);
    assert_eq!((scene.connections().len(), scene.provider.exchanges().len()), (1, exchanges));
}

#[test]
fn an_answer_of_another_browser_is_none_and_ends_it() {
    let scene = Scene::new();
    let (mut first, place) = scene.sent_away(&json!({}));
    let (mut second, other) = scene.sent_away(&json!({}));
    let consent = scene.provider.consent(&place);
    let stolen = second.come_back(&consent);
    assert_eq!((stolen.status, stolen.code()), (400, "other_browser"));
    assert!(stolen.text().contains("cookies"));
    // Whoever sent it knows the state: it is over for everybody.
    assert_eq!(first.come_back(&consent).code(), "unknown_state");
    // A cookie of another consent of the same browser does not help either.
    let mut name = second.cookies.keys().next().unwrap().clone();
    assert!(name.starts_with("__Host-"), "{name}");
    let value = second.cookies.remove(&name).unwrap();
    name.push('0');
    second.cookies.insert(name, value);
    assert_eq!(second.come_back(&scene.provider.consent(&other)).code(), "other_browser");
    assert_eq!((scene.connections().len(), scene.provider.exchanges().len()), (0, 0));
}

#[test]
fn an_answer_for_another_customer_is_none() {
    let scene = Scene::new();
    let (mut browser, place) = scene.sent_away(&json!({}));
    let eve = token(&json!({"id": "eve"}));
    let answer =
        browser.come_back(&format!("{}&integration=crm&token={eve}", scene.provider.consent(&place)));
    assert_eq!((answer.status, answer.code()), (400, "other_customer"));
    assert_eq!((scene.connections().len(), scene.provider.exchanges().len()), (0, 0));
}

#[test]
fn two_windows_of_a_browser_do_not_disturb_each_other() {
    let scene = Scene::with(&Setting { integration: ", connections: many", ..Setting::default() });
    let mut browser = scene.browser();
    let places = [browser.begin(&json!({"name": "first"})), browser.begin(&json!({"name": "second"}))];
    for place in places.iter().rev() {
        let answer = browser.come_back(&scene.provider.consent(place));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let names: Vec<_> = scene.connections().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["second", "first"]);
}

#[test]
fn the_app_gets_its_own_part_of_the_state_and_can_change_nothing_with_it() {
    let scene = Scene::new();
    let (mut browser, place) = scene.sent_away(&json!({"customState": "mine:1"}));
    let state = query(&place)["state"].clone();
    assert!(state.ends_with(":mine:1"), "{state}");
    let (ours, _) = state.split_once(':').unwrap();
    assert_eq!(browser.come_back(&format!("code=c&state={ours}:yours")).code(), "unknown_state");
    assert_eq!(scene.connect(&json!({"customState": "mine:1"})).status, 200);
}

#[test]
fn who_answers_must_be_who_was_asked() {
    let silent = Scene::new();
    let answered = |scene: &Scene, issuer: Option<&str>| {
        let (mut browser, place) = scene.sent_away(&json!({}));
        let mut consent = scene.provider.consent(&place);
        if let Some(issuer) = issuer {
            consent.push_str(&format!(
                "&iss={}",
                url::form_urlencoded::byte_serialize(issuer.as_bytes()).collect::<String>()
            ));
        }
        browser.come_back(&consent)
    };
    // Without a word of who it is, it is on the host that the browser was sent to.
    assert_eq!(answered(&silent, Some(&silent.provider.url())).status, 200);
    assert_eq!(answered(&silent, Some(&format!("{}/realm", silent.provider.url()))).status, 200);
    let foreign = answered(&silent, Some("https://evil.example"));
    assert_eq!((foreign.status, foreign.code()), (400, "wrong_issuer"));
    assert!(foreign.text().contains("https://evil.example") && foreign.text().contains("`issuer`"));

    let named = Scene::with(&Setting { config: ", issuer: 'https://id.example/x'", ..Setting::default() });
    assert_eq!(answered(&named, Some("https://id.example/x")).status, 200);
    for other in [None, Some("https://id.example/x/"), Some("https://id.example"), Some("")] {
        assert_eq!(answered(&named, other).code(), "wrong_issuer", "{other:?}");
    }
    assert_eq!(named.provider.exchanges().len(), 1);
}

#[test]
fn a_provider_that_does_not_know_pkce_is_spared_it() {
    let scene = Scene::with(&Setting { config: ", skipPkce: true", ..Setting::default() });
    let (mut browser, place) = scene.sent_away(&json!({}));
    assert!(!query(&place).contains_key("code_challenge"));
    assert_eq!(browser.come_back(&scene.provider.consent(&place)).status, 200);
    assert!(!scene.provider.exchanges()[0].contains_key("code_verifier"));
    let proven = Scene::new();
    assert_eq!(proven.connect(&json!({})).status, 200);
    assert_eq!(proven.provider.exchanges()[0]["code_verifier"].len(), 43);
}

#[test]
fn connecting_again_keeps_the_connection_and_moves_it_to_the_first_app() {
    let setting = Setting::default();
    let scene = Scene::with(&setting);
    let id = sent_to(&scene.connect(&by_redirect()))["connectionId"].clone();
    let moved = Setting { apps: vec!["a2", "a1"], ..setting };
    scene.gate.reconfigure(&moved.written(&scene.provider));
    assert!(scene.gate.reload().is_applied());
    // The old connection stays with the app that granted it.
    scene.provider.revoke_access();
    assert_eq!(scene.call("crm").status, 200);
    assert_eq!(scene.provider.exchanges().last().unwrap()["client_id"], "a1");

    let again = scene
        .connect(&json!({"connectionId": id, "integrationKey": null, "redirectUri": format!("{APP}/done")}));
    assert_eq!(sent_to(&again)["connectionId"], id);
    scene.provider.revoke_access();
    assert_eq!(scene.call("crm").status, 200);
    let apps: Vec<_> = scene.provider.exchanges().iter().map(|one| one["client_id"].clone()).collect();
    assert_eq!(apps, ["a1", "a1", "a2", "a2"]);
    assert_eq!(scene.connections().len(), 1);
}

#[test]
fn a_new_connection_replaces_the_old_only_once_it_works() {
    let scene = Scene::new();
    let first = sent_to(&scene.connect(&by_redirect()))["connectionId"].clone();
    // The test of the connector says no: the token that came does not work.
    scene.provider.reply_with(json!({"access_token": "planted-dead", "refresh_token": ""}));
    let failed = scene.connect(&json!({}));
    assert_eq!((failed.status, failed.code()), (400, "test_failed"));
    assert!(failed.text().contains("Test the connection"), "{}", failed.text());
    assert_eq!(json(&scene.api("GET /connections/crm", &json!({})))["id"], first.as_str());
    scene.provider.reply_with(json!({}));
    let second = sent_to(&scene.connect(&by_redirect()))["connectionId"].clone();
    assert_ne!(first, second);
    assert_eq!(json(&scene.api("GET /connections/crm", &json!({})))["id"], second.as_str());
}

#[test]
fn what_a_provider_needs_typed_in_is_asked_for_before_the_browser_is_sent_there() {
    let scene = Scene::with(&Setting { auth: INPUT, ..Setting::default() });
    let mut browser = scene.browser();
    let form = browser.ask("POST /connect", &[("payload", &payload(&by_redirect()))]);
    assert_eq!(form.status, 200);
    assert!(
        form.text().contains("name=\"/domain\"") && form.text().contains("/embed/integrations/crm/connect"),
        "{}",
        form.text()
    );
    let anna = token(&json!({}));
    let done = format!("{APP}/done");
    let fields = [("token", anna.as_str()), ("redirectUri", &done), ("filledIn", "1"), ("way", "0")];
    let path = "POST /embed/integrations/crm/connect";
    assert_eq!(browser.ask(path, &fields).status, 422);
    let away = browser.ask(path, &[&fields[..], &[("/domain", "acme")]].concat());
    assert_eq!(away.status, 200);
    let answer = browser.come_back(&scene.provider.consent(&place_on(&away)));
    let id = sent_to(&answer)["connectionId"].clone();
    let admin = json!({"isAdmin": true});
    let kept = json(&scene.api(&format!("GET /connections/{id}?includeSecrets=true"), &admin));
    assert_eq!(kept["input"]["domain"], "acme");
}

#[test]
fn a_customer_who_began_at_the_third_party_is_connected_by_its_apps_token() {
    let scene = Scene::with(&Setting { integration: ", connections: many", ..Setting::default() });
    let anna = token(&json!({}));
    let come = |more: &str| {
        let code = scene.provider.unasked_code("a1", OURS);
        scene.browser().come_back(&format!("integration=crm&code={code}{more}"))
    };
    let done = come(&format!("&token={anna}&redirectUri={APP}/done&name=Mine"));
    let id = sent_to(&done)["connectionId"].clone();
    assert_eq!(
        (scene.connections()[0]["id"].as_str(), scene.connections()[0]["name"].as_str()),
        (Some(id.as_str()), Some("Mine"))
    );
    assert_eq!(scene.call("crm").status, 200);
    let failed =
        scene.browser().come_back(&format!("integration=crm&code=x&token={anna}&redirectUri={APP}/done"));
    assert!(sent_to(&failed)["error"].contains("invalid_grant"));
    let unknown = come(&format!("&token=planted.token.junk&redirectUri={APP}/done"));
    assert!(sent_to(&unknown)["errorData"].contains("not_authenticated"));
    for (more, code) in [
        ("", "unknown_state"),
        ("&token=planted.token.junk", "invalid_token"),
        (&format!("&token={anna}&redirectUri=https://evil.example/done"), "redirect_not_allowed"),
    ] {
        assert_eq!(come(more).code(), code, "{more}");
    }
    assert_eq!(scene.connections().len(), 1);
}

#[test]
fn an_own_page_of_the_operators_sends_the_browser_on_to_us() {
    let setting = Setting {
        integration: ", oAuthCallbackUri: 'https://app.example.com/oauth?x=1'",
        ..Setting::default()
    };
    let scene = Scene::with(&setting);
    let (mut browser, place) = scene.sent_away(&json!({}));
    assert_eq!(query(&place)["redirect_uri"], "https://app.example.com/oauth?x=1");
    // With what that page was called with.
    let answer = browser.come_back(&format!("x=1&{}", scene.provider.consent(&place)));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scene.provider.exchanges()[0]["redirect_uri"], "https://app.example.com/oauth?x=1");
    let options = ask(
        &scene.gate,
        "connect",
        "POST /connection-options",
        &format!("Authorization: Bearer {}\r\n", token(&json!({}))),
        r#"{"integrationKey":"crm"}"#,
    );
    assert_eq!(json(&options)[0]["oAuthCallbackUri"], "https://app.example.com/oauth?x=1");
}

#[test]
fn granted_and_missing_scopes_are_seen_on_the_connection() {
    let scene = Scene::new();
    scene.provider.reply_with(json!({"scope": ["read", "more"]}));
    let id = sent_to(&scene.connect(&by_redirect()))["connectionId"].clone();
    let kept = json(&scene.api(&format!("GET /connections/{id}"), &json!({})));
    assert_eq!(
        (&kept["grantedScopes"], &kept["missingScopes"]),
        (&json!(["read", "more"]), &json!(["write"]))
    );
    scene.provider.reply_with(json!({}));
    scene.connect(&json!({}));
    let kept = json(&scene.api("GET /connections/crm", &json!({})));
    assert_eq!((&kept["grantedScopes"], &kept["missingScopes"]), (&json!(["read", "write"]), &Value::Null));
}

#[test]
fn a_connectors_own_methods_exchange_the_code_and_make_the_credentials() {
    let scripts = "      getTokenData:
        type: javascript
        code: |
          export default async ({ queryParameters, codeVerifier, redirectUri, connectorParameters }) => {
            const asked = { code: queryParameters.code, redirect_uri: redirectUri, code_verifier: codeVerifier, client_id: connectorParameters.clientId };
            const answer = await fetch(connectorParameters.tokens, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(asked) });
            if (!answer.ok) throw new Error('no tokens');
            return answer.json();
          }
      getCredentialsFromTokenResponse:
        type: javascript
        code: |
          export default ({ tokenResponse, queryParameters }) => ({ access_token: tokenResponse.data.token, account: queryParameters.account })
";
    let provider = Provider::new();
    let setting = Setting { auth: scripts, ..Setting::default() };
    let written = setting
        .written(&provider)
        .replace("hosts: [", &format!("parameters: {{tokens: '{}/own-token'}}, hosts: [", provider.url()));
    let scene = Scene { gate: Gate::configured(&written), provider };
    let (mut browser, place) = scene.sent_away(&by_redirect());
    let answer = browser.come_back(&format!("account=acme&{}", scene.provider.consent(&place)));
    let id = sent_to(&answer)["connectionId"].clone();
    assert_eq!(scene.call("crm").status, 200);
    let kept =
        json(&scene.api(&format!("GET /connections/{id}?includeSecrets=true"), &json!({"isAdmin": true})));
    assert_eq!(kept["credentials"]["account"], "acme");
    assert_eq!(scene.provider.exchanges().len(), 0);
    let (mut browser, place) = scene.sent_away(&json!({}));
    let refused = browser.come_back(&format!("code=other&state={}", query(&place)["state"]));
    assert_eq!(refused.code(), "code_refused", "{}", refused.text());
}

#[test]
fn getoauthconfig_may_be_a_script_that_sees_where_the_browser_comes_back_and_with_what() {
    let provider = Provider::new();
    let url = provider.url();
    let script = format!(
        "getOAuthConfig: {{type: javascript, code: \"export default ({{ connectorParameters, redirectUri, state }}) => ({{ \
         clientId: connectorParameters.clientId, clientSecret: connectorParameters.clientSecret, authorizeUri: '{url}/authorize', \
         tokenUri: '{url}/token', extra: {{ seen: [redirectUri, typeof state].join(' ') }} }})\"}}\n"
    );
    let written = Setting::default().written(&provider);
    let (before, after) = written.split_once("getOAuthConfig: ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let scene = Scene { gate: Gate::configured(&format!("{before}{script}{after}")), provider };
    let (mut browser, place) = scene.sent_away(&json!({}));
    assert_eq!(query(&place)["seen"], format!("{OURS} string"));
    let answer = browser.come_back(&scene.provider.consent(&place));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn a_base_url_that_comes_with_the_tokens_is_used_only_where_hosts_allow_it() {
    let provider = Provider::new();
    let written = Setting::default().written(&provider);
    let base = format!("baseUri: '{}'", provider.url());
    let written = written.replace(&base, "baseUri: {$var: credentials.instance_url}");
    let scene = Scene { gate: Gate::configured(&written), provider };
    scene.provider.reply_with(json!({"instance_url": "http://127.0.0.1:9"}));
    let refused = scene.connect(&json!({}));
    assert_eq!((refused.status, refused.code()), (400, "origin_refused"), "{}", refused.text());
    scene.provider.reply_with(json!({"instance_url": scene.provider.url()}));
    assert_eq!(scene.connect(&json!({})).status, 200);
    assert_eq!(scene.call("crm").status, 200);
}

#[test]
fn a_connection_request_is_followed_to_its_end_by_consent() {
    let scene = Scene::new();
    let headers = format!("Authorization: Bearer {}\r\n", token(&json!({})));
    let made =
        ask(&scene.gate, "connect", "POST /connection-requests", &headers, r#"{"integrationKey":"crm"}"#);
    let id = json(&made)["requestId"].as_str().unwrap().to_owned();
    let mut browser = scene.browser();
    let screen = "POST /screens/connections";
    let away = browser.ask(screen, &[("connectionRequestId", &id), ("filledIn", "1")]);
    let place = place_on(&away);
    let status = |expected: &str| {
        let told = json(&scene.api(&format!("GET /connection-requests/{id}"), &json!({})));
        assert_eq!(told["status"], expected, "{told}");
    };
    let refused = browser.come_back(&format!("error=access_denied&state={}", query(&place)["state"]));
    assert_eq!(refused.code(), "consent_refused");
    status("error");
    let away = browser.ask(screen, &[("connectionRequestId", &id), ("filledIn", "1")]);
    assert_eq!(browser.come_back(&scene.provider.consent(&place_on(&away))).status, 200);
    status("success");
}

/// Where a page leads on to by itself.
#[track_caller]
fn place_on(page: &Answer) -> Url {
    let text = page.text();
    let place = text.split("0;url=").nth(1).unwrap_or_else(|| panic!("{text}"));
    Url::parse(&place.split('"').next().unwrap().replace("&amp;", "&")).unwrap()
}

#[test]
fn the_customers_own_api_may_be_connected_by_consent_and_is_refreshed_after_a_401() {
    let provider = Provider::new();
    let written =
        Setting::default().written(&provider).replace("integrations: {crm:", "integrations: {internal-api:");
    let scene = Scene { gate: Gate::configured(&written), provider };
    assert_eq!(scene.connect(&json!({"integrationKey": "internal-api"})).status, 200);
    assert_eq!(scene.call("internal-api").status, 200);
    scene.provider.revoke_access();
    assert_eq!(scene.call("internal-api").status, 200);
    // What the app hands over itself is used and refreshed in the same way.
    let headers = format!("Authorization: Bearer {}\r\n", token(&json!({})));
    let own = r#"{"credentials": {"access_token": "ended", "refresh_token": "planted-r2"}}"#;
    let handed_over = ask(&scene.gate, "connect", "PATCH /self", &headers, own);
    assert_eq!(handed_over.status, 200, "{}", handed_over.text());
    assert_eq!(scene.call("internal-api").status, 200);
    let grants: Vec<_> = scene.provider.exchanges().iter().map(|one| one["grant_type"].clone()).collect();
    assert_eq!(grants, ["authorization_code", "refresh_token", "refresh_token"]);
}

#[test]
fn a_customer_consents_by_oauth1() {
    let provider = Provider::new();
    let written = Setting::default().written(&provider);
    let url = provider.url();
    let (before, after) = written.split_once("      type: oauth2\n").unwrap();
    let (_, after) = after.split_once("makeApiClient: ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    let auth = format!(
        "      type: oauth1\n      getOAuthConfig: {{type: mapping, mapping: {{consumerKey: {{$var: connectorParameters.clientId}}, \
         consumerSecret: {{$var: connectorParameters.clientSecret}}, requestTokenUri: '{url}/request-token', authorizeUri: '{url}/authorize', \
         tokenUri: '{url}/access-token', scopes: [read], extra: {{name: Test}}}}}}\n      \
         makeApiClient: {{type: mapping, mapping: {{baseUri: '{url}'}}}}\n"
    );
    let scene = Scene { gate: Gate::configured(&format!("{before}{auth}{after}")), provider };
    let (mut browser, place) = scene.sent_away(&json!({"customState": "mine"}));
    let asked = query(&place);
    assert_eq!((asked["oauth_token"].as_str(), asked["scope"].as_str()), ("planted-temporary", "read"));
    let back = scene.provider.consent_by_oauth1(&place);
    assert!(back.as_str().starts_with(OURS) && query(&back)["state"].ends_with(":mine"), "{back}");
    let answer = browser.come_back(back.query().unwrap());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("Get a request token"), "{}", answer.text());
    assert_eq!(scene.call("crm").status, 200);

    for (query_of, code) in [
        ("denied=planted-temporary", "consent_refused"),
        ("oauth_token=other&oauth_verifier=planted-verifier", "no_code"),
        ("oauth_token=planted-temporary&oauth_verifier=guessed", "code_refused"),
    ] {
        let (mut browser, place) = scene.sent_away(&json!({}));
        let state = query(&scene.provider.consent_by_oauth1(&place))["state"].clone();
        let answer = browser.come_back(&format!("{query_of}&state={state}"));
        assert_eq!(answer.code(), code, "{query_of}: {}", answer.text());
    }
    assert_eq!(scene.connections().len(), 1);
}

#[test]
fn an_answer_that_comes_too_late_is_none() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
    let provider = Provider::new();
    let outside = Outside { clock: clock.clone(), ..outside(Names::default()) };
    let gate = Gate::start_in(&Setting::default().written(&provider), outside).unwrap();
    let scene = Scene { provider, gate };
    let (mut in_time, place) = scene.sent_away(&json!({}));
    let (mut late, other) = scene.sent_away(&json!({}));
    clock.advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(in_time.come_back(&scene.provider.consent(&place)).status, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(late.come_back(&scene.provider.consent(&other)).code(), "unknown_state");
}

#[test]
fn a_browser_is_sent_only_where_the_operator_meant_it_to_go() {
    let provider = Provider::new();
    let written = Setting { auth: INPUT, ..Setting::default() }.written(&provider);
    let literal = format!("'{}/authorize?tenant=t'", provider.url());
    let computed =
        written.replace(&literal, "{$concat: ['http://', {$var: connectionInput.domain}, '/authorize']}");
    assert_ne!(computed, written);
    let scene = Scene { gate: Gate::configured(&computed), provider };
    let own = scene.provider.url().replace("http://", "");
    let place = scene.browser().begin(&json!({"input": {"domain": own}}));
    assert_eq!(place.authority(), own);
    for domain in ["evil.example", "127.0.0.1:1", "evil.example/\\@127.0.0.1", "user@evil.example"] {
        let payload = payload(&json!({"input": {"domain": domain}}));
        let answer = scene.browser().ask("POST /connect", &[("payload", &payload)]);
        assert_eq!((answer.status, answer.values("location").len()), (500, 0), "{domain}");
        assert!(!answer.text().contains("Go on"), "{domain}");
    }
}

#[test]
fn an_own_page_for_browsers_to_come_back_to_must_be_one() {
    let provider = Provider::new();
    let wrong = Setting { integration: ", oAuthCallbackUri: '/oauth'", ..Setting::default() };
    let folder = Folder::new();
    folder.write("sidegate.yaml", &wrong.written(&provider));
    let sources =
        Sources { paths: vec![folder.path().to_owned()], flags: Flags::default(), environment: [].into() };
    let complaints = config::load(&sources).err().unwrap();
    let said = complaints.iter().find(|complaint| complaint.problem.contains("`/oauth`"));
    assert!(said.is_some_and(|complaint| complaint.cure.contains("https://")), "{complaints:#?}");
}

#[test]
fn a_lenders_app_asks_for_the_consent_and_only_its_borrower_calls() {
    let provider = Provider::new();
    let written = Setting { integration: ", enabled: false", ..Setting::default() }.written(&provider);
    let borrower = format!(
        "  notes:\n    name: Notes\n    auth: {{type: proxy, proxyKey: crm, makeApiClient: {{type: mapping, mapping: {{baseUri: '{}', \
         headers: {{Authorization: {{$concat: ['Bearer ', {{$var: credentials.access_token}}]}}}}}}}}}}\n",
        provider.url()
    );
    let written = written.replace("integrations: {crm:", &format!("{borrower}integrations: {{notes: {{connector: notes, scopes: [notes], egress: {{allowPrivate: true, allowPlain: true}}}}, crm:"));
    let scene = Scene { gate: Gate::configured(&written), provider };
    let (mut browser, place) = scene.sent_away(&json!({"integrationKey": "notes"}));
    assert_eq!((query(&place)["client_id"].as_str(), query(&place)["scope"].as_str()), ("a1", "notes"));
    let answer = browser.come_back(&scene.provider.consent(&place));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(scene.call("notes").status, 200);
    scene.provider.revoke_access();
    assert_eq!(scene.call("notes").status, 200);
    let payload = payload(&json!({}));
    assert_ne!(
        scene.browser().ask("POST /connect", &[("payload", &payload)]).status,
        303,
        "the lender itself is switched off"
    );
}
