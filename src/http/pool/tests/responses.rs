//! What is a response, where it ends, and whether its connection is kept.

use super::played::{Outcome, outcome, pool_of};
use super::*;

async fn answer(said: &str) -> Outcome {
    outcome(get(), vec![said.as_bytes().to_vec()], false).await
}

/// As [`answer`], from an upstream that leaves then.
async fn last_answer(said: &str) -> Outcome {
    outcome(get(), vec![said.as_bytes().to_vec()], true).await
}

fn status(outcome: &Outcome) -> Option<u16> {
    outcome.head.as_ref().map(|(status, _)| *status)
}

fn has(outcome: &Outcome, name: &str) -> bool {
    outcome.head.as_ref().is_some_and(|(_, headers)| headers.iter().any(|(other, _)| other == name))
}

#[tokio::test]
async fn h31_what_can_be_read_in_two_ways_is_no_response() {
    let heads = [
        "content-length: 3\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 3",
        "content-length: 3\r\ncontent-length: 3",
        "content-length: 3\r\ncontent-length: 4",
        "content-length: 3, 3",
        "content-length: +3",
        "content-length: -3",
        "content-length: 03",
        "content-length: 3 3",
        "content-length: 0x3",
        "content-length:",
        "content-length: 99999999999999999999",
        "transfer-encoding: gzip",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: \x0bchunked",
        "transfer-encoding : chunked",
        "transfer-encoding:\r\n chunked",
        "x-folded: a\r\n b",
        " x-first: a",
        "x name: a",
        ": a",
        "x-nul: a\0b",
        "x-cr: a\rb",
        "no colon",
    ];
    for head in heads {
        let found = last_answer(&format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\nabc")).await;
        assert_eq!(found.head, None, "{head:?}");
    }
}

#[tokio::test]
async fn h31_only_http_1_speaks_here() {
    let starts = [
        "HTTP/1.2 200 OK\r\n",
        "HTTP/2.0 200 OK\r\n",
        "HTTP/0.9 200 OK\r\n",
        "http/1.1 200 OK\r\n",
        "HTTP/1.1  200 OK\r\n",
        "HTTP/1.1 20 OK\r\n",
        "HTTP/1.1 099 OK\r\n",
        "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 200 O\0K\r\n",
        "\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "x",
    ];
    for start in starts {
        assert_eq!(last_answer(&format!("{start}content-length: 0\r\n\r\n")).await.head, None, "{start:?}");
    }
    let lone = "HTTP/1.1 200 OK\r\nx-a: b\ncontent-length: 0\r\n\r\n";
    assert_eq!(last_answer(lone).await.head, None, "a line ends without CR");
}

#[tokio::test]
async fn h31_a_head_has_an_end() {
    let many = "x: y\r\n".repeat(101);
    assert_eq!(answer(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).await.head, None, "too many fields");
    let just = "x: y\r\n".repeat(99);
    let found = answer(&format!("HTTP/1.1 200 OK\r\n{just}content-length: 0\r\n\r\n")).await;
    assert_eq!(status(&found), Some(200));
    let long = "y".repeat(64 * 1024);
    assert_eq!(answer(&format!("HTTP/1.1 200 OK\r\nx: {long}\r\n\r\n")).await.head, None, "too long");
    assert_eq!(answer(&format!("HTTP/1.1 200 OK\r\nx: {long}")).await.head, None, "and has no end");
}

#[tokio::test]
async fn h31_a_response_that_has_no_body_by_its_nature_has_none() {
    for (said, keeps) in [
        ("204 No Content\r\n\r\n", true),
        ("204 No Content\r\ncontent-length: 0\r\n\r\n", true),
        ("304 Not Modified\r\ncontent-length: 5\r\n\r\n", true),
        ("304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n", true),
        ("200 OK\r\ncontent-length: 0\r\n\r\n", true),
        // Nobody knows what comes behind these.
        ("204 No Content\r\ncontent-length: 5\r\n\r\n", false),
        ("204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", false),
        ("204 No Content\r\n\r\nhello", false),
        ("304 Not Modified\r\ncontent-length: 5\r\n\r\nhello", false),
        ("200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", false),
    ] {
        let found = answer(&format!("HTTP/1.1 {said}")).await;
        assert_eq!(found.body.as_deref(), Some(""), "{said}");
        assert_eq!(found.is_kept, keeps, "{said}");
        assert!(!has(&found, "transfer-encoding"), "{said}");
        assert!(!(said.starts_with("204") && has(&found, "content-length")), "{said}");
    }
    let head = |said: &str| {
        let said = format!("HTTP/1.1 200 OK\r\n{said}\r\n\r\n").into_bytes();
        outcome(request("HEAD", "/", Body::empty()), vec![said], false)
    };
    assert!(has(&head("content-length: 5").await, "content-length"));
    assert!(head("content-length: 5").await.is_kept);
    assert!(head("transfer-encoding: chunked").await.is_kept);
    assert!(!head("content-length: 5\r\n\r\nhello").await.is_kept);
}

#[tokio::test]
async fn h31_a_body_ends_where_it_says_and_is_broken_before() {
    let length = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
    let found = answer(&format!("{length}hello")).await;
    assert_eq!((found.body.as_deref(), found.is_kept), (Some("hello"), true));
    let found = answer(&format!("{length}hello and more")).await;
    assert_eq!((found.body.as_deref(), found.is_kept), (Some("hello"), false));
    let found = last_answer(&format!("{length}hell")).await;
    assert_eq!((found.body.as_deref(), found.is_kept), (None, false));
    let until_close = "HTTP/1.1 200 OK\r\n\r\nhello";
    let found = last_answer(until_close).await;
    assert_eq!((found.body.as_deref(), found.is_kept), (Some("hello"), false));
    let old = "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello";
    let found = answer(old).await;
    assert_eq!((found.body.as_deref(), found.is_kept), (Some("hello"), false));
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn h21_a_chunk_is_exact_or_the_body_is_broken() {
    let bodies = [
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5_\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhellooo\r\n0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "\r\n",
        ";x\r\n",
        "g\r\n",
        "1000000000000000\r\nx",
        "ffffffffffffffffffff\r\nx",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5 x\r\nhello\r\n0\r\n\r\n",
        "5;x\nhello\r\n0\r\n\r\n",
        "5;x\r\r\nhello\r\n0\r\n\r\n",
        "5;\0\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\n",
        "5\r\nhello\r\n0\r\nx: y\n\r\n",
        "5\r\nhello\r\n0\r\nx: y\r\n z\r\n\r\n",
        "5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        "5\r\nhello\r\n0\r\nx : y\r\n\r\n",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n",
        "5\r\nhel",
        "5\r",
        "5",
        "",
    ];
    for body in bodies {
        let found = last_answer(&format!("{CHUNKED}{body}")).await;
        assert_eq!((status(&found), found.body), (Some(200), None), "{body:?}");
    }
    let long = format!("{CHUNKED}5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(2 * 1024));
    assert_eq!(outcome(get(), pieces(&long, 100), true).await.body, None, "an endless line");
    let many = format!("{CHUNKED}{}0\r\n\r\n", format!("1;{}\r\nx\r\n", "x".repeat(1000)).repeat(20));
    assert_eq!(last_answer(&many).await.body, None, "extensions without end");
    let trailers = format!("{CHUNKED}0\r\n{}\r\n", "x: y\r\n".repeat(33));
    assert_eq!(last_answer(&trailers).await.body, None, "trailers without end");
}

fn pieces(said: &str, length: usize) -> Vec<Vec<u8>> {
    said.as_bytes().chunks(length).map(<[u8]>::to_vec).collect()
}

#[tokio::test]
async fn h22_extensions_of_chunks_stop_here() {
    for (body, whole) in [
        ("5\r\nhello\r\n0\r\n\r\n", "hello"),
        ("5;a=b\r\nhello\r\n0;c\r\n\r\n", "hello"),
        ("5 ; a=\"b\"\r\nhello\r\n0\r\n\r\n", "hello"),
        ("00005\r\nhello\r\n000\r\n\r\n", "hello"),
        ("A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        ("0\r\n\r\n", ""),
    ] {
        let found = answer(&format!("{CHUNKED}{body}")).await;
        assert_eq!((found.body.as_deref(), found.is_kept), (Some(whole), true), "{body:?}");
        assert!(!has(&found, "transfer-encoding"));
    }
    let found = answer(&format!("{CHUNKED}0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")).await;
    assert_eq!((found.body.as_deref(), found.is_kept), (Some(""), false), "what comes behind the end");
}

#[tokio::test]
async fn h12_trailers_pass_and_those_that_could_be_headers_do_not() {
    let said = format!(
        "{CHUNKED}2\r\nok\r\n0\r\nGrpc-Status: 0\r\nauthorization: x\r\nX-Sidegate-Admin: true\r\ncontent-length: 9\r\n\r\n"
    );
    let found = answer(&said).await;
    assert_eq!(found.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
    assert!(found.is_kept);
}

#[tokio::test]
async fn h44_interim_responses_are_skipped_and_counted() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let interim = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
    for interim in [interim, "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let found = answer(&format!("{interim}{ok}")).await;
        assert_eq!((status(&found), found.body.as_deref()), (Some(200), Some("ok")));
        assert!(!has(&found, "link") && found.is_kept);
    }
    assert_eq!(status(&answer(&format!("{}{ok}", interim.repeat(16))).await), Some(200));
    assert_eq!(answer(&format!("{}{ok}", interim.repeat(17))).await.head, None, "a flood");
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(answer(&format!("{switch}{ok}")).await.head, None, "nobody asked for it");
}

#[tokio::test]
async fn h49_a_connection_that_is_authenticated_itself_is_not_shared() {
    for (said, keeps) in [
        ("401 Unauthorized\r\nwww-authenticate: Basic realm=x\r\n", true),
        ("401 Unauthorized\r\nwww-authenticate: NTLM\r\n", false),
        ("401 Unauthorized\r\nwww-authenticate: Basic\r\nwww-authenticate: negotiate\r\n", false),
        ("200 OK\r\nwww-authenticate: Negotiate oYG\r\n", false),
        ("200 OK\r\nconnection: keep-alive, close\r\n", false),
    ] {
        let found = answer(&format!("HTTP/1.1 {said}content-length: 0\r\n\r\n")).await;
        assert_eq!(found.is_kept, keeps, "{said}");
    }
    for (credentials, keeps) in [("NTLM TlRM", false), ("negotiate YII", false), ("Bearer ntlm", true)] {
        let mut sent = get();
        sent.headers_mut().insert("authorization", credentials.parse().unwrap());
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec();
        assert_eq!(outcome(sent, vec![said], false).await.is_kept, keeps, "{credentials}");
    }
}

#[tokio::test]
async fn h31_what_an_unused_connection_says_is_nobodys_response() {
    let upstream = Upstream::new().await;
    let pool = pool(&upstream);
    let first = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    answered(first).await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await;
    // The runtime hears of it no later than of anything that happens after it.
    let (mut one, mut other) = tokio::net::UnixStream::pair().unwrap();
    one.write_all(b"x").await.unwrap();
    tokio::io::AsyncReadExt::read_u8(&mut other).await.unwrap();
    let second = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.head().await;
    peer.say("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ngood").await;
    assert_eq!(text(answered(second).await.into_body()).await, "good");
}

#[tokio::test]
async fn head_and_body_leave_in_one_piece() {
    let played = Played::new([b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()], false);
    let seen = played.seen();
    let pool = pool_of(played);
    soon(pool.send(request("PUT", "/a?b", Body::full("body")))).await.unwrap();
    let seen = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
    assert_eq!(seen, "PUT /a?b HTTP/1.1\r\nhost: upstream.test\r\ncontent-length: 4\r\n\r\nbody");
}

fn expecting(body: Body) -> Request<Body> {
    let mut sent = request("POST", "/", body);
    sent.headers_mut().insert("expect", "100-continue".parse().unwrap());
    sent
}

#[tokio::test]
async fn h44_a_body_waits_for_the_100_that_its_caller_expects() {
    let upstream = Upstream::new().await;
    let (feed, body) = fed();
    let sent = sending(&pool(&upstream), expecting(body));
    let mut peer = upstream.accept().await;
    assert!(peer.head().await.contains("expect: 100-continue\r\n"));
    // The channel holds one piece: the second would be taken only if somebody had asked for the first.
    feed.send(Ok("bo".into())).await.unwrap();
    assert!(feed.try_send(Ok("dy".into())).is_err(), "nobody has asked for the body");
    peer.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    feed.send(Ok("dy".into())).await.unwrap();
    drop(feed);
    assert_eq!(peer.until("0\r\n\r\n").await, "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n");
    peer.say("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n").await;
    assert_eq!(answered(sent).await.status(), 201);
}

#[tokio::test]
async fn h44_a_final_answer_to_an_expectation_spares_the_body() {
    let (feed, body) = fed();
    feed.try_send(Ok("body".into())).unwrap();
    let refusal = b"HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n";
    let played = Played::new([refusal.to_vec()], false);
    let seen = played.seen();
    let pool = pool_of(played);
    assert_eq!(soon(pool.send(expecting(body))).await.unwrap().status(), 417);
    assert!(seen.lock().unwrap().ends_with(b"\r\n\r\n"), "no body was sent");
    assert!(feed.is_closed());
    assert_eq!(pool.home.idle.len(), 0, "the upstream cannot know that none comes");
}

#[tokio::test(start_paused = true)]
async fn h44_an_upstream_that_never_says_100_gets_the_body_anyway() {
    let played = Played::new([], false);
    let seen = played.seen();
    let (feed, body) = fed();
    feed.try_send(Ok("body".into())).unwrap();
    drop(feed);
    let given_up = pool_of(played).send(expecting(body)).await;
    assert!(matches!(given_up, Err(SendError::HeadTimeout)));
    assert!(seen.lock().unwrap().ends_with(b"4\r\nbody\r\n0\r\n\r\n"));
}
