use super::super::{App, Connections, Connector, Hosts};
use super::*;
use crate::document::parse;
use crate::formula::Value;
use crate::secret::Secret;

fn integration(key: &str, route: Option<&str>) -> Integration {
    let spec =
        "type: client-credentials\nmakeApiClient: {type: mapping, mapping: {baseUri: 'https://a.example'}}";
    let (connector, _) =
        Connector::from_node("a".into(), "spec.yml", &parse("spec.yml", spec).unwrap()).unwrap();
    let app = |id: &str| App {
        id: id.into(),
        client_id: format!("client-{id}"),
        client_secret: Some(Secret::new("planted-secret".into())),
        private_key: None,
    };
    Integration {
        key: key.into(),
        connector,
        workspaces: vec!["mine".into()],
        parameters: Secret::new(serde_json::from_str(r#"{"region": "eu", "clientId": "none"}"#).unwrap()),
        options: [].into(),
        scopes: None,
        apps: vec![app("new"), app("old")],
        enabled: true,
        hosts: Hosts::OfBaseUri,
        connections: Connections::One,
        refresh: crate::connector::RefreshSettings::default(),
        allow_private: false,
        allow_plain: false,
        upgrade_idle: None,
        route: route.map(str::to_owned),
        oauth_callback: None,
        credentials_schema: None,
        token_endpoint: Arc::default(),
    }
}

#[test]
fn the_longest_route_wins_by_whole_segments() {
    let catalog = Catalog::new(vec![
        integration("a", Some("/hub")),
        integration("b", Some("/hub/deep/")),
        integration("c", None),
    ]);
    let route = |path| catalog.route(path).map(|(found, rest)| (found.key.as_str().to_owned(), rest));
    assert_eq!(route("/hub"), Some(("a".into(), "")));
    assert_eq!(route("/hub/x"), Some(("a".into(), "/x")));
    assert_eq!(route("/hub/deep/x"), Some(("b".into(), "/x")));
    assert_eq!(route("/hub/deeper"), Some(("a".into(), "/deeper")));
    assert_eq!(route("/hubspot"), None);
    assert_eq!(catalog.all().count(), 3);
    assert!(catalog.get(&"c".into()).is_some() && catalog.get(&"d".into()).is_none());
}

#[test]
fn connector_parameters_are_the_integrations_the_apps_and_the_connections_own() {
    let integration = integration("a", None);
    let way = integration.connector.option(None).unwrap();
    let own: Value = serde_json::from_str(r#"{"region": "us"}"#).unwrap();
    let parameters = integration.connector_parameters(way, Some(&"old".into()), &own);
    let text = |key| parameters.get(key).and_then(Value::as_str);
    assert_eq!(
        (text("region"), text("clientId"), text("clientSecret")),
        (Some("us"), Some("client-old"), Some("planted-secret"))
    );
    let newest = integration.connector_parameters(way, None, &own);
    assert_eq!(newest.get("clientId").and_then(Value::as_str), Some("client-new"));
    assert!(integration.app(&"gone".into()).is_none());
    assert!(!format!("{integration:?}").contains("planted-secret"));
    assert!(integration.serves(&"mine".into()) && !integration.serves(&"other".into()));
}
