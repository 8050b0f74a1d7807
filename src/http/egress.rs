//! The egress guard: which addresses a call that carries a customer's credentials may be made to.
//! Never knows what is sent there; it looks at hosts and addresses only.

mod class;
mod names;

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

pub use class::Class;
pub use names::Names;

/// Which addresses may be dialled. Both doors are shut by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Egress {
    /// Opens loopback, private (RFC 1918, RFC 4193) and shared (RFC 6598) addresses. Link-local addresses and the
    /// clouds' metadata services stay shut even then: no third party lives there, and what does hands out credentials.
    pub allow_private: bool,
    /// Opens http beside https.
    pub allow_plain: bool,
}

/// Why an address is not dialled.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The scheme is http.
    #[error("http is not allowed, only https; egress.allowPlain would allow it")]
    Plain,
    /// A socket file where a host is wanted.
    #[error("a unix socket is not a third party")]
    UnixSocket,
    /// Neither a name nor an address in its usual spelling: `127.1`, `0x7f.0.0.1`, `2130706433`.
    #[error("{host:?} is neither a host name nor an address in its usual spelling")]
    NotAHost {
        /// The host as given.
        host: String,
    },
    /// The resolver failed.
    #[error("{host} cannot be resolved")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        source: io::Error,
    },
    /// The resolver knows no address.
    #[error("{host} has no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// The address is of a kind that is not dialled.
    #[error("{host} is at {address}, which is {class}; {}", class.advice())]
    Refused {
        /// The name or literal.
        host: String,
        /// The address it stands for.
        address: IpAddr,
        /// Its kind.
        class: Class,
    },
}

impl Egress {
    /// Asks `names` for `host`, once, and checks every address, literals alike. The caller dials exactly these, in this
    /// order; addresses that are not allowed are left out, and if none remains the first of them is the error.
    pub async fn resolve(
        &self,
        names: &Names,
        host: &str,
        port: u16,
    ) -> Result<Vec<SocketAddr>, EgressError> {
        if let Some(address) = self.check_host(host)? {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let found = names
            .look_up(host, port)
            .await
            .map_err(|source| EgressError::Unresolved { host: host.to_owned(), source })?;
        self.admit(host, found.into_iter())
    }

    /// Checks `host` as far as that is possible without a resolver: a literal is checked and returned, a name passes as
    /// `None`, and everything else (numeric spellings that only some parsers take for an address) is refused.
    pub fn check_host(&self, host: &str) -> Result<Option<IpAddr>, EgressError> {
        let Some(address) = literal(host)? else { return Ok(None) };
        self.check_address(host, address)?;
        Ok(Some(address))
    }

    /// Whether the scheme may be used: https always, http only where plain is allowed.
    pub fn check_scheme(&self, https: bool) -> Result<(), EgressError> {
        if https || self.allow_plain { Ok(()) } else { Err(EgressError::Plain) }
    }

    fn admit(
        &self,
        host: &str,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, EgressError> {
        let mut admitted = Vec::new();
        let mut refused = None;
        for socket in found {
            match self.check_address(host, socket.ip()) {
                Ok(()) => admitted.push(socket),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        if admitted.is_empty() {
            return Err(refused.unwrap_or_else(|| EgressError::NoAddress { host: host.to_owned() }));
        }
        Ok(admitted)
    }

    fn check_address(&self, host: &str, address: IpAddr) -> Result<(), EgressError> {
        match Class::of(address) {
            Class::Public => Ok(()),
            class if self.allow_private && class.opens_with_private() => Ok(()),
            class => Err(EgressError::Refused { host: host.to_owned(), address, class }),
        }
    }
}

/// The address that `host` spells out, or `None` for a name.
fn literal(host: &str) -> Result<Option<IpAddr>, EgressError> {
    let refused = || EgressError::NotAHost { host: host.to_owned() };
    if let Some(bracketed) = host.strip_prefix('[') {
        let inner = bracketed.strip_suffix(']').ok_or_else(refused)?;
        return inner.parse::<Ipv6Addr>().map(|address| Some(address.into())).map_err(|_| refused());
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Some(address));
    }
    if is_name(host) { Ok(None) } else { Err(refused()) }
}

/// A host name whose last label is not a number: a resolver would read `127.1`, `0x7f.1` or `2130706433` as an address
/// (inet_aton's spellings), and the WHATWG URL standard decides by the last label, too.
fn is_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    let is_hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || is_hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    name.len() <= 253 && name.split('.').all(is_label) && !is_number
}

#[cfg(test)]
mod tests;
