//! The headers that tell the upstream who asks.
//! Never leaves a caller's value under one of its names: each is ours, or absent.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::Value;

use crate::http::headers::header_text;
use crate::token::Claims;

/// The longest value that is written; upstreams refuse heads of more than 8 to 16 KiB.
const MAX_VALUE: usize = 8 * 1024;

/// What an identity header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Property {
    /// The customer: `id`, else `tenantKey`, else `sub`.
    Id,
    /// The workspace.
    Workspace,
    /// The customer's name.
    Name,
    /// All of `fields`, as base64url of their JSON. They may hold the customer's API keys.
    Fields,
    /// `true` or `false`.
    IsAdmin,
    /// A claim, by dotted path or JSON pointer as [`Claims::lookup`] reads it. Objects and lists are base64url of
    /// their JSON.
    Claim(String),
}

/// An upstream's identity headers.
pub struct Identity(Vec<(HeaderName, Property)>);

impl Identity {
    /// Each header with what it says.
    #[must_use]
    pub fn new(headers: &[(HeaderName, Property)]) -> Self {
        Self(headers.to_vec())
    }

    /// Writes each header from the verified claims, over whatever stood there, or removes it: for want of a token, of
    /// the property, or because the value is empty or too long. Connection must have been resolved before, or a caller
    /// could have ours removed by naming it there.
    pub fn write(&self, headers: &mut HeaderMap, claims: Option<&Claims>) {
        for (name, property) in &self.0 {
            match claims.and_then(|claims| property.value(claims)) {
                Some(value) if value.len() <= MAX_VALUE => drop(headers.insert(name, value)),
                Some(value) => {
                    tracing::warn!(header = %name, bytes = value.len(), "an identity header is left out: it is too long");
                    headers.remove(name);
                }
                None => drop(headers.remove(name)),
            }
        }
    }
}

impl Property {
    /// The header's value; none if the token does not have the property, or has it empty.
    fn value(&self, claims: &Claims) -> Option<HeaderValue> {
        match self {
            Self::Id => text(claims.id.as_ref()?.as_str()),
            Self::Workspace => text(claims.workspace.as_str()),
            Self::Name => text(claims.name.as_deref()?),
            Self::Fields => encoded(claims.fields.as_ref()?),
            Self::IsAdmin => Some(HeaderValue::from_static(if claims.is_admin { "true" } else { "false" })),
            Self::Claim(path) => match claims.lookup(path)?.as_ref() {
                Value::Null => None,
                Value::String(claim) => text(claim),
                claim @ (Value::Bool(_) | Value::Number(_)) => text(&claim.to_string()),
                claim @ (Value::Array(_) | Value::Object(_)) => encoded(claim),
            },
        }
    }
}

fn text(text: &str) -> Option<HeaderValue> {
    (!text.is_empty()).then(|| header_text(text))
}

fn encoded(json: &impl Serialize) -> Option<HeaderValue> {
    let json = serde_json::to_vec(json).ok()?;
    HeaderValue::try_from(URL_SAFE_NO_PAD.encode(json)).ok()
}

#[cfg(test)]
mod tests;
