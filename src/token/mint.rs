//! Making tokens: the twelve algorithms, for `token mint`, the minted credential kinds and the tests.
//! Never knows what the claims mean or who asked for them.

mod private_key;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use rustls_pki_types::pem::{PemObject, SectionKind};
use serde_json::{Map, Value, json};

pub use private_key::PrivateKey;

use super::keys::Algorithm;
use crate::secret::Secret;

/// What a token is signed with.
#[derive(Debug)]
pub enum SigningKey {
    /// For HS256, HS384 and HS512: the raw UTF-8 bytes.
    Secret(Secret<String>),
    /// For the other nine: a private key as PKCS#8 PEM; for RSA, PKCS#1 PEM too.
    Pem(Secret<String>),
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MintError {
    /// A secret cannot serve RS, PS or ES, nor a private key HS.
    #[error("{algorithm} cannot be signed with a {given}")]
    WrongKey {
        /// The algorithm asked for.
        algorithm: Algorithm,
        /// `secret` or `private key`.
        given: &'static str,
    },
    /// The text is no private key in PEM form.
    #[error("the signing key is not a PKCS#8 private key in PEM form")]
    NotAPrivateKey,
    /// The key is of another kind or curve than the algorithm asks for, or RSA under 2048 bits.
    #[error("the private key does not fit {0}")]
    KeyDoesNotFit(Algorithm),
    /// The key is of a kind that no algorithm here has.
    #[error(
        "the private key is neither RSA of at least 2048 bits nor on one of the curves P-256, P-384 and P-521"
    )]
    UnknownKind,
    /// The signature itself failed.
    #[error("the token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Signs `claims` under a header of `typ` JWT, `alg`, and `kid` if given.
///
/// # Errors
/// See [`MintError`].
pub fn mint(
    claims: &Map<String, Value>,
    algorithm: Algorithm,
    key: &SigningKey,
    kid: Option<&str>,
) -> Result<String, MintError> {
    let Some(library_algorithm) = library_algorithm(algorithm) else {
        return mint_es512(claims, key, kid);
    };
    let mut header = Header::new(library_algorithm);
    header.kid = kid.map(str::to_owned);
    let key = encoding_key(algorithm, key)?;
    jsonwebtoken::encode(&header, claims, &key).map_err(|error| match error.kind() {
        jsonwebtoken::errors::ErrorKind::Json(_) => MintError::Sign(error),
        _ => MintError::KeyDoesNotFit(algorithm),
    })
}

/// The one algorithm `jsonwebtoken` does not have.
fn mint_es512(claims: &Map<String, Value>, key: &SigningKey, kid: Option<&str>) -> Result<String, MintError> {
    let SigningKey::Pem(pem) = key else {
        return Err(MintError::WrongKey { algorithm: Algorithm::ES512, given: "secret" });
    };
    let (_, der) = private_key(pem)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P521_SHA512_FIXED_SIGNING, der.expose())
        .map_err(|_| MintError::KeyDoesNotFit(Algorithm::ES512))?;
    let mut header = json!({"typ": "JWT", "alg": "ES512"});
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    let payload = Value::Object(claims.clone());
    let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{payload}");
    let signature = pair
        .sign(&SystemRandom::new(), message.as_bytes())
        .map_err(|_| MintError::KeyDoesNotFit(Algorithm::ES512))?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn library_algorithm(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    algorithm.as_str().parse().ok()
}

fn encoding_key(algorithm: Algorithm, key: &SigningKey) -> Result<EncodingKey, MintError> {
    let is_hmac = Algorithm::HMAC.contains(&algorithm);
    match key {
        SigningKey::Secret(secret) if is_hmac => Ok(EncodingKey::from_secret(secret.expose().as_bytes())),
        SigningKey::Secret(_) => Err(MintError::WrongKey { algorithm, given: "secret" }),
        SigningKey::Pem(_) if is_hmac => Err(MintError::WrongKey { algorithm, given: "private key" }),
        SigningKey::Pem(pem) => {
            let (kind, der) = private_key(pem)?;
            if !Algorithm::RSA.contains(&algorithm) {
                return Ok(EncodingKey::from_ec_der(der.expose()));
            }
            let pkcs1 = match kind {
                SectionKind::RsaPrivateKey => Some(der.expose().as_slice()),
                _ => private_key_of_pkcs8(der.expose()),
            };
            Ok(EncodingKey::from_rsa_der(pkcs1.ok_or(MintError::KeyDoesNotFit(algorithm))?))
        }
    }
}

fn private_key(pem: &Secret<String>) -> Result<(SectionKind, Secret<Vec<u8>>), MintError> {
    let section = <(SectionKind, Vec<u8>)>::from_pem_slice(pem.expose().as_bytes());
    match section {
        Ok((kind @ (SectionKind::PrivateKey | SectionKind::RsaPrivateKey), der)) => {
            Ok((kind, Secret::new(der)))
        }
        _ => Err(MintError::NotAPrivateKey),
    }
}

/// The key inside a PKCS#8 wrapper (RFC 5208 section 5): `jsonwebtoken` takes RSA keys bare. The structure is a
/// sequence of version, algorithm and the key as an octet string.
fn private_key_of_pkcs8(der: &[u8]) -> Option<&[u8]> {
    let (fields, _) = der_value(der, 0x30)?;
    let (_, rest) = der_value(fields, 0x02)?;
    let (_, rest) = der_value(rest, 0x30)?;
    let (key, _) = der_value(rest, 0x04)?;
    Some(key)
}

/// The value of the DER element that `input` begins with, and what follows it; `None` if its tag is another.
fn der_value(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = input.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    if length < 0x80 {
        return rest.split_at_checked(usize::from(length));
    }
    let (length, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
    if length.len() > 4 {
        return None;
    }
    let length = length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests;
