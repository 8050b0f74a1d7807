use std::path::PathBuf;

use super::*;
use crate::connector::{AuthType, Method};
use crate::document::parse;
use crate::formula::Value;

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
fn a_way_that_borrows_names_its_lender_and_has_only_what_is_its_own_matter() {
    let (connector, warnings) = inline(
        "auth:
  getOAuthConfig: {type: mapping, mapping: {clientId: x, tokenUri: 'https://a.example'}}
  makeApiClient: {type: mapping, mapping: {baseUri: 'https://a.example'}}
  options:
    shared: {type: proxy, proxyKey: owner}
",
    )
    .unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(connector.proxy_keys().collect::<Vec<_>>(), ["owner"]);
    let shared = connector.option(Some("shared")).unwrap();
    assert_eq!((shared.auth, shared.has_literal_token_endpoint()), (AuthType::Proxy, false));
    assert_eq!(shared.literal_base_host(), Some(("a.example".into(), 443)));
    let complaints = inline("type: proxy\n").unwrap_err();
    assert!(
        complaints[0].contains("the auth type `proxy` has no `proxyKey`; write the key"),
        "{complaints:?}"
    );
}

#[test]
fn what_a_method_cannot_be_written_in_is_told_with_what_it_can() {
    let complaint = |method: &str| {
        let base = "{type: mapping, mapping: {baseUri: 'https://a.example'}}";
        let text = format!("type: client-credentials\nmakeApiClient: {base}\n{method}\n");
        inline(&text).unwrap_err().swap_remove(0)
    };
    for (method, expected) in [
        (
            "test: {type: graphql-api-mapping, mapping: {}}",
            "the method `test` cannot be `graphql-api-mapping`; \
             write it as rest-api-mapping, operation-mapping, javascript, not-supported",
        ),
        ("test: {type: javascrpt, code: x}", "cannot be `javascrpt`; did you mean `javascript`?"),
        (
            "disconnect: {type: operation-mapping, mapping: {operationKey: x}}",
            "the method `disconnect` cannot be `operation-mapping`; write it as rest-api-mapping, javascript",
        ),
        (
            "operations: [{key: whoami}]\ntest: {type: operation-mapping, mapping: {operationKey: whoam}}",
            "there is no operation `whoam`; did you mean `whoami`?",
        ),
        (
            "operations: [{key: a, methods: {run: {type: javascript, code: x}}}]\n\
             test: {type: operation-mapping, mapping: {operationKey: a}}",
            "the operation `a` has no request; write operations/a/run.rest.yml, or use `rest-api-mapping`",
        ),
    ] {
        let complaint = complaint(method);
        assert!(complaint.contains(expected), "{complaint}");
    }
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
fn an_option_has_what_it_says_and_inherits_the_rest() {
    let (connector, _) = inline(
        "name: Sample
auth:
  title: All
  inputSchema: {type: object, required: [host], properties: {host: {type: string}}}
  test: {type: rest-api-mapping, mapping: {path: /me}}
  makeApiClient: {type: mapping, mapping: {baseUri: 'https://a.example'}}
  options:
    key:
      type: client-credentials
      title: By key
      inputSchema: {required: [key], properties: {key: {type: string}}}
      enabled: {$eval: {$var: connectorParameters.allowKeys}, is: true}
    token:
      type: client-credentials
      makeApiClient: {type: mapping, mapping: {baseUri: 'https://b.example'}}
      ui: {schema: {type: object}, description: 'Ask your admin', helpUri: 'https://help.example'}
",
    )
    .unwrap();
    let keys: Vec<_> = connector.offered().map(|option| option.key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["key", "token"], "what they have in common is no way of its own");
    let key = connector.option(Some("key")).unwrap();
    assert_eq!((key.title.as_deref(), key.can_test()), (Some("By key"), true));
    assert_eq!(key.literal_base_host(), Some(("a.example".into(), 443)));
    let schema = serde_json::to_value(key.input_schema.as_ref().unwrap()).unwrap();
    assert_eq!(schema["required"], serde_json::json!(["host", "key"]));
    assert_eq!(schema["properties"].as_object().unwrap().len(), 2);
    let parameters = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert!(key.is_enabled(&parameters(r#"{"allowKeys": true}"#)));
    assert!(!key.is_enabled(&parameters(r#"{"allowKeys": "no"}"#)) && !key.is_enabled(&parameters("{}")));
    let token = connector.option(Some("token")).unwrap();
    assert_eq!(token.literal_base_host(), Some(("b.example".into(), 443)));
    assert_eq!(token.title.as_deref(), Some("All"));
    assert_eq!(token.ui.help_uri.as_deref(), Some("https://help.example"));
    assert!(connector.option(Some("none")).is_none());
    assert_eq!(connector.option(None).unwrap().key.as_deref(), Some("key"));
}

const OAUTH1: &str = "type: oauth1
makeApiClient: {type: mapping, mapping: {baseUri: 'https://a.example'}}
";

#[test]
fn oauth1_has_a_configuration_of_its_own() {
    let mapping = "{consumerKey: k, consumerSecret: s, requestTokenUri: 'https://a.example/r', authorizeUri: \
                   'https://a.example/a', tokenUri: 'https://a.example/t', signatureMethod: HMAC-SHA256, realm: r}";
    let text = format!("{OAUTH1}getOAuthConfig: {{type: mapping, mapping: {mapping}}}\n");
    let (connector, _) = inline(&text).unwrap();
    let way = connector.option(None).unwrap();
    assert_eq!((way.auth, way.auth.as_str(), way.can_refresh()), (AuthType::OAuth1, "oauth1", false));
    assert!(way.has_literal_token_endpoint());
    let computed = text.replace("'https://a.example/r'", "{$var: input.uri}");
    assert!(!inline(&computed).unwrap().0.option(None).unwrap().has_literal_token_endpoint());
}

#[test]
fn what_oauth1_needs_and_does_not_know_is_named() {
    let missing = inline(OAUTH1).unwrap_err();
    assert!(missing[0].contains("the method `getOAuthConfig` is missing"), "{missing:?}");
    let text =
        format!("{OAUTH1}getOAuthConfig: {{type: mapping, mapping: {{clientId: k, consumerSecrets: s}}}}\n");
    let complaints = inline(&text).unwrap_err();
    for problem in [
        "the key `clientId` is unknown",
        "the key `consumerSecrets` is unknown; did you mean `consumerSecret`?",
        "the mapping has no `consumerKey`",
        "the mapping has no `requestTokenUri`",
        "the mapping has no `authorizeUri`",
        "the mapping has no `tokenUri`",
    ] {
        assert!(complaints.iter().any(|complaint| complaint.contains(problem)), "{problem}\n{complaints:#?}");
    }
}
