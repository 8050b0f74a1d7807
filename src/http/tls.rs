//! skeleton
use std::sync::Arc;
use std::path::PathBuf;
#[derive(Clone, Debug)]
pub struct ServerTls { pub certificate: PathBuf, pub key: PathBuf, pub client_ca: Option<PathBuf> }
#[derive(Clone, Debug, Default)]
pub struct ClientTls { pub ca: Option<PathBuf>, pub certificate: Option<PathBuf>, pub key: Option<PathBuf>, pub server_name: Option<String> }
#[derive(Debug, thiserror::Error)]
pub enum TlsError { #[error("placeholder")] Placeholder }
pub fn server(_config: &ServerTls) -> Result<Arc<rustls::ServerConfig>, TlsError> { unimplemented!() }
/// Platform trust store, or the given CA alone.
pub fn client(_config: &ClientTls) -> Result<Arc<rustls::ClientConfig>, TlsError> { unimplemented!() }
/// AWS-LC as the process-wide provider of rustls and jsonwebtoken; first thing in main and in tests. Idempotent.
pub fn install_crypto() { unimplemented!() }
