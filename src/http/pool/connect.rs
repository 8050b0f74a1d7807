//! A new connection to an origin: resolve, check, dial, TLS, HTTP.
//! Never knows what will be sent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{Origin, SendError, Sender, Settings};
use crate::http::body::BoxError;
use crate::http::egress::EgressError;

/// What hyper may read ahead of a slow reader, and the longest response head. Twice 64 KiB, so that a body of that size
/// and its head come in one read.
const MAX_BUFFER: usize = 128 * 1024;

/// Makes a connection within the connect timeout.
pub(super) async fn connect(origin: &Origin, settings: &Settings) -> Result<Sender, SendError> {
    tokio::time::timeout(settings.connect_timeout, dial(origin, settings))
        .await
        .unwrap_or(Err(SendError::ConnectTimeout))
}

async fn dial(origin: &Origin, settings: &Settings) -> Result<Sender, SendError> {
    match origin {
        Origin::Unix(_) if settings.egress.is_some() => Err(SendError::Egress(EgressError::UnixSocket)),
        Origin::Unix(path) => speak(UnixStream::connect(path).await.map_err(failed)?).await,
        Origin::Tcp { host, port, tls } => {
            let addresses = addresses(host, *port, *tls, settings).await?;
            let stream = first_that_answers(&addresses).await.map_err(failed)?;
            // Without it a message in two writes could wait for a delayed acknowledgement.
            stream.set_nodelay(true).map_err(failed)?;
            if !*tls {
                return speak(stream).await;
            }
            let name = settings.server_name.as_deref().unwrap_or(host);
            let secured = connector(settings)?.connect(server_name(name)?, stream).await.map_err(failed)?;
            speak(secured).await
        }
    }
}

/// The addresses to dial: with a guard only those it checked, and nothing is resolved again.
async fn addresses(
    host: &str,
    port: u16,
    tls: bool,
    settings: &Settings,
) -> Result<Vec<SocketAddr>, SendError> {
    let Some(guard) = settings.egress else {
        let found = tokio::net::lookup_host((bare(host), port)).await.map_err(failed)?;
        return Ok(found.collect());
    };
    guard.check_scheme(tls).map_err(SendError::Egress)?;
    guard.resolve(host, port).await.map_err(SendError::Egress)
}

async fn first_that_answers(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn connector(settings: &Settings) -> Result<TlsConnector, SendError> {
    let tls =
        settings.tls.as_ref().ok_or_else(|| failed("the origin is https and no TLS settings are given"))?;
    Ok(TlsConnector::from(Arc::clone(tls)))
}

fn server_name(name: &str) -> Result<ServerName<'static>, SendError> {
    ServerName::try_from(bare(name).to_owned()).map_err(failed)
}

/// An IPv6 literal without the brackets a URL puts around it.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

async fn speak<S>(stream: S) -> Result<Sender, SendError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (sender, connection) =
        Builder::new().max_buf_size(MAX_BUFFER).handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Ends when the sender is dropped or the peer closes; what went wrong reaches the request it went wrong for.
    tokio::spawn(async move { connection.await.ok() });
    Ok(sender)
}

fn failed(error: impl Into<BoxError>) -> SendError {
    SendError::Connect(error.into())
}
