//! HTTP/1.1 on one connection of a client: a request in, its answer out, in the connection's own task.
//! Never reads a request before the last one was answered, and never two ways out of one head.
//!
//! What may take how long is told by where the connection is: each step below waits for the socket, for whom it asked,
//! and for the end of its own time.

mod answer;
mod date;
mod head;
mod line;

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFuture;

use super::connection::{Client, FIRST_WORDS, Server};
use super::rejection;
use super::tunnel::Resumed;
use super::upload::limited;
use super::{Duplex, Handler, Tunnel};
use crate::http::body::Body;
use crate::http::http1::{Heads, Left, Outgoing};
use crate::http::timer::Timer;
use crate::telemetry::metrics::Open;
pub(super) use date::Date;
use head::{Announced, Head, Refused, Terms};
use line::{Coming, Line, Shared, Writer, lock};

/// For how long a client may go on sending what nobody will read. A socket that is closed with unread bytes in it is
/// reset, and the client may then never see the answer that told it to stop.
const LINGER: Duration = Duration::from_secs(2);
/// The longest buffer for heads that a connection keeps while it waits.
const MOST_KEPT: usize = 1024;

/// One connection, between its requests and during one.
struct Connection<'s, H, S> {
    server: &'s Server<H>,
    client: Client,
    line: Shared<S>,
    heads: Heads,
    timer: Timer,
    /// Where the next answer's head is written.
    buffer: Vec<u8>,
    /// When it has been used for as long as it may.
    old: Option<Instant>,
    /// The first head's time runs from the connection's beginning.
    is_new: bool,
}

/// What came instead of silence.
#[expect(clippy::large_enum_variant, reason = "it is moved once a request; a box would cost more")]
enum Asked {
    Request(Head),
    Refused(Refused),
    /// The client left, is too slow, or is to leave.
    Nothing,
}

/// How a connection goes on after an answer.
enum Next {
    /// With another request.
    Request,
    /// Not at all: the client is told so, and may finish what it is saying.
    Close,
    /// Not at all: the client has left, or nothing can be said to it.
    Gone,
    /// In another protocol.
    Tunnel(Tunnel),
}

/// Serves a connection until it ends, as HTTP or as what it became.
pub(super) async fn serve<H, S>(server: &Server<H>, stream: S, early: Bytes, client: Client, open: &Open)
where
    H: Handler,
    S: Duplex + 'static,
{
    let mut stopped = pin!(server.stop.cancelled());
    let mut connection = Connection {
        server,
        client,
        line: Arc::new(Mutex::new(Line::new(stream, early, client.since))),
        heads: Heads::default(),
        timer: Timer::default(),
        buffer: Vec::new(),
        old: server.limits.max_connection_age.map(|age| Instant::now() + age),
        is_new: true,
    };
    loop {
        let next = match connection.next(stopped.as_mut()).await {
            Asked::Request(head) => connection.answer(head).await,
            Asked::Refused(refused) => {
                open.malformed();
                connection.refuse(refused).await
            }
            Asked::Nothing => {
                connection.shut_down().await;
                return;
            }
        };
        match next {
            Next::Request => {}
            Next::Close => return connection.close().await,
            Next::Gone => return,
            Next::Tunnel(tunnel) => return connection.switch(tunnel).await,
        }
    }
}

