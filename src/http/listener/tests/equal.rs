//! The same bytes mean the same requests, however they arrive, and what hyper's server makes of them.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;

/// A client that says one piece for each read, and leaves then.
struct Played {
    reads: VecDeque<Vec<u8>>,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Played {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut read) = self.reads.pop_front() else { return Poll::Ready(Ok(())) };
        let rest = read.split_off(read.len().min(buffer.remaining()));
        buffer.put_slice(&read);
        if !rest.is_empty() {
            self.reads.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Played {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.seen.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A request as its handler saw it: its line, its headers, its body with its trailers unless that was broken.
type Seen = (String, Vec<(String, String)>, Option<(String, Vec<(String, String)>)>);

fn pairs(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}

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

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn ours(reads: impl IntoIterator<Item = Vec<u8>>) -> Outcome {
    let (recorder, answers) = (Arc::new(Recorder::default()), Arc::default());
    let reads = reads.into_iter().filter(|read| !read.is_empty()).collect();
    let played = Played { reads, seen: Arc::clone(&answers) };
    run(soon(converse(Arc::clone(&recorder), played, Limits::default())));
    let answers = String::from_utf8_lossy(&answers.lock().unwrap()).into_owned();
    (std::mem::take(&mut recorder.0.lock().unwrap()), answers)
}

fn hypers(said: Vec<u8>) -> Outcome {
    let (recorder, answers) = (Arc::new(Recorder::default()), Arc::default());
    let played = Played { reads: [said].into(), seen: Arc::clone(&answers) };
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
fn said() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        6 => Just("POST /a HTTP/1.1\r\nhost: a\r\n"),
        2 => Just("GET /b HTTP/1.1\r\nhost: a\r\n"),
        1 => Just("\r\n\r\nGET / HTTP/1.1\r\n"),
        1 => Just("GET / HTTP/1.0\r\n"),
        1 => Just("GET /#a HTTP/1.1\r\n"),
        1 => Just("GET / HT"),
    ];
    let field = prop_oneof![
        4 => Just("transfer-encoding: chunked\r\n".to_owned()),
        4 => (0..20_u8).prop_map(|length| format!("Content-Length: {length}\r\n")),
        1 => Just("connection: close\r\n".to_owned()),
        2 => "[a-z]{1,9}: [ -~]{0,12}\r\n",
        1 => Just("x: y\n".to_owned()),
        1 => Just(" fold\r\n".to_owned()),
    ];
    let piece = prop_oneof![
        6 => "[a-z]{1,15}".prop_map(|data| format!("{:x}\r\n{data}\r\n", data.len())),
        3 => Just("0\r\n\r\n".to_owned()),
        1 => Just("0\r\nx-sum: 1\r\n\r\n".to_owned()),
        1 => Just("3;a=b\r\nxyz\r\n".to_owned()),
        2 => Just("GET /c HTTP/1.1\r\nhost: a\r\n\r\n".to_owned()),
        2 => "[a-z0-9\r\n]{1,12}",
    ];
    (start, prop::collection::vec(field, 0..3), prop::collection::vec(piece, 0..5)).prop_map(
        |(start, fields, pieces)| format!("{start}{}\r\n{}", fields.concat(), pieces.concat()).into_bytes(),
    )
}

/// `said`, cut at places that are fractions of its length.
fn cut(said: &[u8], places: &[u16]) -> Vec<Vec<u8>> {
    let mut places: Vec<_> =
        places.iter().map(|place| usize::from(*place) * said.len() / usize::from(u16::MAX)).collect();
    places.extend([0, said.len()]);
    places.sort_unstable();
    places.windows(2).map(|ends| said[ends[0]..ends[1]].to_vec()).collect()
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
        said in said(),
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
