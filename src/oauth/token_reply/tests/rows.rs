//! What real providers' token replies look like, one test for each quirk that was collected (reference section 3.3) and each
//! reply of a hostile server (6.4) that is a matter of the body.

use super::*;

fn read(reading: Reading<'_>, status: u16, body: &[u8]) -> Result<serde_json::Value, ExchangeError> {
    let status = StatusCode::from_u16(status).unwrap();
    let reply = Reply { status, retry_after: None, date: None, body: Zeroizing::new(body.to_vec()) };
    let response = super::super::understand(&reply, reading, &["access_token"], &OwnSecrets(Vec::new()))?;
    Ok(json!(response.fields()))
}

fn standard(status: u16, body: &str) -> Result<serde_json::Value, ExchangeError> {
    read(Reading::default(), status, body.as_bytes())
}

/// With these places for the standard's names.
fn at(places: &[(&str, &str)], body: &str) -> Result<serde_json::Value, ExchangeError> {
    let segments = |path: &str| path.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let fields: Vec<_> = places.iter().map(|(name, path)| ((*name).to_owned(), segments(path))).collect();
    read(Reading { fields: &fields, ..Reading::default() }, 200, body.as_bytes())
}

fn is_transient(reply: &Result<serde_json::Value, ExchangeError>) -> bool {
    matches!(reply, Err(ExchangeError::Transient { .. }))
}

