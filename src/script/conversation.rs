//! One job with one worker: sent, its questions answered, its end read.
//! Never judges how a worker ended; a broken pipe is an error, and the pool looks at the process.

use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStdin, ChildStdout};
use zeroize::Zeroizing;

use super::host::{BoxFuture, HostCalls, HostClient, HostError, HostRequest, HostResponse};
use super::limits::{Limit, Limits};
use super::mask::Mask;
use super::message::{self, Answer, Answered, Ask, Asked, Bytes, Done, Job, Problem, Turn};

/// The two ends of a worker's pipes.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    /// The longest message there is.
    pub(super) longest: u64,
}

impl Pipes {
    pub(super) async fn write(&mut self, message: &impl serde::Serialize) -> io::Result<()> {
        self.stdin.write_all(&message::encode(message)?).await?;
        self.stdin.flush().await
    }

    /// Waits for the end of a worker that has nothing to say until it is answered.
    async fn broken(&mut self) -> io::Error {
        match self.stdout.read_u8().await {
            Ok(_) => io::Error::new(io::ErrorKind::InvalidData, "a worker that speaks out of its turn"),
            Err(error) => error,
        }
    }

    async fn read<T: DeserializeOwned>(&mut self) -> io::Result<T> {
        let mut head = [0; message::HEAD];
        self.stdout.read_exact(&mut head).await?;
        let mut body = Zeroizing::new(vec![0; message::length(head, self.longest)?]);
        self.stdout.read_exact(&mut body).await?;
        message::decode(&body)
    }
}

/// Has `job` done. What the script is told is learned by `mask`.
pub(super) async fn hold(
    pipes: &mut Pipes,
    job: &Job,
    host: &dyn HostCalls,
    limits: &Limits,
    mask: &mut Mask,
) -> io::Result<Done> {
    pipes.write(job).await?;
    let mut pending = Vec::new();
    loop {
        match pipes.read().await? {
            Turn::Done(done) => return Ok(done),
            Turn::Asks(asks) => pending.extend(asks.into_iter().map(|ask| answer(ask, host))),
        }
        if pending.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a worker that waits for nothing"));
        }
        let (id, answered) = tokio::select! {
            answered = first(&mut pending) => answered,
            broken = pipes.broken() => return Err(broken),
        };
        pipes.write(&told(id, answered, limits, mask)).await?;
    }
}

type Pending<'a> = Pin<Box<dyn Future<Output = (u32, Result<Heard, HostError>)> + Send + 'a>>;

enum Heard {
    Slept,
    Http(HostResponse),
}

fn answer<'a>(ask: Ask, host: &'a dyn HostCalls) -> Pending<'a> {
    let id = ask.id;
    match ask.what {
        Asked::Sleep { milliseconds } => Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            (id, Ok(Heard::Slept))
        }),
        Asked::Http { through_connection, method, url, headers, body } => {
            let client = if through_connection { HostClient::Connection } else { HostClient::Open };
            let body = body.map(|Bytes(bytes)| bytes);
            let call: BoxFuture<'a, _> = host.call(HostRequest { client, method, url, headers, body });
            Box::pin(async move { (id, call.await.map(Heard::Http)) })
        }
    }
}

/// What is ready first; the others go on.
async fn first<'a>(pending: &mut Vec<Pending<'a>>) -> (u32, Result<Heard, HostError>) {
    std::future::poll_fn(|context| {
        for place in 0..pending.len() {
            if let Poll::Ready(heard) = pending[place].as_mut().poll(context) {
                drop(pending.swap_remove(place));
                return Poll::Ready(heard);
            }
        }
        Poll::Pending
    })
    .await
}

fn told(id: u32, answered: Result<Heard, HostError>, limits: &Limits, mask: &mut Mask) -> Answer {
    let outcome = match answered {
        Ok(Heard::Slept) => Ok(Answered::Slept),
        Ok(Heard::Http(response)) if response.body.len() as u64 > limits.response => Err(Problem {
            message: format!("the answer is longer than {}", Limit::Response.of(limits)),
            key: None,
            status: None,
        }),
        Ok(Heard::Http(HostResponse { status, headers, body })) => {
            mask.learn(&body);
            Ok(Answered::Http { status, headers, body: Bytes(body) })
        }
        Err(HostError { message, key, status }) => Err(Problem { message, key, status }),
    };
    Answer { id, outcome }
}
