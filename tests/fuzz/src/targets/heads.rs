//! Request heads: bytes through a real server connection and strict admission.

use std::sync::{Arc, Mutex};

use http::request::Parts;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use sidegate::http::Body;
use sidegate::http::headers::{admit, host};
use sidegate::http::listener::{Arrival, Handler, Limits, converse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::paths::readings;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
}

/// Keeps the heads it is given, and reads the bodies to their ends.
#[derive(Default)]
struct Reader(Mutex<Vec<Parts>>);

impl Handler for Reader {
    async fn handle(&self, request: Request<Body>, _: Arrival) -> Response<Body> {
        let (head, body) = request.into_parts();
        self.0.lock().unwrap().push(head);
        let _ = body.collect().await;
        Response::new(Body::empty())
    }
}

/// Any bytes on a connection: every head that is admitted stands in them and can be read in one way only.
pub fn head(bytes: &[u8]) {
    let heads = RUNTIME.with(|runtime| runtime.block_on(served(bytes)));
    let mut rest = bytes;
    for head in heads {
        let Some(after) = judge(&head, rest) else { panic!("nobody sent {head:?}") };
        rest = after;
    }
}

/// The heads that the listener reads from these bytes.
async fn served(bytes: &[u8]) -> Vec<Parts> {
    let (mut caller, server) = tokio::io::duplex(bytes.len() + 1);
    caller.write_all(bytes).await.unwrap();
    caller.shutdown().await.unwrap();
    let reader = Arc::new(Reader::default());
    let (_, _) = tokio::join!(converse(Arc::clone(&reader), server, Limits::default()), async {
        let mut answers = Vec::new();
        caller.read_to_end(&mut answers).await
    });
    std::mem::take(&mut reader.0.lock().unwrap())
}

/// What follows the request line in `sent`, if there is one. What is admitted is then looked at closely.
fn judge<'b>(head: &Parts, sent: &'b [u8]) -> Option<&'b [u8]> {
    let method = head.method.as_str().as_bytes();
    let at = sent.windows(method.len()).position(|window| window == method)?;
    let after = &sent[at + method.len()..];
    if admit(head).is_err() {
        return Some(after);
    }
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).as_bytes();
    let is_sent =
        after.windows(target.len()).any(|window| window == target) || head.uri.authority().is_some();
    assert!(is_sent, "the target of {head:?} was never sent");
    assert!(target.is_ascii());
    let names = |name: &str| head.headers.get_all(name).iter().count();
    assert!(
        names("host") == 1 && names("transfer-encoding") <= 1 && names("content-length") <= 1,
        "{head:?}"
    );
    let host = host(head).unwrap();
    assert!(host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte)), "{host}");
    for reading in readings(head.uri.path()) {
        let is_plain = |part: &str| !matches!(part, "." | "..") && !part.contains(['\\', '\0']);
        assert!(reading.split('/').all(is_plain), "{} read as {reading}", head.uri);
    }
    Some(after)
}
