//! How a client proves itself at a token endpoint: in exactly one way (RFC 6749 section 2.3).
//! Knows nothing of grants, and sends nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The way the client proves itself. Certified servers refuse a client that does so twice, so `Both` is only for
/// integrations that ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// HTTP Basic, id and secret form-urlencoded first (RFC 6749 section 2.3.1).
    Header,
    /// `client_id` and `client_secret` in the form.
    Body,
    /// Both of the above, for servers that were written against clients that did.
    Both,
    /// A public client: `client_id` in the form, no secret.
    None,
}

impl ClientAuthentication {
    /// Without a secret there is nothing to prove: the client only names itself.
    pub(super) fn given(self, secret: Option<&Secret<String>>) -> Self {
        if secret.is_some() { self } else { Self::None }
    }

    /// Adds the form's share.
    pub(super) fn write(
        self,
        form: &mut Serializer<'_, String>,
        client_id: &str,
        secret: Option<&Secret<String>>,
    ) {
        match self {
            Self::Header => {}
            Self::None => {
                form.append_pair("client_id", client_id);
            }
            Self::Body | Self::Both => {
                form.append_pair("client_id", client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose());
                }
            }
        }
    }

    /// The value of `Authorization`, if this way uses the header.
    pub(super) fn header(self, client_id: &str, secret: Option<&Secret<String>>) -> Option<HeaderValue> {
        if matches!(self, Self::Body | Self::None) {
            return None;
        }
        let encoded = basic(client_id, secret?);
        let mut value = HeaderValue::from_str(&format!("Basic {}", *encoded)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The credentials of HTTP Basic: base64 of the form-urlencoded id and secret.
pub(super) fn basic(client_id: &str, secret: &Secret<String>) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(String::new());
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.expose().as_bytes()));
    Zeroizing::new(STANDARD.encode(pair.as_bytes()))
}
