//! `sidegate healthcheck`: one GET to the health listener, for images that have no curl.
//! Never looks at anything but the status.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::Failed;

/// How long the whole check may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What to ask.
#[derive(Args)]
pub(super) struct Options {
    /// The health listener: HOST:PORT, or unix:/path.
    #[arg(long, default_value = "127.0.0.1:9091", value_name = "ADDRESS")]
    address: String,
    /// What to ask: /readyz (may traffic come?) or /healthz (is the process alive?).
    #[arg(long, default_value = "/readyz")]
    path: String,
}

pub(super) fn healthcheck(options: &Options) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asked = runtime.block_on(async { tokio::time::timeout(TIMEOUT, ask(options)).await });
    asked.with_context(|| format!("{} did not answer in {TIMEOUT:?}", options.address))??;
    Ok(())
}

async fn ask(options: &Options) -> anyhow::Result<()> {
    let mut stream = connect(&options.address)
        .await
        .with_context(|| format!("no health listener can be reached at {}", options.address))?;
    let request = format!("GET {} HTTP/1.1\r\nHost: sidegate\r\nConnection: close\r\n\r\n", options.path);
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
        bail!("not ready ({status}): {body}");
    }
    Ok(())
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

async fn connect(address: &str) -> std::io::Result<Box<dyn Stream>> {
    match address.strip_prefix("unix:") {
        Some(path) => Ok(Box::new(UnixStream::connect(path).await?)),
        None => Ok(Box::new(TcpStream::connect(address).await?)),
    }
}
