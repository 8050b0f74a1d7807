//! Answers that a provider's page posts (`response_mode=form_post`): each is brought again as a query, with the cookie.

use serde_json::json;
use url::form_urlencoded::parse;

use super::scene::*;
use crate::support::Answer;

const PATH: &str = "POST /oauth-callback";

/// What a page of another site posts: no cookie goes along.
fn posted(scene: &Scene, answer: &str) -> Answer {
    let fields: Vec<_> = parse(answer.as_bytes()).into_owned().collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    scene.browser().ask(PATH, &fields)
}

/// The query that a posted answer is turned into.
#[track_caller]
fn query_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text());
    let [place] = answer.values("location")[..] else { panic!("{}", answer.head) };
    place.strip_prefix('?').unwrap_or_else(|| panic!("{place}")).to_owned()
}

#[test]
fn a_posted_answer_counts_in_the_browser_that_was_sent_away_and_once() {
    let scene = Scene::new();
    let (mut browser, place) = scene.sent_away(&json!({}));
    let consent = scene.provider.consent(&place);
    // Nothing is over by it: whoever posts has proved nothing yet.
    let query = query_of(&posted(&scene, &consent));
    assert_eq!(query_of(&posted(&scene, &consent)), query);
    assert_eq!(browser.come_back(&query).status, 200);
    assert_eq!(scene.call("crm").status, 200);
    assert_eq!(browser.come_back(&query_of(&posted(&scene, &consent))).code(), "unknown_state");
}

#[test]
fn a_posted_answer_in_another_browser_is_none_and_ends_it() {
    let scene = Scene::new();
    let (mut browser, place) = scene.sent_away(&json!({}));
    let query = query_of(&posted(&scene, &scene.provider.consent(&place)));
    assert_eq!(scene.browser().come_back(&query).code(), "other_browser");
    assert_eq!(browser.come_back(&query).code(), "unknown_state");
    assert_eq!((scene.connections().len(), scene.provider.exchanges().len()), (0, 0));
}

#[test]
fn a_posted_refusal_says_why() {
    let scene = Scene::new();
    let (mut browser, place) = scene.sent_away(&by_redirect());
    let state = &query(&place)["state"];
    let query = query_of(&posted(&scene, &format!("error=user_cancelled_authorize&state={state}")));
    let told = sent_to(&browser.come_back(&query));
    assert!(told["error"].contains("user_cancelled_authorize"), "{told:?}");
}

#[test]
fn a_posted_answer_is_written_anew_whatever_is_in_it() {
    let scene = Scene::new();
    let values =
        [("state", "x"), ("code", "a b+c&d=e#\r\nSet-Cookie: y=z"), ("user", "{\"name\":\"Zo\u{eb}\"}")];
    let answer = scene.browser().ask(PATH, &values);
    assert!(answer.values("set-cookie").is_empty(), "{}", answer.head);
    let query = query_of(&answer);
    let read: Vec<_> = parse(query.as_bytes()).into_owned().collect();
    assert_eq!(read, values.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn only_forms_of_at_most_16_kib_are_taken() {
    let scene = Scene::new();
    let form = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let said = |kind: &str, body: &str| ask(&scene.gate, "connect", PATH, kind, body);
    let of_length = |length: usize| format!("state={}", "x".repeat(length - 6));
    assert_eq!(said(form, &of_length(16 * 1024)).status, 303);
    let longer = said(form, &of_length(16 * 1024 + 1));
    assert_eq!((longer.status, longer.code()), (413, "body_too_large"));
    assert!(longer.text().contains("16 KiB"), "{}", longer.text());
    for kind in
        ["Content-Type: application/json\r\n", "Content-Type: multipart/form-data; boundary=b\r\n", ""]
    {
        let refused = said(kind, "state=x");
        assert_eq!((refused.status, refused.code()), (400, "malformed_form"), "{kind}");
    }
    // The longest that is taken becomes an address that is taken too.
    let wide = query_of(&said(form, &of_length(16 * 1024).replace('x', "\u{1}")));
    assert_eq!(scene.browser().come_back(&wide).code(), "unknown_state");
}
