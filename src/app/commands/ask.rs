//! One request to a listener of a running Sidegate, for images that have no curl.
//! Never follows anything, and never asks twice.

use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use zeroize::Zeroizing;

/// The longest answer that is read.
const MOST: u64 = 16 * 1024 * 1024;

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// What is asked.
pub(super) struct Request<'a> {
    /// A method and a path.
    pub(super) line: &'a str,
    /// More header lines, each with its line end.
    pub(super) headers: &'a str,
    pub(super) body: Option<&'a [u8]>,
}

/// Asks the listener at HOST:PORT or unix:/path; `line` is a method and a path.
pub(super) fn ask(address: &str, line: &str, patience: Duration) -> anyhow::Result<Answer> {
    send(address, &Request { line, headers: "", body: None }, patience)
}

/// The same with more in the request.
pub(super) fn send(address: &str, request: &Request<'_>, patience: Duration) -> anyhow::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { tokio::time::timeout(patience, exchange(address, request)).await });
    asked.with_context(|| format!("{address} did not answer in {patience:?}"))?
}

async fn exchange(address: &str, request: &Request<'_>) -> anyhow::Result<Answer> {
    let mut stream =
        connect(address).await.with_context(|| format!("no listener can be reached at {address}"))?;
    let Request { line, headers, body } = request;
    let body = body.unwrap_or_default();
    // Wiped: a body may hold credentials, a header a token.
    let head = Zeroizing::new(format!(
        "{line} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = String::new();
    stream.take(MOST).read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| anyhow!("what listens at {address} does not speak HTTP"))?;
    Ok(Answer { status, body: body.to_owned() })
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

async fn connect(address: &str) -> std::io::Result<Box<dyn Stream>> {
    match address.strip_prefix("unix:") {
        Some(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        None => Ok(Box::new(TcpStream::connect(address).await?)),
    }
}
