//! What a connector says of the third party's answers, before the default rules.
//! Never reads a body itself.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::document::{Complaint, Node, Position, did_you_mean};
use crate::formula::{Template, Value, Variables};

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

    pub(super) fn staleness(&self, status: StatusCode, headers: &HeaderMap) -> Staleness {
        if !self.0.is_empty() {
            let mut variables = Variables::new();
            variables.set("response", &head_variables(status, headers));
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

/// `status`, `statusCode` and `headers`, their names in lower case.
pub(super) fn head_variables(status: StatusCode, headers: &HeaderMap) -> Variables {
    let status = Value::Number(f64::from(status.as_u16()));
    let headers: Value = headers
        .keys()
        .map(|name| {
            let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            (name.as_str(), values.collect::<Vec<_>>().join(", "))
        })
        .collect();
    let mut variables = Variables::new();
    variables.set("status", &status);
    variables.set("statusCode", &status);
    variables.set("headers", &headers);
    variables
}
