//! TLS settings from certificate files, for both sides, and the one cryptography provider.
//! Never knows who connects or where to.

mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, ConfigBuilder, ConfigSide, RootCertStore, WantsVerifier, WantsVersions};
use rustls_pki_types::pem::{self, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use rustls_platform_verifier::Verifier;

pub use server::{KeyPair, ListenerTls, Reloaded, ServerTls};

/// How an origin is trusted, and what we show it.
#[derive(Clone, Debug, Default)]
pub struct ClientTls {
    /// PEM: these authorities instead of the machine's own.
    pub ca: Option<PathBuf>,
    /// PEM: a client certificate; with `key`.
    pub certificate: Option<PathBuf>,
    /// PEM: its private key.
    pub key: Option<PathBuf>,
    /// The name the origin's certificate must carry, where it is not the origin's host.
    pub server_name: Option<String>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error("{} holds no private key", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key are not a pair, or one of them is not usable.
    #[error("the key in {} does not fit the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// A certificate has expired or is not valid yet.
    #[error("the certificate in {} is not valid at this time", path.display())]
    NotValidNow {
        /// The certificate's file.
        path: PathBuf,
    },
    /// A client certificate without its key, or a key without its certificate.
    #[error("a client certificate needs both certificate and key")]
    HalfAPair,
    /// A certificate authority is not usable.
    #[error("{} is not usable as a certificate authority", path.display())]
    BadAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The machine's trust store cannot be used.
    #[error("the machine's certificate authorities cannot be used; install ca-certificates or name a ca")]
    NoPlatformStore(#[source] rustls::Error),
}

/// Client settings: TLS 1.2 and 1.3, HTTP/1.1; the machine's trust store, or the given authorities alone.
/// `server_name` is not part of them: it goes where the connection is made.
pub fn client(config: &ClientTls) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = modern(ClientConfig::builder_with_provider(provider()));
    let builder = match &config.ca {
        None => {
            let verifier = Verifier::new(provider()).map_err(TlsError::NoPlatformStore)?;
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        Some(path) => {
            let verifier = WebPkiServerVerifier::builder_with_provider(authorities(path)?, provider())
                .build()
                .map_err(|source| TlsError::BadAuthority { path: path.clone(), source: source.into() })?;
            builder.with_webpki_verifier(verifier)
        }
    };
    let mut settings = match (&config.certificate, &config.key) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => builder
            .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
            .map_err(|source| mismatch(certificate, key, source))?,
        _ => return Err(TlsError::HalfAPair),
    };
    settings.alpn_protocols = http_1_1();
    Ok(Arc::new(settings))
}

/// AWS-LC as the process-wide provider of rustls and jsonwebtoken, which both panic at first use if they cannot tell which
/// to take. First thing in main and in tests; a second call changes nothing.
pub fn install_crypto() {
    // Both fail only where a provider is installed already.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().ok();
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn modern<S: ConfigSide>(builder: ConfigBuilder<S, WantsVersions>) -> ConfigBuilder<S, WantsVerifier> {
    builder
        .with_safe_default_protocol_versions()
        .expect("AWS-LC serves the default versions, TLS 1.2 and 1.3")
}

fn http_1_1() -> Vec<Vec<u8>> {
    vec![b"http/1.1".to_vec()]
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable)?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey { path: path.to_owned() },
        source => TlsError::Unreadable { path: path.to_owned(), source },
    })
}

fn authorities(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store
            .add(certificate)
            .map_err(|source| TlsError::BadAuthority { path: path.to_owned(), source: source.into() })?;
    }
    Ok(Arc::new(store))
}

fn mismatch(certificate: &Path, key: &Path, source: rustls::Error) -> TlsError {
    TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned(), source }
}

#[cfg(test)]
pub(in crate::http) mod tests;
