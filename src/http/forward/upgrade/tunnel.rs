//! Two streams joined until one of them, or the time, is over.
//! Never touches a byte that passes; at the end of its time a WebSocket is told so, if it can be told.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf, copy_bidirectional};
use tokio::time::{Instant, sleep_until, timeout};

use super::frames::Frames;
use super::{Ended, Terms, Through};
use crate::http::listener::ClientStream;
use crate::http::moment::Moment;
use crate::http::pool::Raw;

/// A close frame from a server: 1008, the policy does not allow more (RFC 6455 section 7.4.1).
const CLOSE: [u8; 4] = [0x88, 2, 0x03, 0xf0];
/// How long a caller may take for it.
const GOODBYE: Duration = Duration::from_secs(1);

/// Joins the caller with the upstream.
pub(super) async fn run(client: ClientStream, upstream: Raw, is_websocket: bool, terms: Terms) {
    let carried = Carried::new(terms.ended);
    let moved = &carried.moved;
    let frames = is_websocket.then(Frames::default);
    let mut down = Side { stream: client, moved, written: &carried.down, frames };
    let mut up = Side { stream: upstream.stream, moved, written: &carried.up, frames: None };

    let joined = async {
        // What came together with the 101.
        down.write_all(&upstream.early).await?;
        copy_bidirectional(&mut down, &mut up).await
    };
    tokio::select! {
        _ = joined => carried.is_cut.store(false, Ordering::Relaxed),
        () = time_is_over(moved, terms.until, terms.idle) => {
            timeout(GOODBYE, say_goodbye(&mut down)).await.ok();
        }
    }
}

/// What a tunnel carries, told when it is dropped: so does one that is torn down with the process tell it, too.
struct Carried {
    moved: Moment,
    up: AtomicU64,
    down: AtomicU64,
    is_cut: AtomicBool,
    ended: Option<Ended>,
}

impl Carried {
    fn new(ended: Option<Ended>) -> Self {
        let (up, down) = Default::default();
        Self { moved: Moment::now(), up, down, is_cut: true.into(), ended }
    }
}

impl Drop for Carried {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            let (up, down) = (*self.up.get_mut(), *self.down.get_mut());
            ended(Through { up, down, is_cut: *self.is_cut.get_mut() });
        }
    }
}

async fn time_is_over(moved: &Moment, until: Option<Instant>, idle: Option<Duration>) {
    let until = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    let idle = async {
        let Some(idle) = idle else { return std::future::pending().await };
        while moved.plus(idle) > Instant::now() {
            sleep_until(moved.plus(idle)).await;
        }
    };
    tokio::select! {
        () = until => {}
        () = idle => {}
    }
}

/// In the middle of a frame, nothing can be said that would be understood.
async fn say_goodbye<S: AsyncWrite + Unpin>(down: &mut Side<'_, S>) -> io::Result<()> {
    if down.frames.as_ref().is_some_and(Frames::is_between) {
        down.write_all(&CLOSE).await?;
    }
    down.shutdown().await
}

/// One end of a tunnel.
struct Side<'m, S> {
    stream: S,
    moved: &'m Moment,
    written: &'m AtomicU64,
    /// Where frames end in what is written here.
    frames: Option<Frames>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Side<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Side<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(length)) = polled {
            self.written.fetch_add(length as u64, Ordering::Relaxed);
            self.moved.touch();
            if let Some(frames) = &mut self.frames {
                frames.pass(&bytes[..length]);
            }
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
