//! The ways to a consent and through it: forms, own pages, requests, scripts, OAuth 1.0a, borrowed apps.

use serde_json::{Value, json};
use sidegate::config::{self, Flags, Sources};

use super::scene::*;
use crate::support::provider::Provider;
use crate::support::{Folder, Gate, token};

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
    let [connection] = &scene.connections()[..] else { panic!("one connection") };
    assert_eq!(connection["refresh"]["exchanges"], 1);
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
        told
    };
    let states = |told: &Value| {
        told["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect::<Vec<_>>()
    };
    // How far it is is told meanwhile.
    assert_eq!(states(&status("pending"))[..4], ["done", "done", "begun", "notReached"]);
    let refused = browser.come_back(&format!("error=access_denied&state={}", query(&place)["state"]));
    assert_eq!(refused.code(), "consent_refused");
    let told = status("error");
    assert_eq!(states(&told)[..4], ["done", "done", "failed", "notReached"]);
    let said = &told["resultError"]["data"]["response"]["data"];
    assert_eq!(said, &json!({"error": "access_denied"}));
    let away = browser.ask(screen, &[("connectionRequestId", &id), ("filledIn", "1")]);
    assert_eq!(browser.come_back(&scene.provider.consent(&place_on(&away))).status, 200);
    assert_eq!(states(&status("success")), ["done"; 7]);
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
    let [connection] = &scene.connections()[..] else { panic!("one connection") };
    assert_eq!(connection["refresh"]["exchanges"], 1);
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

#[test]
fn a_test_refreshes_what_was_revoked_each_time_that_it_was() {
    let scene = Scene::new();
    assert_eq!(scene.connect(&json!({})).status, 200);
    for exchanges in 2..=4 {
        scene.provider.revoke_access();
        let tested = scene.api("POST /connections/crm/test", &json!({}));
        assert_eq!(json(&tested), json!({"success": true}));
        assert_eq!(scene.provider.exchanges().len(), exchanges);
    }
}
