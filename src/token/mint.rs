//! skeleton
use super::keys::Algorithm;
use crate::secret::Secret;
/// What a token is signed with.
pub enum SigningKey { /// HS*
    Secret(Secret<String>), /// RS*, PS*, ES*: PKCS#8 PEM
    Pem(Secret<String>) }
#[derive(Debug, thiserror::Error)]
pub enum MintError { #[error("placeholder")] Placeholder }
/// Signs `claims` (header: alg, typ JWT, kid if given).
pub fn mint(_claims: &serde_json::Map<String, serde_json::Value>, _algorithm: Algorithm, _key: &SigningKey, _kid: Option<&str>) -> Result<String, MintError> { unimplemented!() }
