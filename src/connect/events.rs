//! How requests to connect ended, told to whoever waits for it: server-sent events.
//! Never holds a secret, and never more requests than it was told to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use http_body_util::channel::{Channel, Sender};
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Connect;
use super::ask::Visit;
use super::rejection::Rejection;
use super::seen::Seen;
use crate::http::listener::Arrival;
use crate::http::{Body, BoxError};
use crate::names::Owner;

/// How many requests are remembered, and for how long: whoever waits has opened a window a moment ago.
const REMEMBERED: u64 = 10_000;
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How many browsers may wait at once.
const WAITING: usize = 2_000;
/// How often a waiting browser, and what stands between, is told that we are still there.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// How long a request's name is that cannot be guessed; the SDKs make them of 22 letters and digits.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;

/// The end of a request: whose it was, and the message.
type End = (Option<Owner>, Bytes);

/// Requests to connect that somebody waits for, or that have ended.
pub(super) struct Events {
    requests: Cache<String, Arc<watch::Sender<Option<End>>>>,
    places: Arc<Semaphore>,
    leaving: CancellationToken,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            requests: Cache::builder().max_capacity(REMEMBERED).time_to_live(LIFETIME).build(),
            places: Arc::new(Semaphore::new(WAITING)),
            leaving: CancellationToken::new(),
        }
    }
}

impl Events {
    /// Tells how a request ended; who comes later to ask is told too.
    pub(super) fn tell(&self, request: &str, owner: Option<Owner>, message: Bytes) {
        if LENGTHS.contains(&request.len()) {
            self.of(request).send_replace(Some((owner, message)));
        }
    }

    /// Ends every stream.
    pub(super) fn end(&self) {
        self.leaving.cancel();
    }

    fn of(&self, request: &str) -> Arc<watch::Sender<Option<End>>> {
        self.requests.get_with_by_ref(request, || Arc::new(watch::Sender::new(None)))
    }

    /// A stream that ends with the request's end.
    fn stream(&self, request: &str, asker: Option<Owner>) -> Result<Body, Rejection> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Rejection::TooManyWaiting)?;
        let (sender, body) = Channel::<Bytes, BoxError>::new(1);
        let waiting = Waiting { sender, asker, leaving: self.leaving.clone(), _place: place };
        tokio::spawn(waiting.serve(self.of(request).subscribe()));
        Ok(Body::boxed(body))
    }
}

/// One browser that waits.
struct Waiting {
    sender: Sender<Bytes, BoxError>,
    /// Who it says it is, if it says so: then it is told of its own requests only.
    asker: Option<Owner>,
    leaving: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Waiting {
    async fn serve(mut self, mut request: watch::Receiver<Option<End>>) {
        let last = Instant::now() + LIFETIME;
        while request.borrow().is_none() {
            tokio::select! {
                changed = request.changed() => if changed.is_err() { return },
                () = self.leaving.cancelled() => return,
                () = sleep_until(last) => return,
                () = sleep(SIGN_OF_LIFE) => {
                    if self.sender.send_data(Bytes::from_static(b":\n\n")).await.is_err() {
                        return;
                    }
                }
            }
        }
        let end = request.borrow().clone();
        let told = end.filter(|(owner, _)| self.asker.is_none() || self.asker == *owner);
        if let Some((_, message)) = told {
            // Who has left in the meantime needs no message.
            let _ = self.sender.send_data(event(&message)).await;
        }
    }
}

/// A message, which is JSON and so has no line end in it, as an event.
fn event(message: &Bytes) -> Bytes {
    [b"data: ".as_slice(), message, b"\n\n"].concat().into()
}

impl Connect {
    /// `GET /sse/connection-events/{requestId}`; a token is not needed, for a request's name cannot be guessed.
    pub(super) async fn follow(
        &self,
        head: &Parts,
        request: &str,
        arrival: Arrival,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        if head.method != Method::GET {
            return Err(Rejection::MethodNotAllowed { allow: "GET" });
        }
        if !LENGTHS.contains(&request.len()) {
            return Err(Rejection::UnsafeRequestId);
        }
        let visit = Visit::read(head, Body::empty(), arrival).await?;
        let asker = match visit.wish.token() {
            Some(token) => self.caller(Some(token), seen).await?.owner(),
            None => None,
        };
        self.tell_stored(request, &visit).await?;
        let mut answer = Response::new(self.events.stream(request, asker)?);
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        self.api.reader(&head.headers).mark(answer.headers_mut());
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const REQUEST: &str = "0123456789abcdefghijkl";

    fn owner(customer: &str) -> Owner {
        Owner { workspace: "acme".into(), customer: customer.into() }
    }

    async fn read(body: Body) -> String {
        String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn who_waits_is_told_and_who_comes_later_too() {
        let events = Events::default();
        let early = events.stream(REQUEST, None).unwrap();
        events.tell(REQUEST, Some(owner("ada")), Bytes::from_static(b"{\"a\":1}"));
        assert_eq!(read(early).await, "data: {\"a\":1}\n\n");
        assert_eq!(read(events.stream(REQUEST, None).unwrap()).await, "data: {\"a\":1}\n\n");
        assert_eq!(read(events.stream(REQUEST, Some(owner("ada"))).unwrap()).await, "data: {\"a\":1}\n\n");
    }

    #[tokio::test]
    async fn who_says_who_it_is_is_told_of_its_own_requests_only() {
        let events = Events::default();
        events.tell(REQUEST, Some(owner("ada")), Bytes::from_static(b"{}"));
        assert_eq!(read(events.stream(REQUEST, Some(owner("eve"))).unwrap()).await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_browser_gets_signs_of_life_until_its_time_is_over() {
        let text = read(Events::default().stream(REQUEST, None).unwrap()).await;
        assert!(text.starts_with(":\n\n:\n\n") && text.len() >= 50 * 3, "{text:?}");
    }

    #[tokio::test]
    async fn a_stop_ends_every_stream_and_places_are_limited() {
        let events = Events::default();
        let streams: Vec<_> = (0..WAITING).map(|_| events.stream(REQUEST, None).unwrap()).collect();
        assert!(matches!(events.stream(REQUEST, None), Err(Rejection::TooManyWaiting)));
        events.end();
        for stream in streams {
            assert_eq!(read(stream).await, "");
        }
        // The last one gives its place back when its task is gone.
        while events.stream(REQUEST, None).is_err() {
            tokio::task::yield_now().await;
        }
    }
}
