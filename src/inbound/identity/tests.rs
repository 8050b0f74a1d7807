use serde_json::json;

use super::*;

fn claims(value: Value) -> Claims {
    let Value::Object(mut all) = value else { panic!("claims are an object") };
    all.insert("iss".into(), json!("acme"));
    Claims::from_json(all).unwrap()
}

/// What the upstream reads under `x-test`; none if nothing.
fn written(property: Property, token: Option<Value>) -> Option<String> {
    let name = HeaderName::from_static("x-test");
    let mut head = Vec::new();
    Identity::new(&[(name, property)]).write(&mut Fields::of_text(&mut head), token.map(claims).as_ref());
    let head = String::from_utf8(head).unwrap();
    let value = head.strip_prefix("x-test: ").and_then(|rest| rest.strip_suffix("\r\n"));
    assert!(head.is_empty() || value.is_some_and(|value| !value.contains(['\r', '\n'])), "{head}");
    value.map(str::to_owned)
}

fn claim(value: &Value) -> Option<String> {
    written(Property::Claim("x".into()), Some(json!({"x": value})))
}

#[test]
fn each_property_is_written() {
    let token = || Some(json!({"id": "c-1", "name": "Ada", "isAdmin": 1, "fields": {"plan": "pro"}}));
    assert_eq!(written(Property::Id, token()).as_deref(), Some("c-1"));
    assert_eq!(written(Property::Workspace, token()).as_deref(), Some("acme"));
    assert_eq!(written(Property::Name, token()).as_deref(), Some("Ada"));
    assert_eq!(written(Property::IsAdmin, token()).as_deref(), Some("true"));
    assert_eq!(written(Property::IsAdmin, Some(json!({}))).as_deref(), Some("false"));
    assert_eq!(written(Property::Fields, token()).as_deref(), Some("eyJwbGFuIjoicHJvIn0"));
    assert_eq!(written(Property::Claim("fields.plan".into()), token()).as_deref(), Some("pro"));
}

#[test]
fn what_is_missing_is_left_out() {
    for property in [Property::Id, Property::Workspace, Property::Name, Property::Fields, Property::IsAdmin] {
        assert_eq!(written(property.clone(), None), None, "{property:?}");
    }
    for property in [Property::Id, Property::Name, Property::Fields, Property::Claim("x".into())] {
        assert_eq!(written(property.clone(), Some(json!({}))), None, "{property:?}");
    }
    assert_eq!(claim(&json!(null)), None);
    assert_eq!(claim(&json!("")), None);
}

#[test]
fn t36_no_claim_becomes_more_than_one_header_or_raw_bytes() {
    assert_eq!(
        claim(&json!("a\r\nX-Sidegate-Admin: true\0")).as_deref(),
        Some("a%0D%0AX-Sidegate-Admin:%20true%00")
    );
    assert_eq!(claim(&json!("é%")).as_deref(), Some("%C3%A9%25"));
    assert_eq!(claim(&json!("\u{7f}")).as_deref(), Some("%7F"));
    assert_eq!(claim(&json!(["a"])).as_deref(), Some("WyJhIl0"));
    assert_eq!(claim(&json!({"a": 1})).as_deref(), Some("eyJhIjoxfQ"));
    assert_eq!(claim(&json!(true)).as_deref(), Some("true"));
    assert_eq!(claim(&json!(-0.0)).as_deref(), Some("-0.0"));
    assert_eq!(claim(&json!(1e21)).as_deref(), Some("1e+21"));
}

#[test]
fn a_value_that_is_too_long_is_left_out() {
    assert_eq!(claim(&json!("x".repeat(MAX_VALUE))).map(|value| value.len()), Some(MAX_VALUE));
    assert_eq!(claim(&json!("x".repeat(MAX_VALUE + 1))), None);
    let large = json!({"fields": {"x": "y".repeat(MAX_VALUE)}});
    assert_eq!(written(Property::Fields, Some(large)), None);
}
