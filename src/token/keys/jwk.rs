//! JWK sets (RFC 7517), entry by entry: a bad entry is refused and the others kept.
//! Never knows which of a workspace's other keys there are.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use super::material::{Curve, PublicMaterial};
use super::{Algorithm, Refusal};
use crate::secret::Secret;
use crate::token::jws::json;

/// The longest key id, in bytes: as for tokens.
const MAX_KID: usize = 256;

/// One entry of a set.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its `kid`, where it has a readable one.
    pub(super) kid: Option<String>,
    /// What it is known by when it comes again.
    pub(super) digest: [u8; 32],
    /// Its key, or why there is none.
    pub(super) key: Result<JwkKey, Refusal>,
}

/// A key as an entry describes it, not yet checked for strength.
#[derive(Debug)]
pub(super) struct JwkKey {
    pub(super) material: JwkMaterial,
    /// Its `alg`: the only algorithm it serves (RFC 7517 section 4.4).
    pub(super) algorithm: Option<Algorithm>,
}

#[derive(Debug)]
pub(super) enum JwkMaterial {
    Secret(Secret<Vec<u8>>),
    Public(PublicMaterial),
}

/// Reads a set.
pub(super) fn read(text: &str) -> Result<Vec<Entry>, Refusal> {
    let mut set = json::object(text.as_bytes()).map_err(|error| {
        Refusal::new(format!("the set is not strict JSON: {error}"), "give a JWK set: {\"keys\": [...]}")
    })?;
    let Some(Value::Array(keys)) = set.remove("keys") else {
        return Err(Refusal::new("the set has no list `keys`", "give a JWK set: {\"keys\": [...]}"));
    };
    Ok(keys.into_iter().map(entry).collect())
}

/// The members that matter; others are ignored, as RFC 7517 section 4 asks.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    k: Option<String>,
}

fn entry(value: Value) -> Entry {
    let kid = value.get("kid").and_then(Value::as_str).map(str::to_owned);
    let mut digest = [0; 32];
    digest.copy_from_slice(digest::digest(&digest::SHA256, value.to_string().as_bytes()).as_ref());
    Entry { kid, digest, key: key(value) }
}

fn key(value: Value) -> Result<JwkKey, Refusal> {
    let is_private = ["d", "p", "q", "dp", "dq", "qi", "oth"].iter().any(|name| value.get(name).is_some());
    if is_private {
        return Err(Refusal::new("it holds a private key", "publish only the public members of a key"));
    }
    let jwk: Jwk = serde_json::from_value(value)
        .map_err(|_| Refusal::new("one of its members has the wrong type", "see RFC 7517 section 4"))?;
    check_purpose(&jwk)?;
    let algorithm = jwk.alg.as_deref().map(str::parse::<Algorithm>).transpose().map_err(|_| {
        let problem = "its `alg` is none of the twelve signature algorithms";
        Refusal::new(problem, "name one, such as ES256, or leave `alg` out")
    })?;
    let material = match jwk.kty.as_str() {
        "oct" => JwkMaterial::Secret(Secret::new(decode(jwk.k.as_deref(), "k")?)),
        "RSA" => JwkMaterial::Public(rsa(&jwk)?),
        "EC" => JwkMaterial::Public(ec(&jwk)?),
        _ => {
            return Err(Refusal::new(
                "its `kty` is none of oct, RSA and EC",
                "give a key for one of the twelve algorithms",
            ));
        }
    };
    let fits = algorithm.is_none_or(|algorithm| material.algorithms().contains(&algorithm));
    if !fits {
        return Err(Refusal::new(
            "its `alg` does not fit its `kty` and `crv`",
            "correct `alg`, or leave it out",
        ));
    }
    Ok(JwkKey { material, algorithm })
}

impl JwkMaterial {
    /// The algorithms the kind of key can serve.
    pub(super) fn algorithms(&self) -> Vec<Algorithm> {
        match self {
            Self::Secret(_) => Algorithm::HMAC.to_vec(),
            Self::Public(key) => key.algorithms(),
        }
    }
}

fn check_purpose(jwk: &Jwk) -> Result<(), Refusal> {
    if jwk.r#use.as_deref().is_some_and(|purpose| purpose != "sig") {
        return Err(Refusal::new("its `use` is not sig", "give a signature key"));
    }
    if jwk
        .key_ops
        .as_ref()
        .is_some_and(|operations| !operations.iter().any(|operation| operation == "verify"))
    {
        return Err(Refusal::new("its `key_ops` do not include verify", "give a signature key"));
    }
    if jwk.kid.as_ref().is_some_and(|kid| kid.len() > MAX_KID) {
        return Err(Refusal::new("its `kid` is longer than 256 bytes", "give it a shorter `kid`"));
    }
    Ok(())
}

fn rsa(jwk: &Jwk) -> Result<PublicMaterial, Refusal> {
    let [modulus, exponent] =
        [(&jwk.n, "n"), (&jwk.e, "e")].map(|(text, name)| decode(text.as_deref(), name));
    Ok(PublicMaterial::Rsa {
        modulus: without_leading_zeros(modulus?),
        exponent: without_leading_zeros(exponent?),
    })
}

fn ec(jwk: &Jwk) -> Result<PublicMaterial, Refusal> {
    let Some(curve) = Curve::ALL.into_iter().find(|curve| jwk.crv.as_deref() == Some(curve.name())) else {
        return Err(Refusal::new("its `crv` is none of P-256, P-384 and P-521", "give a key on one of them"));
    };
    let mut point = vec![4];
    for (text, name) in [(&jwk.x, "x"), (&jwk.y, "y")] {
        let coordinate = decode(text.as_deref(), name)?;
        if coordinate.len() != curve.coordinate_len() {
            let problem = format!("its `{name}` is not as long as {} asks", curve.name());
            return Err(Refusal::new(problem, "see RFC 7518 section 6.2.1"));
        }
        point.extend(coordinate);
    }
    Ok(PublicMaterial::Ec { curve, key: point })
}

fn decode(text: Option<&str>, name: &str) -> Result<Vec<u8>, Refusal> {
    let decoded = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    decoded.ok_or_else(|| {
        Refusal::new(format!("its `{name}` is missing or not base64url"), "see RFC 7518 section 6")
    })
}

/// RFC 7518 section 6.3.1.1 forbids them, but encoders that print signed numbers add one.
fn without_leading_zeros(mut number: Vec<u8>) -> Vec<u8> {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.drain(..zeros);
    number
}
