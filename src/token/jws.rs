//! The compact form of a signed token (RFC 7515 section 7.1), split and read strictly.
//! Never knows of keys or claims: whether the signature holds is not decided here.

pub mod json;

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::error::TokenError;
use super::keys::Algorithm;
use crate::names::KeyId;

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN: usize = 8 * 1024;
/// The longest encoded header, in bytes. Ours are under 100; an embedded `x5c` chain, which is ignored, needs more.
const MAX_HEADER: usize = 4 * 1024;
/// The longest key id, in bytes.
const MAX_KID: usize = 256;

/// A token taken apart. Nothing in it may be trusted before its signature is verified.
#[derive(Debug)]
pub struct Jws<'a> {
    /// The signature algorithm the token asks for.
    pub algorithm: Algorithm,
    /// The key it says it was signed with: an opaque name to look up, nothing more (RFC 7515 section 4.1.4).
    pub kid: Option<KeyId>,
    /// What it says it is (RFC 7515 section 4.1.9).
    pub typ: Option<SmolStr>,
    /// What was signed: header and payload as they were sent.
    pub signing_input: &'a [u8],
    /// The decoded payload.
    pub payload: Vec<u8>,
    /// The decoded signature.
    pub signature: Vec<u8>,
}

/// Takes a token apart.
///
/// Every part must be canonical base64url: no padding, no white space, no `+` or `/`, unused bits zero. The header's
/// `jwk`, `jku`, `x5u`, `x5c` and the like are never read, let alone fetched: keys come from the configuration alone.
///
/// # Errors
/// [`TokenError::TooLong`] before anything is decoded, [`TokenError::Malformed`], [`TokenError::Crit`],
/// [`TokenError::UnsupportedHeader`] and [`TokenError::UnsupportedAlgorithm`].
pub fn parse(token: &str) -> Result<Jws<'_>, TokenError> {
    if token.len() > MAX_TOKEN {
        return Err(TokenError::TooLong);
    }
    let (signing_input, signature) = token.rsplit_once('.').ok_or(NOT_THREE_PARTS)?;
    let (header, payload) = signing_input.split_once('.').ok_or(NOT_THREE_PARTS)?;
    if payload.contains('.') {
        return Err(NOT_THREE_PARTS);
    }
    if header.len() > MAX_HEADER {
        return Err(TokenError::Malformed("its header is too long"));
    }
    let Header { algorithm, kid, typ } = header_of(header)?;
    let payload = decode(payload, "its payload is not canonical base64url")?;
    let signature = decode(signature, "its signature is not canonical base64url")?;
    if signature.is_empty() {
        return Err(TokenError::Malformed("it has no signature"));
    }
    Ok(Jws { algorithm, kid, typ, signing_input: signing_input.as_bytes(), payload, signature })
}

/// Reads a decoded payload as a set of claims.
///
/// # Errors
/// [`TokenError::Malformed`] unless it is one strict JSON object.
pub fn claims(payload: &[u8]) -> Result<Map<String, Value>, TokenError> {
    json::object(payload).map_err(|_| TokenError::Malformed("its payload is not one strict JSON object"))
}

const NOT_THREE_PARTS: TokenError = TokenError::Malformed("it does not have three parts");

fn decode(part: &str, problem: &'static str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed(problem))
}

#[derive(Clone)]
struct Header {
    algorithm: Algorithm,
    kid: Option<KeyId>,
    typ: Option<SmolStr>,
}

thread_local! {
    /// The header that was read last, as it was sent: an issuer's tokens mostly differ behind it.
    static LAST: RefCell<Option<(Box<str>, Header)>> = const { RefCell::new(None) };
}

fn header_of(encoded: &str) -> Result<Header, TokenError> {
    LAST.with_borrow_mut(|last| {
        if let Some((_, header)) = last.as_ref().filter(|(text, _)| **text == *encoded) {
            return Ok(header.clone());
        }
        let header = read_header(&decode(encoded, "its header is not canonical base64url")?)?;
        *last = Some((encoded.into(), header.clone()));
        Ok(header)
    })
}

fn read_header(header: &[u8]) -> Result<Header, TokenError> {
    let header = json::object(header)
        .map_err(|_| TokenError::Malformed("its header is not one strict JSON object"))?;
    if header.contains_key("crit") {
        return Err(TokenError::Crit);
    }
    for name in ["b64", "zip", "enc"] {
        if header.contains_key(name) {
            return Err(TokenError::UnsupportedHeader(name));
        }
    }
    if header.get("cty").and_then(Value::as_str).is_some_and(is_nested) {
        return Err(TokenError::UnsupportedHeader("cty"));
    }
    let Some(Value::String(algorithm)) = header.get("alg") else {
        return Err(TokenError::Malformed("its header has no `alg`"));
    };
    let algorithm = algorithm.parse().map_err(|_| TokenError::UnsupportedAlgorithm)?;
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= MAX_KID => Some(KeyId::from(kid.as_str())),
        Some(_) => return Err(TokenError::Malformed("its `kid` is not a string of at most 256 bytes")),
    };
    let typ = header.get("typ").and_then(Value::as_str).map(SmolStr::from);
    Ok(Header { algorithm, kid, typ })
}

/// Whether `cty` says that the payload is a token itself (RFC 7519 section 5.2).
fn is_nested(cty: &str) -> bool {
    ["jwt", "application/jwt"].iter().any(|nested| cty.eq_ignore_ascii_case(nested))
}

#[cfg(test)]
mod tests;
