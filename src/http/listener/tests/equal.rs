//! The same bytes mean the same requests, however they arrive, and what hyper's server makes of them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;

use super::*;
use crate::http::testing::Played;
use crate::http::testing::generated::{cut, pairs, run, said};

/// A request as its handler saw it: its line, its headers, its body with its trailers unless that was broken.
type Seen = (String, Vec<(String, String)>, Option<(String, Vec<(String, String)>)>);

async fn seen<B>(request: Request<B>) -> Seen
where
    B: hyper::body::Body<Data = Bytes>,
{
    let (head, body) = request.into_parts();
    let line = format!("{} {} {:?}", head.method, head.uri, head.version);
    let body = body.collect().await.ok().map(|body| {
        let trailers = body.trailers().map(pairs).unwrap_or_default();
        (String::from_utf8_lossy(&body.to_bytes()).into_owned(), trailers)
    });
    (line, pairs(&head.headers), body)
}

/// Remembers what it was asked, and answers by path.
#[derive(Default)]
struct Recorder(Mutex<Vec<Seen>>);

impl Recorder {
    async fn answer<B: hyper::body::Body<Data = Bytes>>(&self, request: Request<B>) -> Response<Body> {
        let is_streamed = request.uri().path() == "/b";
        let seen = seen(request).await;
        self.0.lock().unwrap().push(seen);
        let mut response = if is_streamed {
            Response::new(Body::boxed(Pieces(["one", "two"].into())))
        } else {
            Response::new(Body::full("ok"))
        };
        response.headers_mut().insert("date", http::HeaderValue::from_static("today"));
        response
    }
}

/// A body whose length nobody knows.
struct Pieces(VecDeque<&'static str>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        let piece =
            self.0.pop_front().map(|piece| hyper::body::Frame::data(Bytes::from_static(piece.as_bytes())));
        Poll::Ready(piece.map(Ok))
    }
}

impl Handler for Recorder {
    async fn handle(&self, request: Request<Body>, _: Arrival) -> Response<Body> {
        self.answer(request).await
    }
}

/// What was asked, and what was answered.
type Outcome = (Vec<Seen>, String);

fn ours(reads: impl IntoIterator<Item = Vec<u8>>) -> Outcome {
    let (recorder, played) = (Arc::new(Recorder::default()), Played::new(reads, true));
    let answers = played.seen();
    run(soon(converse(Arc::clone(&recorder), played, Limits::default())));
    let answers = String::from_utf8_lossy(&answers.lock().unwrap()).into_owned();
    (std::mem::take(&mut recorder.0.lock().unwrap()), answers)
}

fn hypers(said: Vec<u8>) -> Outcome {
    let (recorder, played) = (Arc::new(Recorder::default()), Played::new([said], true));
    let answers = played.seen();
    let service = service_fn(|request: Request<Incoming>| {
        let recorder = Arc::clone(&recorder);
        async move { Ok::<_, std::convert::Infallible>(recorder.answer(request).await) }
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .serve_connection(TokioIo::new(played), service);
    run(soon(serving)).ok();
    let answers = String::from_utf8_lossy(&answers.lock().unwrap()).into_owned();
    (std::mem::take(&mut recorder.0.lock().unwrap()), answers)
}

/// A request as a client may write it.
fn valid() -> impl Strategy<Value = String> {
    let method = prop_oneof![4 => Just("GET"), 3 => Just("POST"), 1 => Just("HEAD"), 1 => Just("OPTIONS"), 1 => Just("X-Y")];
    let target =
        prop_oneof![4 => Just("/a"), 2 => Just("/b"), 1 => Just("/c?d=%20e"), 1 => Just("http://a.test/f")];
    let version = prop_oneof![5 => Just("1.1"), 1 => Just("1.0")];
    let connection = prop_oneof![
        6 => Just(""),
        1 => Just("connection: close\r\n"),
        1 => Just("Connection: Keep-Alive\r\n"),
        1 => Just("connection: x, close\r\n"),
    ];
    let fields = prop::collection::vec("x-[a-z]{1,8}: ([!-~]([ -~]{0,20}[!-~])?)?\r\n", 0..6);
    let body = prop::collection::vec("[ -~\r\n]{1,40}", 0..4);
    let te = prop_oneof![3 => Just(""), 1 => Just("te: trailers\r\n")];
    let chunked = any::<bool>();
    (method, target, version, connection, te, fields, body, chunked).prop_map(
        |(method, target, version, connection, te, fields, body, chunked)| {
            // hyper says that a connection is kept whose end is that of the answer.
            let target = if version == "1.0" { "/a" } else { target };
            let head = format!(
                "{method} {target} HTTP/{version}\r\nhost: a.test\r\n{connection}{te}{}",
                fields.concat()
            );
            let whole = body.concat();
            if chunked && version == "1.1" {
                let chunks: String =
                    body.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
                format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\nx-sum: 1\r\n\r\n")
            } else if whole.is_empty() {
                format!("{head}\r\n")
            } else {
                format!("{head}content-length: {}\r\n\r\n{whole}", whole.len())
            }
        },
    )
}

/// Bytes that are requests, or nearly.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        6 => Just("POST /a HTTP/1.1\r\nhost: a\r\n"),
        2 => Just("GET /b HTTP/1.1\r\nhost: a\r\n"),
        1 => Just("\r\n\r\nGET / HTTP/1.1\r\n"),
        1 => Just("GET / HTTP/1.0\r\n"),
        1 => Just("GET /#a HTTP/1.1\r\n"),
        1 => Just("GET / HT"),
    ];
    said(start, "GET /c HTTP/1.1\r\nhost: a\r\n\r\n")
}

/// The lines of answers, in an order that does not depend on how a head is written.
fn lines(answers: &str) -> Vec<&str> {
    let mut lines: Vec<_> = answers.split("\r\n").collect();
    lines.sort_unstable();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn h30_however_requests_are_cut_they_are_the_same(
        said in requests(),
        places in prop::collection::vec(any::<u16>(), 0..8),
    ) {
        // Whether what breaks off is malformed before it does depends on when it is looked at.
        let meant = |(seen, answers): Outcome| (seen, answers.split("HTTP/1.1 400").next().map(str::to_owned));
        let whole = meant(ours([said.clone()]));
        prop_assert_eq!(&whole, &meant(ours(said.chunks(1).map(<[u8]>::to_vec))));
        prop_assert_eq!(&whole, &meant(ours(cut(&said, &places))));
    }

    #[test]
    fn h30_hyper_reads_what_is_valid_in_the_same_way(requests in prop::collection::vec(valid(), 1..4)) {
        let said = requests.concat().into_bytes();
        let (ours, hypers) = (ours([said.clone()]), hypers(said));
        prop_assert_eq!(&ours.0, &hypers.0);
        prop_assert_eq!(lines(&ours.1), lines(&hypers.1));
    }
}
