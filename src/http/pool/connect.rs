//! A new connection to an origin: resolve, check, dial, TLS.
//! Never knows what will be sent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::stream::Stream;
use super::{Guard, Origin, SendError, Settings};
use crate::http::body::BoxError;
use crate::http::egress::EgressError;

/// Makes a connection within the connect timeout.
pub(super) async fn connect(origin: &Origin, settings: &Settings) -> Result<Stream, SendError> {
    tokio::time::timeout(settings.connect_timeout, dial(origin, settings))
        .await
        .unwrap_or(Err(SendError::ConnectTimeout))
}

async fn dial(origin: &Origin, settings: &Settings) -> Result<Stream, SendError> {
    match origin {
        Origin::Unix(_) if settings.egress.is_some() => Err(SendError::Egress(EgressError::UnixSocket)),
        Origin::Unix(path) => UnixStream::connect(path).await.map(Stream::Unix).map_err(failed),
        Origin::Tcp { host, port, tls } => {
            let addresses = addresses(host, *port, *tls, settings).await?;
            let stream = first_that_answers(&addresses).await.map_err(failed)?;
            // Without it a message in two writes could wait for a delayed acknowledgement.
            stream.set_nodelay(true).map_err(failed)?;
            if !*tls {
                return Ok(Stream::Tcp(stream));
            }
            let name = settings.server_name.as_deref().unwrap_or(host);
            let secured = connector(settings)?.connect(server_name(name)?, stream).await.map_err(failed)?;
            Ok(Stream::Tls(Box::new(secured)))
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
    let Some(Guard { egress, names }) = &settings.egress else {
        let found = tokio::net::lookup_host((bare(host), port)).await.map_err(failed)?;
        return Ok(found.collect());
    };
    egress.check_scheme(tls).map_err(SendError::Egress)?;
    egress.resolve(names, host, port).await.map_err(SendError::Egress)
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

fn failed(error: impl Into<BoxError>) -> SendError {
    SendError::Connect(error.into())
}
