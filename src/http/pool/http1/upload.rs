//! A request on its way out: head and first piece in one write, then piece by piece.
//! Never sends more or less than the head promised, and never takes a piece before the last one is gone.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::HeaderName;
use http::request::Parts;
use hyper::body::Body as _;
use tokio::io::AsyncWrite as _;

use super::request::{Asked, Framing, write_head, write_trailers};
use crate::http::body::{Body, BoxError};
use crate::http::headers::Additions;
use crate::http::pool::stream::Stream;
use crate::http::pool::trailers::keep_harmless;

/// What an upload fails with.
#[derive(Debug)]
pub(super) enum UploadError {
    /// The body broke off, or is not as long as it said.
    Body(BoxError),
    /// The upstream does not take it.
    Write(io::Error),
}

/// A request and how much of it has gone.
pub(in crate::http::pool) struct Upload {
    /// What goes before the data: at first the head, then the size of a chunk.
    lead: Vec<u8>,
    data: Bytes,
    trail: &'static [u8],
    /// How much of the three has been written.
    sent: usize,
    /// What else is to come; none once everything is in the three above.
    body: Option<Body>,
    framing: Framing,
    private: Arc<[HeaderName]>,
    /// The body is not asked for before the upstream, or a time limit, says so.
    waits: bool,
    /// The first piece was given its one chance to leave together with the head.
    lingered: bool,
    written: bool,
    streams: bool,
    moved: bool,
}

impl Upload {
    /// `buffer` is reused; `private` are names that a trailer must not have.
    pub(in crate::http::pool) fn new(
        head: &Parts,
        body: Body,
        additions: &Additions<'_>,
        mut buffer: Vec<u8>,
        private: &Arc<[HeaderName]>,
    ) -> (Self, Asked) {
        let framing = body.size_hint().exact().map_or(Framing::Chunked, Framing::Length);
        buffer.clear();
        let asked = write_head(&mut buffer, head, additions, framing, private);
        let (data, body) = match body.into_memory() {
            Ok(bytes) => (bytes, None),
            Err(streaming) => (Bytes::new(), Some(streaming)),
        };
        let upload = Self {
            lead: buffer,
            data,
            trail: b"",
            sent: 0,
            waits: asked.expects && body.is_some(),
            lingered: false,
            streams: body.is_some(),
            body,
            framing,
            private: Arc::clone(private),
            written: false,
            moved: false,
        };
        (upload, asked)
    }

    /// Ready once everything has been written.
    pub(super) fn poll(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), UploadError>> {
        if self.streams && !self.written && !self.waits && self.data.is_empty() && self.body.is_some() {
            ready!(self.poll_first_piece(cx))?;
        }
        loop {
            ready!(self.poll_write(stream, cx)).map_err(UploadError::Write)?;
            if self.body.is_none() {
                return Poll::Ready(Ok(()));
            }
            if self.waits {
                return Poll::Pending;
            }
            ready!(self.poll_piece(cx))?;
        }
    }

    /// A caller's body is often read right after its head was handled. Looking twice saves a write; the head of a body
    /// that comes later goes alone.
    fn poll_first_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UploadError>> {
        match self.poll_piece(cx) {
            Poll::Ready(piece) => Poll::Ready(piece),
            Poll::Pending if self.lingered => Poll::Ready(Ok(())),
            Poll::Pending => {
                self.lingered = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// Puts the next piece, or the end, behind what is to be written.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UploadError>> {
        while let Some(body) = &mut self.body {
            let frame = ready!(Pin::new(&mut *body).poll_frame(cx)).transpose().map_err(UploadError::Body)?;
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

    fn piece(&mut self, data: Bytes, is_last: bool) -> Result<(), UploadError> {
        let length = data.len() as u64;
        self.data = data;
        match &mut self.framing {
            Framing::Length(left) => {
                *left = left.checked_sub(length).ok_or_else(|| broken("longer"))?;
                if *left == 0 {
                    self.body = None;
                }
            }
            Framing::Chunked => {
                write_size(&mut self.lead, length);
                self.trail = if is_last { b"\r\n0\r\n\r\n" } else { b"\r\n" };
                if is_last {
                    self.body = None;
                }
            }
        }
        if is_last && matches!(self.framing, Framing::Length(1..)) {
            return Err(broken("shorter"));
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), UploadError> {
        match self.framing {
            Framing::Length(0) => {}
            Framing::Length(_) => return Err(broken("shorter")),
            Framing::Chunked => {
                self.lead.extend_from_slice(b"0\r\n");
                if let Some(mut trailers) = trailers {
                    keep_harmless(&mut trailers, &self.private);
                    write_trailers(&mut self.lead, &trailers);
                }
                self.lead.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    /// Writes lead, data and trail, in one go where the socket takes them.
    fn poll_write(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let whole = self.lead.len() + self.data.len() + self.trail.len();
        while self.sent < whole {
            let mut gone = self.sent;
            let pieces = [&self.lead[..], &self.data[..], self.trail].map(|piece| {
                let skipped = gone.min(piece.len());
                gone -= skipped;
                IoSlice::new(&piece[skipped..])
            });
            let length = ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &pieces))?;
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
    pub(super) fn go_on(&mut self) {
        self.waits = false;
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waits
    }

    /// Whether anything happened since this was asked last.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The same request as it was in the beginning, if another connection may be tried: nothing was written, or it may
    /// be sent twice and is here as a whole.
    pub(super) fn again(mut self, is_idempotent: bool) -> Option<Self> {
        if !self.written {
            return Some(self);
        }
        (!self.streams && is_idempotent).then(|| {
            (self.sent, self.written) = (0, false);
            self
        })
    }

    /// The buffer, for the next request.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.lead
    }
}

fn broken(how: &str) -> UploadError {
    UploadError::Body(format!("the request's body is {how} than its Content-Length").into())
}

fn write_size(out: &mut Vec<u8>, length: u64) {
    use std::io::Write as _;
    // Writing to memory does not fail.
    write!(out, "{length:X}\r\n").ok();
}
