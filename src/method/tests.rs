use http::{HeaderMap, StatusCode};

use super::testing::methods;
use super::*;
use crate::connector::{
    App, AuthOption, ClientAuthentication, Connections, Connector, GrantType, Hosts, Integration, Reply,
    Staleness,
};
use crate::document::parse;
use crate::names::Owner;
use crate::secret::Secret;

fn connector(mapping: &str, more: &str) -> Arc<Connector> {
    let text = format!("type: oauth2\nmakeApiClient: {{type: mapping, mapping: {mapping}}}\n{more}\n");
    let text =
        if more.contains("getOAuthConfig") { text } else { text.replace("oauth2", "client-credentials") };
    Connector::from_node("sample".into(), "spec.yml", &parse("spec.yml", &text).unwrap()).unwrap().0
}

fn oauth(mapping: &str) -> Arc<Connector> {
    connector(
        "{baseUri: 'https://a.example'}",
        &format!("getOAuthConfig: {{type: mapping, mapping: {mapping}}}"),
    )
}

fn integration(connector: Arc<Connector>) -> Integration {
    let client_secret = Some(Secret::new("planted-secret".into()));
    Integration {
        key: "sample".into(),
        connector,
        workspaces: Vec::new(),
        parameters: Secret::new(Value::empty_object()),
        options: [].into(),
        scopes: None,
        apps: vec![App { id: "own".into(), client_id: "id".into(), client_secret, private_key: None }],
        enabled: true,
        hosts: Hosts::OfBaseUri,
        connections: Connections::One,
        refresh: crate::connector::RefreshSettings::default(),
        allow_private: true,
        allow_plain: true,
        upgrade_idle: None,
        route: None,
        oauth_callback: None,
        credentials_schema: None,
        token_endpoint: Arc::default(),
    }
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

/// What a connection with these credentials has typed in, and what else there is of it.
struct Connected {
    integration: Integration,
    none: Value,
    typed: Value,
    credentials: Value,
}

impl Connected {
    fn with(connector: Arc<Connector>, credentials: &str) -> Self {
        Self {
            integration: integration(connector),
            none: Value::empty_object(),
            typed: value(r#"{"domain": "acme.example", "key": "typed"}"#),
            credentials: value(credentials),
        }
    }

    fn subject(&self) -> Subject<'_> {
        Subject::new(&self.integration, self.account()).unwrap()
    }

    fn account(&self) -> Account<'_> {
        Account {
            option: None,
            app: None,
            connector_parameters: &self.none,
            input: &self.typed,
            credentials: Some(&self.credentials),
            pinned_origin: None,
            user: None,
        }
    }
}

async fn client(connector: Arc<Connector>, credentials: &str) -> Result<ApiClient, RunError> {
    methods().api_client(&Connected::with(connector, credentials).subject()).await
}

async fn config(mapping: &str) -> Result<OAuthConfig, RunError> {
    methods().oauth_config(&Connected::with(oauth(mapping), "{}").subject()).await
}

fn way(connector: &Connector) -> &AuthOption {
    connector.option(None).unwrap()
}

