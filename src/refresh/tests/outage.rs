//! Providers that are away, and apps that they refuse: how much is asked meanwhile, and how soon all is well again.

use super::*;

fn down() -> Answer {
    reply("503 Service Unavailable", "text/plain", "")
}

fn refused_app() -> Answer {
    reply("401 Unauthorized", "application/json", r#"{"error":"invalid_client"}"#)
}

#[tokio::test]
async fn half_an_hour_of_outage_costs_at_most_forty_exchanges_and_ends_within_five_seconds() {
    for outage in [29, 97, 301, 1800] {
        let scene = Scene::start(down()).await;
        for _ in 0..outage {
            assert_eq!(scene.code().await, "provider_down");
            scene.clock.advance(Duration::from_secs(1));
        }
        let exchanges = scene.server.requests();
        assert!(exchanges <= 40, "{exchanges} in {outage} s");
        scene.server.answer(second_tokens());
        let mut waited = 0;
        while scene.fresh().await.is_err() {
            scene.clock.advance(Duration::from_secs(1));
            waited += 1;
        }
        assert!(waited <= 5, "{waited} s after {outage} s");
        assert_eq!(scene.server.requests(), exchanges + 1);
    }
}

/// It says how long it expects to be away: so long it gets no grant, but it may be back earlier than it thought.
#[tokio::test]
async fn an_outage_of_announced_length_ends_within_five_seconds_of_its_real_end() {
    let now = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(NOW.as_secs()));
    let end = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(NOW.as_secs() + 120));
    for header in ["Retry-After: 120".to_owned(), format!("Date: {now}\r\nRetry-After: {end}")] {
        let answer = format!("HTTP/1.1 503 Service Unavailable\r\n{header}\r\nContent-Length: 0\r\n\r\n");
        let scene = Scene::start(Answer::Bytes(answer.into())).await;
        for _ in 0..1800 {
            assert_eq!(scene.code().await, "throttled_until");
            scene.clock.advance(Duration::from_secs(1));
        }
        let exchanges = scene.server.requests();
        assert!((10..=16).contains(&exchanges), "{exchanges}");
        scene.server.answer(second_tokens());
        let mut waited = 0;
        while scene.fresh().await.is_err() {
            scene.clock.advance(Duration::from_secs(1));
            waited += 1;
        }
        assert!(waited <= 5, "{waited} s");
        assert_eq!(scene.server.requests(), exchanges + 1);
    }
}

#[tokio::test]
async fn what_one_connection_finds_out_about_the_provider_counts_for_all() {
    let scene = Scene::start(down()).await;
    let second = scene.another("c2").await;
    for _ in 0..60 {
        assert_eq!(scene.code().await, "provider_down");
        scene.clock.advance(Duration::from_secs(1));
    }
    scene.server.answer(second_tokens());
    // It has no pause of its own, and so its exchange is the first to be answered.
    scene.refresher.fresh(second).await.unwrap();
    scene.clock.advance(Duration::from_millis(1));
    scene.fresh().await.unwrap();
}

#[tokio::test]
async fn an_app_that_is_refused_pauses_all_its_connections_and_one_asks_for_them() {
    let scene = Scene::start(refused_app()).await;
    for other in 2..=20 {
        scene.another(&format!("c{other}")).await;
    }
    for exchanges in 1..=4 {
        for _ in 0..3 {
            assert_eq!(scene.codes().await, ["misconfigured_app"; 20]);
        }
        assert_eq!(scene.server.requests(), exchanges);
        scene.clock.advance(Duration::from_secs(1 << exchanges));
    }
    scene.server.answer(second_tokens());
    scene.clock.advance(Duration::from_secs(16));
    assert!(scene.codes().await.is_empty());
}

#[tokio::test]
async fn an_app_that_is_configured_anew_is_asked_at_once() {
    let scene = Scene::start(refused_app()).await;
    scene.another("c2").await;
    assert_eq!(scene.codes().await, ["misconfigured_app"; 2]);
    scene.server.answer(second_tokens());
    scene.configure_anew("another-planted-secret");
    assert!(scene.codes().await.is_empty());
    assert!(scene.server.last().body.contains("client_secret=another-planted-secret"));
}

#[tokio::test]
async fn after_a_restart_a_refused_app_is_asked_once() {
    let scene = Scene::start(refused_app()).await;
    scene.another("c2").await;
    assert_eq!(scene.codes().await, ["misconfigured_app"; 2]);
    let scene = scene.restarted();
    assert_eq!(scene.codes().await, ["misconfigured_app"; 2]);
    assert_eq!(scene.server.requests(), 2);
}

#[tokio::test]
async fn a_provider_that_throttles_is_not_even_asked_whether_it_is_back() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n";
    let scene = Scene::start(Answer::Bytes(answer.into())).await;
    for _ in 0..120 {
        assert_eq!(scene.code().await, "throttled_until");
        scene.clock.advance(Duration::from_secs(1));
    }
    assert_eq!((scene.server.requests(), scene.server.probes()), (1, 0));
}
