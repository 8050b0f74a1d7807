//! What a provider's answer makes of a connection, and which answers are none.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sidegate::app::Outside;
use sidegate::clock::{ManualClock, Timestamp};
use sidegate::http::egress::Names;

use super::scene::*;
use crate::support::provider::Provider;
use crate::support::{Gate, outside, token};

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
    assert_eq!(text.matches("answer 200").count(), 2, "the exchange and the test: {text}");
    assert!(browser.cookies.is_empty(), "the cookie is over with its consent");

    let [connection] = &scene.connections()[..] else { panic!("one connection") };
    assert_eq!((&connection["name"], &connection["connected"]), (&json!("Mine"), &json!(true)));
    assert_eq!(connection["refresh"]["exchanges"], 1);
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
    let said = json!({"response": {"data": {"error": "access_denied", "error_description": "not today"}}});
    assert_eq!((data["type"].as_str(), &data["data"]), (Some("connection"), &said));
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
        (401, json!({"error": "BAD_SECRET"}), "code_refused", "Compare the client id and secret"),
        (400, json!({}), "code_refused", "gave no tokens: status 400"),
        (401, json!({"error": "invalid_client"}), "misconfigured_app", "Compare the client id and secret"),
        (503, json!({}), "provider_down", "Try again in a few minutes"),
    ] {
        scene.provider.refuse(status, reply.clone());
        let answer = scene.connect(&json!({}));
        assert_eq!(answer.code(), code, "{reply}: {}", answer.text());
        assert!(answer.text().contains(advice), "{reply}: {}", answer.text());
        assert!(answer.text().contains(&format!("answer {status}")), "{reply}: {}", answer.text());
    }
    assert_eq!(scene.connections().len(), 0);
}

#[test]
fn who_wanted_a_connection_back_is_told_which_one_failed_and_what_the_third_party_said() {
    let scene = Scene::new();
    scene.connect(&json!({}));
    let id = scene.connections()[0]["id"].as_str().unwrap().to_owned();
    scene.provider.refuse(400, json!({"error": "invalid_grant", "error_description": "too late"}));
    let refused = scene.connect(&json!({"connectionId": id, "requestId": REQUEST}));
    assert_eq!(refused.code(), "code_refused");
    let told = ask(&scene.gate, "connect", &format!("GET /sse/connection-events/{REQUEST}"), "", "");
    let told = told.text().lines().find_map(|line| line.strip_prefix("data: ").map(str::to_owned)).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (told["type"].as_str(), told["connectionId"].as_str()),
        (Some("newConnectionFailure"), Some(&*id))
    );
    let said = json!({"error": "invalid_grant", "error_description": "too late"});
    assert_eq!(told["errorData"]["data"], json!({"response": {"status": 400, "data": said}}));
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
    assert_eq!(browser.ask("PUT /oauth-callback", &[("state", "x")]).status, 405);
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
