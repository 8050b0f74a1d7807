//! What an integration's apps sign assertions with.

use sidegate::connector::ClientAuthentication;

use super::integrations::CONNECTOR;
use super::*;

/// With this list of apps, behind a token endpoint that wants this.
fn with(client_authentication: &str, apps: &str) -> Folder {
    let folder = small();
    folder.write("connectors/crm/spec.yml", CONNECTOR);
    let integration = format!(
        "connector: crm\ntokenEndpoint: {{clientAuthentication: {client_authentication}}}\napps:\n  {apps}\n"
    );
    folder.write("integrations/crm.yaml", &integration);
    for name in ["rsa", "p256"] {
        let pem = fs::read_to_string(format!("tests/vectors/keys/{name}.key.pem")).unwrap();
        folder.write(&format!("{name}.pem"), &pem);
    }
    folder.write("public.pem", &fs::read_to_string("tests/vectors/keys/rsa.spki.pem").unwrap());
    folder
}

#[test]
fn row_3_2_3_an_app_has_a_key_to_sign_with() {
    let folder = with(
        "privateKeyJwt",
        "- {id: own, clientId: c, privateKey: {file: ../rsa.pem}, keyId: k1, algorithm: PS256}
  - {id: other, clientId: c, privateKey: {env: KEY}}",
    );
    let key = fs::read_to_string("tests/vectors/keys/p256.key.pem").unwrap();
    let settings = folder.settings(&[("KEY", &key)]);
    let crm = &settings.integrations[0];
    assert_eq!(crm.token_endpoint.client_authentication, Some(ClientAuthentication::PrivateKeyJwt));
    assert!(crm.apps.iter().all(|app| app.private_key.is_some()));
    let by_secret = with("clientSecretJwt", "- {id: own, clientId: c, clientSecret: {file: ../workspace}}");
    let settings = by_secret.settings(&[]);
    let way = settings.integrations[0].token_endpoint.client_authentication;
    assert_eq!(way, Some(ClientAuthentication::ClientSecretJwt));
}

#[test]
fn row_3_2_3_a_key_that_is_missing_or_of_no_use_is_named() {
    for (apps, problem) in [
        (
            "- {id: own, clientId: c}",
            "integrations/crm.yaml:4:5: `integrations.crm.apps[0].privateKey` is missing: it is what the app signs with",
        ),
        (
            "- {id: own, clientId: c, privateKey: {file: ../public.pem}}",
            "integrations/crm.yaml:4:40: `integrations.crm.apps[0].privateKey` is of no use: the signing key is not a \
             PKCS#8 private key in PEM form",
        ),
        (
            "- {id: own, clientId: c, privateKey: {file: ../p256.pem}, algorithm: RS256}",
            "integrations/crm.yaml:4:72: `integrations.crm.apps[0].algorithm` is of no use: the private key does not fit RS256",
        ),
        (
            "- {id: own, clientId: c, privateKey: {file: ../rsa.pem}, algorithm: HS256}",
            "`integrations.crm.apps[0].algorithm` is of no use: HS256 cannot be signed with a private key",
        ),
        ("- {id: own, clientId: c, privateKey: {file: ../none.pem}}", "where no file is"),
        ("- {id: own, clientId: c, keyId: k}", "`integrations.crm.apps[0].keyId` is about no key"),
    ] {
        contains(&with("privateKeyJwt", apps).complaints(&[]), problem);
    }
    let none = with("privateKeyJwt", "[]").complaints(&[]);
    contains(
        &none,
        "`integrations.crm.tokenEndpoint.clientAuthentication` lets an app sign, and there is none",
    );
}

#[test]
fn row_3_2_3_a_key_that_nothing_signs_with_is_a_warning() {
    let folder = with("body", "- {id: own, clientId: c, privateKey: {file: ../rsa.pem}}");
    let warnings: Vec<_> = folder.settings(&[]).warnings.iter().map(ToString::to_string).collect();
    contains(&warnings, "`integrations.crm.apps[0].privateKey` is not used");
}
