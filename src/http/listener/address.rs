//! Where a listener listens, as people write it.
//! Never touches the network.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// `127.0.0.1:80`, `[::1]:80` or `unix:/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

impl FromStr for Address {
    /// A sentence for the person who wrote it.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() {
                Ok(Self::Unix(path))
            } else {
                Err(format!(
                    "{text:?} does not name a socket file by its absolute path, as unix:/run/app.sock does"
                ))
            };
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!("{text:?} is not an address like 127.0.0.1:8080, [::1]:8080 or unix:/run/app.sock")
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_alike() {
        for text in ["127.0.0.1:80", "0.0.0.0:8080", "[::1]:80", "unix:/run/app.sock"] {
            let address: Address = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_an_example() {
        for text in [
            "",
            "80",
            ":80",
            "localhost:80",
            "127.0.0.1",
            "127.0.0.1:66000",
            "unix:",
            "unix:app.sock",
            "::1:80x",
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.contains("unix:/run/app.sock"), "{error}");
        }
    }
}
