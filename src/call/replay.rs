//! A second attempt: whether a response asks for one, and the request's body kept for it.
//! Never gets newer credentials, and never sends.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Response};
use hyper::body::{Body as _, Frame};
use zeroize::Zeroizing;

use super::CallError;
use crate::connector::{ApiClient, Reply, Staleness};
use crate::formula::Value;
use crate::http::Body;
use crate::http::body::{Collected, Polled, Tap, Tapped, collect_within};

/// A body that is kept to be sent again.
pub(super) enum Copy {
    /// It is at hand.
    Whole(Bytes),
    /// It is noted while it is sent.
    Noted(Arc<Mutex<Notes>>),
}

impl Copy {
    /// The body again, if all of it was sent and it is short enough.
    pub(super) fn again(self) -> Option<Body> {
        match self {
            Self::Whole(bytes) => Some(Body::full(bytes)),
            Self::Noted(notes) => lock(&notes).whole().map(Body::full),
        }
    }
}

/// The body to send first, and its copy if it is at most `limit` bytes long; a longer one streams on, and exists once. One
/// whose length is not known is sent as it comes, for it may be a conversation that waits for the answer (gRPC), unless it
/// must be there `whole` before anything is sent.
pub(super) async fn keep(body: Body, limit: usize, whole: bool) -> Result<(Body, Option<Copy>), CallError> {
    if body.size_hint().exact().is_none() && !whole {
        let notes = Arc::<Mutex<Notes>>::default();
        let body = Tapped::new(body, Noting { notes: Arc::clone(&notes), limit });
        return Ok((Body::boxed(body), Some(Copy::Noted(notes))));
    }
    match collect_within(body, limit).await.map_err(CallError::RequestBody)? {
        Collected::Whole(bytes) => Ok((Body::full(bytes.clone()), Some(Copy::Whole(bytes)))),
        Collected::TooLong(body) => Ok((body, None)),
    }
}

/// What was sent of a body so far.
#[derive(Default)]
pub(super) struct Notes {
    pieces: Vec<Bytes>,
    length: usize,
    has_ended: bool,
    /// It cannot be had again: it was too long, broke off, or had trailers.
    is_lost: bool,
}

impl Notes {
    fn note(&mut self, frame: &Frame<Bytes>, limit: usize) {
        let data = frame.data_ref().filter(|data| self.length + data.len() <= limit);
        match data {
            Some(data) if !self.is_lost => {
                self.length += data.len();
                self.pieces.push(data.clone());
            }
            _ => self.lose(),
        }
    }

    fn lose(&mut self) {
        self.is_lost = true;
        self.pieces = Vec::new();
    }

    fn whole(&self) -> Option<Vec<u8>> {
        (self.has_ended && !self.is_lost).then(|| self.pieces.concat())
    }
}

/// Notes what passes.
struct Noting {
    notes: Arc<Mutex<Notes>>,
    limit: usize,
}

impl Tap<Body> for Noting {
    fn poll(&mut self, mut body: Pin<&mut Body>, cx: &mut Context<'_>) -> Polled {
        let polled = body.as_mut().poll_frame(cx);
        let mut notes = lock(&self.notes);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => notes.note(frame, self.limit),
            Poll::Ready(Some(Err(_))) => notes.lose(),
            Poll::Ready(None) | Poll::Pending => {}
        }
        // Who has seen the end in this way does not ask again.
        notes.has_ended |= matches!(polled, Poll::Ready(None)) || body.is_end_stream();
        polled
    }
}

/// Nothing can panic while the lock is held.
fn lock(notes: &Mutex<Notes>) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How much of a response is read for the handlers that want its body; what is longer streams on unread.
const READ_AT_MOST: usize = 64 * 1024;

/// The response, and its body for the connector's response handlers where they read it: JSON that is short. Any other
/// streams.
pub(super) async fn read(
    client: &ApiClient,
    response: Response<Body>,
) -> Result<(Response<Body>, Option<Zeroizing<Value>>), CallError> {
    let wanted = client.response_handlers.read_bodies() && is_json(response.headers());
    if !wanted {
        return Ok((response, None));
    }
    let (head, body) = response.into_parts();
    let (body, data) = match collect_within(body, READ_AT_MOST).await.map_err(CallError::ResponseBody)? {
        Collected::Whole(bytes) => {
            let data = serde_json::from_slice(&bytes).ok().map(Zeroizing::new);
            (Body::full(bytes), data)
        }
        Collected::TooLong(body) => (body, None),
    };
    Ok((Response::from_parts(head, body), data))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// What a response says of the credentials. A 401 that names a missing scope (RFC 6750 section 3.1) would come again with
/// any token of this grant, so it refreshes nothing.
pub(super) fn staleness(client: &ApiClient, response: &Response<Body>, data: Option<&Value>) -> Staleness {
    let reply = Reply { status: response.status(), headers: response.headers(), data };
    match client.staleness(&reply) {
        Staleness::AccessTokenExpired if lacks_scope(response.headers()) => Staleness::Fine,
        staleness => staleness,
    }
}

fn lacks_scope(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter();
    challenges.filter_map(|challenge| challenge.to_str().ok()).any(|text| text.contains("insufficient_scope"))
}