#[test]
fn row_3_3_1_any_2xx_with_a_token_is_a_success_and_one_without_a_body_is_not() {
    for status in [200, 201, 202] {
        assert_eq!(standard(status, r#"{"access_token":"t"}"#).unwrap()["access_token"], "t", "{status}");
    }
    for (status, body) in [(204, ""), (200, ""), (201, " \n"), (200, "null"), (200, "{}")] {
        assert!(is_transient(&standard(status, body)), "{status} {body:?}");
    }
}

#[test]
fn row_3_3_2_an_error_with_status_200_is_a_refusal() {
    for (who, body, expected) in [
        (
            "GitHub",
            r#"{"error":"bad_refresh_token","error_description":"x"}"#,
            "dead grant bad_refresh_token",
        ),
        ("GitHub's form", "error=incorrect_client_credentials", "dead app incorrect_client_credentials"),
        ("Slack", r#"{"ok":false,"error":"invalid_refresh_token"}"#, "dead grant invalid_refresh_token"),
        ("Slack without a word", r#"{"ok":false}"#, "unknown 200 none"),
        (
            "Marketo",
            r#"{"requestId":"1","success":false,"errors":[{"code":"602","message":"Access token expired"}]}"#,
            "unknown 200 602",
        ),
        ("WeChat", r#"{"errcode":40001,"errmsg":"invalid credential"}"#, "dead app 40001"),
        ("TikTok", r#"{"code":40105,"message":"Access token is incorrect","data":{}}"#, "unknown 200 40105"),
    ] {
        assert_eq!(class(&standard(200, body).expect_err(who)), expected, "{who}");
    }
    for body in [
        r#"{"access_token":"t","ok":true,"errcode":0,"code":0}"#,
        r#"{"access_token":"t","success":true,"error":"","code":"0"}"#,
        r#"{"access_token":"t","code":20000}"#,
    ] {
        assert!(standard(200, body).is_ok(), "{body}");
    }
}

#[test]
fn row_3_3_2_codes_that_providers_document_are_known() {
    for (who, status, body, expected) in [
        (
            "HubSpot",
            400,
            r#"{"status":"BAD_AUTH_CODE","message":"missing or unknown auth code"}"#,
            "dead grant BAD_AUTH_CODE",
        ),
        ("HubSpot", 400, r#"{"status":"BAD_REFRESH_TOKEN"}"#, "dead grant BAD_REFRESH_TOKEN"),
        ("HubSpot", 400, r#"{"status":"BAD_CLIENT_SECRET"}"#, "dead app BAD_CLIENT_SECRET"),
        ("Salesforce", 400, r#"{"error":"inactive_user"}"#, "dead grant inactive_user"),
        ("Salesforce", 400, r#"{"error":"inactive_org"}"#, "dead grant inactive_org"),
        ("Salesforce", 400, r#"{"error":"invalid_client_id"}"#, "dead app invalid_client_id"),
        ("Salesforce", 400, r#"{"error":"rate_limit_exceeded"}"#, "transient"),
        ("Slack", 200, r#"{"ok":false,"error":"token_revoked"}"#, "dead grant token_revoked"),
        ("Slack", 200, r#"{"ok":false,"error":"account_inactive"}"#, "dead grant account_inactive"),
        ("Slack", 200, r#"{"ok":false,"error":"bad_client_secret"}"#, "dead app bad_client_secret"),
        ("Slack", 200, r#"{"ok":false,"error":"ratelimited"}"#, "transient"),
        ("Zoho", 200, r#"{"error":"invalid_code"}"#, "dead grant invalid_code"),
        ("Zoho", 200, r#"{"error":"invalid_client_secret"}"#, "dead app invalid_client_secret"),
        ("GitHub", 200, r#"{"error":"bad_verification_code"}"#, "dead grant bad_verification_code"),
        ("Google", 401, r#"{"error":"deleted_client"}"#, "dead app deleted_client"),
        ("Xero and Intuit", 400, r#"{"error":"invalid_grant"}"#, "dead grant invalid_grant"),
        ("WeChat", 200, r#"{"errcode":40030,"errmsg":"x"}"#, "dead grant 40030"),
        ("WeChat", 200, r#"{"errcode":42002,"errmsg":"x"}"#, "dead grant 42002"),
        ("WeChat", 200, r#"{"errcode":"40029","errmsg":"x"}"#, "dead grant 40029"),
        ("WeChat", 200, r#"{"errcode":40125,"errmsg":"x"}"#, "dead app 40125"),
        ("WeChat", 200, r#"{"errcode":-1,"errmsg":"system busy"}"#, "transient"),
        ("Marketo", 200, r#"{"success":false,"errors":[{"code":"606","message":"x"}]}"#, "transient"),
        ("Meta", 400, r#"{"error":{"type":"OAuthException","code":190,"message":"x"}}"#, "dead grant 190"),
        ("Meta", 400, r#"{"error":{"type":"OAuthException","code":4,"message":"x"}}"#, "transient"),
    ] {
        assert_eq!(class(&standard(status, body).expect_err(who)), expected, "{who} {body}");
    }
}

#[test]
fn row_3_3_2_a_number_means_something_only_in_the_shape_of_reply_that_its_provider_sends() {
    for body in [
        r#"{"code":40001,"message":"x"}"#,
        r#"{"code":40030,"message":"x"}"#,
        r#"{"errcode":606}"#,
        r#"{"errcode":190}"#,
        r#"{"success":false,"errors":[{"code":"40030"}]}"#,
        r#"{"error":{"code":190}}"#,
        r#"{"error":{"code":-1}}"#,
        r#"{"error":"40030"}"#,
    ] {
        assert!(class(&standard(200, body).expect_err(body)).starts_with("unknown 200 "), "{body}");
    }
}

#[test]
fn row_3_3_2_a_setting_sorts_a_providers_own_codes_over_what_is_known() {
    let [dead_grant, dead_app, transient] =
        [vec!["unauthorized_client", "E17"], vec!["40105"], vec!["invalid_grant", "none_yet"]]
            .map(|codes| codes.into_iter().map(String::from).collect::<Vec<_>>());
    let reading =
        Reading { dead_grant: &dead_grant, dead_app: &dead_app, transient: &transient, ..Reading::default() };
    for (why, status, body, expected) in [
        (
            "over a word of the standard",
            403,
            r#"{"error":"unauthorized_client"}"#,
            "dead grant unauthorized_client",
        ),
        ("over another", 400, r#"{"error":"invalid_grant"}"#, "transient"),
        ("in an object", 400, r#"{"error":{"code":"E17"}}"#, "dead grant E17"),
        ("over a status", 500, r#"{"error":"E17"}"#, "dead grant E17"),
        ("a number with 200", 200, r#"{"code":40105,"message":"x","data":{}}"#, "dead app 40105"),
        ("a number as text", 200, r#"{"code":"40105","message":"x"}"#, "dead app 40105"),
        (
            "what it does not name is as before",
            400,
            r#"{"error":"invalid_client"}"#,
            "dead app invalid_client",
        ),
        ("in the same case only", 400, r#"{"error":"e17"}"#, "unknown 400 e17"),
    ] {
        let error = read(reading, status, body.as_bytes()).expect_err(why);
        assert_eq!(class(&error), expected, "{why}");
    }
}

#[test]
fn row_3_3_3_json_a_form_and_a_bare_string_are_read_whatever_their_type_says() {
    assert_eq!(standard(200, "{\"access_token\":\"t\"}").unwrap()["access_token"], "t");
    let form =
        standard(200, "access_token=t%2B1&expires_in=28800&scope=repo%2Cgist&token_type=bearer").unwrap();
    assert_eq!(
        form,
        json!({"access_token": "t+1", "expires_in": "28800", "scope": "repo,gist", "token_type": "bearer"})
    );
    assert_eq!(at(&[("access_token", "")], "abc.def-1\n").unwrap(), json!({"access_token": "abc.def-1"}));
    assert_eq!(at(&[("access_token", "")], "\"abc\"").unwrap(), json!({"access_token": "abc"}));
    // Nobody reads these; what they say is no token.
    assert!(is_transient(&standard(200, "<token><id>t</id></token>")));
    assert!(is_transient(&standard(200, "abc.def")));
}

#[test]
fn row_3_3_4_a_setting_names_the_field_flat_or_nested() {
    for (name, body) in [
        ("token", r#"{"token":"t"}"#),
        ("accessToken", r#"{"accessToken":"t"}"#),
        ("jwt", r#"{"jwt":"t"}"#),
        ("sessionId", r#"{"sessionId":"t"}"#),
        ("data.access_token", r#"{"code":0,"data":{"access_token":"t"}}"#),
        ("response.tokens.0.value", r#"{"response":{"tokens":[{"value":"t"}]}}"#),
        ("credentials.token", r#"{"credentials":{"token":"t"}}"#),
    ] {
        let fields = at(&[("access_token", name)], body).unwrap();
        assert_eq!(fields["access_token"], "t", "{name}");
        let own: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(own.as_object().unwrap().iter().all(|(key, value)| fields[key] == *value), "{fields}");
        assert!(
            is_transient(&standard(200, body))
                || class(&standard(200, body).unwrap_err()).contains("unknown")
        );
    }
    let all = at(
        &[("access_token", "d.a"), ("refresh_token", "d.r"), ("expires_in", "d.ttl"), ("scope", "nowhere")],
        r#"{"d":{"a":"t","r":"r2","ttl":60}}"#,
    );
    assert_eq!(
        all.unwrap(),
        json!({"d": {"a": "t", "r": "r2", "ttl": 60}, "access_token": "t", "refresh_token": "r2", "expires_in": 60})
    );
}

#[test]
fn row_3_3_5_milliseconds_become_seconds_where_a_setting_says_so() {
    for (given, expected) in
        [("3600000", json!(3600.0)), ("\"3600000\"", json!(3600.0)), ("null", json!(null))]
    {
        let body = format!(r#"{{"access_token":"t","expires_in":{given}}}"#);
        let reading = Reading { milliseconds: true, ..Reading::default() };
        assert_eq!(read(reading, 200, body.as_bytes()).unwrap()["expires_in"], expected, "{given}");
    }
}

#[test]
fn row_3_3_6_no_token_type_is_asked_for() {
    for kind in [
        "",
        r#","token_type":"bearer""#,
        r#","token_type":"bearer_token""#,
        r#","token_type":"mac""#,
        r#","token_type":"N_A""#,
    ] {
        assert!(standard(200, &format!(r#"{{"access_token":"t"{kind}}}"#)).is_ok(), "{kind}");
    }
}

#[test]
fn row_3_3_9_of_two_tokens_in_one_reply_a_setting_names_the_users() {
    let body =
        r#"{"ok":true,"access_token":"xoxb","authed_user":{"access_token":"xoxp","refresh_token":"xoxe"}}"#;
    let fields = at(
        &[("access_token", "authed_user.access_token"), ("refresh_token", "authed_user.refresh_token")],
        body,
    );
    let fields = fields.unwrap();
    assert_eq!((&fields["access_token"], &fields["refresh_token"]), (&json!("xoxp"), &json!("xoxe")));
    assert_eq!(standard(200, body).unwrap()["access_token"], "xoxb");
}

#[test]
fn row_3_3_10_every_other_field_is_kept_with_its_type() {
    let body = json!({"access_token": "t", "openId": 7, "realm": {"id": "1"}, "accounts-server": "https://x", "a": [1, null]});
    assert_eq!(standard(200, &body.to_string()).unwrap(), body);
}

#[test]
fn row_6_4_bodies_that_no_token_comes_from() {
    for (what, status, body) in [
        ("a login page with 200", 200, "<!doctype html><a href='?access_token=x'>"),
        ("a list", 200, r#"[{"access_token":"t"}]"#),
        ("a token with CR LF", 200, r#"{"access_token":"t\r\nX-Evil: 1"}"#),
        ("a token that is not ASCII", 200, r#"{"access_token":"tökén"}"#),
        ("a token with NUL", 200, "access_token=t%00"),
        ("a token that is an object", 200, r#"{"access_token":{"a":1}}"#),
        ("half a reply", 200, r#"{"access_token":"t""#),
    ] {
        assert!(is_transient(&standard(status, body)), "{what}");
    }
    assert_eq!(class(&standard(401, "<html>no</html>").unwrap_err()), "unknown 401 none");
    assert_eq!(class(&standard(302, "").unwrap_err()), "unknown 302 none");
    assert!(is_transient(&read(Reading::default(), 200, b"\xff\xfe{\0}\0")));
}

#[test]
fn row_6_4_bodies_that_one_does_come_from() {
    let marked = format!("\u{feff}{}", r#"{"access_token":"t"}"#);
    assert_eq!(standard(200, &marked).unwrap()["access_token"], "t");
    let twice = r#"{"access_token":"a","scope":["x"],"access_token":"b"}"#;
    assert_eq!(standard(200, twice).unwrap(), json!({"access_token": "b", "scope": ["x"]}));
    let long = "r".repeat(16 * 1024);
    let reply = format!(r#"{{"access_token":"t","refresh_token":"{long}"}}"#);
    assert_eq!(standard(200, &reply).unwrap()["refresh_token"], long);
}
