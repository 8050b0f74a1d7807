use serde_json::json;

use super::*;
use crate::token::testing::object;

fn read(mut claims: Value) -> Result<Claims, TokenError> {
    let members = claims.as_object_mut().unwrap();
    if !members.contains_key("workspaceKey") {
        members.entry("iss").or_insert("acme".into());
    }
    Claims::from_json(object(&claims))
}

fn id(claims: Value) -> Result<Option<String>, TokenError> {
    Ok(read(claims)?.id.map(|id| id.as_str().to_owned()))
}

#[test]
fn the_customer_is_id_else_tenant_key_else_sub() {
    assert_eq!(id(json!({"id": "a", "tenantKey": "a", "sub": "s"})), Ok(Some("a".into())));
    assert_eq!(id(json!({"tenantKey": "t", "sub": "s"})), Ok(Some("t".into())));
    assert_eq!(id(json!({"id": null, "sub": "s"})), Ok(Some("s".into())));
    assert_eq!(id(json!({"isAdmin": true})), Ok(None));
    assert_eq!(
        id(json!({"id": "a", "tenantKey": "b"})),
        Err(TokenError::ConflictingClaims("id", "tenantKey"))
    );
}

#[test]
fn an_integer_id_becomes_its_text_and_other_types_are_refused() {
    assert_eq!(id(json!({"id": 42})), Ok(Some("42".into())));
    assert_eq!(id(json!({"id": -7, "tenantKey": "-7"})), Ok(Some("-7".into())));
    assert_eq!(id(json!({"id": u64::MAX})), Ok(Some("18446744073709551615".into())));
    for bad in
        [json!(1.5), json!(1e21), json!(-0.0), json!(true), json!([]), json!(["a"]), json!({}), json!("")]
    {
        for name in ["id", "tenantKey", "sub"] {
            assert_eq!(id(json!({name: bad})), Err(TokenError::BadClaim(name)), "{name} {bad}");
        }
    }
}

#[test]
fn t21_the_workspace_is_one_string() {
    let workspace =
        |claims: Value| Claims::from_json(object(&claims)).map(|claims| claims.workspace.to_string());
    assert_eq!(workspace(json!({"iss": "a"})), Ok("a".into()));
    assert_eq!(workspace(json!({"workspaceKey": "a"})), Ok("a".into()));
    assert_eq!(workspace(json!({"iss": "a", "workspaceKey": "a"})), Ok("a".into()));
    assert_eq!(
        workspace(json!({"iss": "a", "workspaceKey": "A"})),
        Err(TokenError::ConflictingClaims("iss", "workspaceKey"))
    );
    assert_eq!(workspace(json!({"sub": "x"})), Err(TokenError::NoWorkspace));
    for bad in [json!(["a"]), json!(null), json!(1), json!({}), json!(true)] {
        assert_eq!(workspace(json!({"iss": bad})), Err(TokenError::BadClaim("iss")));
        assert_eq!(
            workspace(json!({"iss": "a", "workspaceKey": bad})),
            Err(TokenError::BadClaim("workspaceKey"))
        );
    }
}

#[test]
fn an_admin_is_whoever_javascript_finds_truthy() {
    for truthy in
        [json!(true), json!(1), json!(-1), json!(0.5), json!("false"), json!("0"), json!([]), json!({})]
    {
        assert!(read(json!({"isAdmin": truthy, "id": "x"})).unwrap().is_admin, "{truthy}");
    }
    for falsy in [json!(false), json!(0), json!(0.0), json!(-0.0), json!(""), json!(null)] {
        assert!(!read(json!({"isAdmin": falsy})).unwrap().is_admin, "{falsy}");
    }
    assert!(!read(json!({})).unwrap().is_admin);
}

#[test]
fn fields_are_an_object_or_absent() {
    assert_eq!(read(json!({"fields": {"a": 1}})).unwrap().fields(), Some(&object(&json!({"a": 1}))));
    assert_eq!(read(json!({"fields": null})).unwrap().fields(), None);
    for bad in [json!([]), json!("a"), json!(1), json!(true)] {
        assert_eq!(read(json!({"fields": bad})).unwrap_err(), TokenError::BadClaim("fields"));
    }
}

