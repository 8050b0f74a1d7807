//! Methods for the tests of the rooms that run some.
//! Never part of a build.

use std::time::Duration;

use super::*;
use crate::http::egress::Names;

/// With a client that trusts no certificate.
pub(crate) fn methods() -> Methods {
    crate::http::tls::install_crypto();
    let tls = rustls::ClientConfig::builder()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let names = Names::default();
    Methods::new(Arc::new(Client::new(Arc::new(tls), names, Duration::from_secs(5), Duration::from_secs(10))))
}
