//! HTTP/2, by ALPN and by prior knowledge, with hyper's own client.

use http_body_util::{BodyExt as _, Empty, Full, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

type Sending = http_body_util::combinators::UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// A client, and its connection's end.
async fn client_over<S>(stream: S) -> (SendRequest<Sending>, JoinHandle<hyper::Result<()>>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    (sender, tokio::spawn(connection))
}

async fn client_of(running: &Running) -> (SendRequest<Sending>, JoinHandle<hyper::Result<()>>) {
    client_over(running.connect().await.stream).await
}

fn get(path: &str) -> Request<Sending> {
    Request::get(format!("http://a.test{path}")).body(Empty::new().boxed_unsync()).unwrap()
}

/// Asks until GOAWAY has come.
async fn nothing_new_is_taken(client: &mut SendRequest<Sending>) {
    while soon(client.send_request(get("/"))).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    let body = soon(response.into_body().collect()).await.unwrap().to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

#[tokio::test]
async fn prior_knowledge_serves_requests_side_by_side() {
    let running = run(&config());
    let (mut client, _) = client_of(&running).await;
    let held = client.send_request(get("/held"));
    let held = tokio::spawn(held);
    soon(running.handler.held.notified()).await;
    let others = [client.send_request(get("/")), client.send_request(get("/arrival"))];
    let [first, second] = others.map(tokio::spawn);
    assert_eq!(text(soon(first).await.unwrap().unwrap()).await, "ok");
    assert_eq!(text(soon(second).await.unwrap().unwrap()).await, "true false");
    running.handler.go_on.notify_one();
    assert_eq!(text(soon(held).await.unwrap().unwrap()).await, "held");
}

#[tokio::test]
async fn alpn_chooses_between_the_versions() {
    let running = run(&Config { tls: Some(server_files()), ..config() });
    let trusting = ClientTls { ca: Some(vector("ca.pem")), ..ClientTls::default() };
    for (protocols, is_2) in [(vec!["h2", "http/1.1"], true), (vec!["http/1.1"], false), (vec![], false)] {
        let mut settings = client(&trusting).unwrap().as_ref().clone();
        settings.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let stream = running.connect().await.stream;
        let stream = TlsConnector::from(Arc::new(settings)).connect(name, stream).await.unwrap();
        if is_2 {
            let (mut client, _) = client_over(stream).await;
            assert_eq!(text(soon(client.send_request(get("/arrival"))).await.unwrap()).await, "true true");
        } else {
            assert_eq!(ask(&mut Peer::new(stream), "/arrival").await, "true true");
        }
    }
}

#[tokio::test]
async fn bodies_and_trailers_pass_both_ways() {
    let running = run(&config());
    let (mut client, _) = client_of(&running).await;
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let frames = [Frame::data(Bytes::from("abc")), Frame::trailers(trailers.clone())];
    let body = StreamBody::new(futures(frames)).boxed_unsync();
    let response = client.send_request(Request::post("http://a.test/echo").body(body).unwrap());
    let answered = soon(soon(response).await.unwrap().into_body().collect()).await.unwrap();
    assert_eq!(answered.trailers(), Some(&trailers));
    assert_eq!(answered.to_bytes(), "abc");
}

/// A stream of these frames.
fn futures(frames: [Frame<Bytes>; 2]) -> Frames {
    Frames(frames.into_iter())
}

struct Frames(std::array::IntoIter<Frame<Bytes>, 2>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, std::convert::Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

#[tokio::test]
async fn h15_too_many_headers_are_431() {
    let running = run(&config());
    let (mut client, _) = client_of(&running).await;
    for (count, status) in [(99, 200), (100, 431)] {
        let mut request = get("/");
        for _ in 0..count {
            request.headers_mut().append("x", "y".parse().unwrap());
        }
        let response = soon(client.send_request(request)).await.unwrap();
        assert_eq!(response.status(), status, "{count} and host");
    }
}

#[tokio::test]
async fn a_panic_ends_its_request_and_no_other() {
    let running = run(&config());
    let (mut client, _) = client_of(&running).await;
    assert!(soon(client.send_request(get("/panic"))).await.is_err());
    assert_eq!(text(soon(client.send_request(get("/"))).await.unwrap()).await, "ok");
}

#[tokio::test]
async fn a_client_that_gives_up_cancels_its_request() {
    let running = run(&config());
    let (mut client, _) = client_of(&running).await;
    let held = tokio::spawn(client.send_request(get("/held")));
    soon(running.handler.held.notified()).await;
    held.abort();
    soon(running.handler.given_up.notified()).await;
    assert_eq!(text(soon(client.send_request(get("/"))).await.unwrap()).await, "ok");
}

#[tokio::test]
async fn a_graceful_stop_finishes_what_is_in_flight_and_a_hard_one_waits_for_nobody() {
    let running = run(&config());
    let (mut client, connection) = client_of(&running).await;
    let held = tokio::spawn(client.send_request(get("/held")));
    soon(running.handler.held.notified()).await;
    running.stop.cancel();
    nothing_new_is_taken(&mut client).await;
    assert!(!running.task.is_finished());
    running.handler.go_on.notify_one();
    assert_eq!(text(soon(held).await.unwrap().unwrap()).await, "held");
    soon(connection).await.unwrap().unwrap();
    soon(running.task).await.unwrap().unwrap();

    let running = run(&config());
    let (mut client, _connection) = client_of(&running).await;
    let held = tokio::spawn(client.send_request(get("/held")));
    soon(running.handler.held.notified()).await;
    running.hard_stop.cancel();
    soon(running.task).await.unwrap().unwrap();
    assert!(soon(held).await.unwrap().is_err());
    soon(running.handler.given_up.notified()).await;
}

#[tokio::test]
async fn h35_silence_and_idleness_are_closed_in_time() {
    let running = run(&with_limits(|limits| {
        limits.request_head = Duration::from_millis(100);
        limits.keep_alive = Duration::from_millis(300);
    }));
    let mut silent = running.connect().await;
    silent.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    silent.rest().await;
    let (mut client, connection) = client_of(&running).await;
    assert_eq!(text(soon(client.send_request(get("/"))).await.unwrap()).await, "ok");
    let ended = soon(connection).await.unwrap();
    assert!(ended.is_ok() || client.ready().await.is_err(), "{ended:?}");
}

#[tokio::test]
async fn h35_a_stream_nobody_reads_is_closed_and_a_slow_one_is_not() {
    let running = run(&with_limits(|limits| limits.stream_idle = Duration::from_millis(250)));
    let (mut client, _) = client_of(&running).await;
    let mut body = soon(client.send_request(get("/large"))).await.unwrap().into_body();
    let mut length = 0;
    while length < LARGE / 16 {
        length += soon(body.frame()).await.unwrap().unwrap().into_data().unwrap().len();
        if length % (1024 * 1024) < 16 * 1024 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(1000)).await;
    let rest = soon(body.collect()).await;
    assert!(rest.is_err(), "nobody read for so long, and it came to its end all the same");
}

#[tokio::test]
async fn h35_a_stream_nobody_reads_is_ended_though_its_connection_is_busy() {
    // Long enough that a busy machine is not taken for a client that does nothing at all.
    const IDLE: Duration = Duration::from_secs(1);
    let running = run(&with_limits(|limits| limits.stream_idle = IDLE));
    let (mut client, _) = client_of(&running).await;
    let unread = soon(client.send_request(get("/large"))).await.unwrap().into_body();
    let begin = Instant::now();
    while begin.elapsed() < 2 * IDLE {
        assert_eq!(text(soon(client.send_request(get("/"))).await.unwrap()).await, "ok");
    }
    let error = soon(unread.collect()).await.unwrap_err();
    assert!(format!("{error:?}").contains("CANCEL"), "{error:?}");
    assert_eq!(text(soon(client.send_request(get("/"))).await.unwrap()).await, "ok");
}

#[tokio::test]
async fn a_connection_that_has_reached_its_age_finishes_what_it_began() {
    let running = run(&with_limits(|limits| limits.max_connection_age = Some(Duration::from_millis(100))));
    let (mut client, connection) = client_of(&running).await;
    let held = tokio::spawn(client.send_request(get("/held")));
    soon(running.handler.held.notified()).await;
    nothing_new_is_taken(&mut client).await;
    running.handler.go_on.notify_one();
    assert_eq!(text(soon(held).await.unwrap().unwrap()).await, "held");
    soon(connection).await.unwrap().unwrap();

    let mut older = running.connect().await;
    assert_eq!(ask(&mut older, "/").await, "ok");
    assert_eq!(older.rest().await, "", "between requests it is closed at once");
    let mut busy = running.connect().await;
    busy.say("GET /held HTTP/1.1\r\nhost: a\r\n\r\n").await;
    soon(running.handler.held.notified()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.handler.go_on.notify_one();
    assert!(busy.rest().await.contains("connection: close\r\n"));
}

#[tokio::test]
async fn h35_a_body_that_stalls_or_drips_fails_and_a_steady_one_does_not() {
    let running = run(&with_limits(|limits| limits.body_idle = Duration::from_millis(200)));
    let mut stalled = running.connect().await;
    stalled.say("PUT /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n1").await;
    assert!(stalled.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 "));
    assert!(stalled.rest().await.starts_with("no byte of the request's body came within 200ms"));
    let mut steady = running.connect().await;
    steady.say("PUT /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n").await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        steady.say("1").await;
    }
    steady.until("8 bytes").await;
    let (mut client, _) = client_of(&running).await;
    let endless = StreamBody::new(Never).boxed_unsync();
    let response = client.send_request(Request::post("http://a.test/whole").body(endless).unwrap());
    let told = text(soon(response).await.unwrap()).await;
    assert!(told.starts_with("no byte of the request's body"), "{told}");
    let full = Full::new(Bytes::from("8 bytes!")).boxed_unsync();
    let response = client.send_request(Request::post("http://a.test/whole").body(full).unwrap());
    assert_eq!(text(soon(response).await.unwrap()).await, "8 bytes");
}

/// A stream that never brings anything.
struct Never;

impl futures_core::Stream for Never {
    type Item = Result<Frame<Bytes>, std::convert::Infallible>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Pending
    }
}

#[tokio::test(start_paused = true)]
async fn h35_a_body_below_the_lowest_rate_fails_once_a_rate_shows() {
    let running = run(&with_limits(|limits| limits.min_body_rate = 100));
    let mut slow = running.connect().await;
    slow.say("PUT /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n").await;
    let dripping = async {
        while tokio::io::AsyncWriteExt::write_all(&mut slow.stream, b"12345").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let begun = tokio::time::Instant::now();
    tokio::select! {
        () = dripping => {}
        () = running.handler.given_up.notified() => {}
    }
    assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(slow.rest().await.contains("slower than 100 bytes a second"));
}
