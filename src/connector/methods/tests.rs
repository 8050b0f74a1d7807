use http::{HeaderMap, StatusCode};

use super::super::{ClientAuthentication, GrantType, Staleness};
use super::*;
use crate::document::parse;

fn connector(mapping: &str, more: &str) -> std::sync::Arc<Connector> {
    let text = format!("type: oauth2\nmakeApiClient: {{type: mapping, mapping: {mapping}}}\n{more}\n");
    let text =
        if more.contains("getOAuthConfig") { text } else { text.replace("oauth2", "client-credentials") };
    Connector::from_node("sample".into(), "spec.yml", &parse("spec.yml", &text).unwrap()).unwrap().0
}

fn oauth(mapping: &str) -> std::sync::Arc<Connector> {
    connector(
        "{baseUri: 'https://a.example'}",
        &format!("getOAuthConfig: {{type: mapping, mapping: {mapping}}}"),
    )
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn client(connector: &Connector, credentials: &str) -> Result<ApiClient, MethodError> {
    let (none, typed) = (Value::empty_object(), value(r#"{"domain": "acme.example", "key": "typed"}"#));
    let credentials = value(credentials);
    connector.make_api_client(&MethodInput {
        connector_parameters: &none,
        connection_parameters: &typed,
        credentials: Some(&credentials),
    })
}

fn config(mapping: &str) -> Result<OAuthConfig, MethodError> {
    let (parameters, none) =
        (value(r#"{"clientId": "id", "clientSecret": "planted-secret"}"#), Value::empty_object());
    oauth(mapping).oauth_config(&MethodInput {
        connector_parameters: &parameters,
        connection_parameters: &none,
        credentials: None,
    })
}

#[test]
fn an_api_client_has_the_base_the_headers_the_query_and_basic() {
    let connector = connector(
        "{baseUri: {$concat: ['https://', {$var: connectionInput.domain}]}, headers: {X-Key: {$var: credentials.key}, X-No: \
         {$var: credentials.no}}, defaultQueryParameters: {a: [1, two]}, auth: {username: {$var: credentials.token}}}",
        "",
    );
    let client = client(&connector, r#"{"token": "t0k"}"#).unwrap();
    assert_eq!(client.base_uri, "https://acme.example");
    assert_eq!(client.origin(), "https://acme.example");
    let headers: Vec<_> =
        client.headers.iter().map(|(name, text)| (name.as_str(), text.expose().as_str())).collect();
    assert_eq!(
        headers,
        [("x-key", "typed")],
        "what was typed in shows under credentials, and undefined is absent"
    );
    let query: Vec<_> =
        client.query.iter().map(|(name, text)| (name.as_str(), text.expose().as_str())).collect();
    assert_eq!(query, [("a", "1"), ("a", "two")]);
    let (username, password) = client.basic.unwrap();
    assert_eq!((username.as_str(), password.expose().as_str()), ("t0k", ""));
}

#[test]
fn both_generations_names_are_offered() {
    let names =
        "connectorParameters appParameters connectionParameters connectionInput parameters credentials";
    for name in names.split(' ') {
        let mapping = format!(
            "{{baseUri: 'https://a.example', headers: {{x: {{$eval: {{$var: {name}}}, isNotEmpty: 1}}}}}}"
        );
        let some = value(r#"{"k": 1}"#);
        let input = MethodInput {
            connector_parameters: &some,
            connection_parameters: &some,
            credentials: Some(&some),
        };
        let client = connector(&mapping, "").make_api_client(&input).unwrap();
        assert_eq!(client.headers[0].1.expose(), "true", "{name}");
    }
}

#[test]
fn base_uris_that_hide_something_are_refused_without_showing_them() {
    for base in [
        "ftp://planted-secret.example",
        "planted-secret.example",
        "https://user:planted-secret@a.example",
        "https://a.example/#planted-secret",
        "https://a.example/?k=planted-secret",
        "https:/planted-secret",
        "https:///planted-secret",
        "https://a.example\\@planted-secret",
        "https://planted-secret\n.example",
        "https://",
        "",
    ] {
        let credentials = serde_json::json!({ "base": base }).to_string();
        let error = client(&connector("{baseUri: {$var: credentials.base}}", ""), &credentials).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("baseUri") && !shown.contains("planted-secret"), "{shown}");
    }
}

#[test]
fn a_value_that_cannot_stand_in_a_header_is_refused_by_the_headers_name() {
    let connector = connector("{baseUri: 'https://a.example', headers: {X-Key: {$var: credentials.k}}}", "");
    for bad in ["planted-secret\r\nX-Evil: 1", "planted-secret\u{0}", "planted-secret é"] {
        let error = client(&connector, &serde_json::json!({ "k": bad }).to_string()).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("X-Key") && !shown.contains("planted-secret"), "{shown}");
    }
}

#[test]
fn nothing_secret_shows_in_debug() {
    let connector = connector(
        "{baseUri: 'https://a.example', headers: {X-Key: {$var: credentials.k}, Y: 'planted-secret'}}",
        "",
    );
    let client = client(&connector, r#"{"k": "planted-secret"}"#).unwrap();
    assert!(!format!("{client:?} {connector:?}").contains("planted-secret"));
    let config = config(
        "{clientId: id, clientSecret: {$var: connectorParameters.clientSecret}, tokenUri: 'https://a.example'}",
    );
    assert!(!format!("{:?}", config.unwrap()).contains("planted-secret"));
}

#[test]
fn client_authentication_follows_the_location_then_the_flags_then_the_header() {
    let cases = [
        ("", ClientAuthentication::Header),
        (", clientAuthLocation: headers", ClientAuthentication::Header),
        (", clientAuthLocation: body", ClientAuthentication::Body),
        (", skipClientAuthInHeader: true", ClientAuthentication::Body),
        (", skipClientAuthInHeaders: true", ClientAuthentication::Body),
        (", skipClientAuthInBody: true", ClientAuthentication::Header),
        (", skipClientAuthInBody: false", ClientAuthentication::Header),
        (", skipClientAuthInBody: false, skipClientAuthInHeaders: false", ClientAuthentication::Both),
        (", skipClientAuthInBody: true, skipClientAuthInHeaders: true", ClientAuthentication::None),
        (", clientAuthLocation: body, skipClientAuthInBody: true", ClientAuthentication::Body),
    ];
    for (more, expected) in cases {
        let config = config(&format!("{{clientId: id, tokenUri: 'https://a.example'{more}}}")).unwrap();
        assert_eq!(config.client_authentication, expected, "{more}");
    }
}

#[test]
fn an_oauth_config_is_read_whole() {
    let made = config(
        "{clientId: {$var: appParameters.clientId}, tokenUri: 'https://a.example/token', scopes: [a, b], extra: {audience: x}, \
         grantType: client_credentials, noRefreshToken: true}",
    )
    .unwrap();
    assert_eq!((made.client_id.as_str(), made.token_uri.as_str()), ("id", "https://a.example/token"));
    assert_eq!(made.scopes, ["a", "b"]);
    assert_eq!(made.extra, [("audience".to_owned(), "x".to_owned())]);
    assert_eq!(made.grant_type, GrantType::ClientCredentials);
    assert!(made.no_refresh_token);
    let error = config("{clientId: {$var: none}, tokenUri: 'https://a.example'}").unwrap_err();
    assert_eq!(error.to_string(), "getOAuthConfig gives no clientId");
}

#[test]
fn oauth_refreshes_unless_its_provider_issues_no_refresh_token() {
    for (more, expected) in [
        ("", true),
        (", noRefreshToken: true", false),
        (", noRefreshToken: true, grantType: client_credentials", true),
    ] {
        assert_eq!(
            oauth(&format!("{{clientId: id, tokenUri: 'https://a.example'{more}}}")).can_refresh(),
            expected
        );
    }
    assert!(!connector("{baseUri: 'https://a.example'}", "").can_refresh());
}

#[test]
fn credentials_are_what_was_typed_in_unless_a_method_makes_them() {
    let (none, typed) = (Value::empty_object(), value(r#"{"key": "k"}"#));
    let input = MethodInput { connector_parameters: &none, connection_parameters: &typed, credentials: None };
    let base = "{baseUri: 'https://a.example'}";
    assert_eq!(connector(base, "").credentials_from_parameters(&input).unwrap(), typed);
    let method = "getCredentialsFromConnectionParameters: {type: mapping, mapping: {token: {$var: connectionInput.key}}}";
    assert_eq!(
        connector(base, method).credentials_from_parameters(&input).unwrap(),
        value(r#"{"token": "k"}"#)
    );
    let method = "getCredentialsFromTokenResponse: {type: mapping, mapping: {host: {$var: tokenResponse.instance_url}}}";
    let response = value(r#"{"instance_url": "https://b.example"}"#);
    let made = connector(base, method).credentials_from_token_response(&input, &response).unwrap();
    assert_eq!(made, Some(value(r#"{"host": "https://b.example"}"#)));
    assert_eq!(connector(base, "").credentials_from_token_response(&input, &response).unwrap(), None);
}

#[test]
fn the_first_handler_that_matches_decides_and_then_401_means_expired() {
    let connector = connector(
        "{baseUri: 'https://a.example', responseHandlers: [{match: {$eval: {$var: response.headers.x-state}, is: fine}, isSuccess: \
         true}, {match: {$eval: {$var: response.statusCode}, is: 403}, error: {key: connection_is_defunct}}, {match: {$eval: \
         {$var: response.status}, is: 419}, isSuccess: false, error: {key: access_token_expired}}]}",
        "",
    );
    let client = client(&connector, "{}").unwrap();
    let status = |code| StatusCode::from_u16(code).unwrap();
    let none = HeaderMap::new();
    assert_eq!(client.staleness(status(401), &none), Staleness::AccessTokenExpired);
    assert_eq!(client.staleness(status(419), &none), Staleness::AccessTokenExpired);
    assert_eq!(client.staleness(status(403), &none), Staleness::ConnectionIsDefunct);
    assert_eq!(client.staleness(status(200), &none), Staleness::Fine);
    let mut fine = HeaderMap::new();
    fine.insert("X-State", "fine".parse().unwrap());
    assert_eq!(client.staleness(status(401), &fine), Staleness::Fine);
}