#[tokio::test]
async fn an_api_client_has_the_base_the_headers_the_query_and_basic() {
    let connector = connector(
        "{baseUri: {$concat: ['https://', {$var: connectionInput.domain}]}, headers: {X-Key: {$var: credentials.key}, X-No: \
         {$var: credentials.no}}, defaultQueryParameters: {a: [1, two]}, auth: {username: {$var: credentials.token}}}",
        "",
    );
    let client = client(connector, r#"{"token": "t0k"}"#).await.unwrap();
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

#[tokio::test]
async fn both_generations_names_are_offered() {
    let names =
        "connectorParameters appParameters connectionParameters connectionInput parameters credentials";
    for name in names.split(' ') {
        let mapping = format!(
            "{{baseUri: 'https://a.example', headers: {{x: {{$eval: {{$var: {name}}}, isNotEmpty: 1}}}}}}"
        );
        let client = client(connector(&mapping, ""), r#"{"k": 1}"#).await.unwrap();
        assert_eq!(client.headers[0].1.expose(), "true", "{name}");
    }
}

#[tokio::test]
async fn base_uris_that_hide_something_are_refused_without_showing_them() {
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
        let error =
            client(connector("{baseUri: {$var: credentials.base}}", ""), &credentials).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("baseUri") && !shown.contains("planted-secret"), "{shown}");
    }
}

#[tokio::test]
async fn a_value_that_cannot_stand_in_a_header_is_refused_by_the_headers_name() {
    let connector = connector("{baseUri: 'https://a.example', headers: {X-Key: {$var: credentials.k}}}", "");
    for bad in ["planted-secret\r\nX-Evil: 1", "planted-secret\u{0}", "planted-secret é"] {
        let error =
            client(Arc::clone(&connector), &serde_json::json!({ "k": bad }).to_string()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("X-Key") && !shown.contains("planted-secret"), "{shown}");
    }
}

#[tokio::test]
async fn nothing_secret_shows_in_debug() {
    let connector = connector(
        "{baseUri: 'https://a.example', headers: {X-Key: {$var: credentials.k}, Y: 'planted-secret'}}",
        "",
    );
    let client = client(Arc::clone(&connector), r#"{"k": "planted-secret"}"#).await.unwrap();
    assert!(!format!("{client:?} {connector:?}").contains("planted-secret"));
    let config = config(
        "{clientId: id, clientSecret: {$var: connectorParameters.clientSecret}, tokenUri: 'https://a.example'}",
    );
    assert!(!format!("{:?}", config.await.unwrap()).contains("planted-secret"));
}

#[tokio::test]
async fn client_authentication_follows_the_location_then_the_flags_then_the_header() {
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
        let config = config(&format!("{{clientId: id, tokenUri: 'https://a.example'{more}}}")).await.unwrap();
        assert_eq!(config.client_authentication, expected, "{more}");
    }
}

#[tokio::test]
async fn an_oauth_config_is_read_whole() {
    let made = config(
        "{clientId: {$var: appParameters.clientId}, tokenUri: 'https://a.example/token', scopes: [a, b], extra: {audience: x}, \
         grantType: client_credentials, noRefreshToken: true}",
    )
    .await
    .unwrap();
    assert_eq!((made.client_id.as_str(), made.token_uri.as_str()), ("id", "https://a.example/token"));
    assert_eq!(made.scopes, ["a", "b"]);
    assert_eq!(made.extra, [("audience".to_owned(), "x".to_owned())]);
    assert_eq!(made.grant_type, GrantType::ClientCredentials);
    assert!(made.no_refresh_token);
    let error = config("{clientId: {$var: none}, tokenUri: 'https://a.example'}").await.unwrap_err();
    assert_eq!(error.to_string(), "getOAuthConfig gives no clientId");
}

#[tokio::test]
async fn oauth_refreshes_unless_its_provider_issues_no_refresh_token() {
    for (more, expected) in [
        ("", true),
        (", noRefreshToken: true", false),
        (", noRefreshToken: true, grantType: client_credentials", true),
    ] {
        let connector = oauth(&format!("{{clientId: id, tokenUri: 'https://a.example'{more}}}"));
        assert_eq!(way(&connector).can_refresh(), expected);
    }
    assert!(!way(&connector("{baseUri: 'https://a.example'}", "")).can_refresh());
}

#[tokio::test]
async fn credentials_are_what_was_typed_in_unless_a_method_makes_them() {
    let with = |method: &str| Connected::with(connector("{baseUri: 'https://a.example'}", method), "{}");
    let (methods, plain) = (methods(), with(""));
    assert_eq!(*methods.first_credentials(&plain.subject()).await.unwrap(), plain.typed);
    let made = with(
        "getCredentialsFromConnectionParameters: {type: mapping, mapping: {token: {$var: connectionInput.key}}}",
    );
    assert_eq!(*methods.first_credentials(&made.subject()).await.unwrap(), value(r#"{"token": "typed"}"#));
    let response = value(r#"{"instance_url": "https://b.example"}"#);
    let added = with(
        "getCredentialsFromTokenResponse: {type: mapping, mapping: {host: {$var: tokenResponse.instance_url}}}",
    );
    let made = methods.from_refresh_token_response(&added.subject(), &response).await.unwrap().unwrap();
    assert_eq!(*made, value(r#"{"host": "https://b.example"}"#));
    assert!(methods.from_refresh_token_response(&plain.subject(), &response).await.unwrap().is_none());
}

#[tokio::test]
async fn the_first_handler_that_matches_decides_and_then_401_means_expired() {
    let connector = connector(
        "{baseUri: 'https://a.example', responseHandlers: [{match: {$eval: {$var: response.headers.x-state}, is: fine}, isSuccess: \
         true}, {match: {$eval: {$var: response.statusCode}, is: 403}, error: {key: connection_is_defunct}}, {match: {$eval: \
         {$var: response.status}, is: 419}, isSuccess: false, error: {key: access_token_expired}}]}",
        "",
    );
    let client = client(connector, "{}").await.unwrap();
    let none = HeaderMap::new();
    assert_eq!(staleness(&client, 401, &none, None), Staleness::AccessTokenExpired);
    assert_eq!(staleness(&client, 419, &none, None), Staleness::AccessTokenExpired);
    assert_eq!(staleness(&client, 403, &none, None), Staleness::ConnectionIsDefunct);
    assert_eq!(staleness(&client, 200, &none, None), Staleness::Fine);
    let mut fine = HeaderMap::new();
    fine.insert("X-State", "fine".parse().unwrap());
    assert_eq!(staleness(&client, 401, &fine, None), Staleness::Fine);
}

fn staleness(client: &ApiClient, status: u16, headers: &HeaderMap, data: Option<&str>) -> Staleness {
    let (status, data) = (StatusCode::from_u16(status).unwrap(), data.map(value));
    client.staleness(&Reply { status, headers, data: data.as_ref() })
}

#[tokio::test]
async fn a_handler_may_read_the_body_where_there_is_one() {
    let connector = connector(
        "{baseUri: 'https://a.example', responseHandlers: [{match: {$eval: {$var: response.data.error}, is: expired}, error: {key: \
         access_token_expired}}, {match: {$var: response.data.fine}, isSuccess: true}]}",
        "",
    );
    let client = client(connector, "{}").await.unwrap();
    assert!(client.response_handlers.read_bodies());
    let none = HeaderMap::new();
    let of = |status, data| staleness(&client, status, &none, data);
    assert_eq!(of(200, Some(r#"{"error": "expired"}"#)), Staleness::AccessTokenExpired);
    assert_eq!(of(401, Some(r#"{"fine": true}"#)), Staleness::Fine);
    assert_eq!(of(200, Some(r#"{"error": "other"}"#)), Staleness::Fine);
    assert_eq!(of(401, None), Staleness::AccessTokenExpired, "what was not read matches nothing");
}

#[tokio::test]
async fn a_token_of_ours_needs_a_customer_and_a_secret() {
    let node = parse("spec.yml", "type: membrane-token\n").unwrap();
    let (connector, _) = Connector::from_node("own".into(), "spec.yml", &node).unwrap();
    let mut connected = Connected::with(connector, "{}");
    connected.integration.parameters = Secret::new(value(r#"{"baseUri": "https://a.example"}"#));
    let error = methods().api_client(&connected.subject()).await.unwrap_err();
    assert!(matches!(error, RunError::NoCustomer), "{error}");
    let owner = Owner { workspace: "acme".into(), customer: "ada".into() };
    let account = Account { user: Some(User::from(&owner)), ..connected.account() };
    let subject = Subject::new(&connected.integration, account).unwrap();
    let error = methods().api_client(&subject).await.unwrap_err();
    assert_eq!(error.to_string(), "the workspace `acme` has no secret to sign tokens with");
}

const OAUTH1: &str = "consumerKey: k, consumerSecret: {$var: connectorParameters.clientSecret}, requestTokenUri: \
                      'https://a.example/r', authorizeUri: 'https://a.example/a', tokenUri: 'https://a.example/t'";

fn oauth1(more: &str) -> Arc<Connector> {
    let text = format!(
        "type: oauth1\nmakeApiClient: {{type: mapping, mapping: {{baseUri: 'https://a.example'}}}}\n\
         getOAuthConfig: {{type: mapping, mapping: {{{OAUTH1}{more}}}}}\n"
    );
    Connector::from_node("sample".into(), "spec.yml", &parse("spec.yml", &text).unwrap()).unwrap().0
}

#[tokio::test]
async fn an_api_client_of_oauth1_signs_with_the_app_and_the_token_of_the_credentials() {
    let credentials = r#"{"oauth_token": "t", "oauth_token_secret": "s"}"#;
    let signer = client(oauth1(""), credentials).await.unwrap().signer.unwrap();
    assert_eq!((signer.consumer_key.as_str(), signer.method.name(), signer.realm), ("k", "HMAC-SHA1", None));
    assert_eq!(signer.consumer_secret.expose(), "planted-secret");
    let token = signer.token.unwrap();
    assert_eq!((token.key.as_str(), token.secret.expose().as_str()), ("t", "s"));
    let plain = client(oauth1(", signatureMethod: PLAINTEXT, realm: 1_SB"), credentials).await.unwrap();
    let signer = plain.signer.unwrap();
    assert_eq!((signer.method.name(), signer.realm.as_deref()), ("PLAINTEXT", Some("1_SB")));
}

#[tokio::test]
async fn an_oauth1_configuration_says_what_is_wrong_with_it() {
    for (more, credentials, expected) in [
        ("", "{}", "the credentials have no oauth_token"),
        ("", r#"{"oauth_token": "t"}"#, "the credentials have no oauth_token_secret"),
        (
            ", signatureMethod: RSA-SHA1",
            r#"{"oauth_token": "t", "oauth_token_secret": "s"}"#,
            "the signatureMethod that getOAuthConfig gives is not `HMAC-SHA1`, `HMAC-SHA256` or `PLAINTEXT`",
        ),
        (
            ", realm: 'a\"b'",
            r#"{"oauth_token": "t", "oauth_token_secret": "s"}"#,
            "the realm that getOAuthConfig gives is not visible ASCII without quotes",
        ),
    ] {
        let error = client(oauth1(more), credentials).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
