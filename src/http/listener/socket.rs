//! Listening sockets: bound without a runtime, accepting within one.
//! Never reads or writes a byte.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::{TcpStream, UnixStream};

use super::Address;
use crate::http::tls::TlsError;

/// How many connections may wait to be accepted; the system may cap it (net.core.somaxconn).
const BACKLOG: i32 = 4096;
/// Owner and group may connect. Narrower would keep out a service that runs as another user of the same group,
/// which is how the containers of a pod share a volume.
const SOCKET_MODE: u32 = 0o660;

/// Why a listener cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address}; {}", advice(source))]
    Bind {
        /// The address.
        address: Address,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody listens on the socket file.
    #[error("another process listens on {}", path.display())]
    Taken {
        /// The socket file.
        path: PathBuf,
    },
    /// There is a file in the socket's place.
    #[error("{} exists and is not a socket", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The certificate or its key is not usable.
    #[error("TLS cannot be set up")]
    Tls(#[source] TlsError),
    /// The socket was taken away under a listener that serves.
    #[error("nothing can be accepted on {address} any more")]
    Dead {
        /// The address.
        address: Address,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// A socket that listens and belongs to no runtime yet.
pub(super) enum Bound {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

/// A socket within a runtime.
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener),
    Unix(tokio::net::UnixListener),
}

/// A connection somebody made.
pub(super) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    Unix(UnixStream),
}

pub(super) fn bind(address: &Address, reuse_port: bool) -> Result<Bound, ListenError> {
    let failed = |source| ListenError::Bind { address: address.clone(), source };
    match address {
        Address::Tcp(tcp) => bind_tcp(*tcp, reuse_port).map(Bound::Tcp).map_err(failed),
        Address::Unix(path) => {
            remove_stale(path)?;
            bind_unix(path).map(Bound::Unix).map_err(failed)
        }
    }
}

impl Bound {
    /// The real address, where the system chose the port.
    pub(super) fn address(&self, configured: &Address) -> Address {
        match self {
            Self::Tcp(listener) => listener.local_addr().map_or_else(|_| configured.clone(), Address::Tcp),
            Self::Unix(_) => configured.clone(),
        }
    }

    pub(super) fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(Self::Tcp),
            Self::Unix(listener) => listener.try_clone().map(Self::Unix),
        }
    }

    pub(super) fn listen(self) -> io::Result<Listener> {
        match self {
            Self::Tcp(listener) => tokio::net::TcpListener::from_std(listener).map(Listener::Tcp),
            Self::Unix(listener) => tokio::net::UnixListener::from_std(listener).map(Listener::Unix),
        }
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, peer)| Accepted::Tcp(stream, peer)),
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
        }
    }
}

impl Listener {
    /// Listens no more, and gives those who had connected by then and whom nobody accepted: the system would reset them.
    pub(super) fn into_waiting(self) -> Vec<Accepted> {
        match self {
            Self::Tcp(listener) => waiting(listener.into_std(), |listener| {
                let (stream, peer) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Accepted::Tcp(TcpStream::from_std(stream)?, peer))
            }),
            Self::Unix(listener) => waiting(listener.into_std(), |listener| {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                Ok(Accepted::Unix(UnixStream::from_std(stream)?))
            }),
        }
    }
}

fn waiting<L>(listener: io::Result<L>, accept: impl Fn(&L) -> io::Result<Accepted>) -> Vec<Accepted> {
    let Ok(listener) = listener else { return Vec::new() };
    let next = || loop {
        match accept(&listener) {
            Err(error) if is_the_connections_own(&error) => {}
            // Most often because nobody is left.
            accepted => return accepted.ok(),
        }
    };
    std::iter::from_fn(next).collect()
}

/// Whether accepting failed for the one connection that was next (accept(2)); the following may be accepted at once.
pub(super) fn is_the_connections_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Whether accepting failed because there is no listening socket any more: EBADF, EINVAL, ENOTSOCK or
/// EOPNOTSUPP by Linux's numbers. Anything else, like too many open files, passes.
pub(super) fn is_the_end(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(9 | 22 | 88 | 95))
}

fn bind_tcp(address: SocketAddr, reuse_port: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    // Every accepted connection inherits it. Without it an answer in two writes could wait for a delayed acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<std::os::unix::net::UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Before listen: until then nobody can connect, whatever the umask left open.
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Removes the socket file of a process that has ended. A file that is not a socket, or a socket somebody listens on,
/// stays.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Bind { address: Address::Unix(path.to_owned()), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !found.file_type().is_socket() {
        return Err(ListenError::NotASocket { path: path.to_owned() });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
        Ok(_) => Err(ListenError::Taken { path: path.to_owned() }),
    }
}

/// What to do about an address that cannot be had.
fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "stop the process that has it, or choose another address",
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine",
        io::ErrorKind::PermissionDenied => "choose a port above 1023, or grant NET_BIND_SERVICE",
        io::ErrorKind::NotFound => "make its folder",
        _ => "choose another address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_no_longer_listens_is_told_from_a_passing_lack() {
        let any_port = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let bound = bind(&any_port, false).unwrap();
        let Bound::Tcp(socket) = bound.try_clone().unwrap() else { unreachable!("it is a TCP socket") };
        let listener = bound.listen().unwrap();
        Socket::from(socket).shutdown(std::net::Shutdown::Both).unwrap();
        let error = listener.accept().await.err().unwrap();
        assert!(is_the_end(&error) && !is_the_connections_own(&error), "{error:?}");
        for passing in [24, 23, 12, 105] {
            assert!(!is_the_end(&io::Error::from_raw_os_error(passing)), "{passing}");
        }
    }

    #[tokio::test]
    async fn an_accepted_connection_does_not_gather_small_writes() {
        let any_port = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
        let bound = bind(&any_port, false).unwrap();
        let Address::Tcp(address) = bound.address(&any_port) else { unreachable!("it is a TCP address") };
        let _client = TcpStream::connect(address).await.unwrap();
        let Accepted::Tcp(stream, _) = bound.listen().unwrap().accept().await.unwrap() else {
            unreachable!("it is a TCP listener")
        };
        assert!(stream.nodelay().unwrap());
    }
}
