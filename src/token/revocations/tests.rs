use serde_json::json;

use super::*;
use crate::token::testing::object;

const NOW: f64 = 1_800_000_000.0;

fn read(text: &str) -> Revocations {
    Revocations::read("revoked.yaml", text, "acme").unwrap_or_else(|complaints| panic!("{complaints:?}"))
}

fn revokes(list: &str, claims: &Value, kid: Option<&str>) -> bool {
    read(list).revoke(Subject { claims: &object(claims), kid }, NOW)
}

fn mistakes(text: &str) -> Vec<String> {
    let complaints = Revocations::read("revoked.yaml", text, "acme").unwrap_err();
    complaints.iter().map(ToString::to_string).collect()
}

#[test]
fn t32_a_token_is_revoked_by_its_id_key_or_customer() {
    let claims = json!({"jti": "t1", "id": "anna"});
    for list in ["- {jti: t1}", "- {kid: k1}", "- {customer: anna}", r#"[{"jti": "t1"}]"#] {
        assert!(revokes(list, &claims, Some("k1")), "{list}");
    }
    for list in ["", "[]", "- {jti: t2}", "- {kid: k2}", "- {customer: Anna}", "- {jti: anna}"] {
        assert!(!revokes(list, &claims, Some("k1")), "{list}");
    }
    assert!(!revokes("- {kid: k1}", &claims, None));
}

#[test]
fn t32_a_token_whose_id_is_a_number_is_revoked_by_it() {
    for list in ["- {jti: 42}", "- {jti: '42'}"] {
        assert!(revokes(list, &json!({"jti": 42}), None), "{list}");
        assert!(revokes(list, &json!({"jti": "42"}), None), "{list}");
        assert!(!revokes(list, &json!({"jti": 43}), None), "{list}");
    }
}

#[test]
fn t32_a_customer_is_named_as_the_rules_know_it() {
    assert!(revokes("- {customer: '42'}", &json!({"id": 42}), None));
    assert!(revokes("- {customer: 42}", &json!({"tenantKey": "42"}), None));
    assert!(revokes("- {customer: s}", &json!({"sub": "s"}), None));
    assert!(!revokes("- {customer: s}", &json!({"id": "a", "sub": "s"}), None));
}

#[test]
fn t32_issued_before_spares_what_was_issued_later_and_nothing_without_a_time() {
    for list in ["- {issuedBefore: 2027-01-15T08:00:00Z}", "- {issuedBefore: 1800000000}"] {
        assert!(revokes(list, &json!({"iat": NOW - 0.5}), None));
        assert!(revokes(list, &json!({"id": "anna"}), None), "it may have been issued at any time");
        assert!(!revokes(list, &json!({"iat": NOW}), None));
    }
    let logged_out = "- {customer: anna, issuedBefore: 1800000000}";
    assert!(revokes(logged_out, &json!({"id": "anna", "iat": NOW - 1.0}), None));
    assert!(!revokes(logged_out, &json!({"id": "ben", "iat": NOW - 1.0}), None));
    assert!(!revokes(logged_out, &json!({"id": "anna", "iat": NOW + 1.0}), None));
}

#[test]
fn t32_all_that_an_entry_says_must_be_so() {
    let both = "- {jti: t1, customer: anna, kid: k1}";
    assert!(revokes(both, &json!({"jti": "t1", "id": "anna"}), Some("k1")));
    assert!(!revokes(both, &json!({"jti": "t1", "id": "ben"}), Some("k1")));
    assert!(!revokes(both, &json!({"jti": "t1", "id": "anna"}), Some("k2")));
}

#[test]
fn t32_an_entry_is_for_its_workspace_and_until_its_end() {
    assert!(revokes("- {jti: t1, workspace: acme}", &json!({"jti": "t1"}), None));
    assert!(!revokes("- {jti: t1, workspace: other}", &json!({"jti": "t1"}), None));
    assert!(revokes("- {jti: t1, until: 1800000001}", &json!({"jti": "t1"}), None));
    assert!(!revokes("- {jti: t1, until: 1800000000}", &json!({"jti": "t1"}), None));
    assert_eq!(read("- {jti: a}\n- {jti: b, workspace: other}\n- {kid: c}").len(), 2);
}

#[test]
fn t32_every_mistake_is_told_with_its_place() {
    let text =
        "- {jti: ''}\n- {jit: t1}\n- {issuedBefore: yesterday}\n- {workspace: acme}\n- t1\n- {jti: ok}\n";
    let told = mistakes(text);
    let places =
        ["revoked.yaml:1:9", "revoked.yaml:2:9", "revoked.yaml:3:18", "revoked.yaml:4:3", "revoked.yaml:5:3"];
    assert_eq!(told.len(), places.len(), "{told:#?}");
    for (told, place) in told.iter().zip(places) {
        assert!(told.starts_with(place), "{told}");
    }
    assert!(told[1].contains("did you mean `jti`?"), "{told:#?}");
    assert!(mistakes("{jti: t1}")[0].contains("not a list"));
    assert!(mistakes("- [")[0].contains("not YAML"));
    assert!(mistakes("- {jti: a, jti: b}")[0].contains("twice"));
}

#[test]
fn t32_the_list_is_bounded() {
    let text = "- {jti: t}\n".repeat(MAX_ENTRIES + 1);
    assert!(mistakes(&text)[0].contains("more than 50000 entries"));
    assert_eq!(read(&text[..text.len() - 11]).len(), MAX_ENTRIES);
}
