//! How a client proves itself at a token endpoint: in exactly one way (RFC 6749 section 2.3).
//! Knows nothing of grants, and sends nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// How HTTP Basic writes id and secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Basic {
    /// Form-urlencoded first (RFC 6749 section 2.3.1).
    #[default]
    Encoded,
    /// As they are (RFC 7617), for servers that do not decode.
    Raw,
}

/// The way the client proves itself. Certified servers refuse a client that does so twice, so `Both` is only for
/// integrations that ask for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuthentication {
    /// HTTP Basic.
    Header(Basic),
    /// `client_id` and `client_secret` in the form.
    Body,
    /// Both of the above, for servers that were written against clients that did.
    Both(Basic),
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
            Self::Header(_) => {}
            Self::None => {
                form.append_pair("client_id", client_id);
            }
            Self::Body | Self::Both(_) => {
                form.append_pair("client_id", client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose());
                }
            }
        }
    }

    /// The value of `Authorization`, if this way uses the header.
    pub(super) fn header(self, client_id: &str, secret: Option<&Secret<String>>) -> Option<HeaderValue> {
        let (Self::Header(form) | Self::Both(form)) = self else { return None };
        let encoded = basic(form, client_id, secret?);
        let mut value = HeaderValue::from_str(&format!("Basic {}", *encoded)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The credentials of HTTP Basic: base64 of id and secret.
pub(super) fn basic(form: Basic, client_id: &str, secret: &Secret<String>) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(String::new());
    for (before, text) in [("", client_id), (":", secret.expose())] {
        pair.push_str(before);
        match form {
            Basic::Encoded => pair.extend(byte_serialize(text.as_bytes())),
            Basic::Raw => pair.push_str(text),
        }
    }
    Zeroizing::new(STANDARD.encode(pair.as_bytes()))
}
