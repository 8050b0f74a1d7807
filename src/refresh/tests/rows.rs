//! Quirks of refresh requests and of what their replies make of the credentials, one test for each that was collected
//! (reference sections 3.1 to 3.3 and 6.4).

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::scene::*;
use crate::clock::Timestamp;
use crate::connector::{Catalog, ClientAuthentication, Encoding, ErrorCodes, PrivateKey, TokenSettings};
use crate::oauth::hostile_server::{Answer, HostileServer, json as reply, reply as answer};
use crate::refresh::*;
use crate::secret::Secret;

/// A scene whose integration says this of its token endpoint.
async fn saying(settings: TokenSettings, answer: Answer) -> Scene {
    let scene = Scene::start(answer).await;
    let mut integration = integration_at(&scene.server.url(), "");
    integration.token_endpoint = Arc::new(settings);
    scene.refresher.catalog.store(Arc::new(Catalog::new(vec![integration])));
    scene
}

fn parameters(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

const REFRESH: &str = "grant_type=refresh_token&refresh_token=planted-r1";
const APP: &str = "&client_id=client&client_secret=planted-client-secret";

#[tokio::test]
async fn row_3_2_1_and_3_2_2_the_integration_says_how_the_client_proves_itself() {
    use ClientAuthentication::{Body, Both, Header, None as Public};
    let basic = Some("Basic Y2xpZW50OnBsYW50ZWQtY2xpZW50LXNlY3JldA==");
    for (client_authentication, header, form) in [
        (None, None, APP),
        (Some(Body), None, APP),
        (Some(Header), basic, ""),
        (Some(Both), basic, APP),
        (Some(Public), None, "&client_id=client"),
    ] {
        for basic_is_raw in [false, true] {
            let settings = TokenSettings { client_authentication, basic_is_raw, ..TokenSettings::default() };
            let scene = saying(settings, second_tokens()).await;
            scene.fresh().await.unwrap();
            let sent = scene.server.last();
            assert_eq!(sent.header("authorization"), header, "{client_authentication:?}");
            assert_eq!(sent.body, format!("{REFRESH}{form}"), "{client_authentication:?}");
        }
    }
}

#[tokio::test]
async fn row_3_2_2_raw_basic_has_the_secret_as_it_is() {
    for (basic_is_raw, expected) in
        [(false, "Basic Y2xpZW50OnAlMjUrcSUyNiUzQSVDMyVCQyUyQg=="), (true, "Basic Y2xpZW50OnAlIHEmOsO8Kw==")]
    {
        let scene = Scene::start(second_tokens()).await;
        let mut integration = integration_at(&scene.server.url(), "");
        integration.apps[0].client_secret = Some(Secret::new(String::from("p% q&:ü+")));
        let client_authentication = Some(ClientAuthentication::Header);
        integration.token_endpoint =
            Arc::new(TokenSettings { client_authentication, basic_is_raw, ..TokenSettings::default() });
        scene.refresher.catalog.store(Arc::new(Catalog::new(vec![integration])));
        scene.fresh().await.unwrap();
        assert_eq!(scene.server.last().header("authorization"), Some(expected));
    }
}

#[tokio::test]
async fn row_3_1_the_integration_says_how_the_fields_of_a_request_travel() {
    for (encoding, start) in [
        (Encoding::Form, "POST /token HTTP"),
        (Encoding::Json, "POST /token HTTP"),
        (Encoding::Query, "GET /token?grant"),
    ] {
        let scene = saying(TokenSettings { encoding, ..TokenSettings::default() }, second_tokens()).await;
        scene.fresh().await.unwrap();
        let sent = scene.server.last();
        assert!(sent.head.starts_with(start), "{}", sent.head);
        assert_eq!(sent.body.starts_with('{'), encoding == Encoding::Json, "{}", sent.body);
    }
}

#[tokio::test]
async fn row_3_2_3_an_app_signs_with_its_key_and_shows_no_secret() {
    let scene = Scene::start(second_tokens()).await;
    let mut integration = integration_at(&scene.server.url(), "");
    let pem = include_str!("../../../tests/vectors/keys/p256.key.pem");
    let key = PrivateKey::new(Secret::new(pem.to_owned()), None, Some(String::from("k1"))).unwrap();
    integration.apps[0].private_key = Some(Arc::new(key));
    let client_authentication = Some(ClientAuthentication::PrivateKeyJwt);
    integration.token_endpoint =
        Arc::new(TokenSettings { client_authentication, ..TokenSettings::default() });
    scene.refresher.catalog.store(Arc::new(Catalog::new(vec![integration])));
    scene.fresh().await.unwrap();
    let sent = scene.server.last();
    assert_eq!(sent.header("authorization"), None);
    let start = format!("{REFRESH}&client_id=client&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A");
    assert!(sent.body.starts_with(&start) && sent.body.contains("&client_assertion=ey"), "{}", sent.body);
    assert!(!sent.body.contains("client_secret"), "{}", sent.body);
}

#[tokio::test]
async fn row_3_2_3_an_app_that_has_nothing_to_sign_with_is_misconfigured() {
    let client_authentication = Some(ClientAuthentication::PrivateKeyJwt);
    let settings = TokenSettings { client_authentication, ..TokenSettings::default() };
    let scene = saying(settings, second_tokens()).await;
    assert_eq!((scene.code().await, scene.server.requests()), ("misconfigured_app", 0));
}

#[tokio::test]
async fn row_3_2_3_an_app_goes_by_the_names_that_its_provider_has_for_id_and_secret() {
    let (client_id_name, client_secret_name) = (Some(String::from("appid")), Some(String::from("secret")));
    let settings = TokenSettings { client_id_name, client_secret_name, ..TokenSettings::default() };
    let scene = saying(settings, second_tokens()).await;
    scene.fresh().await.unwrap();
    assert_eq!(scene.server.last().body, format!("{REFRESH}&appid=client&secret=planted-client-secret"));
}

#[tokio::test]
async fn row_3_2_5_scope_is_sent_on_a_refresh_only_where_the_integration_says_so() {
    let scene = Scene::with(second_tokens(), "      scopes: [a, b]", first_credentials()).await;
    scene.fresh().await.unwrap();
    assert_eq!(scene.server.last().body, format!("{REFRESH}{APP}"));
    let refresh_parameters = parameters(&[("scope", "a b")]);
    let scene =
        saying(TokenSettings { refresh_parameters, ..TokenSettings::default() }, second_tokens()).await;
    scene.fresh().await.unwrap();
    assert_eq!(scene.server.last().body, format!("{REFRESH}{APP}&scope=a+b"));
}

#[tokio::test]
async fn row_3_2_6_a_refresh_repeats_the_parameters_that_it_needs() {
    let settings = TokenSettings {
        parameters: parameters(&[("audience", "first")]),
        refresh_parameters: parameters(&[("resource", "https://r"), ("expires_in", "3600"), ("type", "web")]),
        ..TokenSettings::default()
    };
    let scene = saying(settings, second_tokens()).await;
    scene.fresh().await.unwrap();
    let expected = format!("{REFRESH}{APP}&resource=https%3A%2F%2Fr&expires_in=3600&type=web");
    assert_eq!(scene.server.last().body, expected);
}

#[tokio::test]
async fn row_3_1_a_refresh_goes_to_its_own_address_where_there_is_one() {
    let scene = Scene::start(answer("500 Oops", "text/plain", "")).await;
    let elsewhere = HostileServer::start(second_tokens()).await;
    let mut integration = integration_at(&scene.server.url(), "");
    let refresh_uri = Some(elsewhere.url());
    integration.token_endpoint = Arc::new(TokenSettings { refresh_uri, ..TokenSettings::default() });
    scene.refresher.catalog.store(Arc::new(Catalog::new(vec![integration])));
    scene.fresh().await.unwrap();
    assert_eq!((scene.server.requests(), elsewhere.requests()), (0, 1));
}

#[tokio::test]
async fn row_3_2_9_a_consent_that_is_needed_again_comes_as_a_dead_grant() {
    let body =
        r#"{"error":"invalid_grant","suberror":"interaction_required","error_description":"AADSTS50076"}"#;
    let scene = Scene::start(answer("400 Bad Request", "application/json", body)).await;
    assert_eq!(scene.code().await, "needs_reconnect");
}

#[tokio::test]
async fn row_3_3_2_what_a_provider_means_by_its_own_code_is_the_integrations_to_say() {
    let refusal = || answer("403 Forbidden", "application/json", r#"{"error":"unauthorized_client"}"#);
    let errors =
        ErrorCodes { dead_grant: vec![String::from("unauthorized_client")], ..ErrorCodes::default() };
    for (errors, code) in [(ErrorCodes::default(), "misconfigured_app"), (errors, "needs_reconnect")] {
        let scene = saying(TokenSettings { errors, ..TokenSettings::default() }, refusal()).await;
        assert_eq!(scene.code().await, code);
    }
}

/// When the token of this reply ends, from now.
async fn ends(settings: TokenSettings, fields: &Json) -> Option<Duration> {
    let mut body = json!({"access_token": "planted-a2", "refresh_token": "planted-r2"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let scene = saying(settings, reply(&body.to_string())).await;
    scene.fresh().await.unwrap();
    scene.opened().await.connection.expires_at.map(|end| end.since(NOW))
}

#[tokio::test]
async fn row_3_3_5_every_form_of_expiry_is_understood() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    // NOW is 2027-01-15T08:00:00Z.
    for (fields, expected) in [
        (json!({"expires_in": 3600}), seconds(3600)),
        (json!({"expires_in": "3600"}), seconds(3600)),
        (json!({"expires_in": 3600.0}), seconds(3600)),
        (json!({"expires_in": -1}), None),
        (json!({"expires_in": 0}), None),
        (json!({"expires_in": 1e20}), None),
        (json!({"expires_in": null}), None),
        (json!({"expires_in": "1:00:00:00"}), seconds(24 * 3600)),
        (json!({"expires_in": "0:01:30"}), seconds(90 * 60)),
        (json!({"expires_in": "1:00"}), None),
        (json!({"expires_at": 1_800_003_600}), seconds(3600)),
        (json!({"expires_at": 1_800_003_600_000_u64}), seconds(3600)),
        (json!({"expiresAt": "2027-01-15T09:00:00Z"}), seconds(3600)),
        (json!({"expires_at": "2020-01-15T09:00:00Z"}), None),
        (json!({}), None),
    ] {
        assert_eq!(ends(TokenSettings::default(), &fields).await, expected, "{fields}");
    }
}

#[tokio::test]
async fn row_3_3_5_a_setting_says_what_the_number_counts_and_how_long_a_silent_token_lives() {
    let milliseconds = || TokenSettings { milliseconds: true, ..TokenSettings::default() };
    assert_eq!(ends(milliseconds(), &json!({"expires_in": 3_600_000})).await, Some(HOUR));
    let lifetime = || TokenSettings { lifetime: Some(HOUR), ..TokenSettings::default() };
    assert_eq!(ends(lifetime(), &json!({})).await, Some(HOUR));
    assert_eq!(ends(lifetime(), &json!({"expires_in": 60})).await, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn row_3_3_5_a_jwt_says_itself_when_it_ends_before_the_setting_does() {
    use base64::Engine as _;
    let token = |claims: Json| {
        let part = |json: Json| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json.to_string());
        json!({"access_token": format!("{}.{}.sig", part(json!({"alg": "RS256"})), part(claims))})
    };
    let lifetime = || TokenSettings { lifetime: Some(HOUR), ..TokenSettings::default() };
    let now = NOW.as_secs();
    for (claims, expected) in [
        (json!({"iat": now, "exp": now + 600}), 600),
        // The issuer's clock is a day behind ours: only the difference counts.
        (json!({"iat": now - 86_400, "exp": now - 86_400 + 600}), 600),
        (json!({"exp": now + 700}), 700),
        (json!({"exp": now - 700}), 3600),
        (json!({"sub": "ada"}), 3600),
    ] {
        let ends = ends(lifetime(), &token(claims.clone())).await;
        assert_eq!(ends, Some(Duration::from_secs(expected)), "{claims}");
    }
}

#[tokio::test]
async fn row_3_3_7_scopes_come_as_a_list_with_commas_or_with_blanks() {
    for scope in [json!(["a", "b"]), json!("a,b"), json!("a b"), json!(" a,  b ")] {
        let body = json!({"access_token": "planted-a2", "scope": scope});
        let scene = Scene::start(reply(&body.to_string())).await;
        scene.fresh().await.unwrap();
        let granted = scene.opened().await.connection.granted_scopes.clone();
        assert_eq!(granted, Some(vec![String::from("a"), String::from("b")]), "{scope}");
    }
}

#[tokio::test]
async fn row_3_3_8_a_refresh_token_is_replaced_only_by_another_one() {
    let long = format!("planted-{}", "r".repeat(16 * 1024));
    for (given, kept) in [
        (json!({}), "planted-r1"),
        (json!({"refresh_token": ""}), "planted-r1"),
        (json!({"refresh_token": null}), "planted-r1"),
        (json!({"refresh_token": 7}), "planted-r1"),
        (json!({"refresh_token": "planted-r1"}), "planted-r1"),
        (json!({"refresh_token": "planted-r2"}), "planted-r2"),
        (json!({"refresh_token": long}), long.as_str()),
    ] {
        let mut body = json!({"access_token": "planted-a2"});
        body.as_object_mut().unwrap().extend(given.as_object().unwrap().clone());
        let scene = Scene::start(reply(&body.to_string())).await;
        scene.fresh().await.unwrap();
        let stored = scene.stored().await;
        assert_eq!(
            (&stored["access_token"], stored["refresh_token"].as_str()),
            (&json!("planted-a2"), Some(kept))
        );
    }
}

#[tokio::test]
async fn row_3_3_9_and_3_3_10_what_later_requests_need_is_kept() {
    let body = json!({"access_token": "planted-a2", "instance_url": "https://x.example", "id_token": "i", "openId": 7});
    let scene = Scene::start(reply(&body.to_string())).await;
    scene.fresh().await.unwrap();
    let stored = scene.stored().await;
    assert_eq!((&stored["instance_url"], &stored["id_token"]), (&json!("https://x.example"), &json!("i")));
    assert_eq!((&stored["openId"], &stored["kept"]), (&json!(7), &json!("k")));
}

/// When the token of a reply with this `Date` ends.
async fn ends_when_dated(date: &str, fields: &str) -> Option<Timestamp> {
    let body = format!(r#"{{"access_token":"planted-a2",{fields}}}"#);
    let scene = Scene::start(answer("200 OK", &format!("application/json\r\nDate: {date}"), &body)).await;
    scene.fresh().await.unwrap();
    scene.opened().await.connection.expires_at
}

#[tokio::test]
async fn row_6_4_a_date_that_is_a_day_off_changes_nothing() {
    for date in ["Thu, 14 Jan 2027 08:00:00 GMT", "Sat, 16 Jan 2027 08:00:00 GMT"] {
        for fields in [r#""expires_in":3600"#, r#""expires_at":"2027-01-15T09:00:00Z""#] {
            assert_eq!(ends_when_dated(date, fields).await, Some(NOW.plus(HOUR)), "{date} {fields}");
        }
    }
}

#[tokio::test]
async fn row_6_4_an_end_by_a_clock_that_is_an_hour_off_is_understood_by_the_date_of_its_reply() {
    for (date, ends) in [
        ("Fri, 15 Jan 2027 07:00:00 GMT", "2027-01-15T08:00:00Z"),
        ("Fri, 15 Jan 2027 09:00:00 GMT", "2027-01-15T10:00:00Z"),
    ] {
        let fields = format!(r#""expires_at":"{ends}""#);
        assert_eq!(ends_when_dated(date, &fields).await, Some(NOW.plus(HOUR)), "{date}");
    }
}
