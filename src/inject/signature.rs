//! The signature of OAuth 1.0a: of a request as it will be sent, its other credentials and all.
//! Never knows who the request is for, and never reads a body that is no form.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};

use super::InjectError;
use super::placement::{sensitive, without_parameters};
use crate::clock::Clock;
use crate::http::pool::Origin;
use crate::oauth1::{PARAMETERS, Request, SignatureMethod, Signer, Stamp};

/// What is signed, beside the request target.
pub(super) struct Message<'a> {
    pub(super) method: &'a Method,
    pub(super) origin: &'a Origin,
    pub(super) headers: &'a HeaderMap,
    /// Where it is at hand.
    pub(super) body: Option<&'a Bytes>,
}

/// The request target without parameters that only the signature may have, and the value of `Authorization` for it.
pub(super) fn signed(
    message: &Message<'_>,
    target: String,
    signer: &Signer,
    clock: &dyn Clock,
) -> Result<(String, HeaderValue), InjectError> {
    let target = without_parameters(target, |name| PARAMETERS.iter().any(|ours| ours.as_bytes() == name));
    let (host, port, https) = match message.origin {
        Origin::Unix(_) => ("localhost", 80, false),
        Origin::Tcp { host, port, tls } => (&**host, *port, *tls),
    };
    let form = form(message, signer.method)?;
    let method = message.method.as_str();
    let request = Request { method, https, host, port, path_and_query: &target, form };
    let authorization = signer.authorization(&request, &[], &Stamp::new(clock.now()));
    let authorization = sensitive(&AUTHORIZATION, &authorization)?;
    Ok((target, authorization))
}

/// The body, where its parameters are signed.
fn form<'a>(message: &Message<'a>, method: SignatureMethod) -> Result<&'a [u8], InjectError> {
    if method == SignatureMethod::Plaintext || !is_form(message.headers) {
        return Ok(b"");
    }
    message.body.map(|body| &**body).ok_or(InjectError::LongForm)
}

/// Whether the headers announce a form, whose parameters OAuth 1.0a signs (RFC 5849 section 3.4.1.3.1).
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests;
