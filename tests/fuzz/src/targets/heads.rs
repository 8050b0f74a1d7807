//! Request heads: bytes through a real server connection and strict admission.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use http::request::Parts;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use sidegate::http::headers::{admit, host};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::paths::readings;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
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

/// The heads that a server reads from these bytes, bodies read to their ends.
async fn served(bytes: &[u8]) -> Vec<Parts> {
    let (mut caller, server) = tokio::io::duplex(bytes.len() + 1);
    caller.write_all(bytes).await.unwrap();
    caller.shutdown().await.unwrap();
    let heads = Rc::new(RefCell::new(Vec::new()));
    let service = service_fn(|request: Request<Incoming>| {
        let heads = Rc::clone(&heads);
        async move {
            let (head, body) = request.into_parts();
            heads.borrow_mut().push(head);
            let _ = body.collect().await;
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    let mut http = Builder::new();
    http.header_read_timeout(None).half_close(true).max_headers(100);
    let serving = http.serve_connection(TokioIo::new(server), service);
    let (_, _) = tokio::join!(serving, async {
        let mut answers = Vec::new();
        caller.read_to_end(&mut answers).await
    });
    heads.take()
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
