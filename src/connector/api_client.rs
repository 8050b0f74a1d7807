//! What `makeApiClient` gives: where to send, what to put in, and what an answer means for the credentials.
//! Never sees a request or its caller.

use http::HeaderName;

use super::fields::{Fields, MethodError, is_header_text, scalar};
use super::request::Reply;
use super::response::{Handled, ResponseHandlers, Staleness};
use crate::formula::Value;
use crate::oauth1::Signer;
use crate::secret::Secret;

/// How to call the third party for one connection.
#[derive(Debug)]
pub struct ApiClient {
    /// An absolute http or https URL without user, password, query and fragment, as the mapping gives it.
    pub base_uri: String,
    /// Headers to put in, each with text that may stand in a header.
    pub headers: Vec<(HeaderName, Secret<String>)>,
    /// Query parameters to put in, not encoded yet.
    pub query: Vec<(String, Secret<String>)>,
    /// User name and password of HTTP Basic (RFC 7617).
    pub basic: Option<(String, Secret<String>)>,
    /// What signs each request, for OAuth 1.0a.
    pub signer: Option<Signer>,
    /// What the spec says about answers, before the default.
    pub response_handlers: ResponseHandlers,
}

impl ApiClient {
    pub(super) fn from_result(
        result: &Value,
        response_handlers: ResponseHandlers,
    ) -> Result<Self, MethodError> {
        let fields = Fields { method: "makeApiClient", result };
        let base_uri = fields.required(&["baseUri", "baseUrl"])?;
        if fields.web_url("baseUri", &base_uri)?.query().is_some() {
            return Err(fields.wrong("baseUri", "without a query"));
        }
        Ok(Self {
            base_uri,
            headers: headers(&fields)?,
            query: query(&fields)?,
            basic: basic(&fields)?,
            signer: None,
            response_handlers,
        })
    }

    /// Scheme, host and port of the base URI, as an integration with `hosts: connection` pins it:
    /// `https://acme.example.com`, with the port only where it is not the scheme's own.
    #[must_use]
    pub fn origin(&self) -> String {
        url::Url::parse(&self.base_uri).map(|uri| uri.origin().ascii_serialization()).unwrap_or_default()
    }

    /// What this response means for the credentials: the first response handler that matches decides, else 401 is an
    /// expired token.
    #[must_use]
    pub fn staleness(&self, reply: &Reply<'_>) -> Staleness {
        self.response_handlers.staleness(reply)
    }

    /// What the first response handler that matches says of an answer to a method.
    #[must_use]
    pub fn handled(&self, reply: &Reply<'_>) -> Option<Handled> {
        self.response_handlers.handled(reply)
    }
}

fn headers(fields: &Fields<'_>) -> Result<Vec<(HeaderName, Secret<String>)>, MethodError> {
    let mut headers = Vec::new();
    for (name, value) in fields.members(&["headers"])? {
        let wrong = |expected| fields.wrong(&format!("header {}", name.escape_debug()), expected);
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("a valid header name"))?;
        if matches!(value, Value::Null) {
            continue;
        }
        let text = scalar(value).map(Secret::new).ok_or_else(|| wrong("text"))?;
        if !value.as_str().is_none_or(is_header_text) {
            return Err(wrong("visible ASCII on one line"));
        }
        headers.push((header, text));
    }
    Ok(headers)
}

/// A list gives the parameter once for each item.
fn query(fields: &Fields<'_>) -> Result<Vec<(String, Secret<String>)>, MethodError> {
    let mut query = Vec::new();
    for (name, value) in fields.members(&["query", "defaultQueryParameters"])? {
        for item in value.as_array().unwrap_or(std::slice::from_ref(value)) {
            if matches!(item, Value::Null) {
                continue;
            }
            let wrong = || fields.wrong(&format!("query parameter {}", name.escape_debug()), "text");
            query.push((name.to_owned(), Secret::new(scalar(item).ok_or_else(wrong)?)));
        }
    }
    Ok(query)
}

/// A missing password is empty: many APIs take a key as the user name alone. The reverse also exists.
fn basic(fields: &Fields<'_>) -> Result<Option<(String, Secret<String>)>, MethodError> {
    let Some(auth) = fields.get(&["auth"]) else { return Ok(None) };
    if auth.as_object().is_none() {
        return Err(fields.wrong("auth", "an object with username and password"));
    }
    let pair = Fields { method: fields.method, result: auth };
    let (username, password) = (pair.text(&["username"])?, pair.text(&["password"])?);
    if username.is_none() && password.is_none() {
        return Err(MethodError::Missing { method: fields.method, field: "auth.username" });
    }
    let username = username.unwrap_or_default();
    // RFC 7617 section 2: the first colon ends the user name.
    if username.contains(':') || username.contains(char::is_control) {
        return Err(fields.wrong("auth.username", "text without colons"));
    }
    Ok(Some((username, Secret::new(password.unwrap_or_default()))))
}
