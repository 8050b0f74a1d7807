//! The one body type of Sidegate, in and out: streaming, with its length known whenever it can be.
//! Never knows what is in a body, and never reads more of one than it was asked to.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

/// What reading a body can fail with.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A request's or response's body. Where its length is known `size_hint` is exact, so that hyper writes
/// Content-Length instead of chunks.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    Incoming(Incoming),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body that is in memory as a whole.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Full(bytes)) }
    }

    /// Its bytes, where it is in memory as a whole.
    #[must_use]
    pub fn whole(&self) -> Option<Bytes> {
        match &self.0 {
            Kind::Empty => Some(Bytes::new()),
            Kind::Full(bytes) => Some(bytes.clone()),
            _ => None,
        }
    }

    /// A body that arrives over a connection.
    #[must_use]
    pub fn incoming(incoming: Incoming) -> Self {
        if incoming.is_end_stream() { Self::empty() } else { Self(Kind::Incoming(incoming)) }
    }

    /// Any other body.
    pub fn boxed<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Kind::Boxed(body.map_err(Into::into).boxed_unsync()))
    }

    /// A body that cannot be read, because of `why`.
    #[must_use]
    pub fn broken(why: &'static str) -> Self {
        Self::boxed(Broken(why))
    }

    /// The bytes, if they are in memory as a whole; else the body.
    pub fn into_memory(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Full(bytes) => Ok(bytes),
            streaming => Err(Self(streaming)),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let kind = &mut self.get_mut().0;
        match kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *kind = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::Incoming(incoming) => {
                Pin::new(incoming).poll_frame(cx).map(|frame| frame.map(|read| read.map_err(Into::into)))
            }
            Kind::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::Incoming(incoming) => incoming.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Incoming(incoming) => incoming.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

/// What a body yields when it is asked for its next frame.
pub type Polled = Poll<Option<Result<Frame<Bytes>, BoxError>>>;

/// Stands in a body's way: counts, limits, waits or filters what passes. How long the body is stays the body's to say.
pub trait Tap<B> {
    /// Asks `body` for its next frame, and says what becomes of that.
    fn poll(&mut self, body: Pin<&mut B>, cx: &mut Context<'_>) -> Polled;
}

/// A body with something in its way.
pub struct Tapped<B, T> {
    body: B,
    tap: T,
}

impl<B, T> Tapped<B, T> {
    /// Puts `tap` in the way of `body`.
    pub fn new(body: B, tap: T) -> Self {
        Self { body, tap }
    }
}

impl<B: HttpBody + Unpin, T: Tap<B> + Unpin> HttpBody for Tapped<B, T> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        this.tap.poll(Pin::new(&mut this.body), cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

struct Broken(&'static str);

impl HttpBody for Broken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(Some(Err(self.0.into())))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes may be anybody's secret: only the length is shown.
        f.debug_struct("Body").field("size", &self.size_hint()).finish()
    }
}

/// What bounded collecting found.
#[derive(Debug)]
pub enum Collected {
    /// All of it, and it is within the limit. Trailers are not kept.
    Whole(Bytes),
    /// It is longer than the limit: what was read stands again in front of the rest.
    TooLong(Body),
}

/// Reads a body of at most `limit` bytes; a longer one is handed back whole and streaming. A body that says
/// beforehand that it is too long is not read at all. Fails as reading the body fails.
pub async fn collect_within(mut body: Body, limit: usize) -> Result<Collected, BoxError> {
    if body.size_hint().lower() > limit as u64 {
        return Ok(Collected::TooLong(body));
    }
    let mut read = VecDeque::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length = length.saturating_add(data.len());
        read.push_back(data);
        if length > limit {
            return Ok(Collected::TooLong(Body::boxed(Rejoined { read, rest: body })));
        }
    }
    Ok(Collected::Whole(joined(read, length)))
}

fn joined(mut pieces: VecDeque<Bytes>, length: usize) -> Bytes {
    if pieces.len() <= 1 {
        return pieces.pop_front().unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(length);
    for piece in &pieces {
        whole.extend_from_slice(piece);
    }
    whole.freeze()
}

/// Pieces that were read, in front of the body they came from.
struct Rejoined {
    read: VecDeque<Bytes>,
    rest: Body,
}

impl HttpBody for Rejoined {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        match this.read.pop_front() {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|piece| piece.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

#[cfg(test)]
mod tests;
