use std::io::Write as _;

use super::*;
use crate::report::report;

pub(in crate::http) fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls").join(name)
}

pub(in crate::http) fn server_files() -> ServerTls {
    of(vector("server.pem"), vector("server.key"))
}

fn of(certificate: PathBuf, key: PathBuf) -> ServerTls {
    ServerTls { pairs: vec![KeyPair { certificate, key }], client_ca: None }
}

fn server_error(certificate: PathBuf, key: PathBuf) -> TlsError {
    ListenerTls::load(&of(certificate, key)).expect_err("it is not usable")
}

#[test]
fn installing_crypto_twice_changes_nothing() {
    install_crypto();
    install_crypto();
    assert!(CryptoProvider::get_default().is_some());
    let claims = serde_json::json!({"exp": 1});
    let key = jsonwebtoken::EncodingKey::from_secret(&[7; 32]);
    assert!(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).is_ok());
}

#[test]
fn a_listener_offers_both_versions_of_http_and_prefers_the_newer() {
    let acceptor = ListenerTls::load(&server_files()).unwrap().acceptor();
    assert_eq!(acceptor.config().alpn_protocols, [&b"h2"[..], b"http/1.1"]);
    assert_eq!(acceptor.config().max_early_data_size, 0, "H48: nothing can be replayed");
    let client = client(&ClientTls { ca: Some(vector("ca.pem")), ..ClientTls::default() }).unwrap();
    assert_eq!(client.alpn_protocols, [b"http/1.1"]);
}

#[test]
fn a_missing_file_is_named() {
    for error in [
        server_error(vector("nowhere.pem"), vector("server.key")),
        server_error(vector("server.pem"), vector("nowhere.pem")),
        client(&ClientTls { ca: Some(vector("nowhere.pem")), ..ClientTls::default() }).expect_err("no file"),
    ] {
        assert!(matches!(error, TlsError::Unreadable { .. }), "{error}");
        let line = report(&error).to_string();
        assert!(line.contains("nowhere.pem cannot be read") && line.contains("No such file"), "{line}");
    }
}

#[test]
fn a_file_without_what_is_sought_is_named() {
    let error = server_error(vector("server.key"), vector("server.key"));
    assert!(matches!(&error, TlsError::NoCertificate { path } if path.ends_with("server.key")), "{error}");
    let error = server_error(vector("server.pem"), vector("server.pem"));
    assert!(matches!(&error, TlsError::NoKey { path } if path.ends_with("server.pem")), "{error}");
}

#[test]
fn a_key_of_another_certificate_is_refused_with_both_names() {
    let error = server_error(vector("server.pem"), vector("stray.key"));
    assert!(matches!(error, TlsError::Mismatch { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("stray.key") && text.contains("server.pem"), "{text}");
}

#[test]
fn a_client_certificate_needs_its_key() {
    let pair = |certificate: Option<&str>, key: Option<&str>| ClientTls {
        ca: Some(vector("ca.pem")),
        certificate: certificate.map(vector),
        key: key.map(vector),
        server_name: None,
    };
    assert!(client(&pair(Some("client.pem"), Some("client.key"))).is_ok());
    assert!(matches!(client(&pair(Some("client.pem"), None)), Err(TlsError::HalfAPair)));
    assert!(matches!(client(&pair(None, Some("client.key"))), Err(TlsError::HalfAPair)));
    assert!(matches!(client(&pair(Some("client.pem"), Some("stray.key"))), Err(TlsError::Mismatch { .. })));
}

#[test]
fn a_file_that_is_not_pem_is_refused() {
    let path = std::env::temp_dir().join(format!("sidegate-not-pem-{}", std::process::id()));
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    let error = server_error(path.clone(), vector("server.key"));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(error, TlsError::Unreadable { .. } | TlsError::Mismatch { .. }), "{error}");
}
