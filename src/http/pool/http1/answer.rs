//! A response from its head on: the body as it arrives, and the connection when it has.
//! Never gives a connection back that holds, or still owes, a single byte.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderName;
use http::{Response, StatusCode};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;

use super::connection::Connection;
use super::exchange::Received;
use super::head::{Framing, Head};
use crate::http::body::{Body, BoxError, Polled};
use crate::http::http1::{Left, Outgoing, OutgoingError, Step, announce_harmless, keep_harmless};
use crate::http::pool::Raw;
use crate::http::pool::idle::Idle;

/// What a response's body needs to know of its pool.
#[derive(Clone)]
pub(in crate::http::pool) struct Home {
    pub(in crate::http::pool) idle: Arc<Idle>,
    /// How long the upstream may pause within a body.
    pub(in crate::http::pool) body_idle: Duration,
    /// Names that a trailer must not have.
    pub(in crate::http::pool) private: Arc<[HeaderName]>,
}

impl Received {
    /// Whether the connection is no longer one of HTTP.
    pub(in crate::http::pool) fn is_switch(&self) -> bool {
        self.head.status == StatusCode::SWITCHING_PROTOCOLS
    }

    /// The response, and the bytes of the other protocol.
    pub(in crate::http::pool) fn into_raw(self) -> (Response<Body>, Raw) {
        let Connection { stream, intake, .. } = *self.connection;
        (response(self.head, Body::empty()), Raw { stream, early: intake.bytes.freeze() })
    }

    /// The response. What came with the head is in memory and needs no connection any more.
    pub(in crate::http::pool) fn into_response(self, home: &Home) -> Response<Body> {
        let Self { head, mut connection, upload } = self;
        let whole = match head.framing {
            Framing::None => Some(Body::empty()),
            Framing::Length(length) => usize::try_from(length)
                .ok()
                .filter(|length| *length <= connection.intake.bytes.len())
                .map(|length| Body::full(connection.intake.bytes.split_to(length).freeze())),
            Framing::Chunked | Framing::Close => None,
        };
        let body = match (whole, head.framing) {
            (Some(body), _) => {
                // An upload that is not over is given up: its response is complete.
                if head.keeps && upload.is_none() {
                    home.idle.put(connection);
                }
                body
            }
            (None, framing) => Body::boxed(Answer {
                framing: match framing {
                    Framing::Length(left) => Left::Length(left),
                    Framing::Chunked => Left::chunked(),
                    Framing::Close | Framing::None => Left::Close,
                },
                line: Some(Line { connection, upload, keeps: head.keeps }),
                home: home.clone(),
                deadline: None,
                broken: None,
            }),
        };
        let has_trailers = head.framing == Framing::Chunked;
        let mut response = response(head, body);
        if has_trailers {
            announce_harmless(response.headers_mut(), &home.private);
        }
        response
    }
}

fn response(head: Head, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    if let Some(reason) = head.reason {
        response.extensions_mut().insert(reason);
    }
    response
}

/// A body on its way in.
struct Answer {
    framing: Left,
    /// None once the body has ended, well or not. Dropped with the body, it closes the connection.
    line: Option<Line>,
    home: Home,
    /// Until when the next piece must come; none unless it is waited for.
    deadline: Option<Instant>,
    /// What it ends with, told only after all that came before has had its chance to leave.
    broken: Option<BoxError>,
}

/// The connection, and the request that may still be on its way out.
struct Line {
    connection: Box<Connection>,
    upload: Option<Outgoing>,
    keeps: bool,
}

impl Answer {
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Step, BoxError>> {
        let Some(line) = &mut self.line else { return Poll::Ready(Ok(Step::End)) };
        if line.poll_upload(cx)? {
            self.deadline = None;
        }
        loop {
            match self.framing.step(&mut line.connection.intake.bytes)? {
                Step::More => {}
                step => {
                    self.deadline = None;
                    return Poll::Ready(Ok(step));
                }
            }
            match line.connection.poll_fill(cx)? {
                Poll::Ready(1..) => {}
                Poll::Ready(0) => {
                    return Poll::Ready(match self.framing {
                        Left::Close => Ok(Step::End),
                        _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    });
                }
                Poll::Pending => {
                    let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.home.body_idle);
                    ready!(line.connection.poll_overdue(deadline, cx));
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut).into()));
                }
            }
        }
    }

    /// Ends the body; a connection that owes nothing is given back.
    fn finish(&mut self) {
        let Some(line) = self.line.take() else { return };
        if line.keeps && line.upload.is_none() {
            self.home.idle.put(line.connection);
        }
    }
}

impl Line {
    /// Goes on with the upload; whether it moved.
    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<bool, BoxError> {
        let Some(upload) = &mut self.upload else { return Ok(false) };
        match upload.poll(&mut self.connection.stream, cx) {
            Poll::Pending => return Ok(upload.has_moved()),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(OutgoingError::Body(error))) => return Err(error),
            // The upstream wants no more of it; what it says counts nevertheless.
            Poll::Ready(Err(OutgoingError::Write(_))) => self.keeps = false,
        }
        self.connection.spare = self.upload.take().map(Outgoing::into_buffer).unwrap_or_default();
        Ok(true)
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let this = self.get_mut();
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = match ready!(this.poll_step(cx)) {
            Ok(Step::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Step::Trailers(mut trailers)) => {
                this.finish();
                keep_harmless(&mut trailers, &this.home.private);
                (!trailers.is_empty()).then(|| Ok(Frame::trailers(trailers)))
            }
            Ok(Step::End | Step::More) => None,
            Err(error) => {
                (this.line, this.broken) = (None, Some(error));
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        };
        if frame.is_none() || this.framing.is_at_its_end() {
            this.finish();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.line.is_none() && self.broken.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.framing.size_hint()
    }
}
