use super::*;
use crate::http::testing::{Upstream, request, settings, soon, text};

/// Forwards `request` to an upstream that answers `answer`; what the upstream saw, and what came back.
async fn exchange(
    request: Request<Body>,
    end_of_request: &str,
    answer: &str,
) -> (String, Result<Response<Body>, SendError>) {
    let upstream = Upstream::new().await;
    let pool = Pool::new(upstream.origin(), settings());
    let playing = async {
        let mut peer = upstream.accept().await;
        let seen = peer.until(end_of_request).await;
        peer.say(answer).await;
        (seen, peer)
    };
    let ((seen, _peer), answered) = soon(async { tokio::join!(playing, forward(&pool, request)) }).await;
    (seen, answered)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn hop_by_hop_fields_stop_here_in_both_directions() {
    let hop_by_hop = [
        ("connection", "x-one, keep-alive"),
        ("connection", "x-two"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABkAAQAAP__"),
        ("x-one", "1"),
        ("x-two", "2"),
    ];
    let mut sent = request("GET", "/", Body::empty());
    let mut answer = String::from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-kept: r\r\n");
    for (name, value) in hop_by_hop {
        sent.headers_mut().append(name, value.parse().unwrap());
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    sent.headers_mut().insert("x-kept", "q".parse().unwrap());
    let (seen, answered) = exchange(sent, "\r\n\r\n", &format!("{answer}\r\nok")).await;
    // Trailers are taken by us as well; everything else ends here.
    let ours = "te: trailers\r\nconnection: te\r\n";
    assert_eq!(seen, format!("GET / HTTP/1.1\r\nhost: upstream.test\r\nx-kept: q\r\n{ours}\r\n"));
    let answered = answered.unwrap();
    let mut names: Vec<_> = answered.headers().keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "te", "x-kept"]);
    assert_eq!(text(answered.into_body()).await, "ok");
}

#[tokio::test]
async fn the_target_reaches_the_upstream_byte_for_byte() {
    for target in ["/a//b/%C3%A9?q=%2F&r=a+b&&=", "/?", "/a;v=1,2/:@!$&'()*+", "/%7Euser/~user?x={y}"] {
        let (seen, answered) = exchange(request("GET", target, Body::empty()), "\r\n\r\n", OK).await;
        assert!(seen.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{target}: {seen}");
        answered.unwrap();
    }
}

#[tokio::test]
async fn an_absolute_target_becomes_origin_form() {
    for (target, expected) in [("http://upstream.test/a?b=%2F", "/a?b=%2F"), ("http://upstream.test", "/")] {
        let (seen, _) = exchange(request("GET", target, Body::empty()), "\r\n\r\n", OK).await;
        assert_eq!(seen, format!("GET {expected} HTTP/1.1\r\nhost: upstream.test\r\n\r\n"));
    }
    let (seen, _) = exchange(request("OPTIONS", "*", Body::empty()), "\r\n\r\n", OK).await;
    assert!(seen.starts_with("OPTIONS * HTTP/1.1\r\n"), "{seen}");
}

#[tokio::test]
async fn h12_request_trailers_pass_and_those_that_could_be_headers_do_not() {
    use http_body_util::BodyExt as _;
    let mut trailers = http::HeaderMap::new();
    for name in ["x-sidegate-admin", "authorization", "x_sidegate_admin", "host", "x-checksum"] {
        trailers.insert(name, "true".parse().unwrap());
    }
    let body =
        Body::boxed(Body::full("a").map_frame(|frame| frame).with_trailers(async { Some(Ok(trailers)) }));
    let mut sent = request("POST", "/", body);
    sent.headers_mut().insert("trailer", "x-checksum".parse().unwrap());
    let (seen, answered) = exchange(sent, "x-checksum: true\r\n\r\n", OK).await;
    assert!(seen.contains("\r\ntrailer: x-checksum\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n1\r\na\r\n0\r\nx-checksum: true\r\n\r\n"), "{seen}");
    answered.unwrap();
}

#[tokio::test]
async fn an_old_upstream_is_answered_for_in_http_1_1() {
    let (_, answered) = exchange(
        request("GET", "/", Body::empty()),
        "\r\n\r\n",
        "HTTP/1.0 200 Fine\r\ncontent-length: 2\r\n\r\nok",
    )
    .await;
    assert_eq!(answered.unwrap().version(), Version::HTTP_11);
}

#[tokio::test]
async fn interim_answers_are_skipped_and_a_switch_of_protocols_is_refused() {
    let (_, answered) = exchange(
        request("GET", "/", Body::empty()),
        "\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    )
    .await;
    assert_eq!(answered.unwrap().status(), 204);
    let (_, answered) = exchange(
        request("GET", "/", Body::empty()),
        "\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    )
    .await;
    assert!(matches!(answered, Err(SendError::Broken(_))));
}
