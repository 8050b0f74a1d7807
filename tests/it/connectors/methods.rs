//! Methods in each of the forms that a connector may write them in, through real calls.

use super::*;
use crate::support::{signed, token};

/// What a connector needs beside the methods that a test is about.
fn keyed(third_party: &Origin, methods: &str) -> String {
    format!(
        "integrations:
  sample: {{connector: sample, egress: {{allowPrivate: true, allowPlain: true}}}}
connectors:
  sample:
    type: client-credentials
    makeApiClient:
      type: mapping
      mapping:
        baseUri: http://{}
        headers: {{X-Key: {{$var: credentials.key}}}}
        responseHandlers:
          - {{match: {{$eval: {{$var: response.data.error}}, is: expired}}, error: {{key: access_token_expired}}}}
{methods}",
        third_party.address
    )
}

/// Answers 200 to the newest key, and else 200 with an error in its body.
fn polite(newest: &'static str) -> Origin {
    Origin::played(move |peer| {
        while let Some(request) = peer.request() {
            let body = if request.values("x-key") == [newest] { OK } else { r#"{"error":"expired"}"# };
            if !peer.try_say(answer("200 OK", body)) {
                return;
            }
        }
    })
}

fn lines(third_party: &Origin) -> Vec<String> {
    let line = |one: &Seen| one.line().trim_end_matches(" HTTP/1.1").to_owned();
    third_party.seen().iter().map(line).collect()
}

#[test]
fn a_test_may_be_an_operation_of_the_connector_with_its_own_input_and_output() {
    let third_party = polite("k1");
    let service = Service::configured(&keyed(
        &third_party,
        "    operations:
      - key: find-user
        name: Find a user
        methods:
          run:
            implementationType: rest-api-mapping
            mapping:
              path: /users/{id}
              requestMapping: {pathParameters: {id: {$var: input.who}}, query: {region: {$var: connectionParameters.region}}}
              responseMapping: {found: {$var: response.data.id}}
    test:
      type: operation-mapping
      mapping: {operationKey: find-user, inputMapping: {who: me}, outputMapping: {$eval: {$var: output.found}, is: u1}}
",
    ));
    let made = service.create(&json!({"key": "k1", "region": "eu"}));
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(lines(&third_party), ["GET /users/me?region=eu"]);
    assert_eq!(service.create(&json!({"key": "k0"})).values("x-sidegate-rejection"), ["test_failed"]);
}

#[test]
fn a_handler_that_reads_the_body_refreshes_and_the_call_is_sent_once_more() {
    let third_party = polite("k2");
    let refresh = "    refreshCredentials: {type: mapping, mapping: {key: k2}}\n";
    let service = Service::configured(&keyed(&third_party, refresh));
    assert_eq!(service.create(&json!({"key": "k1"})).status, 200);
    let called = service.ask("POST", "/connections/sample/proxy/orders", &json!({"order": 7}));
    assert_eq!((called.status, called.text().as_str()), (200, OK));
    assert_eq!(lines(&third_party), ["POST /orders", "POST /orders"]);
    assert_eq!(third_party.seen()[1].body, br#"{"order":7}"#);
}

#[test]
fn a_request_takes_the_credentials_back_when_a_connection_is_archived() {
    let third_party = polite("k1");
    let service = Service::configured(&keyed(
        &third_party,
        "    disconnect:
      type: rest-api-mapping
      mapping: {path: /revoke, method: post, requestMapping: {data: {key: {$var: credentials.key}}}}
",
    ));
    assert_eq!(service.create(&json!({"key": "k1"})).status, 200);
    assert_eq!(service.ask("DELETE", "/connections/sample", &Value::Null).status, 200);
    let revoked = third_party.only();
    assert_eq!((revoked.line(), revoked.body.as_slice()), ("POST /revoke HTTP/1.1", &br#"{"key":"k1"}"#[..]));
    assert_eq!(service.connections(), 0);
}

#[test]
fn methods_and_operations_may_stand_in_files_of_any_name() {
    let third_party = polite("k1");
    let folder = Folder::new();
    let spec = format!(
        "auth:
  type: client-credentials
  makeApiClient:
    implementationType: mapping
    mapping: {{baseUri: 'http://{}', headers: {{X-Key: {{$var: credentials.key}}}}}}
  disconnect: {{implementationType: rest-api-mapping, filePath: auth/bye.yml}}
  test: {{implementationType: operation-mapping}}
",
        third_party.address
    );
    folder.write_below("connectors/sample/spec.yml", &spec);
    folder.write_below("connectors/sample/auth/bye.yml", "path: /bye\n");
    folder.write_below("connectors/sample/auth/test.op.yml", "operationKey: whoami\n");
    folder.write_below("connectors/sample/operations/whoami/spec.yml", "name: Who am I\n");
    folder.write_below("connectors/sample/operations/whoami/run.rest.yml", "path: /whoami\n");
    let service = Service::beside(
        folder,
        "integrations: {sample: {connector: sample, egress: {allowPrivate: true, allowPlain: true}}}\n",
    );
    assert_eq!(service.create(&json!({"key": "k1"})).status, 200);
    assert_eq!(service.ask("DELETE", "/connections/sample", &Value::Null).status, 200);
    assert_eq!(lines(&third_party), ["GET /whoami", "GET /bye"]);
}

/// A connector whose `makeApiClient` is a script that gives these response handlers.
fn scripted(third_party: &Origin, handlers: &str) -> Service {
    let address = third_party.address;
    Service::configured(&format!(
        "integrations:
  sample: {{connector: sample, hosts: ['{address}'], egress: {{allowPrivate: true, allowPlain: true}}}}
connectors:
  sample:
    type: client-credentials
    refreshCredentials: {{type: mapping, mapping: {{key: k2}}}}
    makeApiClient:
      type: javascript
      code: |
        import {{ RestApiClient }} from '@integration-app/connector-sdk'
        export default ({{ credentials }}) => new RestApiClient({{
          baseUri: 'http://{address}', headers: {{ 'X-Key': credentials.key }}, responseHandlers: {handlers},
        }})
"
    ))
}

#[test]
fn response_handlers_that_a_script_gives_act_on_calls() {
    let third_party = polite("k2");
    let handlers = "[{ match: { $eval: { $var: 'response.data.error' }, is: 'expired' }, error: { key: 'access_token_expired' } }]";
    let service = scripted(&third_party, handlers);
    assert_eq!(service.create(&json!({"key": "k1"})).status, 200);
    let called = service.ask("GET", "/connections/sample/proxy/orders", &Value::Null);
    assert_eq!((called.status, called.text().as_str()), (200, OK));
    assert_eq!(lines(&third_party), ["GET /orders", "GET /orders"]);
}

#[test]
fn a_response_handler_that_is_a_function_is_refused_and_not_dropped() {
    let third_party = polite("k1");
    for handlers in ["[{ match: (response) => true }]", "() => []", "{}"] {
        let service = scripted(&third_party, handlers);
        let made = service.create(&json!({"key": "k1"}));
        assert_eq!(made.values("x-sidegate-rejection"), ["origin_refused"], "{handlers}: {}", made.text());
    }
    third_party.is_untouched();
}

#[test]
fn methods_of_the_customers_own_api_see_what_its_token_says() {
    let third_party = third_party(has("x-who", "anna/Anna/pro"));
    let service = Service::configured(&format!(
        "integrations:
  internal-api: {{connector: own, egress: {{allowPrivate: true, allowPlain: true}}}}
connectors:
  own:
    type: client-credentials
    makeApiClient:
      type: mapping
      mapping:
        baseUri: http://{}
        headers: {{X-Who: {{$concat: {{values: [{{$var: user.id}}, {{$var: user.name}}, {{$var: user.fields.plan}}], delimiter: /}}}}}}
    test: {{type: rest-api-mapping, mapping: {{path: /me}}}}
",
        third_party.address
    ));
    let anna = |plan: &str| {
        let token = token(&json!({"name": "Anna", "fields": {"plan": plan}}));
        format!("Authorization: Bearer {token}\r\n")
    };
    let credentials = json!({"credentials": {"apiKey": "k1"}});
    let refused = service.ask_as(&anna("free"), "PATCH", "/self", &credentials);
    assert_eq!(refused.values("x-sidegate-rejection"), ["test_failed"], "{}", refused.text());
    assert_eq!(service.ask_as(&anna("pro"), "PATCH", "/self", &credentials).status, 200);
    let ask = |method, path| service.ask_as(&anna("pro"), method, path, &Value::Null);
    assert_eq!(ask("GET", "/connections/internal-api/proxy/orders").status, 200);
    assert_eq!(ask("POST", "/connections/internal-api/test").text(), r#"{"success":true}"#);
    // What another token says counts for the next call, though the client was made for the last one.
    assert_eq!(service.ask_as(&anna("free"), "GET", "/self", &Value::Null).status, 200);
    assert_eq!(ask("GET", "/connections/internal-api/proxy/orders").status, 401);
}

#[test]
fn a_reload_that_changes_the_workspaces_secret_changes_what_tokens_are_signed_with() {
    let third_party = third_party(|_| true);
    let service = Service::configured(&format!(
        "integrations:
  internal-api:
    connector: own
    parameters: {{baseUri: 'http://{0}'}}
    hosts: ['{0}']
    egress: {{allowPrivate: true, allowPlain: true}}
connectors:
  own: {{type: integration-app-token, test: {{type: rest-api-mapping, mapping: {{path: /me}}}}}}
",
        third_party.address
    ));
    let fields = json!({"fields": {"plan": "pro"}});
    let anna = format!("Authorization: Bearer {}\r\n", token(&fields));
    assert_eq!(service.ask_as(&anna, "PATCH", "/self", &json!({"credentials": {}})).status, 200);
    let newer = "another secret of acme, long enough for HS512: 0123456789abcdefghijklmnopq";
    let call = || service.ask("GET", "/connections/internal-api/proxy/orders", &Value::Null).status;
    assert_eq!(call(), 200);
    service.0.rewrite("acme", newer);
    assert!(service.0.reload().is_applied());
    assert_eq!(call(), 200);
    let secrets = [crate::support::SECRET, crate::support::SECRET, newer];
    for (request, secret) in third_party.seen().iter().zip(secrets) {
        let [minted] = request.values("x-integration-app-token")[..] else { panic!("{}", request.head) };
        let claims = minted.split('.').nth(1).unwrap();
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(
            (&claims["sub"], &claims["fields"]),
            (&json!("anna"), &fields["fields"]),
            "{}",
            request.line()
        );
        assert_eq!(signed(&claims, secret), minted, "{}", request.line());
    }
}
