//! The headers that tell the upstream who asks.
//! Never writes what no verified token says. A caller's own under the same names are gone before: see `managed`.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::HeaderName;
use serde::Serialize;
use serde_json::Value;

use crate::http::headers::{Fields, header_text};
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

    /// Whether this is one of the headers.
    pub(super) fn has(&self, name: &HeaderName) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// Writes each header from the verified claims, but for want of a token, of the property, or because the value is
    /// empty or too long. The caller's own must have been removed before.
    pub fn write(&self, fields: &mut Fields<'_>, claims: Option<&Claims>) {
        let Some(claims) = claims else { return };
        for (name, property) in &self.0 {
            match property.value(claims) {
                Some(value) if value.is_empty() => {}
                Some(value) if value.len() <= MAX_VALUE => fields.write(name, value.as_bytes()),
                Some(value) => {
                    tracing::warn!(header = %name, bytes = value.len(), "an identity header is left out: it is too long");
                }
                None => {}
            }
        }
    }
}

impl Property {
    /// The header's value; none if the token does not have the property.
    fn value<'c>(&self, claims: &'c Claims) -> Option<Cow<'c, str>> {
        match self {
            Self::Id => Some(header_text(claims.id.as_ref()?.as_str())),
            Self::Workspace => Some(header_text(claims.workspace.as_str())),
            Self::Name => Some(header_text(claims.name()?)),
            Self::Fields => encoded(claims.fields()?),
            Self::IsAdmin => Some(if claims.is_admin { "true" } else { "false" }.into()),
            Self::Claim(path) => match claims.lookup(path)?.as_ref() {
                Value::Null => None,
                Value::String(claim) => Some(header_text(claim).into_owned().into()),
                claim @ (Value::Bool(_) | Value::Number(_)) => Some(claim.to_string().into()),
                claim @ (Value::Array(_) | Value::Object(_)) => encoded(claim),
            },
        }
    }
}

fn encoded(json: &impl Serialize) -> Option<Cow<'static, str>> {
    let json = serde_json::to_vec(json).ok()?;
    Some(URL_SAFE_NO_PAD.encode(json).into())
}

#[cfg(test)]
mod tests;
