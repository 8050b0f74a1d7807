use std::path::PathBuf;

use super::*;
use crate::connector::{AuthType, Method};
use crate::document::parse;

fn sample(name: &str) -> (Arc<Connector>, Vec<Complaint>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/connectors").join(name);
    Connector::load(name.into(), &folder).unwrap()
}

fn inline(text: &str) -> Result<(Arc<Connector>, Vec<Complaint>), Vec<String>> {
    let node = parse("spec.yml", text).unwrap();
    let loaded = Connector::from_node("sample".into(), "spec.yml", &node);
    loaded.map_err(|complaints| complaints.iter().map(ToString::to_string).collect())
}

#[test]
fn the_sample_connectors_load() {
    let (hubspot, warnings) = sample("hubspot");
    let way = |connector: &Arc<Connector>| connector.option(None).unwrap().literal_base_host();
    assert_eq!((hubspot.option(None).unwrap().auth, hubspot.name.as_str()), (AuthType::OAuth2, "HubSpot"));
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(hubspot.option(None).unwrap().has_literal_token_endpoint());
    assert_eq!(way(&hubspot), Some(("api.hubapi.com".into(), 443)));
    for name in ["sendgrid", "pipedrive"] {
        assert!(way(&sample(name).0).is_some(), "{name}");
        assert!(sample(name).0.option(None).unwrap().input_schema.is_some(), "{name}");
    }
    assert_eq!(way(&sample("freshdesk").0), None);
}

#[test]
fn the_older_form_may_stand_inline_and_under_args() {
    let (connector, warnings) = inline(
        "auth:\n  type: client-credentials\n  ui: {schema: {type: object}}\n  makeApiClient: {implementationType: mapping, \
         mapping: {args: {baseUrl: 'https://a.example:8443/v1'}}}\n",
    )
    .unwrap();
    let connector = connector.option(None).unwrap();
    assert_eq!(connector.literal_base_host(), Some(("a.example".into(), 8443)));
    assert_eq!(connector.input_schema, Some(serde_json::json!({"type": "object"}).into()));
    assert_eq!(warnings.len(), 1, "the missing test: {warnings:?}");
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let complaints = inline(
        "auth:
  type: oauth2
  tilte: x
  options: {a: {type: oauth2, tilte: x}}
  test: {type: javascript, code: x}
  getOAuthConfig:
    type: mapping
    mapping: {clientId: x, tokenUrl: 'https://a.example', scopes: {$jsonata: x}}
  makeApiClient:
    type: mapping
    mapping:
      baseURI: https://a.example
      headers: {Authorization: {$template: 'Bearer ${x}'}}
      responseHandlers:
        - {match: {$eval: {$var: response.status}, is: 403}, error: {key: acess_token_expired}}
        - {isSuccess: true}
  refreshCredentials: {implementationType: javascript}
  getCredentialsFromConnectionParameters: {implementationType: mapping}
logoUrl: https://a.example/logo.png
",
    )
    .unwrap_err();
    let expected = [
        "spec.yml:3:3: the key `tilte` is unknown; did you mean `title`?",
        "spec.yml:4:31: the key `tilte` is unknown; did you mean `title`?",
        "spec.yml:8:14: the mapping has no `tokenUri`",
        "spec.yml:8:28: the key `tokenUrl` is unknown; did you mean `tokenUri`?",
        "spec.yml:8:68: the formula `$jsonata` is not supported",
        "spec.yml:12:7: the key `baseURI` is unknown; did you mean `baseUri`?",
        "spec.yml:13:33: the key `$template` begins with `$` but is no formula; did you mean `$tpl`?",
        "this error key is unknown; did you mean `access_token_expired`?",
        "spec.yml:16:11: this response handler has no `match`",
        "spec.yml:17:23: the method `refreshCredentials` has no `code`; write it inline here",
        "the method `getCredentialsFromConnectionParameters` has no `mapping`",
        "spec.yml:19:1: the key `logoUrl` is unknown; did you mean `logoUri`?",
    ];
    for problem in expected {
        assert!(complaints.iter().any(|complaint| complaint.contains(problem)), "{problem}\n{complaints:#?}");
    }
}

#[test]
fn what_comes_later_is_named() {
    for kind in ["oauth1", "proxy", "integration-app-token", "membrane-token"] {
        let complaints = inline(&format!("type: {kind}\n")).unwrap_err();
        let problem = format!("the auth type `{kind}` comes with a later version");
        assert!(complaints.iter().any(|complaint| complaint.contains(&problem)), "{complaints:?}");
    }
    let text = "type: client-credentials\nmakeApiClient: {type: graphql-api-mapping, mapping: {}}\n";
    let complaint = &inline(text).unwrap_err()[0];
    assert!(
        complaint.contains("`makeApiClient` as `graphql-api-mapping` comes with a later version"),
        "{complaint}"
    );
}

#[test]
fn a_script_is_named_by_where_it_stands() {
    let (connector, _) = inline(
        "type: client-credentials\nmakeApiClient: {type: javascript, code: 'export default () => 1'}\n\
         test:\n  type: javascript\n  code: |\n    exports.test = () => true\n",
    )
    .unwrap();
    let way = connector.option(None).unwrap();
    let scripts: Vec<_> = way.scripts().map(|(method, script)| (method, script.file())).collect();
    let expected =
        [(Method::MakeApiClient, "spec.yml:2 (makeApiClient)"), (Method::Test, "spec.yml:6 (test)")];
    assert_eq!(scripts, expected);
    assert_eq!(way.literal_base_host(), None);
}

#[test]
fn a_handler_that_reads_the_body_is_a_warning() {
    let (_, warnings) = inline(
        "type: client-credentials\ntest: {type: javascript, code: x}\nmakeApiClient: {type: mapping, mapping: {baseUri: \
         'https://a.example', responseHandlers: [{match: {$var: response.data.expired}, error: {key: access_token_expired}}]}}",
    )
    .unwrap();
    assert!(warnings.iter().any(|warning| warning.problem.contains("reads the body")), "{warnings:?}");
}
