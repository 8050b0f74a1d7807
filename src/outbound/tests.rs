//! The door from end to end: real sockets, a real store, a third party that refuses its first token.

mod scene;

use http::StatusCode;

use crate::connector::RefreshSettings;
use crate::outbound::statuses::Statuses;
use crate::store::Health;
use scene::{REPLAY_LIMIT, Scene};

#[tokio::test]
async fn a_refused_token_is_refreshed_once_and_the_request_sent_again_with_its_body() {
    let scene = Scene::start().await;
    let reply = scene.send("POST", "/connections/c1/proxy/things?x=1", &[("X-Mine", "m")], b"the body").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "welcome"));
    assert_eq!(reply.header("x-sidegate-refresh"), None);
    assert_eq!(scene.exchanges(), 1);
    let calls = scene.calls();
    assert_eq!(calls.len(), 2);
    for (call, token) in calls.iter().zip(["Bearer planted-a1", "Bearer planted-a2"]) {
        assert_eq!(call.header("authorization"), Some(token));
        assert_eq!(call.target, "/v1/things?x=1&key=planted-query");
        assert_eq!(call.body, "the body");
        assert_eq!(call.header("content-length"), Some("8"));
        assert_eq!(call.header("x-mine"), Some("m"));
    }
    assert_eq!(scene.get("/connections/c1/proxy/things").await.status, 200);
    assert_eq!((scene.exchanges(), scene.calls().len()), (1, 3));
}

#[tokio::test]
async fn the_callers_copies_and_what_is_for_us_do_not_travel() {
    let scene = Scene::start().await;
    let sent = [
        ("X_Api_Key", "theirs"),
        ("x-api-key", "theirs"),
        ("Authorization", "Bearer theirs"),
        ("X-Real-IP", "1.2.3.4"),
    ];
    scene.send("GET", "/connections/c1/proxy/a?k%65y=theirs&y=%2F", &sent, b"").await;
    let call = scene.calls().pop().unwrap();
    assert_eq!(call.target, "/v1/a?y=%2F&key=planted-query");
    assert_eq!(call.header("host"), scene.origin.strip_prefix("http://"));
    assert!(!format!("{:?}", call.headers).contains("theirs"), "{:?}", call.headers);
    let mut left: Vec<_> = call.headers.keys().map(http::HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["authorization", "host", "x-api-key"]);
}

#[tokio::test]
async fn a_body_over_the_limit_is_sent_once_whole_and_the_refusal_goes_back() {
    let scene = Scene::start().await;
    let body = vec![b'x'; REPLAY_LIMIT + 1];
    let reply = scene.send("POST", "/connections/c1/proxy/things", &[], &body).await;
    assert_eq!((reply.status, reply.body.as_str()), (401, "refused"));
    assert_eq!(reply.header("x-sidegate-rejection"), None);
    let calls = scene.calls();
    assert_eq!((calls.len(), calls[0].body.len()), (1, REPLAY_LIMIT + 1));
    assert_eq!(calls[0].header("content-length"), Some("65537"));
    assert_eq!(scene.exchanges(), 1, "the next caller finds a fresh token");
    assert_eq!(scene.send("POST", "/connections/c1/proxy/things", &[], &body).await.status, 200);
}

#[tokio::test]
async fn where_nothing_is_to_be_sent_twice_the_next_caller_finds_a_fresh_token() {
    let refresh = RefreshSettings { replay: false, ..RefreshSettings::default() };
    let scene = Scene::with(refresh, Statuses::default()).await;
    let reply = scene.send("POST", "/connections/c1/proxy/things", &[], b"the body").await;
    assert_eq!((reply.status, reply.body.as_str()), (401, "refused"));
    assert_eq!((scene.calls().len(), scene.exchanges()), (1, 1));
    assert_eq!(scene.send("POST", "/connections/c1/proxy/things", &[], b"the body").await.status, 200);
    assert_eq!((scene.calls().len(), scene.exchanges()), (2, 1));
}

