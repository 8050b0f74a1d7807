//! A message on its way out: head and first piece in one write, then piece by piece.
//! Never sends more or less than the head promised, and never takes a piece before the last one is gone.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName};
use hyper::body::Body as _;
use tokio::io::AsyncWrite;

use super::trailers::keep_harmless;
use super::write_field;
use crate::http::body::{Body, BoxError};

/// How much of a body is copied behind its head, so that one buffer is sent: less work than two.
const COPIED: usize = 4 * 1024;

/// How a body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    Close,
}

/// What sending fails with.
#[derive(Debug)]
pub(in crate::http) enum OutgoingError {
    /// The body broke off, or is not as long as it said.
    Body(BoxError),
    /// The peer does not take it.
    Write(io::Error),
}

/// A message and how much of it has gone.
pub(in crate::http) struct Outgoing {
    /// What goes before the data: at first the head, then the size of a chunk.
    lead: Vec<u8>,
    data: Bytes,
    trail: &'static [u8],
    /// How much of the three has been written.
    sent: usize,
    /// What else is to come; none once everything is in the three above.
    body: Option<Body>,
    framing: Framing,
    /// Names that a trailer must not have; none where no trailers are taken.
    trailers: Option<Arc<[HeaderName]>>,
    /// The body is not asked for before the peer, or a time limit, says so.
    waits: bool,
    /// The first piece has a second chance to leave together with the head.
    lingers: bool,
    written: bool,
    streams: bool,
    moved: bool,
}

impl Outgoing {
    /// A message with this head, which announces a body so framed. Its trailers stay behind.
    pub(in crate::http) fn new(head: Vec<u8>, body: Body, framing: Framing) -> Self {
        let (mut lead, mut data, mut streaming) = (head, Bytes::new(), None);
        match body.into_memory() {
            Ok(bytes) if bytes.len() <= COPIED => lead.extend_from_slice(&bytes),
            Ok(bytes) => data = bytes,
            Err(body) => streaming = Some(body),
        }
        Self {
            lead,
            data,
            trail: b"",
            sent: 0,
            waits: false,
            lingers: false,
            streams: streaming.is_some(),
            body: streaming,
            framing,
            trailers: None,
            written: false,
            moved: false,
        }
    }

    /// Sends trailers, too, but for those named so.
    pub(in crate::http) fn with_trailers(self, private: Arc<[HeaderName]>) -> Self {
        Self { trailers: Some(private), ..self }
    }

    /// Gives the body's first piece, which is often read right after the head was handled, a second chance to leave
    /// together with it. Looking twice saves a write.
    pub(in crate::http) fn lingering(self) -> Self {
        Self { lingers: true, ..self }
    }

    /// Does not ask for the body before it is told to [go on](Self::go_on).
    pub(in crate::http) fn waiting(self, waits: bool) -> Self {
        Self { waits: waits && self.body.is_some(), ..self }
    }

    /// Ready once everything has been written.
    pub(in crate::http) fn poll<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), OutgoingError>> {
        if self.streams && !self.written && !self.waits && self.data.is_empty() && self.body.is_some() {
            ready!(self.poll_first_piece(cx))?;
        }
        loop {
            ready!(self.poll_write(stream, cx)).map_err(OutgoingError::Write)?;
            if self.body.is_none() {
                return Poll::Ready(Ok(()));
            }
            if self.waits {
                return Poll::Pending;
            }
            ready!(self.poll_piece(cx))?;
        }
    }

    /// The head of a body whose first piece comes later goes alone.
    fn poll_first_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OutgoingError>> {
        match self.poll_piece(cx) {
            Poll::Ready(piece) => Poll::Ready(piece),
            Poll::Pending if !self.lingers => Poll::Ready(Ok(())),
            Poll::Pending => {
                self.lingers = false;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// Puts the next piece, or the end, behind what is to be written.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OutgoingError>> {
        while let Some(body) = &mut self.body {
            let frame =
                ready!(Pin::new(&mut *body).poll_frame(cx)).transpose().map_err(OutgoingError::Body)?;
            self.moved = true;
            let Some(frame) = frame else {
                self.body = None;
                return Poll::Ready(self.end(None));
            };
            match frame.into_data() {
                // An empty chunk would be the end.
                Ok(data) if data.is_empty() => {}
                Ok(data) => {
                    let is_last = body.is_end_stream();
                    return Poll::Ready(self.piece(data, is_last));
                }
                Err(frame) => {
                    self.body = None;
                    return Poll::Ready(self.end(frame.into_trailers().ok()));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn piece(&mut self, data: Bytes, is_last: bool) -> Result<(), OutgoingError> {
        let length = data.len() as u64;
        self.data = data;
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left.checked_sub(length).ok_or_else(|| broken("longer"))?;
            }
            Framing::Chunked => {
                write_size(&mut self.lead, length);
                self.trail = if is_last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
            }
            Framing::Close => {}
        }
        if is_last {
            self.body = None;
            if matches!(self.framing, Framing::Length(1..)) {
                return Err(broken("shorter"));
            }
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), OutgoingError> {
        match self.framing {
            Framing::Length(0) | Framing::Close => {}
            Framing::Length(_) => return Err(broken("shorter")),
            Framing::Chunked => {
                self.lead.extend_from_slice(b"0\r\n");
                if let (Some(mut trailers), Some(private)) = (trailers, &self.trailers) {
                    keep_harmless(&mut trailers, private);
                    for (name, value) in &trailers {
                        write_field(&mut self.lead, name.as_str(), value.as_bytes());
                    }
                }
                self.lead.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// Writes lead, data and trail, in one go where the socket takes them.
    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let whole = self.lead.len() + self.data.len() + self.trail.len();
        while self.sent < whole {
            let length = if whole == self.lead.len() {
                ready!(Pin::new(&mut *stream).poll_write(cx, &self.lead[self.sent..]))?
            } else {
                let mut gone = self.sent;
                let pieces = [&self.lead[..], &self.data[..], self.trail].map(|piece| {
                    let skipped = gone.min(piece.len());
                    gone -= skipped;
                    IoSlice::new(&piece[skipped..])
                });
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &pieces))?
            };
            if length == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            (self.written, self.moved) = (true, true);
            self.sent += length;
        }
        ready!(Pin::new(stream).poll_flush(cx))?;
        // What is in memory as a whole stays, in case it must be sent again.
        if self.streams {
            self.lead.clear();
            (self.data, self.trail, self.sent) = (Bytes::new(), b"", 0);
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on to the body if it waited.
    pub(in crate::http) fn go_on(&mut self) {
        self.waits = false;
    }

    pub(in crate::http) fn is_waiting(&self) -> bool {
        self.waits
    }

    /// Whether anything happened since this was asked last.
    pub(in crate::http) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The same message as it was in the beginning, if another connection may be tried: nothing was written, or it may
    /// be sent twice and is here as a whole.
    pub(in crate::http) fn again(mut self, is_idempotent: bool) -> Option<Self> {
        if !self.written {
            return Some(self);
        }
        (!self.streams && is_idempotent).then(|| {
            (self.sent, self.written) = (0, false);
            self
        })
    }

    /// The buffer, for the next head.
    pub(in crate::http) fn into_buffer(self) -> Vec<u8> {
        self.lead
    }
}

fn broken(how: &str) -> OutgoingError {
    OutgoingError::Body(format!("the body is {how} than its Content-Length").into())
}

fn write_size(out: &mut Vec<u8>, length: u64) {
    use std::io::Write as _;
    // Writing to memory does not fail.
    write!(out, "{length:X}\r\n").ok();
}
