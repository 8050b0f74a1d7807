use super::*;
use crate::http::egress::{Class, Names};
use crate::http::testing::{Upstream, request, soon};
use crate::http::tls::{self, ClientTls};

const SHUT: Egress = Egress { allow_private: false, allow_plain: false };
const OPEN: Egress = Egress { allow_private: true, allow_plain: true };
const LIMIT: Duration = Duration::from_secs(10);

fn trust() -> Arc<rustls::ClientConfig> {
    let ca = Some(tls::tests::vector("ca.pem"));
    tls::client(&ClientTls { ca, ..ClientTls::default() }).unwrap()
}

fn client() -> Client {
    Client::new(trust(), Names::default(), LIMIT, LIMIT)
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let upstream = Upstream::new().await;
    let client = client();
    let origin = upstream.origin();
    let sent = client.send(&origin, OPEN, request("GET", "/", Body::empty()));
    let played = async {
        let mut peer = upstream.accept().await;
        peer.head().await;
        peer.say("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        peer
    };
    let (answered, _peer) = soon(async { tokio::join!(sent, played) }).await;
    assert_eq!(answered.unwrap().status(), 302);
}

#[tokio::test]
async fn origins_and_policies_do_not_share_connections() {
    let upstream = Upstream::new().await;
    let client = client();
    let pool = client.pool(&upstream.origin(), OPEN);
    assert!(Arc::ptr_eq(&pool, &client.pool(&upstream.origin(), OPEN)));
    assert!(!Arc::ptr_eq(&pool, &client.pool(&upstream.origin(), SHUT)));
    let refused = client.send(&upstream.origin(), SHUT, request("GET", "/", Body::empty())).await;
    assert!(matches!(refused, Err(SendError::Egress(EgressError::Plain))));
}

#[test]
fn the_origin_used_longest_ago_is_forgotten_first() {
    let client = client();
    let origin = |port| Origin::Tcp { host: "a".into(), port, tls: true };
    let ports = 0..u16::try_from(MAX_POOLS).unwrap();
    for port in ports.clone() {
        client.pool(&origin(port), SHUT);
    }
    let first = client.pool(&origin(0), SHUT);
    client.pool(&origin(ports.end), SHUT);
    let pools = client.pools.lock().unwrap();
    assert_eq!(pools.by_key.len(), MAX_POOLS);
    assert!(Arc::ptr_eq(&first, &pools.by_key[&(origin(0), SHUT)].pool));
    assert!(!pools.by_key.contains_key(&(origin(1), SHUT)));
}

#[test]
fn a_url_is_checked_before_the_resolver_could_be_passed_by() {
    let check = |text: &str, egress| guarded(&text.parse().unwrap(), egress);
    assert!(check("https://login.example.com/token", SHUT).is_ok());
    assert!(check("https://8.8.8.8/token", SHUT).is_ok());
    for literal in [
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
    ] {
        assert!(
            matches!(check(literal, SHUT), Err(EgressError::Refused { class: Class::Loopback, .. })),
            "{literal}"
        );
        assert!(check(literal, OPEN).is_ok(), "{literal}");
    }
    for shut in ["http://169.254.169.254/latest", "https://[::ffff:127.0.0.1]/", "http://[fd00:ec2::254]/"] {
        assert!(matches!(check(shut, OPEN), Err(EgressError::Refused { .. })), "{shut}");
    }
    assert!(matches!(check("http://login.example.com/", SHUT), Err(EgressError::Plain)));
    assert!(matches!(check("file:///etc/passwd", OPEN), Err(EgressError::NotAHost { .. })));
}

#[tokio::test]
async fn our_own_calls_go_through_the_guard() {
    let upstream = Upstream::new().await;
    let Origin::Tcp { port, .. } = upstream.origin() else { panic!("it is a port") };
    let url = format!("http://localhost:{port}/token");
    let half_open = Egress { allow_private: false, allow_plain: true };
    let error =
        own_calls(half_open, Names::default(), LIMIT, trust()).unwrap().post(&url).send().await.unwrap_err();
    assert!(crate::report::report(&error).to_string().contains("a loopback address"), "{error:?}");
    assert!(upstream.is_left_alone().await);
}

#[tokio::test]
async fn our_own_calls_follow_nothing_and_keep_nothing() {
    let upstream = Upstream::new().await;
    let Origin::Tcp { port, .. } = upstream.origin() else { panic!("it is a port") };
    let calls = own_calls(OPEN, Names::default(), LIMIT, trust()).unwrap();
    for _ in 0..2 {
        let sent = calls.post(format!("http://localhost:{port}/token")).form(&[("a", "b c")]).send();
        let played = async {
            let mut peer = upstream.accept().await;
            let head = peer.head().await;
            assert_eq!(peer.bytes(5).await, b"a=b+c");
            peer.say("HTTP/1.1 307 Temporary Redirect\r\nlocation: /again\r\ncontent-length: 4\r\n\r\nover")
                .await;
            assert_eq!(peer.rest().await, "", "no second request on this connection");
            head
        };
        let (answered, head) = soon(async {
            tokio::join!(
                async {
                    let answered = sent.await.unwrap();
                    (answered.status(), answered.text().await.unwrap())
                },
                played
            )
        })
        .await;
        assert_eq!(answered, (http::StatusCode::TEMPORARY_REDIRECT, "over".to_owned()));
        assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
    }
}
