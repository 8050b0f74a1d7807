//! The request that a call would send, for people: its secrets masked, and nothing sent.
//! Never refreshes, never resolves a name, and never shows a value that a connector put in.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{Ask, CallError, Calls, Requested, open};
use crate::connector::{ApiClient, Integration};
use crate::http::Body;
use crate::http::pool::Origin;
use crate::inject::placement::NOT_UNRESERVED;
use crate::names::ConnectionId;

/// What stands in place of a secret.
const MASK: &str = "[masked]";
/// A shorter text of a connection's secrets is part of too many others to be looked for.
const SHORTEST: usize = 4;
/// What may stand in front of credentials in a header, and is shown.
const SCHEMES: [&str; 8] = ["Basic", "Bearer", "Token", "token", "ApiKey", "Bot", "OAuth", "Key"];

/// A request as it would be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Preview {
    /// The method.
    pub method: String,
    /// Where it would go.
    pub url: String,
    /// Its headers, without those that only the connection to the third party decides.
    pub headers: Vec<(String, String)>,
}

impl Calls {
    /// What a call without headers and body of its own would send now.
    ///
    /// # Errors
    /// As a call, as far as it comes without asking anybody.
    pub async fn preview(
        &self,
        integration: &Arc<Integration>,
        connection: &ConnectionId,
        requested: &Requested,
        method: Method,
    ) -> Result<Preview, CallError> {
        let opened = open::open(&self.store, connection).await?;
        let ask = Ask { integration, requested, method, headers: HeaderMap::new(), upgrade: None };
        let prepared = self.clients.get((&self.methods, &self.store), integration, &opened).await?;
        let signed = self.signed(&ask, HeaderMap::new(), &opened, (&prepared, &Body::empty()))?;
        let (origin, request) = signed.with_body(Body::empty());
        let secrets = open::texts(&opened);
        let header = |value: &HeaderValue| match value.to_str() {
            Ok(text) if !value.is_sensitive() => without(text, &secrets),
            Ok(text) => behind_its_scheme(text),
            Err(_) => MASK.to_owned(),
        };
        Ok(Preview {
            method: request.method().to_string(),
            url: without(&url(&origin, request.uri(), &prepared.client), &secrets),
            headers: request
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), header(value)))
                .collect(),
        })
    }
}

/// A credential in a header, masked; the word that says of what kind it is stays.
fn behind_its_scheme(value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, _)) if SCHEMES.contains(&scheme) => format!("{scheme} {MASK}"),
        _ => MASK.to_owned(),
    }
}

/// The URL with the values of the connector's query parameters masked.
fn url(origin: &Origin, target: &Uri, client: &ApiClient) -> String {
    let origin = match origin {
        Origin::Unix(path) => format!("unix:{}", path.display()),
        Origin::Tcp { host, port, tls } => {
            let scheme = if *tls { "https" } else { "http" };
            let host = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
            format!("{scheme}://{host}:{port}")
        }
    };
    let Some(query) = target.query() else { return format!("{origin}{}", target.path()) };
    let is_ours = |name: &str| {
        let name = name.replace('+', " ");
        let name: Vec<u8> = percent_decode_str(&name).collect();
        client.query.iter().any(|(ours, _)| ours.as_bytes() == name)
    };
    let parameters = query.split('&').map(|parameter| match parameter.split_once('=') {
        Some((name, _)) if is_ours(name) => format!("{name}={MASK}"),
        _ => parameter.to_owned(),
    });
    format!("{origin}{}?{}", target.path(), parameters.collect::<Vec<_>>().join("&"))
}

/// A text without any of the secrets, in the forms in which they may have come into it.
fn without(text: &str, secrets: &[Zeroizing<String>]) -> String {
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        let hex = || secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        let forms = [
            Zeroizing::new(secret.to_string()),
            Zeroizing::new(utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()),
            Zeroizing::new(utf8_percent_encode(secret, NOT_UNRESERVED).to_string()),
            Zeroizing::new(STANDARD_NO_PAD.encode(secret.as_bytes())),
            Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_bytes())),
            Zeroizing::new(hex()),
        ];
        for form in &forms {
            text = text.replace(form.as_str(), MASK);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(texts: &[&str]) -> Vec<Zeroizing<String>> {
        texts.iter().map(|text| Zeroizing::new((*text).to_owned())).collect()
    }

    #[test]
    fn a_secret_is_masked_in_every_form_it_may_have() {
        let secret = "pl/nt?d~1";
        for form in
            [secret, "pl%2Fnt%3Fd~1", "pl%2Fnt%3Fd%7E1", "cGwvbnQ_ZH4x", "cGwvbnQ/ZH4x", "706c2f6e743f647e31"]
        {
            let url = format!("https://a.test/bot{form}/x");
            assert_eq!(without(&url, &secrets(&[secret])), "https://a.test/bot[masked]/x", "{form}");
        }
        assert_eq!(without("https://a.test/1", &secrets(&["1", ""])), "https://a.test/1");
    }

    #[test]
    fn of_a_credential_in_a_header_only_a_known_scheme_is_shown() {
        assert_eq!(behind_its_scheme("Bearer abc"), "Bearer [masked]");
        assert_eq!(behind_its_scheme("secret words"), "[masked]");
        assert_eq!(behind_its_scheme("abc"), "[masked]");
    }
}
