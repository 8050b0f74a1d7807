//! The certificates of a listener: chosen by the name that a client asks for, and loaded anew without ending a connection.
//! Never knows who connects.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{ServerName, UnixTime};
use tokio_rustls::TlsAcceptor;
use webpki::{EndEntityCert, KeyUsage};

use super::{TlsError, authorities, certificates, mismatch, modern, private_key, provider};
use crate::clock::Timestamp;

/// A certificate and its key, both PEM files.
#[derive(Clone, Debug)]
pub struct KeyPair {
    /// The certificate and its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The certificates of a listener.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// The first serves whoever asks for no name, or for one that none of them carries.
    pub pairs: Vec<KeyPair>,
    /// PEM: who signs client certificates; if set, a client must have one.
    pub client_ca: Option<PathBuf>,
}

/// A listener's TLS. Clones share what is loaded.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    files: Arc<ServerTls>,
    loaded: Arc<ArcSwap<Loaded>>,
}

impl ListenerTls {
    /// Reads the files.
    pub fn load(files: &ServerTls) -> Result<Self, TlsError> {
        let loaded = Loaded::read(files, None)?;
        Ok(Self { files: Arc::new(files.clone()), loaded: Arc::new(ArcSwap::from_pointee(loaded)) })
    }

    /// Reads the files again, without changing anything yet.
    ///
    /// # Errors
    /// Something in them cannot be used, or a certificate is not valid at this time.
    pub fn read_again(&self, now: Timestamp) -> Result<Reloaded, TlsError> {
        let loaded = Arc::new(Loaded::read(&self.files, Some(now))?);
        Ok(Reloaded { listener: self.clone(), loaded })
    }

    /// Whether there is more than one certificate.
    pub(in crate::http) fn has_several(&self) -> bool {
        self.loaded.load().certificates.0.len() > 1
    }

    /// For the next handshake.
    pub(in crate::http) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.loaded.load().settings))
    }

    /// Whether one of the certificates is for this host, which may have a port (RFC 9110 section 7.4).
    pub(in crate::http) fn covers(&self, host: &str) -> bool {
        self.loaded.load().certificates.of(name_of(host)).is_some()
    }
}

/// What a listener's files hold now.
#[derive(Debug)]
pub struct Reloaded {
    listener: ListenerTls,
    loaded: Arc<Loaded>,
}

impl Reloaded {
    /// New handshakes use it from now on; connections stay.
    pub fn put_in_force(self) {
        self.listener.loaded.store(self.loaded);
    }
}

/// What a set of files holds.
#[derive(Debug)]
struct Loaded {
    settings: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
}

impl Loaded {
    /// TLS 1.2 and 1.3 without early data, HTTP/2 and HTTP/1.1.
    fn read(files: &ServerTls, now: Option<Timestamp>) -> Result<Self, TlsError> {
        let pairs = files.pairs.iter().map(|pair| certified(pair, now).map(Arc::new));
        let certificates = Arc::new(Certificates(pairs.collect::<Result<_, _>>()?));
        let builder = modern(ServerConfig::builder_with_provider(provider()));
        let builder = match &files.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(authorities(path)?, provider())
                    .build()
                    .map_err(|source| TlsError::BadAuthority { path: path.clone(), source: source.into() })?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut settings =
            builder.with_cert_resolver(Arc::clone(&certificates) as Arc<dyn ResolvesServerCert>);
        settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self { settings: Arc::new(settings), certificates })
    }
}

fn certified(pair: &KeyPair, now: Option<Timestamp>) -> Result<CertifiedKey, TlsError> {
    let (chain, key) = (certificates(&pair.certificate)?, private_key(&pair.key)?);
    let certified = CertifiedKey::from_der(chain, key, &provider())
        .map_err(|source| mismatch(&pair.certificate, &pair.key, source))?;
    if now.is_some_and(|now| !is_valid_at(&certified, now)) {
        return Err(TlsError::NotValidNow { path: pair.certificate.clone() });
    }
    Ok(certified)
}

/// Whether the time is within the certificate's. webpki looks at that first, and then misses the authorities that it was
/// not given.
fn is_valid_at(certified: &CertifiedKey, now: Timestamp) -> bool {
    let Some(leaf) = leaf(certified) else { return false };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_millis(now.as_millis()));
    let algorithms = provider().signature_verification_algorithms.all;
    let verified = leaf.verify_for_usage(algorithms, &[], &[], now, KeyUsage::server_auth(), None, None);
    !matches!(
        verified,
        Err(webpki::Error::CertExpired { .. }
            | webpki::Error::CertNotValidYet { .. }
            | webpki::Error::InvalidCertValidity)
    )
}

fn leaf(certified: &CertifiedKey) -> Option<EndEntityCert<'_>> {
    EndEntityCert::try_from(certified.cert.first()?).ok()
}

/// Certificates by the names they carry.
#[derive(Debug)]
struct Certificates(Vec<Arc<CertifiedKey>>);

impl Certificates {
    fn of(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = ServerName::try_from(name).ok()?;
        let carries = |certified: &&Arc<CertifiedKey>| {
            leaf(certified).is_some_and(|leaf| leaf.verify_is_valid_for_subject_name(&name).is_ok())
        };
        self.0.iter().find(carries)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().filter(|_| self.0.len() > 1).and_then(|name| self.of(name));
        named.or(self.0.first()).cloned()
    }
}

/// A host without its port, its brackets, and the dot of the root.
fn name_of(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    let name = host.split(':').next().unwrap_or(host);
    name.strip_suffix('.').unwrap_or(name)
}
