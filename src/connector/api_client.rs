//! What `makeApiClient` gives: where to send, what to put in, and what an answer means for the credentials.
//! Never sees a request or its caller.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, StatusCode};

use super::fields::{Fields, MethodError, scalar};
use crate::document::{Complaint, Node, Position, did_you_mean};
use crate::formula::{Template, Value};
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
    /// What the spec says about answers, before the default.
    pub response_handlers: ResponseHandlers,
}

/// What a response means for the credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// Nothing.
    Fine,
    /// Refresh them, and send the request once more.
    AccessTokenExpired,
    /// No refresh will help: the connection is unusable until the customer reconnects.
    ConnectionIsDefunct,
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
            response_handlers,
        })
    }

    /// Scheme, host and port of the base URI, as an integration with `hosts: connection` pins it:
    /// `https://acme.example.com`, with the port only where it is not the scheme's own.
    #[must_use]
    pub fn origin(&self) -> String {
        url::Url::parse(&self.base_uri).map(|uri| uri.origin().ascii_serialization()).unwrap_or_default()
    }

    /// What this response means: the first response handler that matches decides, else 401 is an expired token.
    #[must_use]
    pub fn staleness(&self, status: StatusCode, headers: &HeaderMap) -> Staleness {
        self.response_handlers.staleness(status, headers)
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

/// RFC 9110 section 5.5, without the bytes beyond ASCII that it calls obsolete.
fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
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

/// The spec's own rules about answers, in order. They see the status and the headers, not the body.
#[derive(Clone, Debug, Default)]
pub struct ResponseHandlers(Arc<[ResponseHandler]>);

#[derive(Debug)]
struct ResponseHandler {
    matches: Template,
    verdict: Staleness,
}

/// A handler, or the warning or the complaints that take its place.
enum Reading {
    Handler(ResponseHandler),
    Warning(Complaint),
    Complaints(Vec<Complaint>),
}

const HANDLER_KEYS: [&str; 4] = ["match", "isSuccess", "data", "error"];
const ERROR_KEYS: [&str; 3] = ["access_token_expired", "connection_is_defunct", "rate_limit_exceeded"];

impl ResponseHandlers {
    /// Reads `responseHandlers`; with warnings about those that need the body, and complaints about wrong ones.
    pub(super) fn read(file: &Arc<str>, node: Option<&Node>) -> (Self, Vec<Complaint>, Vec<Complaint>) {
        let (mut handlers, mut warnings, mut complaints) = (Vec::new(), Vec::new(), Vec::new());
        for item in node.map(Node::items).unwrap_or_default() {
            match ResponseHandler::read(file, item) {
                Reading::Handler(handler) => handlers.push(handler),
                Reading::Warning(warning) => warnings.push(warning),
                Reading::Complaints(more) => complaints.extend(more),
            }
        }
        (Self(handlers.into()), warnings, complaints)
    }

    fn staleness(&self, status: StatusCode, headers: &HeaderMap) -> Staleness {
        if !self.0.is_empty() {
            let variables = response_variables(status, headers);
            let matches = |handler: &&ResponseHandler| {
                handler.matches.evaluate(&variables).ok().flatten().is_some_and(|value| value.truthy())
            };
            if let Some(handler) = self.0.iter().find(matches) {
                return handler.verdict;
            }
        }
        if status == StatusCode::UNAUTHORIZED { Staleness::AccessTokenExpired } else { Staleness::Fine }
    }
}

impl ResponseHandler {
    fn read(file: &Arc<str>, node: &Node) -> Reading {
        let complaint = |position: Position, problem: String, cure: String| Complaint {
            file: Arc::clone(file),
            position: Some(position),
            problem,
            cure,
        };
        if let Some(entry) = node.entries().iter().find(|entry| !HANDLER_KEYS.contains(&entry.key.as_str())) {
            let cure = did_you_mean(&entry.key, HANDLER_KEYS);
            let cure = cure.map_or_else(|| "remove it".into(), |near| format!("did you mean `{near}`?"));
            let problem = format!("the key `{}` is unknown in a response handler", entry.key);
            return Reading::Complaints(vec![complaint(entry.position, problem, cure)]);
        }
        let Some(condition) = node.get("match") else {
            let (problem, cure) =
                ("this response handler has no `match`", "write the formula that picks its responses");
            return Reading::Complaints(vec![complaint(node.position, problem.into(), cure.into())]);
        };
        let matches = match Template::from_node(file, condition) {
            Ok(matches) => matches,
            Err(complaints) => return Reading::Complaints(complaints),
        };
        let verdict = match verdict(node) {
            Ok(verdict) => verdict,
            Err((position, cure)) => {
                let problem = "this error key is unknown".into();
                return Reading::Complaints(vec![complaint(position, problem, cure)]);
            }
        };
        if matches.reads().iter().any(|path| needs_body(path)) {
            let problem = "a response handler that reads the body is not applied by this version".into();
            let cure = "match on response.status or response.headers";
            return Reading::Warning(complaint(condition.position, problem, cure.into()));
        }
        Reading::Handler(Self { matches, verdict })
    }
}

/// What a handler says; or where its unknown key stands, and what to write.
fn verdict(handler: &Node) -> Result<Staleness, (Position, String)> {
    let success = handler.get("isSuccess").is_some_and(|node| Value::from(node).truthy());
    let key = handler.get("error").and_then(|error| error.get("key"));
    match key.map(|key| (key.text().unwrap_or_default(), key.position)) {
        _ if success => Ok(Staleness::Fine),
        None | Some(("rate_limit_exceeded", _)) => Ok(Staleness::Fine),
        Some(("access_token_expired", _)) => Ok(Staleness::AccessTokenExpired),
        Some(("connection_is_defunct", _)) => Ok(Staleness::ConnectionIsDefunct),
        Some((other, position)) => {
            let near = did_you_mean(other, ERROR_KEYS);
            let cure = format!("write one of {}", ERROR_KEYS.join(", "));
            Err((position, near.map_or(cure, |near| format!("did you mean `{near}`?"))))
        }
    }
}

/// Whether a variable is neither of the status nor of the headers of the response.
fn needs_body(path: &[String]) -> bool {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    !matches!(names.as_slice(), ["response", "status" | "statusCode" | "headers", ..])
}

/// `response.status`, `response.statusCode` and `response.headers`, their names in lower case.
fn response_variables(status: StatusCode, headers: &HeaderMap) -> Value {
    let status = Value::Number(f64::from(status.as_u16()));
    let headers: Value = headers
        .keys()
        .map(|name| {
            let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            (name.as_str(), values.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let response: Value =
        [("status", status.clone()), ("statusCode", status), ("headers", headers)].into_iter().collect();
    [("response", response)].into_iter().collect()
}
