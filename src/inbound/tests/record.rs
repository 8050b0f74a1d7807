//! How a request ends, as its one line tells it.

use http_body_util::BodyExt as _;

use super::*;

/// A gate in front of an API that reads a head, answers with `answer`, and hangs up if that is all it says.
async fn gate_before(answer: &'static str) -> Gate {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        socket.write_all(answer.as_bytes()).await.unwrap();
        if answer.contains("hold") {
            // Until the other side leaves.
            let _ = socket.read_u8().await;
        }
    });
    Gate::before(port, |upstream| upstream.rules = vec![public()])
}

fn public() -> RuleConfig {
    RuleConfig { allow: Allow::Public, ..RuleConfig::everything_verified() }
}

impl Gate {
    fn lines(&self) -> usize {
        self.log.lock().unwrap().iter().filter(|byte| **byte == b'\n').count()
    }
}

#[tokio::test]
async fn a_request_is_one_line_when_its_answer_has_ended_with_all_its_bytes() {
    let gate = gate_before("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789").await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = gate.ask(get("/x?secret=1").header("traceparent", parent)).await;
    answer.into_body().collect().await.unwrap();
    let line = gate.last_line();
    assert_eq!(gate.lines(), 1);
    assert_eq!((line["bytes_sent"].as_u64(), line["status"].as_u64()), (Some(10), Some(200)));
    assert_eq!((&line["end"], &line["bytes_received"]), (&Value::Null, &Value::Null));
    assert_eq!((&line["protocol"], &line["path"]), (&"http/1.1".into(), &"/x".into()));
    assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    let [auth, upstream, all] =
        ["auth_ms", "upstream_ms", "duration_ms"].map(|key| line[key].as_f64().unwrap());
    assert!(auth + upstream <= all + 0.002, "{line}");
}

#[tokio::test]
async fn a_line_tells_where_a_request_went_and_by_which_token() {
    let port = echo().await;
    let gate = Gate::before(port, |upstream| upstream.limits.max_body_bytes = Some(1));
    let line_of = async |claims: Value, body: &'static str| {
        let request = Request::post("/").header("host", "api.test").header(TOKEN, token(claims));
        let answer = gate.inbound.answer(request.body(Body::full(body)).unwrap(), arrival()).await;
        drop(answer.into_body().collect().await);
        gate.last_line()
    };
    let line = line_of(json!({"id": "c-1", "jti": "token-1"}), "").await;
    assert_eq!((&line["server_address"], &line["server_port"]), (&"127.0.0.1".into(), &port.into()));
    // printf %s token-1 | sha256sum | cut -c1-16
    assert_eq!(line["jti_hash"], "3f08aace122ee236");
    let line = line_of(json!({"id": "c-1"}), "too long").await;
    assert_eq!(line["reason"], "body_too_large");
    for absent in ["server_address", "server_port", "jti_hash"] {
        assert_eq!(line[absent], Value::Null, "{absent}: {line}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_the_upstreams_doing() {
    let gate = gate_before("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123").await;
    let answer = gate.ask(get("/")).await;
    assert!(answer.into_body().collect().await.is_err());
    let line = gate.last_line();
    assert_eq!((&line["end"], &line["blame"]), (&"upstream_cut".into(), &"upstream".into()));
    assert_eq!((line["bytes_sent"].as_u64(), gate.lines()), (Some(4), 1));
}

#[tokio::test]
async fn a_caller_who_leaves_in_the_middle_of_an_answer_is_told_apart() {
    let gate = gate_before("HTTP/1.1 200 OK\r\nx: hold\r\ncontent-length: 10\r\n\r\n0123").await;
    let mut body = gate.ask(get("/")).await.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!((first.data_ref().unwrap().len(), gate.lines()), (4, 0), "it is not over yet");
    let active = || gate.inbound.telemetry.metrics.render();
    assert!(active().contains(r#"http_server_active_requests{door="inbound"} 1"#));
    drop(body);
    let line = gate.last_line();
    assert_eq!((&line["end"], &line["reason"]), (&"client_gone".into(), &"ok".into()));
    assert_eq!((line["bytes_sent"].as_u64(), line["status"].as_u64()), (Some(4), Some(200)));
    assert!(active().contains(r#"http_server_active_requests{door="inbound"} 0"#));
}

#[tokio::test]
async fn the_bytes_of_a_request_are_counted_as_they_pass() {
    let gate = gate_before("HTTP/1.1 204 No Content\r\n\r\n").await;
    let arrival = Arrival { peer: None, tls: false, misdirected: false, at: Instant::now() };
    let body = Body::boxed(http_body_util::Full::new("0123456".into()));
    let request = Request::post("/").header("host", "api.test").body(body).unwrap();
    let answer = gate.inbound.answer(request, arrival).await;
    assert_eq!(answer.status(), 204);
    let line = gate.last_line();
    assert_eq!((line["bytes_received"].as_u64(), &line["bytes_sent"]), (Some(7), &Value::Null));
}

#[tokio::test]
async fn a_refusal_tells_how_long_its_own_answer_was() {
    let gate = Gate::before(1, |_| {});
    let answer = gate.ask(get("/")).await;
    let length = answer.into_body().collect().await.unwrap().to_bytes().len();
    let line = gate.last_line();
    assert_eq!((&line["reason"], line["bytes_sent"].as_u64()), (&"no_token".into(), Some(length as u64)));
}
