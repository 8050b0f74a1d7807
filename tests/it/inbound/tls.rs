//! TLS as a caller sees it: which certificate is shown, to whom nothing is served, and what a reload changes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use sidegate::http::tls::{ClientTls, client, install_crypto};

use crate::support::{Folder, Gate, Origin, as_anna};

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls").join(name)
}

/// A listener with these TLS settings.
fn gate(origin: &Origin, tls: &str) -> Gate {
    Gate::configured(&settings(origin, tls))
}

fn settings(origin: &Origin, tls: &str) -> String {
    format!(
        "listeners: {{inbound: {{address: '127.0.0.1:0', tls: {{{tls}}}}}}}\n\
         upstreams: {{api: {{upstream: 'http://{}'}}}}\n",
        origin.address
    )
}

/// `{certificate, key}` by the stem of their names.
fn pair(stem: &str) -> String {
    let file = |ending: &str| vector(&format!("{stem}.{ending}")).display().to_string();
    format!("certificate: '{}', key: '{}'", file("pem"), file("key"))
}

/// A connection for this name, or what came of the handshake.
fn connect(gate: &Gate, name: &str) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    install_crypto();
    let settings = client(&ClientTls { ca: Some(vector("ca.pem")), ..ClientTls::default() }).unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = StreamOwned::new(
        ClientConnection::new(Arc::clone(&settings), name).unwrap(),
        TcpStream::connect(gate.address("inbound")).unwrap(),
    );
    match stream.conn.complete_io(&mut stream.sock) {
        Ok(_) => Ok(stream),
        Err(error) => Err(error.to_string()),
    }
}

/// The head and the beginning of the body of the answer to a GET for this host.
fn ask(stream: &mut StreamOwned<ClientConnection, TcpStream>, host: &str) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{}\r\n", as_anna());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = vec![0; 4096];
    let length = stream.read(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[test]
fn h48_each_name_is_shown_its_certificate_and_a_host_of_none_is_misdirected() {
    let origin = Origin::new();
    let both = format!("{}, certificates: [{{{}}}]", pair("server"), pair("second"));
    let gate = gate(&origin, &both);
    for name in ["localhost", "orders.example.com", "second.example.com", "any.second.example.com"] {
        let mut stream = connect(&gate, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        for host in [name, "second.example.com:443", "LOCALHOST.", "127.0.0.1"] {
            assert!(ask(&mut stream, host).starts_with("HTTP/1.1 200 "), "{name}, {host}");
        }
        let answer = ask(&mut stream, "third.example.com");
        assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
        assert!(answer.contains("x-sidegate-rejection: misdirected\r\n"), "{answer}");
    }
    assert!(connect(&gate, "third.example.com").is_err(), "the first certificate is not for it");
    let before = origin.seen().len();
    assert_eq!(before, 16, "what is misdirected does not reach the API");
}

#[test]
fn h48_a_single_certificate_serves_every_host() {
    let origin = Origin::new();
    let gate = gate(&origin, &pair("server"));
    let mut stream = connect(&gate, "localhost").unwrap();
    assert!(ask(&mut stream, "any.test").starts_with("HTTP/1.1 200 "));
}

#[test]
fn h48_tls_before_1_2_is_refused() {
    let origin = Origin::new();
    let gate = gate(&origin, &pair("server"));
    for minor in [0, 1, 2] {
        // A ClientHello of SSL 3.0, TLS 1.0 or 1.1 with two of their cipher suites.
        let mut hello = vec![3, minor];
        hello.extend([7; 32]);
        hello.extend([0, 0, 4, 0x00, 0x2f, 0xc0, 0x13, 1, 0]);
        let length = u8::try_from(hello.len()).unwrap();
        let mut caller = gate.connect();
        caller.say([&[22, 3, minor, 0, length + 4, 1, 0, 0, length][..], &hello].concat());
        let answer = caller.rest();
        assert!(matches!(answer[..], [21, 3, _, 0, 2, 2, _]), "an alert, and nothing else: {answer:?}");
    }
    origin.is_untouched();
}

#[test]
fn h48_certificates_are_reloaded_whole_or_not_at_all_and_connections_stay() {
    let origin = Origin::new();
    let folder = Folder::new();
    let write = |certificate: &str, key: &str| {
        folder.write("tls.pem", &std::fs::read_to_string(vector(certificate)).unwrap());
        folder.write("tls.key", &std::fs::read_to_string(vector(key)).unwrap());
    };
    write("server.pem", "server.key");
    let files = folder.path().display();
    let gate = gate(&origin, &format!("certificate: '{files}/tls.pem', key: '{files}/tls.key'"));
    let mut old = connect(&gate, "localhost").unwrap();
    write("second.pem", "stray.key");
    let refused = gate.reload();
    assert!(!refused.is_applied(), "{refused:?}");
    assert!(connect(&gate, "localhost").is_ok() && connect(&gate, "second.example.com").is_err());
    write("second.pem", "second.key");
    assert!(gate.reload().is_applied());
    assert!(connect(&gate, "second.example.com").is_ok() && connect(&gate, "localhost").is_err());
    assert!(ask(&mut old, "localhost").starts_with("HTTP/1.1 200 "));
}
