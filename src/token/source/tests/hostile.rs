use super::*;
use crate::token::keys::KeySet;

/// A scene with the good set `a`, after a reading that brought this.
async fn after(answer: Answer) -> Scene {
    let scene = Scene::with(served(&set(&["a"]))).await;
    scene.read(answer).await;
    scene
}

fn bytes(text: impl Into<Vec<u8>>) -> Answer {
    Answer::Bytes(text.into())
}

/// Everything that a server may answer instead of a set.
fn bad_answers() -> Vec<(&'static str, Answer)> {
    let a_set = set(&["b"]);
    let half =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", a_set.len(), &a_set[..a_set.len() / 2]);
    let too_long = format!("{a_set}{}", " ".repeat(256 * 1024));
    let endless = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        "1000\r\n".to_owned() + &" ".repeat(4096) + "\r\n"
    )
    .repeat(1);
    let mut endless = endless;
    for _ in 0..100 {
        endless += &format!("1000\r\n{}\r\n", " ".repeat(4096));
    }
    vec![
        ("500", reply("500 Internal Server Error", "application/json", &a_set)),
        ("404", reply("404 Not Found", "application/json", &a_set)),
        ("202", reply("202 Accepted", "application/json", &a_set)),
        ("an HTML page", reply("200 OK", "text/html", "<!doctype html><title>Sign in</title>")),
        ("nothing", reply("200 OK", "application/json", "")),
        ("an empty set", served(r#"{"keys": []}"#)),
        ("no set", served(r#"{"keys": {}}"#)),
        ("half a body", bytes(half)),
        ("half a set", served(&a_set[..a_set.len() / 2])),
        ("too long a body", served(&too_long)),
        ("an endless body", bytes(endless)),
        ("no HTTP", bytes("hello\r\n\r\n")),
        ("a closed connection", bytes("")),
        ("bytes that are no text", bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xfe".to_vec())),
    ]
}

#[tokio::test]
async fn k2_a_bad_answer_leaves_the_last_good_set_in_use() {
    for (what, answer) in bad_answers() {
        let scene = after(answer).await;
        assert_eq!(scene.verify(&token("a")), Ok(()), "{what}");
        assert!(scene.verify(&token("b")).is_err(), "{what}");
        let status = scene.status();
        assert!(status.loaded && status.last_error.is_some(), "{what}: {status:?}");
        scene.read(served(&set(&["b"]))).await;
        assert_eq!(scene.verify(&token("b")), Ok(()), "{what}, and then a good one");
        assert_eq!(scene.status().last_error, None, "{what}");
    }
}

#[tokio::test]
async fn k2_without_a_first_set_nothing_is_ready_and_tokens_are_no_fault_of_their_callers() {
    for (what, answer) in bad_answers() {
        let scene = Scene::with(answer).await;
        assert_eq!(scene.verify(&token("a")), Err(TokenError::KeysUnavailable), "{what}");
        let status = scene.status();
        assert!(!status.loaded && !status.is_ready() && status.keys.is_empty(), "{what}: {status:?}");
    }
    let optional =
        Scene::before(served("{}"), |workspace| workspace.jwks.as_mut().unwrap().required = false).await;
    optional.start().await;
    assert!(optional.status().is_ready(), "unless told so");
}

#[tokio::test]
async fn k2_a_server_that_is_down_is_asked_again_and_then_there() {
    crate::http::tls::install_crypto();
    let unbound = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let scene =
        Scene::before(served(&set(&["a"])), |workspace| *workspace = at(&format!("http://{unbound}/"))).await;
    scene.start().await;
    let error = scene.status().last_error.unwrap();
    assert!(error.contains("does not answer as it should"), "{error}");
    assert_eq!(scene.verify(&token("a")), Err(TokenError::KeysUnavailable));
}

#[tokio::test(start_paused = true)]
async fn k2_a_server_that_is_silent_is_left_after_three_seconds() {
    for beginning in ["", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":"] {
        let before = tokio::time::Instant::now();
        let scene = Scene::before(Answer::Hang(beginning.into()), |_| {}).await;
        scene.start().await;
        let waited = before.elapsed();
        assert!(waited <= Duration::from_millis(3500), "{waited:?}");
        assert!(scene.status().last_error.is_some());
    }
}

#[tokio::test]
async fn k2_a_redirect_is_not_followed() {
    let canary = HostileServer::start(served(&set(&["b"]))).await;
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let location =
            format!("HTTP/1.1 {status}\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", canary.url());
        let scene = after(bytes(location)).await;
        assert_eq!(scene.verify(&token("a")), Ok(()));
        assert!(scene.verify(&token("b")).is_err());
        let error = scene.status().last_error.unwrap();
        assert!(error.contains("leads elsewhere"), "{error}");
    }
    assert_eq!(canary.requests(), 0);
}

#[tokio::test]
async fn k2_a_set_that_cannot_be_confirmed_for_too_long_is_given_up_and_comes_back() {
    let scene = Scene::with(served(&set(&["a"]))).await;
    assert_eq!(scene.verify(&token("a")), Ok(()));
    let down = || reply("503 Service Unavailable", "text/plain", "");
    let day = Duration::from_secs(24 * 60 * 60);
    let long_lived = mint(
        &object(&json!({"iss": "acme", "id": "ben"})),
        Algorithm::ES256,
        &signing_key(Algorithm::ES256),
        Some("a"),
    )
    .unwrap();
    scene.clock.advance(day);
    scene.read(down()).await;
    assert_eq!(scene.verify(&long_lived), Ok(()), "on the last moment");
    scene.clock.advance(Duration::from_secs(1));
    scene.read_again().await;
    assert_eq!(scene.verify(&long_lived), Err(TokenError::KeysUnavailable), "though it was remembered");
    assert!(!scene.status().is_ready());
    scene.read(served(&set(&["a"]))).await;
    assert_eq!(scene.verify(&long_lived), Ok(()));
}

#[tokio::test]
async fn k3_an_address_that_may_not_be_dialled_is_not_dialled() {
    let canary = HostileServer::start(served(&set(&["a"]))).await;
    let port = canary.address.port();
    let shut = Egress { allow_private: false, allow_plain: true };
    for (host, egress) in [
        ("169.254.169.254".to_owned(), LOOPBACK),
        ("[fd00:ec2::254]".to_owned(), LOOPBACK),
        (format!("127.0.0.1:{port}"), shut),
        (format!("localhost:{port}"), shut),
        (format!("[::1]:{port}"), shut),
        (format!("127.1:{port}"), shut),
        (format!("2130706433:{port}"), shut),
        (format!("0.0.0.0:{port}"), shut),
        (format!("127.0.0.1:{port}"), Egress { allow_private: true, allow_plain: false }),
    ] {
        let source = JwksSource::Url { url: format!("http://{host}/jwks").parse().unwrap(), egress };
        let scene = Scene::before(served("{}"), |workspace| workspace.jwks = Some(Jwks::new(source))).await;
        scene.start().await;
        assert!(!scene.status().loaded, "{host}");
        assert!(scene.status().last_error.is_some(), "{host}");
    }
    assert_eq!(canary.requests(), 0);
}

#[tokio::test]
async fn k4_a_set_that_drops_a_key_stops_its_tokens_at_once_though_they_are_remembered() {
    let scene = Scene::with(served(&set(&["a", "b"]))).await;
    for kid in ["a", "b"] {
        assert_eq!(scene.verify(&token(kid)), Ok(()));
    }
    scene.read(served(&set(&["b"]))).await;
    assert_eq!(scene.verify(&token("a")), Err(TokenError::UnknownKid));
    assert_eq!(scene.verify(&token("b")), Ok(()));
    for gone in [r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "kid": "b", "k": "AAAA"}]}"#] {
        scene.read(served(gone)).await;
        assert_eq!(scene.verify(&token("b")), Ok(()), "a set that shrinks to nothing is no set");
    }
}

