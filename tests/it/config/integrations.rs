//! Integrations and the connectors they use.

use sidegate::connector::{RefreshSettings, Rotation};

use super::*;

pub(super) const CONNECTOR: &str = "\
name: CRM
auth:
  type: client-credentials
  makeApiClient:
    implementationType: mapping
    mapping: {baseUri: https://api.example.com, headers: {X-Key: {$var: credentials.key}}}
  test: {implementationType: mapping, mapping: {path: /me, method: get}}
";

fn with_integration(integration: &str) -> Folder {
    let folder = small();
    folder.write("connectors/crm/spec.yml", CONNECTOR);
    folder.write("integrations/crm.yaml", integration);
    folder
}

#[test]
fn an_integration_is_read_with_everything_that_it_may_say() {
    let folder = with_integration(
        "\
connector: crm
workspaces: [my-workspace]
parameters: {zeta: 1, alpha: two}
scopes: [read]
apps: [{id: own, clientId: {env: CRM_ID}, clientSecret: {file: ../workspace}}, {id: other, clientId: 0123}]
enabled: false
hosts: [api.example.com, '*.example.org']
connections: many
egress: {allowPrivate: true, allowPlain: true}
route: {pathPrefix: /crm}
",
    );
    let settings = folder.settings(&[("CRM_ID", "the id")]);
    let [crm] = settings.integrations.as_slice() else { panic!("one integration") };
    assert_eq!((crm.key.as_str(), crm.connector.key.as_str()), ("crm", "crm"));
    assert_eq!(serde_json::to_string(crm.parameters.expose()).unwrap(), r#"{"zeta":1,"alpha":"two"}"#);
    assert_eq!((crm.apps[0].client_id.as_str(), crm.apps[1].client_id.as_str()), ("the id", "0123"));
    assert_eq!(crm.apps[0].client_secret.as_ref().unwrap().expose(), SECRET);
    assert!(matches!(&crm.hosts, Hosts::Listed(patterns) if patterns.len() == 2));
    assert!(!crm.enabled && crm.allow_private && crm.allow_plain && crm.connections == Connections::Many);
    assert_eq!(crm.route.as_deref(), Some("/crm"));
}

#[test]
fn what_becomes_of_a_used_refresh_token_is_said_in_a_word_or_as_a_time() {
    for (typed, expected) in [
        ("", Rotation::Strict),
        ("refresh: {rotation: strict}\n", Rotation::Strict),
        ("refresh: {rotation: none}\n", Rotation::None),
        ("refresh: {rotation: {reuse: 30s}}\n", Rotation::Reuse(Duration::from_secs(30))),
    ] {
        let folder = with_integration(&format!("connector: crm\n{typed}"));
        assert_eq!(folder.settings(&[]).integrations[0].refresh.rotation, expected, "{typed}");
    }
    let folder = with_integration("connector: crm\nrefresh: {rotation: {reuse: 0s}}\n");
    contains(&folder.complaints(&[]), "`integrations.crm.refresh.rotation.reuse` is no time at all");
}

#[test]
fn when_credentials_are_refreshed_is_the_integrations_to_say() {
    let typed = "connector: crm\nrefresh: {ahead: 20m, keepAlive: 30d, wait: 3s, replay: false}\n";
    let refresh = with_integration(typed).settings(&[]).integrations[0].refresh.clone();
    assert_eq!((refresh.ahead, refresh.wait), (Duration::from_secs(20 * 60), Duration::from_secs(3)));
    assert_eq!((refresh.keep_alive, refresh.replay), (Some(Duration::from_secs(30 * 24 * 3600)), false));
    let untouched = with_integration("connector: crm\n").settings(&[]).integrations[0].refresh.clone();
    assert_eq!(untouched, RefreshSettings::default());
    let folder = with_integration("connector: crm\nrefresh: {keepAlive: 5m}\n");
    contains(&folder.complaints(&[]), "`integrations.crm.refresh.keepAlive` is too short");
    let folder = with_integration("connector: crm\nrefresh: {wait: 0s}\n");
    contains(&folder.complaints(&[]), "`integrations.crm.refresh.wait` is no time at all");
}

#[test]
fn a_prefix_that_no_url_can_have_is_refused_before_a_request_meets_it() {
    let folder = small();
    for prefix in ["/a\u{9}b", "/a\u{1}b", "/\u{e9}", "/a b", "/../a", "a"] {
        let target = serde_json::json!({"url": "http://127.0.0.1:1", "addPrefix": prefix});
        folder.write("sidegate.yaml", &SMALL.replace("http://127.0.0.1:3000", &target.to_string()));
        contains(&folder.complaints(&[]), "`upstreams.api.upstream.addPrefix` is not a path prefix");
    }
}

#[test]
fn an_integration_is_checked_for_what_it_means() {
    let folder = with_integration("connector: cmr\nhosts: ['https://x']\nroute: {pathPrefix: crm}\n");
    let complaints = folder.complaints(&[]);
    contains(&complaints, "integrations/crm.yaml:1:12: there is no connector `cmr`; did you mean `crm`?");
    contains(&complaints, "integrations/crm.yaml:2:9: `integrations.crm.hosts[0]` is not a host pattern");
    contains(
        &complaints,
        "integrations/crm.yaml:3:21: `integrations.crm.route.pathPrefix` is not a path prefix",
    );
}

#[test]
fn a_computed_base_uri_needs_hosts() {
    let folder = with_integration("connector: crm\n");
    folder.settings(&[]);
    let computed = CONNECTOR.replace("https://api.example.com", "{$var: credentials.url}");
    folder.write("connectors/crm/spec.yml", &computed);
    contains(
        &folder.complaints(&[]),
        "`integrations.crm.hosts` is missing: the connector computes its baseUri",
    );
    folder.write("integrations/crm.yaml", "connector: crm\nhosts: connection\n");
    assert_eq!(folder.settings(&[]).integrations[0].hosts, Hosts::Connection);
}

#[test]
fn a_computed_token_endpoint_needs_listed_hosts() {
    let folder = with_integration("connector: oauth\n");
    let oauth = "name: O\nauth:\n  type: oauth2\n  test: {type: not-supported}\n  getOAuthConfig: {type: mapping, mapping: \
                 {clientId: c, authorizeUri: 'https://a.example/a', tokenUri: {$var: connectorParameters.tokenUri}}}\n  \
                 makeApiClient: {type: mapping, mapping: {baseUri: 'https://api.example.com'}}\n";
    folder.write("connectors/oauth/spec.yml", oauth);
    contains(
        &folder.complaints(&[]),
        "`integrations.crm.hosts` lists no host: the connector computes its tokenUri",
    );
    folder.write("integrations/crm.yaml", "connector: oauth\nhosts: [api.example.com, auth.example.com]\n");
    assert!(!folder.settings(&[]).integrations.is_empty());
}

#[test]
fn a_parameter_that_looks_like_a_secret_is_a_warning() {
    let folder = with_integration("connector: crm\nparameters: {apiKey: planted-key, region: eu}\n");
    let warnings = folder.settings(&[]).warnings;
    assert!(warnings.iter().any(|warning| warning.problem.contains("parameters.apiKey")), "{warnings:#?}");
    assert!(!config::show(&folder.sources(&[])).unwrap().contains("planted-key"));
}

#[test]
fn a_connector_may_stand_inline() {
    let folder = small();
    let inline = CONNECTOR.replace('\n', "\n    ");
    let text =
        format!("{SMALL}connectors:\n  crm:\n    {inline}\nintegrations: {{crm: {{connector: crm}}}}\n");
    folder.write("sidegate.yaml", &text);
    assert_eq!(folder.settings(&[]).integrations[0].connector.name, "CRM");
}
