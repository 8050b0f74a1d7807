use serde_json::json;

use super::*;

fn claims(claims: Value) -> Claims {
    let mut all = serde_json::Map::from_iter([("iss".to_owned(), json!("acme"))]);
    let Value::Object(more) = claims else { panic!("claims are an object") };
    all.extend(more);
    Claims::from_json(all).unwrap()
}

fn config(path: &str, methods: &[Method], allow: Allow) -> RuleConfig {
    RuleConfig { path: path.into(), methods: methods.to_vec(), allow, claims: Vec::new(), when: None }
}

/// The code of what a rule says; `ok` if it admits.
fn says(allow: Allow, token: Option<Value>) -> &'static str {
    let rule = Rule::new(config("/*", &[], allow));
    rule.judge(token.map(claims).as_ref()).map_or_else(|rejection| rejection.code(), |()| "ok")
}

fn says_to_claims(listed: &[(&str, Vec<Value>)], token: Value) -> &'static str {
    let listed = listed.iter().map(|(path, values)| ((*path).to_owned(), values.clone())).collect();
    let rule = Rule::new(RuleConfig { claims: listed, ..RuleConfig::everything_verified() });
    rule.judge(Some(&claims(token))).map_or_else(|rejection| rejection.code(), |()| "ok")
}

#[test]
fn each_demand_is_met_by_what_it_names() {
    let customer = || Some(json!({"id": "c"}));
    let admin = || Some(json!({"isAdmin": true}));
    let both = || Some(json!({"id": "c", "isAdmin": 1}));
    let neither = || Some(json!({}));
    let expected = [
        (Allow::Public, ["ok", "ok", "ok", "ok", "ok"]),
        (Allow::Optional, ["ok", "ok", "ok", "ok", "ok"]),
        (Allow::Verified, ["no_token", "ok", "ok", "ok", "ok"]),
        (Allow::Customer, ["no_token", "ok", "customer_required", "ok", "customer_required"]),
        (Allow::Admin, ["no_token", "admin_required", "ok", "ok", "admin_required"]),
    ];
    for (allow, answers) in expected {
        let tokens = [None, customer(), admin(), both(), neither()];
        assert_eq!(tokens.map(|token| says(allow, token)), answers, "{allow:?}");
    }
}

#[test]
fn every_claim_must_equal_one_of_its_values() {
    let rule = [("fields.plan", vec![json!("pro"), json!("team")]), ("region", vec![json!("eu")])];
    let says = |token| says_to_claims(&rule, token);
    assert_eq!(says(json!({"fields": {"plan": "team"}, "region": "eu"})), "ok");
    assert_eq!(says(json!({"fields": {"plan": "free"}, "region": "eu"})), "claims_not_allowed");
    assert_eq!(says(json!({"fields": {"plan": "pro"}})), "claims_not_allowed");
    assert_eq!(says(json!({"fields": {"plan": "PRO"}, "region": "eu"})), "claims_not_allowed");
}

#[test]
fn claims_are_equal_as_json_has_it() {
    let says = |listed: Value, claim: Value| says_to_claims(&[("x", vec![listed])], json!({"x": claim}));
    for (listed, claim) in [
        (json!(1), json!(1.0)),
        (json!(true), json!(true)),
        (json!(null), json!(null)),
        (json!(["a"]), json!(["a"])),
        (json!("1"), json!("1")),
    ] {
        assert_eq!(says(listed.clone(), claim.clone()), "ok", "{listed} {claim}");
    }
    for (listed, claim) in [
        (json!(1), json!("1")),
        (json!(true), json!("true")),
        (json!(null), json!("")),
        (json!("a"), json!(["a", "b"])),
        (json!(0), json!(false)),
        // One and the same double.
        (json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64)),
    ] {
        assert_eq!(says(listed.clone(), claim.clone()), "claims_not_allowed", "{listed} {claim}");
    }
    assert_eq!(says_to_claims(&[("x", vec![json!(null)])], json!({})), "claims_not_allowed");
}

#[test]
fn t37_a_claim_with_dots_in_its_name_is_reached_by_pointer_and_never_by_accident() {
    let token = || json!({"https://acme.example/plan": "pro", "a.b": "x"});
    assert_eq!(says_to_claims(&[("/https:~1~1acme.example~1plan", vec![json!("pro")])], token()), "ok");
    assert_eq!(says_to_claims(&[("/a.b", vec![json!("x")])], token()), "ok");
    assert_eq!(says_to_claims(&[("a.b", vec![json!("x")])], token()), "claims_not_allowed");
}

#[test]
fn an_optional_rule_asks_its_claims_only_of_a_token() {
    let listed = vec![("plan".to_owned(), vec![json!("pro")])];
    let rule = Rule::new(RuleConfig { claims: listed, ..config("/*", &[], Allow::Optional) });
    assert!(rule.judge(None).is_ok());
    assert!(rule.judge(Some(&claims(json!({"plan": "free"})))).is_err());
}

#[test]
fn a_rule_behind_a_wider_one_is_found() {
    let rules = [
        config("/api/*", &[Method::GET], Allow::Public),
        config("/api/x", &[Method::GET], Allow::Admin),
        config("/api/x", &[Method::GET, Method::POST], Allow::Admin),
        config("/api/*", &[], Allow::Verified),
        config("/api/y/*", &[Method::POST], Allow::Admin),
        config("/*", &[], Allow::Verified),
        config("/*", &[], Allow::Admin),
    ];
    assert_eq!(shadowed(&rules), [(1, 0), (4, 3), (6, 5)]);
    assert_eq!(shadowed(&[]), []);
}