#[test]
fn t18_times_are_finite_numbers() {
    for good in
        [json!(0), json!(1.5), json!(-1), json!(9_007_199_254_740_993_u64), json!(u64::MAX), json!(1e300)]
    {
        assert!(read(json!({"exp": good, "iat": good})).unwrap().expires_at.is_some(), "{good}");
    }
    for bad in [json!("1"), json!(null), json!(true), json!([1]), json!({})] {
        for name in ["exp", "iat"] {
            assert_eq!(read(json!({name: bad})).unwrap_err(), TokenError::BadClaim(name), "{name} {bad}");
        }
    }
}

#[test]
fn t22_an_audience_is_a_string_or_a_list_of_strings() {
    let ours = ["api".to_owned(), "gate".to_owned()];
    let check = |claims: Value| check_audience(&object(&claims), &ours);
    for good in [json!("api"), json!(["gate"]), json!(["x", "api"])] {
        assert_eq!(check(json!({"aud": good})), Ok(()));
    }
    for other in [json!("API"), json!("x"), json!([]), json!(["x"]), json!("")] {
        assert_eq!(check(json!({"aud": other})), Err(TokenError::Audience));
    }
    assert_eq!(check(json!({})), Err(TokenError::Audience));
    for bad in [json!(null), json!(1), json!({}), json!(["api", 1]), json!([["api"]])] {
        assert_eq!(check(json!({"aud": bad})), Err(TokenError::BadClaim("aud")), "{bad}");
    }
}

#[test]
fn a_path_finds_our_words_claims_and_members() {
    let claims = read(json!({
        "sub": "s", "isAdmin": 1, "plan": "pro", "fields": {"plan": "team", "tags": ["a", {"b": null}]}
    }))
    .unwrap();
    let lookup = |path: &str| claims.lookup(path).map(Cow::into_owned);
    assert_eq!(lookup("id"), Some(json!("s")));
    assert_eq!(lookup("claims.id"), None);
    assert_eq!(lookup("workspace"), Some(json!("acme")));
    assert_eq!(lookup("isAdmin"), Some(json!(true)));
    assert_eq!(lookup("claims.isAdmin"), Some(json!(1)));
    assert_eq!(lookup("plan"), Some(json!("pro")));
    assert_eq!(lookup("fields.plan"), Some(json!("team")));
    assert_eq!(lookup("fields.tags.0"), Some(json!("a")));
    assert_eq!(lookup("fields.tags.1.b"), Some(json!(null)));
    for nothing in
        ["", ".", "fields.", "fields.plan.x", "fields.tags.2", "fields.tags.-1", "nothing", "claims"]
    {
        assert_eq!(lookup(nothing), None, "{nothing}");
    }
}

#[test]
fn t37_a_pointer_reaches_names_with_dots_and_slashes() {
    let claims = read(json!({"https://a.b/roles": ["x"], "a.b": {"~": 1}, "a": {"b": 2}, "": 3})).unwrap();
    let lookup = |path: &str| claims.lookup(path).map(Cow::into_owned);
    assert_eq!(lookup("/https:~1~1a.b~1roles/0"), Some(json!("x")));
    assert_eq!(lookup("/a.b/~0"), Some(json!(1)));
    assert_eq!(lookup("/a/b"), Some(json!(2)));
    assert_eq!(lookup("a.b"), Some(json!(2)));
    assert_eq!(lookup("/"), Some(json!(3)));
    assert_eq!(lookup("/a/c"), None);
}

#[test]
fn claims_show_nothing_of_fields() {
    let claims =
        read(json!({"id": "x", "fields": {"key": "planted-secret"}, "other": "planted-secret"})).unwrap();
    assert!(!format!("{claims:?}").contains("planted-secret"));
}
