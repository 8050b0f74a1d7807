//! What an integration says of its provider's token endpoint.

use std::time::Duration;

use sidegate::connector::{ClientAuthentication, Encoding, ErrorCodes, TokenSettings};

use super::integrations::CONNECTOR;
use super::*;

fn with(token_endpoint: &str) -> Folder {
    let folder = small();
    folder.write("connectors/crm/spec.yml", CONNECTOR);
    folder.write("integrations/crm.yaml", &format!("connector: crm\ntokenEndpoint: {token_endpoint}\n"));
    folder
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn everything_that_departs_from_the_standard_is_read() {
    let folder = with(
        "
  clientAuthentication: both
  encoding: json
  clientIdName: client_key
  clientSecretName: secret
  audience: https://auth.example.com
  basic: raw
  refreshUri: https://auth.example.com/refresh
  parameters: {audience: https://api.example.com}
  refreshParameters: {scope: a b, resource: r}
  fields: {access_token: data.tokens.0.value, id_token: ''}
  expiresIn: milliseconds
  errors: {deadGrant: [unauthorized_client, E17], deadApp: [40105], transient: ['-1']}
  lifetime: 1h",
    );
    let settings = folder.settings(&[("SIDEGATE_INTEGRATIONS__CRM__TOKEN_ENDPOINT__LIFETIME", "2h")]);
    let expected = TokenSettings {
        client_authentication: Some(ClientAuthentication::Both),
        encoding: Encoding::Json,
        client_id_name: Some(String::from("client_key")),
        client_secret_name: Some(String::from("secret")),
        audience: Some(String::from("https://auth.example.com")),
        basic_is_raw: true,
        refresh_uri: Some(String::from("https://auth.example.com/refresh")),
        parameters: pairs(&[("audience", "https://api.example.com")]),
        refresh_parameters: pairs(&[("resource", "r"), ("scope", "a b")]),
        fields: vec![
            (String::from("access_token"), ["data", "tokens", "0", "value"].map(String::from).to_vec()),
            (String::from("id_token"), Vec::new()),
        ],
        milliseconds: true,
        errors: ErrorCodes {
            dead_grant: texts(&["unauthorized_client", "E17"]),
            dead_app: texts(&["40105"]),
            transient: texts(&["-1"]),
        },
        lifetime: Some(Duration::from_secs(7200)),
    };
    assert_eq!(*settings.integrations[0].token_endpoint, expected);
    assert_eq!(*with("{}").settings(&[]).integrations[0].token_endpoint, TokenSettings::default());
}

#[test]
fn what_it_may_not_say_is_named() {
    for (typed, problem) in [
        (
            "{refreshUri: auth.example.com}",
            "`integrations.crm.tokenEndpoint.refreshUri` is no http or https URL",
        ),
        (
            "{refreshParameters: {grant_type: x}}",
            "`integrations.crm.tokenEndpoint.refreshParameters.grant_type` is the protocol's own",
        ),
        (
            "{parameters: {client_secret: x}}",
            "`integrations.crm.tokenEndpoint.parameters.client_secret` is the protocol's own",
        ),
        (
            "{basic: base64}",
            "`integrations.crm.tokenEndpoint.basic` is not a word that is known here; write one of `encoded`, `raw`",
        ),
        (
            "{errors: {deadGrant: [a, b], transient: [c, a]}}",
            "integrations/crm.yaml:2:60: `a` stands in `integrations.crm.tokenEndpoint.errors.transient[1]` \
             and in `integrations.crm.tokenEndpoint.errors.deadGrant[0]`",
        ),
        ("{errors: {deadGrant: [a, a]}}", "`a` stands in"),
        ("{errors: {dead: [a]}}", "this version does not know `dead`"),
        (
            "{clientIdName: code}",
            "`integrations.crm.tokenEndpoint.clientIdName` is the name of another field",
        ),
        (
            "{clientIdName: x, clientSecretName: x}",
            "tokenEndpoint.clientSecretName` is the name of another field",
        ),
        (
            "{clientIdName: appid, refreshParameters: {appid: x}}",
            "`integrations.crm.tokenEndpoint.refreshParameters.appid` is what `clientIdName` says",
        ),
        ("{clientAuth: body}", "this version does not know `clientAuth`"),
    ] {
        contains(&with(typed).complaints(&[]), problem);
    }
}
