//! How a client proves itself at a token endpoint: in exactly one way (RFC 6749 section 2.3).
//! Knows nothing of grants, and sends nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::error::ExchangeError;
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::token::mint::PrivateKey;

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
    /// A JWT signed with the app's private key (`private_key_jwt` of OpenID Connect Core section 9).
    PrivateKeyJwt,
    /// A JWT signed with the app's secret (`client_secret_jwt`).
    ClientSecretJwt,
}

/// The OAuth app.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its secret; a public client has none.
    pub secret: Option<&'a Secret<String>>,
    /// What it signs assertions with.
    pub private_key: Option<&'a PrivateKey>,
    /// How it proves itself.
    pub authentication: ClientAuthentication,
    /// What its provider calls `client_id`.
    pub id_name: &'a str,
    /// What its provider calls `client_secret`.
    pub secret_name: &'a str,
    /// Whom its assertions are for, if not the token endpoint by its address.
    pub audience: Option<&'a str>,
}

/// What of a request proves the client.
pub(super) struct Proof<'a> {
    /// The value of `Authorization`.
    pub(super) authorization: Option<HeaderValue>,
    /// Fields of the form.
    pub(super) fields: Vec<(&'a str, Zeroizing<String>)>,
}

impl<'a> Client<'a> {
    /// One that has nothing but its id.
    #[must_use]
    pub fn public(id: &'a str) -> Self {
        Self {
            id,
            secret: None,
            private_key: None,
            authentication: ClientAuthentication::None,
            id_name: "client_id",
            secret_name: "client_secret",
            audience: None,
        }
    }

    /// What proves it at `endpoint`. Where there is no secret there is nothing to prove: then it only names itself.
    pub(super) fn proof(&self, endpoint: &str, now: Timestamp) -> Result<Proof<'a>, ExchangeError> {
        use ClientAuthentication::{Body, Both, ClientSecretJwt, Header, None as Public, PrivateKeyJwt};
        let field = |name, value: &str| (name, Zeroizing::new(value.to_owned()));
        let id = field(self.id_name, self.id);
        let in_form = |fields| Ok(Proof { authorization: None, fields });
        match (self.authentication, self.secret) {
            (PrivateKeyJwt | ClientSecretJwt, _) => {
                let assertion = ("client_assertion", self.assertion(endpoint, now)?);
                in_form(vec![id, field("client_assertion_type", ASSERTION_TYPE), assertion])
            }
            (Public, _) | (_, None) => in_form(vec![id]),
            (Body, Some(secret)) => in_form(vec![id, field(self.secret_name, secret.expose())]),
            (Header(form), Some(secret)) => {
                Ok(Proof { authorization: header(form, self.id, secret), fields: Vec::new() })
            }
            (Both(form), Some(secret)) => {
                let fields = vec![id, field(self.secret_name, secret.expose())];
                Ok(Proof { authorization: header(form, self.id, secret), fields })
            }
        }
    }
}

/// RFC 7523 section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn header(form: Basic, client_id: &str, secret: &Secret<String>) -> Option<HeaderValue> {
    let encoded = basic(form, client_id, secret);
    let mut value = HeaderValue::from_str(&format!("Basic {}", *encoded)).ok()?;
    value.set_sensitive(true);
    Some(value)
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
