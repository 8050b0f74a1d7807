//! Rules end to end: who gets to the API, who does not, and as what.

use serde_json::{Value, json};

use crate::support::{Gate, Origin, token};

const RULES: &str = "rules: [
  {path: /public, allow: public}, {path: /optional, allow: optional}, {path: /verified, allow: verified},
  {path: /customer, allow: customer}, {path: /admin, allow: admin},
  {path: /pro, allow: customer, claims: {fields.plan: [pro, team]}},
  {path: /org, allow: verified, claims: {fields.org: [9007199254740993]}},
  {path: /dotted, allow: verified, claims: {/a.b: [1]}},
  {path: /both, methods: [GET], allow: verified}, {path: /both, allow: admin}]";

/// What each path answers to one token, or to none.
#[track_caller]
fn answers(gate: &Gate, claims: Option<Value>, wanted: &[(&str, u16, &str)]) {
    let header = claims.map_or(String::new(), |claims| format!("X-Membrane-Token: {}\r\n", token(&claims)));
    for (path, status, code) in wanted {
        let answer = gate.get(path, &header);
        assert_eq!((answer.status, answer.code()), (*status, *code), "{path}");
    }
}

#[test]
fn each_rule_admits_whom_it_names() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, RULES);
    let open = [("/public", 200, ""), ("/optional", 200, "")];
    answers(&gate, None, &open);
    answers(
        &gate,
        None,
        &[
            ("/verified", 401, "no_token"),
            ("/customer", 401, "no_token"),
            ("/admin", 401, "no_token"),
            ("/pro", 401, "no_token"),
            ("/nowhere", 404, "no_rule"),
        ],
    );
    answers(&gate, Some(json!({})), &open);
    answers(
        &gate,
        Some(json!({})),
        &[
            ("/verified", 200, ""),
            ("/customer", 200, ""),
            ("/admin", 403, "admin_required"),
            ("/pro", 403, "claims_not_allowed"),
            ("/nowhere", 404, "no_rule"),
        ],
    );
    answers(
        &gate,
        Some(json!({"id": null, "isAdmin": true})),
        &[("/verified", 200, ""), ("/customer", 403, "customer_required"), ("/admin", 200, "")],
    );
    answers(&gate, Some(json!({"isAdmin": 0})), &[("/admin", 403, "admin_required")]);
    answers(&gate, Some(json!({"id": null, "sub": "anna"})), &[("/customer", 200, "")]);
    answers(&gate, Some(json!({"id": null, "tenantKey": "anna"})), &[("/customer", 200, "")]);
    answers(&gate, Some(json!({"tenantKey": "eve"})), &[("/verified", 401, "invalid_token")]);
}

#[test]
fn claims_are_what_the_rule_lists_and_nothing_near_it() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, RULES);
    for (plan, status) in [
        (json!("pro"), 200),
        (json!("team"), 200),
        (json!("Pro"), 403),
        (json!(["pro"]), 403),
        (json!(null), 403),
        (json!("pro "), 403),
    ] {
        let answer =
            gate.get("/pro", &format!("X-Membrane-Token: {}\r\n", token(&json!({"fields": {"plan": plan}}))));
        assert_eq!(answer.status, status, "{plan}");
    }
    for (claims, status) in [
        (json!({"fields": {"org": 9_007_199_254_740_993_u64}}), 200),
        // The same as a double, and another customer.
        (json!({"fields": {"org": 9_007_199_254_740_992_u64}}), 403),
        (json!({"fields.org": 9_007_199_254_740_993_u64}), 403),
    ] {
        answers(
            &gate,
            Some(claims),
            &[("/org", status, if status == 200 { "" } else { "claims_not_allowed" })],
        );
    }
    answers(&gate, Some(json!({"a.b": 1})), &[("/dotted", 200, "")]);
    answers(&gate, Some(json!({"a": {"b": 1}})), &[("/dotted", 403, "claims_not_allowed")]);
}

#[test]
fn a_public_rule_does_not_look_at_tokens_and_an_optional_one_does() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, RULES);
    for bad in
        ["X-Membrane-Token: nonsense\r\n", "X-Membrane-Token: \r\n", "X-Integration-App-Token: a.b.c\r\n"]
    {
        assert_eq!(gate.get("/public", bad).status, 200, "{bad}");
        assert_eq!(gate.get("/optional", bad).status, 401, "{bad}");
    }
    for seen in origin.seen() {
        assert_eq!(seen.line(), "GET /public HTTP/1.1");
        assert!(seen.values("x-membrane-token").is_empty() && seen.values("x-sidegate-customer").is_empty());
    }
}

#[test]
fn the_first_rule_for_path_and_method_decides() {
    let origin = Origin::new();
    let gate = Gate::with(&origin, RULES);
    answers(&gate, Some(json!({})), &[("/both", 200, "")]);
    let post = |claims| {
        format!(
            "POST /both HTTP/1.1\r\nHost: a\r\nX-Membrane-Token: {}\r\nContent-Length: 0\r\n\r\n",
            token(&claims)
        )
    };
    assert_eq!(gate.ask(post(json!({}))).code(), "admin_required");
    assert_eq!(gate.ask(post(json!({"isAdmin": true}))).status, 200);
}

#[test]
fn a_refusal_is_the_vendors_error_with_a_challenge_and_a_name() {
    let gate = Gate::with(&Origin::new(), RULES);
    let answer = gate.get("/verified", "X-Request-Id: r-17\r\n");
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&body["type"], &body["key"]), (&json!("bad_request"), &json!("not_authenticated")));
    assert_eq!(answer.values("www-authenticate"), ["Bearer"]);
    assert_eq!(answer.values("x-request-id"), ["r-17"]);
    let answer = gate.get("/verified", "X-Membrane-Token: x\r\n");
    assert_eq!(answer.values("www-authenticate"), [r#"Bearer error="invalid_token""#]);
}
