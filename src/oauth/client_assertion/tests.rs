use std::sync::Arc;

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::json;
use url::form_urlencoded;

use super::*;
use crate::http::egress::{Egress, Names};
use crate::oauth::hostile_server::{HostileServer, Received, json as reply};
use crate::oauth::{Basic, Encoding, Grant, Reading, TokenEndpoint, TokenRequest};
use crate::secret::Secret;
use crate::token::mint::{MintError, PrivateKey};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RSA: &str = include_str!("../../../tests/vectors/keys/rsa.key.pem");
const P256: &str = include_str!("../../../tests/vectors/keys/p256.key.pem");
const P384: &str = include_str!("../../../tests/vectors/keys/p384.key.pem");
const P521: &str = include_str!("../../../tests/vectors/keys/p521.key.pem");

fn key(pem: &str, algorithm: Option<Algorithm>, id: Option<&str>) -> Result<PrivateKey, MintError> {
    PrivateKey::new(Secret::new(pem.to_owned()), algorithm, id.map(String::from))
}

/// The client has a secret, too, and must not show it.
fn client<'a>(
    authentication: ClientAuthentication,
    key: Option<&'a PrivateKey>,
    secret: Option<&'a Secret<String>>,
) -> Client<'a> {
    Client { authentication, private_key: key, secret, ..Client::public("the client") }
}

async fn exchanged(server: &HostileServer, client: Client<'_>) -> Result<Received, ExchangeError> {
    crate::http::tls::install_crypto();
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let endpoint = TokenEndpoint::new(Duration::from_secs(5), Arc::new(tls), Names::default());
    let token = Secret::new(String::from("planted-token"));
    let request = TokenRequest {
        token_uri: &server.url(),
        client,
        grant: Grant::RefreshToken(&token),
        scope: None,
        extra: &[(String::from("client_assertion"), String::from("other"))],
        encoding: Encoding::Form,
        now: NOW,
        reading: Reading::default(),
        egress: Egress { allow_private: true, allow_plain: true },
    };
    endpoint.exchange(&request).await.map(|_| server.last())
}

/// The fields of the form, of which none stands twice.
fn fields(sent: &Received) -> Map<String, Value> {
    let pairs: Vec<_> = form_urlencoded::parse(sent.body.as_bytes()).into_owned().collect();
    let fields: Map<_, _> = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    assert_eq!(fields.len(), pairs.len(), "{pairs:?}");
    fields
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn is_signed_with(secret: &str, token: &str) -> bool {
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.validate_aud = false;
    validation.validate_exp = false;
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_secret(secret.as_bytes()), &validation).is_ok()
}

#[tokio::test]
async fn row_3_2_3_an_assertion_is_the_only_proof_and_says_what_rfc_7523_wants() {
    let server = HostileServer::start(reply(r#"{"access_token":"t"}"#)).await;
    let secret = Secret::new(String::from("planted-secret"));
    let p256 = key(P256, None, Some("key 1")).unwrap();
    let mut nonces = std::collections::BTreeSet::new();
    for (way, kid) in
        [(ClientAuthentication::PrivateKeyJwt, Some("key 1")), (ClientAuthentication::ClientSecretJwt, None)]
    {
        for (audience, expected) in [(None, server.url()), (Some("https://issuer"), "https://issuer".into())]
        {
            let client = Client { audience, ..client(way, Some(&p256), Some(&secret)) };
            let sent = exchanged(&server, client).await.unwrap();
            assert_eq!(sent.header("authorization"), None);
            let mut fields = fields(&sent);
            let assertion = fields.remove("client_assertion").unwrap();
            let assertion = assertion.as_str().unwrap();
            assert_eq!(
                Value::Object(fields),
                json!({
                    "grant_type": "refresh_token",
                    "refresh_token": "planted-token",
                    "client_id": "the client",
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                })
            );
            let header = jsonwebtoken::decode_header(assertion).unwrap();
            assert_eq!(header.kid.as_deref(), kid);
            let by_secret = way == ClientAuthentication::ClientSecretJwt;
            assert_eq!(is_signed_with("planted-secret", assertion), by_secret);
            let mut claims = claims(assertion).as_object().unwrap().clone();
            assert!(nonces.insert(claims.remove("jti").unwrap().as_str().unwrap().to_owned()));
            let now = NOW.as_secs();
            assert_eq!(
                Value::Object(claims),
                json!({"iss": "the client", "sub": "the client", "aud": expected, "iat": now, "exp": now + 60})
            );
        }
    }
}

#[test]
fn row_3_2_3_the_algorithm_is_the_usual_one_of_the_key_or_the_one_that_was_chosen() {
    for (pem, chosen, expected) in [
        (RSA, None, "RS256"),
        (P256, None, "ES256"),
        (P384, None, "ES384"),
        (P521, None, "ES512"),
        (RSA, Some(Algorithm::PS256), "PS256"),
        (RSA, Some(Algorithm::RS512), "RS512"),
    ] {
        let token = key(pem, chosen, None).unwrap().sign(&Map::new()).unwrap();
        let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["alg"], header.get("kid")), (&json!(expected), None));
    }
    let refused = |pem, chosen| key(pem, chosen, None).unwrap_err().to_string();
    assert_eq!(refused(P256, Some(Algorithm::RS256)), "the private key does not fit RS256");
    assert_eq!(refused(RSA, Some(Algorithm::HS256)), "HS256 cannot be signed with a private key");
    assert_eq!(refused("none", None), "the signing key is not a PKCS#8 private key in PEM form");
}

#[tokio::test]
async fn row_3_2_3_who_has_nothing_to_sign_with_sends_nothing() {
    let server = HostileServer::start(reply(r#"{"access_token":"t"}"#)).await;
    let secret = Secret::new(String::from("planted-secret"));
    let p256 = key(P256, None, None).unwrap();
    for client in [
        client(ClientAuthentication::PrivateKeyJwt, None, Some(&secret)),
        client(ClientAuthentication::ClientSecretJwt, Some(&p256), None),
    ] {
        let error = exchanged(&server, client).await.unwrap_err();
        assert!(matches!(error, ExchangeError::NotAllowed { .. }), "{error:?}");
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn row_3_2_3_a_key_beside_another_proof_is_not_used() {
    let server = HostileServer::start(reply(r#"{"access_token":"t"}"#)).await;
    let secret = Secret::new(String::from("planted-secret"));
    let p256 = key(P256, None, None).unwrap();
    let sent =
        exchanged(&server, client(ClientAuthentication::Header(Basic::Encoded), Some(&p256), Some(&secret)));
    assert!(!sent.await.unwrap().body.contains("assertion"));
}
