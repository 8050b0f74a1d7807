//! Keys prepared once for AWS-LC, so that a verification parses and allocates nothing.
//! Never knows where a key came from.

use std::fmt;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, EcdsaVerificationAlgorithm,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{digest, hmac};

use super::{Algorithm, Refusal, strength};

/// One key for one algorithm: it cannot be used with another (RFC 8725 section 3.1).
pub(super) enum VerifyingKey {
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey, &'static digest::Algorithm),
}

impl VerifyingKey {
    /// Whether this key made `signature` over `message`; MACs are compared in constant time.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Hmac(key) => hmac::verify(key, message, signature).is_ok(),
            // The digest apart spares AWS-LC the making of a context for it.
            Self::Public(key, hash) => {
                key.verify_digest_sig(&digest::digest(hash, message), signature).is_ok()
            }
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hmac(_) => "Hmac",
            Self::Public(..) => "Public",
        })
    }
}

/// A public key as found in a PEM file or a JWK, not yet bound to an algorithm.
#[derive(Debug)]
pub(super) enum PublicMaterial {
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// An uncompressed point or an SPKI structure that holds one.
    Ec { curve: Curve, key: Vec<u8> },
}

impl PublicMaterial {
    /// The algorithms such a key can serve.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Rsa { .. } => Algorithm::RSA.to_vec(),
            Self::Ec { curve, .. } => vec![curve.algorithm()],
        }
    }

    /// Prepares it for each of `algorithms`, all of which it must be able to serve.
    pub(super) fn prepare(
        &self,
        algorithms: &[Algorithm],
    ) -> Result<Vec<(Algorithm, VerifyingKey)>, Refusal> {
        if let Self::Rsa { modulus, exponent } = self {
            strength::check_rsa(modulus, exponent)?;
        }
        algorithms.iter().map(|&algorithm| Ok((algorithm, self.bind(algorithm)?))).collect()
    }

    fn bind(&self, algorithm: Algorithm) -> Result<VerifyingKey, Refusal> {
        let key = match self {
            Self::Rsa { modulus, exponent } => RsaPublicKeyComponents { n: modulus, e: exponent }
                .to_parsed_public_key(rsa_parameters(algorithm)?)
                .map_err(|_| Refusal::new("its RSA modulus and exponent make no key", MAKE_ANOTHER))?,
            Self::Ec { curve, key } => ParsedPublicKey::new(curve.verification(), key).map_err(|_| {
                Refusal::new(format!("its point is not on the curve {}", curve.name()), MAKE_ANOTHER)
            })?,
        };
        Ok(VerifyingKey::Public(key, hash(algorithm)))
    }
}

/// What an algorithm signs is a hash (RFC 7518 section 3.1).
fn hash(algorithm: Algorithm) -> &'static digest::Algorithm {
    match algorithm {
        Algorithm::RS256 | Algorithm::ES256 | Algorithm::PS256 | Algorithm::HS256 => &digest::SHA256,
        Algorithm::RS384 | Algorithm::ES384 | Algorithm::PS384 | Algorithm::HS384 => &digest::SHA384,
        Algorithm::RS512 | Algorithm::ES512 | Algorithm::PS512 | Algorithm::HS512 => &digest::SHA512,
    }
}

/// Prepares a secret for each of `algorithms`, of which only the HS ones count.
pub(super) fn prepare_secret(secret: &[u8], algorithms: &[Algorithm]) -> Vec<(Algorithm, VerifyingKey)> {
    let prepare = |algorithm: Algorithm| {
        let hash = match algorithm {
            Algorithm::HS256 => hmac::HMAC_SHA256,
            Algorithm::HS384 => hmac::HMAC_SHA384,
            Algorithm::HS512 => hmac::HMAC_SHA512,
            _ => return None,
        };
        Some((algorithm, VerifyingKey::Hmac(Box::new(hmac::Key::new(hash, secret)))))
    };
    algorithms.iter().copied().filter_map(prepare).collect()
}

/// The curves of RFC 7518 section 3.4, each with its one algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    pub(super) const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// Its name in a JWK.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
            Self::P521 => Algorithm::ES512,
        }
    }

    /// The length of one coordinate in bytes.
    pub(super) fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Signatures are two numbers of fixed length (RFC 7518 section 3.4), never DER.
    pub(super) fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

const MAKE_ANOTHER: &str = "make a new key pair and give its public half";

fn rsa_parameters(algorithm: Algorithm) -> Result<&'static RsaParameters, Refusal> {
    Ok(match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &RSA_PSS_2048_8192_SHA512,
        other => {
            return Err(Refusal::new(
                format!("an RSA key cannot serve {other}"),
                "name an RS or PS algorithm",
            ));
        }
    })
}
