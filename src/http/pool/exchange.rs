//! One request and the head of its response on one connection, within a time limit.
//! Never decides whether to try again.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::{Instant, timeout, timeout_at};

use super::{SendError, Sender};
use crate::http::body::{Body, BoxError};
use crate::http::moment::Moment;

/// How an attempt ended, short of an error.
pub(super) enum Attempt {
    /// With a response head; the connection is busy until the body has been read.
    Answered(Response<Incoming>, Sender),
    /// The connection was closed before any of the request was written.
    Unsent(Request<Body>),
}

/// Sends `request`. `limit` runs from the last piece of its body that was asked for, so that a long upload is not cut.
pub(super) async fn attempt(
    mut connection: Sender,
    mut request: Request<Body>,
    limit: Duration,
) -> Result<Attempt, SendError> {
    let progress = request.body().is_streaming().then(|| watch_upload(&mut request));
    let sent = connection.try_send_request(request);
    let answered = match progress {
        None => timeout(limit, sent).await.ok(),
        Some(progress) => while_moving(&progress, limit, sent).await,
    };
    match answered {
        None => Err(SendError::HeadTimeout),
        Some(Ok(response)) => Ok(Attempt::Answered(response, connection)),
        Some(Err(mut failed)) => match failed.take_message() {
            Some(unsent) => Ok(Attempt::Unsent(unsent)),
            None => Err(broken(failed.into_error())),
        },
    }
}

fn broken(error: hyper::Error) -> SendError {
    // hyper blames the user for what the request's body yields.
    if error.is_user() { SendError::RequestBody(error.into()) } else { SendError::Broken(error.into()) }
}

/// Waits for `sent` as long as `progress` was touched within `limit`.
async fn while_moving<F: Future>(progress: &Moment, limit: Duration, sent: F) -> Option<F::Output> {
    let mut sent = pin!(sent);
    loop {
        if let Ok(answered) = timeout_at(progress.plus(limit), sent.as_mut()).await {
            return Some(answered);
        }
        if progress.plus(limit) <= Instant::now() {
            return None;
        }
    }
}

fn watch_upload(request: &mut Request<Body>) -> Arc<Moment> {
    let progress = Arc::new(Moment::now());
    let body = std::mem::take(request.body_mut());
    *request.body_mut() = Body::boxed(Upload { body, progress: Arc::clone(&progress) });
    progress
}

/// A request body that notes when a piece of it passes.
struct Upload {
    body: Body,
    progress: Arc<Moment>,
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.progress.touch();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
