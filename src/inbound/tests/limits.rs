use std::pin::Pin;
use std::task::{Context, Poll};

use super::*;
use crate::http::body::BoxError;

fn valid() -> String {
    token(json!({"id": "c-1"}))
}

fn told(answer: &Response<Body>) -> (u16, &str, Option<&str>) {
    let text = |name: &HeaderName| answer.headers().get(name).map(|value| value.to_str().unwrap());
    (answer.status().as_u16(), text(&REJECTION).unwrap_or_default(), text(&http::header::RETRY_AFTER))
}

/// An API that takes connections and never answers.
async fn silent() -> (u16, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (listener.local_addr().unwrap().port(), listener)
}

#[tokio::test]
async fn a_full_process_sheds_before_it_looks_at_a_token() {
    let (port, _api) = silent().await;
    let overload = Overload { max_requests: 1, retry_after: Duration::from_millis(1500) };
    let config = GateConfig { overload, ..GateConfig::default() };
    let gate = Arc::new(Gate::guarded(config, port, |_| {}));
    let first = gate.ask(get("/").header(TOKEN, valid()));
    tokio::select! {
        biased;
        _ = first => panic!("nobody answers"),
        () = async {
            while gate.ask(get("/").header(TOKEN, "garbage")).await.status() == 401 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    // Its caller left: the place is free again.
    assert_eq!(gate.ask(get("/").header(TOKEN, "garbage")).await.status(), 401);
    let line = gate.log.lock().unwrap().clone();
    let shed = String::from_utf8(line).unwrap();
    assert!(shed.contains(r#""status":503,"reason":"overloaded","blame":"us""#), "{shed}");
}

#[tokio::test]
async fn an_upstream_takes_so_many_requests_and_no_more() {
    let (port, _api) = silent().await;
    let gate = Gate::before(port, |upstream| upstream.limits.max_requests = Some(1));
    let first = gate.ask(get("/").header(TOKEN, valid()));
    tokio::pin!(first);
    let second = async {
        // The first is on its way once it was polled, which `biased` does.
        gate.ask(get("/").header(TOKEN, valid())).await
    };
    tokio::select! {
        biased;
        _ = &mut first => panic!("nobody answers"),
        answer = second => assert_eq!(told(&answer), (503, "overloaded", Some("1"))),
    }
}

#[tokio::test]
async fn a_customer_who_asks_too_often_is_told_when_to_come_again() {
    let limit = PerCustomer { rate: Some(1), burst: 2, concurrency: None };
    let gate = Gate::before(echo().await, |upstream| upstream.limits.per_customer = Some(limit));
    let at = Instant::now();
    let ask = |id: &str, at: Instant| {
        let request = get("/").header("host", "api.test").header(TOKEN, token(json!({"id": id})));
        gate.inbound.answer(request.body(Body::empty()).unwrap(), Arrival { at, ..arrival() })
    };
    assert_eq!(ask("anna", at).await.status(), 200);
    assert_eq!(ask("anna", at).await.status(), 200);
    assert_eq!(told(&ask("anna", at).await), (429, "rate_limited", Some("1")));
    assert_eq!(ask("bob", at).await.status(), 200);
    assert_eq!(ask("anna", at + Duration::from_secs(1)).await.status(), 200);
}

/// A body of so many pieces, of which nothing is known beforehand.
struct Unannounced(usize);

impl hyper::body::Body for Unannounced {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, BoxError>>> {
        let Some(left) = self.0.checked_sub(1) else { return Poll::Ready(None) };
        self.0 = left;
        Poll::Ready(Some(Ok(hyper::body::Frame::data("0123456789".into()))))
    }
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_before_anything_is_sent() {
    let gate = Gate::before(1, |upstream| upstream.limits.max_body_bytes = Some(9));
    let request = Request::post("/").header("host", "api.test").header(TOKEN, valid());
    let answer = gate.inbound.answer(request.body(Body::full("0123456789")).unwrap(), arrival()).await;
    assert_eq!(told(&answer), (413, "body_too_large", None));
    assert_eq!(answer.headers()["connection"], "close");
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_broken_off_and_never_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let api = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        // Broken off: a reset is as good as an end of the stream, but for the last chunk.
        let _ = socket.read_to_end(&mut all).await;
        String::from_utf8(all).unwrap()
    });
    let gate = Gate::before(port, |upstream| upstream.limits.max_body_bytes = Some(25));
    let request = Request::post("/").header("host", "api.test").header(TOKEN, valid());
    let answer = gate.inbound.answer(request.body(Body::boxed(Unannounced(3))).unwrap(), arrival()).await;
    assert_eq!(told(&answer), (413, "body_too_large", None));
    let got = api.await.unwrap();
    assert!(got.contains("transfer-encoding: chunked"), "{got}");
    assert!(!got.ends_with("0\r\n\r\n"), "the API must not take the piece for the whole: {got}");
}

#[tokio::test]
async fn a_body_within_the_limit_passes_whole() {
    let gate = Gate::before(echo().await, |upstream| upstream.limits.max_body_bytes = Some(10));
    let request = Request::post("/").header("host", "api.test").header(TOKEN, valid());
    let answer = gate.inbound.answer(request.body(Body::full("0123456789")).unwrap(), arrival()).await;
    assert_eq!(answer.status(), 200);
}