#[tokio::test]
async fn k4_a_key_that_stays_needs_no_second_verification() {
    let scene = Scene::with(served(&set(&["a"]))).await;
    let misses = &scene.verifier.metrics.cache_misses;
    assert_eq!(scene.verify(&token("a")), Ok(()));
    let first = token("a");
    assert_eq!(scene.verify(&first), Ok(()));
    let before = misses.get();
    scene.read(served(&set(&["b", "a"]))).await;
    assert_eq!(scene.verify(&first), Ok(()));
    assert_eq!(misses.get(), before, "the key is the very same one");
}

#[tokio::test]
async fn k5_a_poisoned_set_yields_its_good_keys_only() {
    let secret = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": URL_SAFE_NO_PAD.encode([7; 64])});
    let mut private = entry("private");
    private["d"] = json!("AAAA");
    let mut encryption = entry("enc");
    encryption["use"] = json!("enc");
    let keys = json!([secret, private, encryption, entry("twice"), entry("twice"), entry("good"), 7, null]);
    let scene = Scene::with(served(&json!({ "keys": keys }).to_string())).await;
    assert_eq!(scene.status().keys.len(), 1);
    assert_eq!(scene.verify(&token("good")), Ok(()));
    for kid in ["private", "enc", "twice"] {
        assert_eq!(scene.verify(&token(kid)), Err(TokenError::UnknownKid), "{kid}");
    }
    let forged =
        crate::token::testing::raw_token_by(&[7; 64], r#"{"alg":"HS256","kid":"oct"}"#, r#"{"iss":"acme"}"#);
    assert_eq!(scene.verify(&forged), Err(TokenError::AlgorithmNotAllowed));
}

#[tokio::test]
async fn k5_a_set_cannot_put_a_configured_key_out_of_use() {
    let scene = Scene::before(served(&set(&["mine", "b"])), |workspace| {
        let mine = crate::token::testing::public_key("mine", P256);
        workspace.public_keys = vec![crate::token::keys::PublicKey { kid: Some("mine".into()), ..mine }];
    })
    .await;
    scene.start().await;
    assert_eq!(scene.status().keys.len(), 2);
    assert_eq!(scene.verify(&token("mine")), Ok(()));
    let state = scene.verifier.workspaces["acme"].state();
    let (configured, complaints) = KeySet::new(&scene.verifier.workspaces["acme"].config);
    assert!(complaints.is_empty());
    assert_eq!(state.keys.keys()[0].name(), configured.keys()[0].name());
}
