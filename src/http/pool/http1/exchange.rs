//! One request and the head of its response on one connection, within a time limit.
//! Never decides whether to try again.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use http::header::{CONNECTION, HeaderValue, UPGRADE};
use tokio::time::Instant;

use super::connection::Connection;
use super::head::{self, Head};
use super::request::Asked;
use crate::http::headers::lists;
use crate::http::http1::{Outgoing, OutgoingError};
use crate::http::pool::SendError;

/// How many interim responses are skipped before the response.
const MAX_INTERIM: usize = 16;
/// How long a body waits for the 100 that its caller expects, before it is sent anyway (RFC 9110 section 10.1.1).
const EXPECT_PATIENCE: Duration = Duration::from_secs(1);

/// A response's head, and what it came on.
pub(in crate::http::pool) struct Received {
    pub(super) head: Head,
    pub(super) connection: Box<Connection>,
    /// What had not gone when the head came.
    pub(super) upload: Option<Outgoing>,
}

/// Why there is no response.
pub(in crate::http::pool) struct Failed {
    pub(in crate::http::pool) error: SendError,
    /// The request as it was, where the connection had gone before the upstream can have seen it, or seen it in a way that counts.
    pub(in crate::http::pool) again: Option<Outgoing>,
}

/// Sends a request and reads to the end of its response's head, interim ones skipped. `limit` runs from the last time
/// that a piece of the request moved, so that a long upload is not cut.
pub(in crate::http::pool) async fn exchange(
    connection: Box<Connection>,
    upload: Outgoing,
    asked: &Asked,
    limit: Duration,
) -> Result<Received, Failed> {
    let mut under_way = UnderWay {
        connection,
        upload,
        asked,
        limit,
        is_sent: false,
        refused: None,
        interim: 0,
        deadline: None,
        patience: None,
    };
    let result = poll_fn(|cx| under_way.poll(cx)).await;
    let UnderWay { mut connection, upload, is_sent, refused, interim, .. } = under_way;
    match result {
        Ok(mut head) => {
            if is_sent {
                connection.spare = upload.into_buffer();
                return Ok(Received { head, connection, upload: None });
            }
            // Nobody wants the rest where the upstream refused it, or answered a body that it had not called for.
            let is_wanted = refused.is_none() && !upload.is_waiting();
            head.keeps &= is_wanted;
            Ok(Received { head, connection, upload: is_wanted.then_some(upload) })
        }
        Err(Ended::Closed(error)) => {
            let unseen = interim == 0 && connection.intake.bytes.is_empty();
            let again = if unseen { upload.again(asked.is_idempotent) } else { None };
            // What was refused is nearer to the cause than what was not answered.
            Err(Failed { error: SendError::Broken(refused.unwrap_or(error).into()), again })
        }
        Err(Ended::Failed(error)) => Err(Failed { error, again: None }),
    }
}

/// How there came to be no head.
enum Ended {
    /// The connection ended.
    Closed(io::Error),
    /// Anything else.
    Failed(SendError),
}

struct UnderWay<'a> {
    connection: Box<Connection>,
    upload: Outgoing,
    asked: &'a Asked,
    limit: Duration,
    is_sent: bool,
    /// The upstream takes no more; it may have answered nevertheless.
    refused: Option<io::Error>,
    interim: usize,
    /// From when on nothing may be waited for; none after each piece that moved, until something is waited for.
    deadline: Option<Instant>,
    /// Until when the body waits for a 100.
    patience: Option<Instant>,
}

impl UnderWay<'_> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Ended>> {
        loop {
            self.poll_upload(cx)?;
            if let Poll::Ready(head) = self.poll_head(cx)? {
                if !head.status.is_informational() || self.is_asked_for(&head) {
                    return Poll::Ready(Ok(head));
                }
                self.skip(&head)?;
            } else if self.poll_time(cx)?.is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<(), Ended> {
        if self.is_sent || self.refused.is_some() {
            return Ok(());
        }
        match self.upload.poll(&mut self.connection.stream, cx) {
            Poll::Ready(Ok(())) => self.is_sent = true,
            Poll::Ready(Err(OutgoingError::Body(error))) => {
                return Err(Ended::Failed(SendError::RequestBody(error)));
            }
            Poll::Ready(Err(OutgoingError::Write(error))) => self.refused = Some(error),
            Poll::Pending => {}
        }
        if self.upload.has_moved() {
            self.deadline = None;
        }
        Ok(())
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Ended>> {
        let connection = &mut *self.connection;
        loop {
            if !connection.intake.bytes.is_empty() {
                match head::take(&mut connection.heads, &mut connection.intake.bytes, self.asked) {
                    Ok(Some(head)) => return Poll::Ready(Ok(head)),
                    Ok(None) => {}
                    Err(problem) => {
                        return Poll::Ready(Err(Ended::Failed(SendError::Broken(problem.into()))));
                    }
                }
            }
            match connection.poll_fill(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(Ended::Closed(io::ErrorKind::UnexpectedEof.into())));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Ended::Closed(error))),
            }
        }
    }

    /// A switch of protocols is a response only where it was asked for, and to what was asked for.
    fn is_asked_for(&self, head: &Head) -> bool {
        let names = |value: &HeaderValue, other: &HeaderValue| {
            value.as_bytes().eq_ignore_ascii_case(other.as_bytes())
        };
        head.status == StatusCode::SWITCHING_PROTOCOLS
            && head.headers.get_all(CONNECTION).iter().any(|value| lists(value, "upgrade"))
            && match (&self.asked.upgrade, head.headers.get(UPGRADE)) {
                (Some(asked), Some(given)) => names(asked, given),
                _ => false,
            }
    }

    fn skip(&mut self, interim: &Head) -> Result<(), Ended> {
        self.interim += 1;
        if interim.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(failed("it switched protocols without being asked to"));
        }
        if self.interim > MAX_INTERIM {
            return Err(failed("it sends one interim response after another"));
        }
        if interim.status == StatusCode::CONTINUE {
            self.upload.go_on();
        }
        Ok(())
    }

    /// Ready where the upload is to go on; fails where the time is over.
    fn poll_time(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Ended>> {
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + self.limit);
        if !self.upload.is_waiting() {
            return self
                .connection
                .poll_overdue(deadline, cx)
                .map(|()| Err(Ended::Failed(SendError::HeadTimeout)));
        }
        let patience = *self.patience.get_or_insert_with(|| Instant::now() + EXPECT_PATIENCE);
        if patience > deadline {
            return self
                .connection
                .poll_overdue(deadline, cx)
                .map(|()| Err(Ended::Failed(SendError::HeadTimeout)));
        }
        self.connection.poll_overdue(patience, cx).map(|()| {
            self.upload.go_on();
            Ok(())
        })
    }
}

fn failed(problem: &'static str) -> Ended {
    Ended::Failed(SendError::Broken(problem.into()))
}