impl<H, S> Connection<'_, H, S>
where
    H: Handler,
    S: Duplex + 'static,
{
    /// Waits for a request's head. What had been said before a stop is still answered.
    async fn next(&mut self, mut stopped: Pin<&mut WaitForCancellationFuture<'_>>) -> Asked {
        let Self { server, line, heads, timer, old, is_new, .. } = self;
        let limits = &server.limits;
        let mut begun = is_new.then(|| lock(line).moved);
        // Who has not asked anything yet may be about to.
        let patience = if std::mem::take(is_new) { FIRST_WORDS } else { Duration::ZERO };
        let mut leaves = None;
        std::future::poll_fn(|cx| {
            let line = &mut *lock(line);
            loop {
                if !line.intake.bytes.is_empty() {
                    match head::take(heads, &mut line.intake.bytes, limits) {
                        Ok(Some(head)) => return Poll::Ready(Asked::Request(head)),
                        Ok(None) if line.intake.bytes.is_empty() => {}
                        Ok(None) => begun = begun.or_else(|| Some(Instant::now())),
                        Err(refused) => return Poll::Ready(Asked::Refused(refused)),
                    }
                }
                match line.poll_fill(cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(_) => return Poll::Ready(Asked::Nothing),
                    Poll::Pending => break,
                }
            }
            let is_idle = line.intake.bytes.is_empty();
            line.intake.shrink();
            if is_idle && leaves.is_none() && stopped.as_mut().poll(cx).is_ready() {
                leaves = Some(Instant::now() + patience);
            }
            let deadline = begun.map_or(line.moved + limits.keep_alive, |begun| begun + limits.request_head);
            let sooner = [*old, leaves].into_iter().flatten().filter(|_| is_idle);
            let deadline = sooner.fold(deadline, Instant::min);
            timer.poll_overdue(deadline, cx).map(|()| Asked::Nothing)
        })
        .await
    }

    /// Hands a request over and sends what is answered.
    async fn answer(&mut self, head: Head) -> Next {
        let Head { request, announced, terms } = head;
        let request = request.map(|()| self.body(announced, terms));
        let arrival = self.client.arrives(&request, self.server);
        lock(&self.line).moved = Instant::from_std(arrival.at);
        let mut answering = pin!(self.server.handler.handle(request, arrival));
        let (line, timer, limit) = (&self.line, &mut self.timer, self.server.limits.stream_idle);
        let answered = std::future::poll_fn(|cx| match answering.as_mut().poll(cx) {
            Poll::Ready(response) => Poll::Ready(Some(response)),
            Poll::Pending => poll_ended(line, timer, limit, cx).map(|()| None),
        });
        match answered.await {
            Some(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.agree(response, terms).await
            }
            Some(response) => self.send(response, terms).await,
            None => Next::Gone,
        }
    }

    /// The body that was announced; one that is here as a whole needs the connection no more.
    fn body(&self, announced: Announced, terms: Terms) -> Body {
        let mut line = lock(&self.line);
        let coming = match announced {
            Announced::Nothing => return Body::empty(),
            Announced::Length(length) => match usize::try_from(length) {
                Ok(length) if length <= line.intake.bytes.len() => {
                    return Body::full(line.intake.bytes.split_to(length).freeze());
                }
                _ => Left::Length(length),
            },
            Announced::Chunked => Left::chunked(),
            Announced::Unclear(problem) => {
                line.expect(Left::Close);
                return Body::broken(problem);
            }
        };
        let number = line.expect(coming);
        if terms.expects {
            line.call_for_body();
        }
        // The body looks at the line itself.
        drop(line);
        limited(Coming::new(Arc::clone(&self.line), number), &self.server.limits)
    }

    /// Sends an answer to its end.
    async fn send(&mut self, response: Response<Body>, terms: Terms) -> Next {
        let mut closes = !terms.keeps || self.is_to_leave();
        if !lock(&self.line).is_read() {
            closes |= self.skip_unwanted().await;
        }
        let now = Instant::now();
        let (mut outgoing, closes) = self.begin(response, terms, closes, now);
        if !self.write(&mut outgoing, now).await {
            return Next::Gone;
        }
        self.keep(outgoing.into_buffer());
        let mut line = lock(&self.line);
        line.end_request();
        if closes || !line.is_read() {
            return Next::Close;
        }
        Next::Request
    }

    /// Before the answer: whether the connection ends with it, because nobody wants the rest of the request and not all of
    /// it has come.
    async fn skip_unwanted(&self) -> bool {
        std::future::poll_fn(|cx| {
            let mut line = lock(&self.line);
            line.answered();
            if line.is_given_up() {
                line.skip(cx);
            }
            Poll::Ready(line.is_given_up() && !line.is_read())
        })
        .await
    }

    /// Whether the whole of it went, from `now` on.
    async fn write(&mut self, outgoing: &mut Outgoing, now: Instant) -> bool {
        let (line, timer, limit) = (&self.line, &mut self.timer, self.server.limits.stream_idle);
        // The clock is read once where all of it goes at once.
        let mut now = Some(now);
        let mut writer = move || Writer(line, now.take().unwrap_or_else(Instant::now));
        std::future::poll_fn(|cx| match outgoing.poll(&mut writer(), cx) {
            Poll::Ready(sent) => Poll::Ready(sent.is_ok()),
            Poll::Pending => poll_ended(line, timer, limit, cx).map(|()| false),
        })
        .await
    }

    /// Tells the client that the connection is another protocol's from here on.
    async fn agree(&mut self, mut response: Response<Body>, terms: Terms) -> Next {
        let tunnel = response.extensions_mut().remove::<Tunnel>();
        let Some(tunnel) = tunnel.filter(|_| terms.switches) else {
            tracing::error!("a connection ended in a defect: a switch of protocols that nobody asked for");
            return Next::Gone;
        };
        let now = Instant::now();
        let (mut outgoing, _) = self.begin(response, terms, false, now);
        if self.write(&mut outgoing, now).await { Next::Tunnel(tunnel) } else { Next::Gone }
    }

    /// Answers what is no request.
    async fn refuse(&mut self, refused: Refused) -> Next {
        let response = match refused {
            Refused::Malformed(problem) => rejection::malformed(problem),
            Refused::Target => rejection::target_too_long(),
            Refused::TooLong => rejection::head_too_large(&self.server.limits),
        };
        let now = Instant::now();
        lock(&self.line).moved = now;
        let (mut outgoing, _) = self.begin(response, Terms::default(), true, now);
        // What else comes is no request either.
        lock(&self.line).expect(Left::Close);
        if self.write(&mut outgoing, now).await { Next::Close } else { Next::Gone }
    }

    fn begin(
        &mut self,
        response: Response<Body>,
        terms: Terms,
        closes: bool,
        now: Instant,
    ) -> (Outgoing, bool) {
        let buffer = std::mem::take(&mut self.buffer);
        answer::begin(response, terms, closes, (&self.server.date, now), buffer)
    }

    /// Whether no further request is wanted.
    fn is_to_leave(&self) -> bool {
        self.server.stop.is_cancelled()
            || self.server.handler.is_leaving()
            || self.old.is_some_and(|old| old <= Instant::now())
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if buffer.capacity() <= MOST_KEPT {
            self.buffer = buffer;
        }
    }

    /// Closes our side, and listens to a client that may still be sending until it has seen that.
    async fn close(mut self) {
        if !self.shut_down().await || lock(&self.line).is_quiet() {
            return;
        }
        let until = Instant::now() + LINGER;
        let (line, timer) = (&self.line, &mut self.timer);
        std::future::poll_fn(|cx| {
            if lock(line).poll_discard(cx).is_ready() {
                return Poll::Ready(());
            }
            timer.poll_overdue(until, cx)
        })
        .await;
    }

    /// Closes our side; whether that was possible in time.
    async fn shut_down(&mut self) -> bool {
        let until = Instant::now() + LINGER;
        let (line, timer) = (&self.line, &mut self.timer);
        std::future::poll_fn(|cx| match Pin::new(&mut lock(line).stream).poll_shutdown(cx) {
            Poll::Ready(done) => Poll::Ready(done.is_ok()),
            Poll::Pending => timer.poll_overdue(until, cx).map(|()| false),
        })
        .await
    }

    /// Gives the stream, with what was read ahead, to the tunnel.
    async fn switch(self, tunnel: Tunnel) {
        // Only the body of a request shares it, and one that switches has none.
        let Some(line) = Arc::into_inner(self.line) else { return };
        let line = line.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        tunnel.run(Resumed::new(line.stream, line.intake.bytes.freeze())).await;
    }
}

/// Ready once the client has left, or nothing has moved for too long.
fn poll_ended<S: AsyncRead + AsyncWrite + Unpin>(
    line: &Mutex<Line<S>>,
    timer: &mut Timer,
    limit: Duration,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let mut line = lock(line);
    if line.poll_gone(cx).is_ready() {
        return Poll::Ready(());
    }
    timer.poll_overdue(line.moved + limit, cx)
}
