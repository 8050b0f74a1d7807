//! What a connector's methods see of the customer while it consents.

use serde_json::{Value, json};

use super::scene::*;
use crate::support::provider::Provider;
use crate::support::{Gate, token};

const ASKED: &str = ", extra: {hint: {$var: user.name}, plan: {$var: user.fields.plan}, id: {$var: user.id}}";
const KEPT: &str = "      getCredentialsFromAccessTokenResponse: {type: javascript, code: \"export default ({ user, tokenResponse }) => \
    ({ of: [user.id, user.name, user.fields?.plan].join(' ') })\"}\n";

/// A Sidegate with this integration, whose methods look at the customer.
fn scene(integration: &str) -> Scene {
    let provider = Provider::new();
    let written = Setting { auth: KEPT, ..Setting::default() }.written(&provider);
    let extra = ", extra: {prompt: consent, state: evil, client_id: evil}";
    assert!(written.contains(extra));
    let written = written
        .replace(extra, ASKED)
        .replace("integrations: {crm:", &format!("integrations: {{{integration}:"));
    Scene { gate: Gate::configured(&written), provider }
}

/// What the authorize URL says, and what the credentials say, of a customer who connects with this token.
fn seen(scene: &Scene, integration: &str, claims: &Value) -> (String, String) {
    let (mut browser, place) =
        scene.sent_away(&json!({"integrationKey": integration, "token": token(claims)}));
    let asked = query(&place);
    let told = ["id", "hint", "plan"].map(|name| asked.get(name).cloned().unwrap_or_default()).join(" ");
    let answer = browser.come_back(&scene.provider.consent(&place));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let line = format!("GET /connections/{integration}?includeSecrets=true");
    let kept = json(&scene.api(&line, &json!({"isAdmin": true})));
    (told, kept["credentials"]["of"].as_str().unwrap().to_owned())
}

#[test]
fn methods_of_the_customers_own_api_see_what_its_token_says_of_it() {
    let scene = scene("internal-api");
    let anna = |plan: &str| json!({"name": "Anna", "fields": {"plan": plan}});
    assert_eq!(
        seen(&scene, "internal-api", &anna("free")),
        ("anna Anna free".into(), "anna Anna free".into())
    );
    let later = seen(&scene, "internal-api", &anna("pro"));
    assert_eq!(later, ("anna Anna pro".into(), "anna Anna pro".into()), "its last token counts");
}

#[test]
fn methods_of_other_third_parties_see_its_id_alone() {
    let scene = scene("crm");
    let (asked, kept) = seen(&scene, "crm", &json!({"name": "Anna", "fields": {"plan": "free"}}));
    assert_eq!((asked.trim_end(), kept.trim_end()), ("anna", "anna"));
}
