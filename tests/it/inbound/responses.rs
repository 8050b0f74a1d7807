//! What the API answers, and what of it a caller gets.

use crate::support::{Gate, Origin, as_anna};

fn request(method: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna())
}

/// The answer to a GET where the API says this and closes.
fn through(answer: &'static str) -> crate::support::Answer {
    let origin = Origin::played(move |api| {
        api.request();
        api.say(answer);
    });
    Gate::before(&origin).ask(request("GET"))
}

#[test]
fn h31_a_response_with_two_framings_leaves_with_one() {
    let both = through(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    if both.status == 200 {
        assert!(both.values("content-length").is_empty(), "{both:?}");
        assert_eq!(both.text(), "2\r\nok\r\n0\r\n\r\n");
    } else {
        assert_eq!(both.code(), "upstream_down");
    }
    for two_lengths in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok!",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\nContent-Length: x\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "HTTP/1.1 200\0 OK\r\n\r\n",
        "nonsense\r\n\r\n",
        "",
    ] {
        let answer = through(two_lengths);
        assert_eq!((answer.status, answer.code()), (502, "upstream_down"), "{two_lengths:?}");
    }
}

#[test]
fn h31_interim_answers_end_here_and_a_switch_of_protocols_is_refused() {
    let many = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
        HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(through(many).text(), "ok");
    let switched =
        through("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes");
    assert_eq!((switched.status, switched.code()), (502, "upstream_down"));
}

#[test]
fn h31_a_body_where_none_belongs_reaches_nobody() {
    for answer in [
        "HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ] {
        let origin = Origin::answering(answer);
        let gate = Gate::before(&origin);
        for _ in 0..3 {
            let got = gate.ask(request("GET"));
            assert!(!got.text().contains("evil"), "{got:?}");
            assert!(answer.contains(&got.status.to_string()) && !got.text().contains("HTTP"), "{got:?}");
        }
        assert_eq!(origin.connections(), 3, "a connection that said too much is not used again");
    }
}

#[test]
fn head_204_and_304_have_no_body_and_leave_the_connection_open() {
    let origin = Origin::played(|api| {
        while let Some(seen) = api.request() {
            api.say(match seen.line().split('/').nth(1).unwrap() {
                "204 HTTP" => "HTTP/1.1 204 No Content\r\n\r\n",
                "304 HTTP" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nETag: \"a\"\r\n\r\n",
                _ => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
            });
        }
    });
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    let mut ask = |line: &str| {
        caller.say(format!("{line} HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna()));
        caller.answer_without_body()
    };
    let head = ask("HEAD /");
    assert_eq!((head.status, head.values("content-length")), (200, vec!["12345"]));
    let no_content = ask("GET /204");
    assert_eq!((no_content.status, no_content.values("content-length").len()), (204, 0));
    assert!(no_content.values("transfer-encoding").is_empty());
    let not_modified = ask("GET /304");
    assert_eq!((not_modified.status, not_modified.values("etag")), (304, vec!["\"a\""]));
    assert!(not_modified.values("transfer-encoding").is_empty());
    assert_eq!(ask("HEAD /").status, 200);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn h31_a_head_answer_has_one_length_or_none() {
    for (lengths, wanted) in [
        ("Content-Length: 5\r\n", vec!["5"]),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", vec![]),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", vec![]),
        ("Content-Length: +5\r\n", vec![]),
    ] {
        let origin = Origin::played(move |api| {
            api.request();
            api.say(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n"));
        });
        let gate = Gate::before(&origin);
        let mut caller = gate.connect();
        caller.say(request("HEAD"));
        let answer = caller.answer_without_body();
        assert_eq!((answer.status, answer.values("content-length")), (200, wanted), "{lengths:?}");
        assert!(answer.values("transfer-encoding").is_empty());
    }
}

#[test]
fn an_http_1_0_caller_gets_no_chunks() {
    let origin =
        Origin::answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(request("GET").replace("HTTP/1.1", "HTTP/1.0"));
    let answer = caller.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    assert!(answer.values("transfer-encoding").is_empty() && answer.values("content-length").is_empty());
    assert_eq!(origin.only().line(), "GET / HTTP/1.1");
}

#[test]
fn h31_after_an_early_answer_the_rest_of_the_body_is_no_request() {
    let origin = Origin::played(|api| {
        api.head();
        // Without the body; and then the connection closes.
        api.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
    });
    let gate = Gate::before(&origin);
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: api.test\r\n{}\r\n", as_anna());
    let mut caller = gate.connect();
    let length = smuggled.len() + 5;
    caller.say(format!(
        "POST / HTTP/1.1\r\nHost: api.test\r\nContent-Length: {length}\r\n{}\r\nhello",
        as_anna()
    ));
    assert_eq!(caller.answer().status, 413);
    // The rest of the body, and not a byte more: what came after it would be a request of its own.
    caller.try_say(&smuggled);
    caller.finish();
    assert_eq!(caller.rest(), b"");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn only_ours_says_that_it_is_a_rejection() {
    let answer = through(
        "HTTP/1.1 401 Unauthorized\r\nX-Sidegate-Rejection: no_token\r\nX-Request-Id: theirs\r\n\
         Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nno",
    );
    assert_eq!((answer.status, answer.code(), answer.text().as_str()), (401, "", "no"));
    assert_eq!(answer.values("x-request-id").len(), 1);
    assert_ne!(answer.values("x-request-id"), ["theirs"]);
    assert!(answer.values("x-hop").is_empty() && answer.values("keep-alive").is_empty());
}

#[test]
fn a_response_cut_short_is_cut_short_for_the_caller_too() {
    let origin = Origin::played(|api| {
        api.request();
        api.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    });
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(request("GET"));
    let all = String::from_utf8(caller.rest()).unwrap();
    assert!(all.contains("hello") && !all.ends_with("0\r\n\r\n"), "{all}");
}

#[test]
fn h12_response_trailers_cannot_speak_for_the_head() {
    let origin = Origin::answering(
        "HTTP/1.1 200 OK\r\nTrailer: Content-Length, X-Sidegate-Rejection, Set-Cookie\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: 9\r\nX-Sidegate-Rejection: no_token\r\n\
         Set-Cookie: a=b\r\n\r\n",
    );
    let gate = Gate::before(&origin);
    let mut caller = gate.connect();
    caller.say(request("GET").replace("Host", "TE: trailers\r\nHost"));
    let answer = caller.answer();
    assert_eq!((answer.status, answer.code()), (200, ""));
    let body = answer.text().to_lowercase();
    assert!(!body.contains("content-length") && !body.contains("rejection"), "{body}");
}

#[test]
fn a_dead_api_is_502_and_a_silent_one_504() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gate = Gate::configured(&format!("upstreams: {{api: {{upstream: 'http://{nobody}'}}}}\n"));
    assert_eq!(gate.ask(request("GET")).code(), "upstream_down");
    let silent = Origin::played(|api| {
        api.request();
        api.head();
    });
    let gate = Gate::with(&silent, "timeouts: {responseHead: 100ms}");
    let answer = gate.ask(request("GET"));
    assert_eq!((answer.status, answer.code()), (504, "upstream_timeout"));
}