#[tokio::test]
async fn the_status_of_credentials_that_cannot_be_used_is_the_operators_choice_and_nothing_else_changes() {
    let statuses = Statuses::new(vec![("disconnected", StatusCode::FAILED_DEPENDENCY)]);
    let scene = Scene::with(RefreshSettings::default(), statuses).await;
    scene.token_endpoint_answers(StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#);
    assert_eq!(scene.get("/connections/c1/proxy/a").await.status, 401, "the third party's own answer");
    let reply = scene.get("/connections/c1/proxy/a").await;
    assert_eq!((reply.status, reply.header("x-sidegate-rejection")), (424, Some("disconnected")));
    assert!(reply.body.contains("connection_is_defunct"), "{}", reply.body);
    assert!(scene.log().contains(r#""status":424"#), "{}", scene.log());
    assert_eq!(scene.get("/connections/nobody/proxy/a").await.status, 404);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_sent_as_it_comes_for_it_may_wait_for_the_answer() {
    let scene = Scene::start().await;
    let reply = scene.send_in_chunks("/connections/c1/proxy/talk", "5\r\nhello\r\n").await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "hello"), "its end never came");
}

#[tokio::test]
async fn a_body_of_unknown_length_is_sent_again_if_it_was_short_and_has_ended() {
    let scene = Scene::start().await;
    let reply = scene.send_in_chunks("/connections/c1/proxy/things", "2\r\nab\r\n1\r\nc\r\n0\r\n\r\n").await;
    assert_eq!(reply.status, 200);
    let bodies: Vec<_> = scene.calls().iter().map(|call| call.body.clone()).collect();
    assert_eq!((bodies, scene.exchanges()), (vec!["abc".into(), "abc".into()], 1));

    let scene = Scene::start().await;
    let long = format!("{:x}\r\n{}\r\n0\r\n\r\n", REPLAY_LIMIT + 1, "x".repeat(REPLAY_LIMIT + 1));
    let reply = scene.send_in_chunks("/connections/c1/proxy/things", &long).await;
    assert_eq!((reply.status, reply.body.as_str()), (401, "refused"));
    let trailers = "2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n";
    let reply = scene.send_in_chunks("/connections/c1/proxy/always-401", trailers).await;
    assert_eq!(reply.status, 401);
    let lengths: Vec<_> = scene.calls().iter().map(|call| call.body.len()).collect();
    assert_eq!((lengths, scene.exchanges()), (vec![REPLAY_LIMIT + 1, 2], 2), "neither was sent twice");
}

#[tokio::test]
async fn where_the_refresh_fails_the_original_answer_goes_back_with_the_reason() {
    let scene = Scene::start().await;
    scene.token_endpoint_answers(StatusCode::BAD_REQUEST, r#"{"error":"invalid_grant"}"#);
    let reply = scene.get("/connections/c1/proxy/things").await;
    assert_eq!((reply.status, reply.body.as_str()), (401, "refused"));
    assert_eq!(reply.header("x-sidegate-refresh"), Some("needs_reconnect"));
    assert_eq!(scene.calls().len(), 1);
    let next = scene.get("/connections/c1/proxy/things").await;
    assert_eq!(next.status, 409);
    assert_eq!(next.header("x-sidegate-rejection"), Some("disconnected"));
    assert!(next.body.contains(r#""refresh":{"code":"needs_reconnect"}"#), "{}", next.body);
    assert_eq!((scene.calls().len(), scene.exchanges()), (1, 1), "nothing is sent for a dead connection");
}

#[tokio::test]
async fn a_second_refusal_is_final_and_does_not_refresh_again() {
    let scene = Scene::start().await;
    let reply = scene.get("/connections/c1/proxy/always-401").await;
    assert_eq!((reply.status, reply.body.as_str()), (401, "never"));
    assert_eq!((scene.calls().len(), scene.exchanges()), (2, 1));
    let next = scene.get("/connections/c1/proxy/always-401").await;
    assert_eq!(next.header("x-sidegate-refresh"), Some("rejected_while_fresh"));
    assert_eq!((scene.calls().len(), scene.exchanges()), (3, 1));
}

#[tokio::test]
async fn refusals_of_long_bodies_do_not_refresh_again_and_again() {
    let scene = Scene::start().await;
    let body = vec![b'x'; REPLAY_LIMIT + 1];
    for _ in 0..5 {
        let reply = scene.send("POST", "/connections/c1/proxy/always-401", &[], &body).await;
        assert_eq!(reply.status, 401);
    }
    assert_eq!(
        (scene.calls().len(), scene.exchanges()),
        (5, 2),
        "once more, for the first may have been revoked"
    );
}

#[tokio::test]
async fn a_token_that_is_revoked_after_an_upload_had_it_renewed_is_renewed_again() {
    let scene = Scene::start().await;
    let body = vec![b'x'; REPLAY_LIMIT + 1];
    assert_eq!(scene.send("POST", "/connections/c1/proxy/things", &[], &body).await.status, 401);
    scene.revoke();
    let reply = scene.get("/connections/c1/proxy/things").await;
    assert_eq!((reply.status, reply.header("x-sidegate-refresh")), (200, None));
    assert_eq!(scene.exchanges(), 2);
}

#[tokio::test]
async fn a_key_that_is_named_like_an_integration_does_not_hide_its_route() {
    let scene = Scene::start().await;
    scene.connect_as("elsewhere", "ada", "mail", "crm").await;
    assert_eq!(scene.get("/crm/a").await.status, 200);
}

#[tokio::test]
async fn a_missing_scope_refreshes_nothing() {
    let scene = Scene::start().await;
    let reply = scene.get("/connections/c1/proxy/scope").await;
    assert_eq!((reply.status, reply.body.as_str()), (401, "no scope"));
    assert_eq!((scene.calls().len(), scene.exchanges()), (1, 0));
}

#[tokio::test]
async fn row_3_5_a_token_that_has_ended_is_told_by_any_status_where_the_connector_says_how() {
    for status in [200, 400, 403, 429] {
        let scene = Scene::start().await;
        let target = format!("/connections/c1/proxy/expired-{status}");
        let reply = scene.send("POST", &target, &[], b"a body").await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "welcome"), "{status}");
        let bodies: Vec<_> = scene.calls().iter().map(|call| call.body.clone()).collect();
        assert_eq!((bodies, scene.exchanges()), (vec!["a body".into(), "a body".into()], 1), "{status}");
    }
}

#[tokio::test]
async fn a_redirect_goes_back_unfollowed() {
    let scene = Scene::start().await;
    let reply = scene.get("/connections/c1/proxy/redirect").await;
    assert_eq!(reply.status, 302);
    assert_eq!(reply.header("location"), Some("https://elsewhere.example/"));
    assert_eq!(scene.calls().len(), 1);
}

#[tokio::test]
async fn a_connection_that_the_third_party_calls_defunct_is_disconnected() {
    let scene = Scene::start().await;
    let reply = scene.get("/connections/c1/proxy/defunct").await;
    assert_eq!((reply.status, reply.body.as_str()), (403, "gone"));
    assert!(
        matches!(scene.health().await, Health::Disconnected { code, .. } if code == "connection_is_defunct")
    );
    assert_eq!(scene.exchanges(), 0);
    assert_eq!(
        scene.get("/connections/c1/proxy/things").await.header("x-sidegate-rejection"),
        Some("disconnected")
    );
}

#[tokio::test]
async fn paths_arrive_as_they_were_sent() {
    let scene = Scene::start().await;
    let cases = [
        ("/connections/c1/proxy", "/v1?key=planted-query"),
        ("/connections/c1/proxy?q=1", "/v1?q=1&key=planted-query"),
        ("/connections/c1/proxy/crm/v3/owners/", "/v1/crm/v3/owners/?key=planted-query"),
        (
            "/connections/c1/proxy//a//b/./%2f%2F+c;d=e?f=%zz&&",
            "/v1//a//b/./%2f%2F+c;d=e?f=%zz&&key=planted-query",
        ),
        ("/crm/a//b/?q", "/v1/a//b/?q&key=planted-query"),
        ("/crm", "/v1?key=planted-query"),
    ];
    for (sent, expected) in cases {
        scene.get(sent).await;
        assert_eq!(scene.calls().pop().unwrap().target, expected, "{sent}");
    }
    let full = format!("/connections/c1/proxy/{}/v2/x?q=1", scene.origin);
    assert_eq!(scene.get(&full).await.status, 200);
    assert_eq!(scene.calls().pop().unwrap().target, "/v2/x?q=1&key=planted-query");
}

#[tokio::test]
async fn credentials_go_to_no_other_host() {
    let scene = Scene::start().await;
    let targets = [
        ("http://localhost:1/", 403, "target_not_allowed"),
        ("https://evil.example/a?b=c", 403, "target_not_allowed"),
        ("http://user@127.0.0.1/", 400, "malformed_target"),
        ("http://127.1/", 400, "malformed_target"),
        ("../token", 400, "malformed_target"),
        ("%2e%2e/token", 400, "malformed_target"),
    ];
    for (target, status, code) in targets {
        let reply = scene.get(&format!("/connections/c1/proxy/{target}")).await;
        assert_eq!((reply.status, reply.header("x-sidegate-rejection")), (status, Some(code)), "{target}");
        assert!(!reply.body.contains("b=c"), "{}", reply.body);
    }
    assert!(scene.calls().is_empty());
}

#[tokio::test]
async fn a_connection_is_found_by_id_key_and_integration_and_only_by_its_owner() {
    let scene = Scene::start().await;
    scene.connect("bobs", "bob").await;
    for selector in ["c1", "key-of-c1", "crm", "%63%31"] {
        assert_eq!(scene.get(&format!("/connections/{selector}/proxy/a")).await.status, 200, "{selector}");
    }
    for selector in ["bobs", "key-of-bobs", "nothing"] {
        let reply = scene.get(&format!("/connections/{selector}/proxy/a")).await;
        assert_eq!((reply.status, reply.header("x-sidegate-rejection")), (404, Some("unknown_connection")));
    }
    scene.connect("c2", "ada").await;
    for path in ["/connections/crm/proxy/a", "/crm/a"] {
        let reply = scene.get(path).await;
        assert_eq!((reply.status, reply.header("x-sidegate-rejection")), (400, Some("ambiguous_connection")));
        assert!(
            reply.body.contains("c1") && reply.body.contains("c2") && !reply.body.contains("bobs"),
            "{}",
            reply.body
        );
    }
    assert_eq!(scene.send("GET", "/crm/a", &[("X-Sidegate-Connection", "c1")], b"").await.status, 200);
    let foreign = scene.send("GET", "/crm/a", &[("X-Sidegate-Connection", "bobs")], b"").await;
    assert_eq!(foreign.header("x-sidegate-rejection"), Some("unknown_connection"));
}

#[tokio::test]
async fn a_third_party_cannot_pass_for_us() {
    let scene = Scene::start().await;
    let reply = scene.get("/connections/c1/proxy/spoof").await;
    assert_eq!((reply.status, reply.header("x-sidegate-rejection")), (200, None));
}

#[tokio::test]
async fn a_method_that_echoes_the_request_is_refused() {
    let scene = Scene::start().await;
    let reply = scene.send("TRACE", "/connections/c1/proxy/a", &[], b"").await;
    assert_eq!((reply.status, reply.header("x-sidegate-rejection")), (405, Some("method_not_allowed")));
    assert!(scene.calls().is_empty());
}

#[tokio::test]
async fn no_secret_shows_in_a_rejection_or_in_the_log() {
    let scene = Scene::start().await;
    scene.token_endpoint_answers(
        StatusCode::BAD_REQUEST,
        r#"{"error":"invalid_grant","error_description":"d"}"#,
    );
    let mut shown = String::new();
    for target in [
        "https://evil.example/",
        "a?key=planted-by-caller",
        "a",
        "..",
        "always-401",
        "https://u:planted@evil.example/",
    ] {
        shown += &format!("{:?}", scene.get(&format!("/connections/c1/proxy/{target}")).await);
    }
    let log = scene.log();
    assert_eq!(log.lines().count(), 6, "one line for each request: {log}");
    assert!(log.contains("target_not_allowed") && log.contains("needs_reconnect"), "{log}");
    assert!(!shown.contains("planted") && !log.contains("planted"), "{shown}\n{log}");
}
