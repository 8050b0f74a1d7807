//! TLS on both sides.

use super::*;

fn with_tls(client_ca: Option<PathBuf>) -> Config {
    let tls = ServerTls { client_ca, ..server_files() };
    Config { tls: Some(tls), ..with_limits(|limits| limits.handshake = Duration::from_millis(500)) }
}

fn over_tls(running: &Running, tls: &ClientTls) -> Pool {
    let Address::Tcp(address) = running.address else { panic!("it listens on a port") };
    let origin = Origin::Tcp { host: "127.0.0.1".into(), port: address.port(), tls: true };
    let server_name = tls.server_name.as_deref().map(Arc::from);
    Pool::new(origin, Settings { tls: Some(client(tls).unwrap()), server_name, ..settings() })
}

fn trusting() -> ClientTls {
    ClientTls { ca: Some(vector("ca.pem")), ..ClientTls::default() }
}

#[tokio::test]
async fn tls_works_on_both_sides_and_names_are_checked() {
    let running = run(&with_tls(None));
    let named = ClientTls { server_name: Some("orders.example.com".into()), ..trusting() };
    for tls in [trusting(), named] {
        let pool = over_tls(&running, &tls);
        for _ in 0..2 {
            let asked = crate::http::testing::request("GET", "/arrival", Body::empty());
            let response = soon(pool.send(asked)).await.unwrap();
            assert_eq!(crate::http::testing::text(response.into_body()).await, "true true");
        }
    }
    let misnamed = ClientTls { server_name: Some("other.example.com".into()), ..trusting() };
    for tls in [misnamed, ClientTls { ca: Some(vector("client.pem")), ..ClientTls::default() }] {
        let refused = soon(over_tls(&running, &tls).send(crate::http::testing::get())).await;
        assert!(matches!(refused, Err(SendError::Connect(_))));
    }
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_where_its_authority_is_configured() {
    let running = run(&with_tls(Some(vector("ca.pem"))));
    assert!(soon(over_tls(&running, &trusting()).send(crate::http::testing::get())).await.is_err());
    let known =
        ClientTls { certificate: Some(vector("client.pem")), key: Some(vector("client.key")), ..trusting() };
    assert!(soon(over_tls(&running, &known).send(crate::http::testing::get())).await.is_ok());
}

#[tokio::test]
async fn a_slow_handshake_and_a_slow_head_after_it_are_closed() {
    let mut config = with_tls(None);
    config.limits.request_head = Duration::from_millis(100);
    let running = run(&config);
    let mut silent = running.connect().await;
    assert_eq!(silent.rest().await, "");
    let stream = running.connect().await.stream;
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(client(&trusting()).unwrap()).connect(name, stream).await.unwrap();
    assert_eq!(Peer::new(stream).rest().await, "");
}
