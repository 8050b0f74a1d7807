//! A sealing key that is rotated while a customer is at the third party.

use serde_json::{Value, json};

use super::scene::*;
use crate::support::provider::Provider;
use crate::support::{Gate, Peer, eventually};

const OLD: &str = "{id: k1, key: {value: 'q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k='}}";
const NEW: &str = "{id: k2, key: {value: 'MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY='}}";

fn operator(gate: &Gate, line: &str) -> Value {
    let mut operator = Peer::to(gate.address("admin"));
    operator.say(format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
    serde_json::from_str(&operator.answer().text()).unwrap()
}

#[test]
fn a_consent_that_was_begun_before_comes_to_its_end_without_the_old_key() {
    let provider = Provider::new();
    let written = Setting::default().written(&provider);
    let written = written.replace("listeners: {", "listeners: {admin: {address: '127.0.0.1:0'}, ");
    let with = |keys: &str| written.replace(OLD, keys);
    let scene = Scene { gate: Gate::configured(&with(OLD)), provider };
    let (mut browser, place) = scene.sent_away(&json!({}));

    scene.gate.reconfigure(&with(&format!("{NEW}, {OLD}")));
    assert!(scene.gate.reload().is_applied());
    let old = operator(&scene.gate, "GET /keys")["keys"][1].take();
    assert_eq!((&old["id"], &old["consents"]), (&json!("k1"), &json!(1)));
    operator(&scene.gate, "POST /key-rotate");
    eventually("everything is under the new key", || {
        operator(&scene.gate, "GET /status?format=json")["sealing"]["rotation"]["running"] == false
    });
    scene.gate.reconfigure(&with(NEW));
    assert!(scene.gate.reload().is_applied());

    let answer = browser.come_back(&scene.provider.consent(&place));
    assert_eq!(answer.status, 200, "{}", answer.text());
}
