//! What a connector says of the third party's answers, before the default rules.
//! Never reads a body from a connection, and never holds one longer than it is asked.

use std::sync::Arc;

use http::StatusCode;
use zeroize::Zeroizing;

use super::fields::MethodError;
use super::request::Reply;
use crate::document::{Complaint, Kind, Node, Position, did_you_mean};
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

/// The spec's own rules about answers, in order.
#[derive(Clone, Debug, Default)]
pub struct ResponseHandlers {
    handlers: Arc<[ResponseHandler]>,
    read_bodies: bool,
}

#[derive(Debug)]
struct ResponseHandler {
    matches: Template,
    /// Whether `match` reads more than the status and the headers.
    reads_body: bool,
    is_success: bool,
    staleness: Staleness,
    /// What a method gets instead of the body.
    data: Option<Template>,
}

/// What a handler says of an answer.
#[derive(Debug)]
pub enum Handled {
    /// It is a success, whatever its status; with what takes the place of its body.
    Success(Option<Zeroizing<Value>>),
    /// It is a failure, whatever its status.
    Failure(Staleness),
}

const HANDLER_KEYS: [&str; 4] = ["match", "isSuccess", "data", "error"];
const ERROR_KEYS: [&str; 3] = ["access_token_expired", "connection_is_defunct", "rate_limit_exceeded"];

impl ResponseHandlers {
    /// Reads `responseHandlers`, with complaints about wrong ones.
    pub(super) fn read(file: &Arc<str>, node: Option<&Node>) -> (Self, Vec<Complaint>) {
        let (mut handlers, mut complaints) = (Vec::new(), Vec::new());
        for item in node.map(Node::items).unwrap_or_default() {
            match ResponseHandler::read(file, item) {
                Ok(handler) => handlers.push(handler),
                Err(more) => complaints.extend(more),
            }
        }
        let read_bodies = handlers.iter().any(|handler| handler.reads_body);
        (Self { handlers: handlers.into(), read_bodies }, complaints)
    }

    /// Those that a script gave.
    pub(super) fn made(value: Option<&Value>) -> Result<Self, MethodError> {
        let wrong = |problem: String, cure: String| MethodError::ResponseHandlers { problem, cure };
        let node = value.filter(|value| !matches!(value, Value::Null)).map(Node::from);
        if node.as_ref().is_some_and(|node| !matches!(node.kind, Kind::Sequence(_))) {
            return Err(wrong("they are no list".into(), "give a list of `{match, error: {key}}`".into()));
        }
        let (handlers, complaints) = Self::read(&"".into(), node.as_ref());
        match complaints.into_iter().next() {
            Some(first) => Err(wrong(first.problem, first.cure)),
            None => Ok(handlers),
        }
    }

    /// Whether one of them reads bodies.
    #[must_use]
    pub fn read_bodies(&self) -> bool {
        self.read_bodies
    }

    /// What the first that matches says. Without a body, those that read it do not match.
    pub(super) fn handled(&self, reply: &Reply<'_>) -> Option<Handled> {
        if self.handlers.is_empty() {
            return None;
        }
        let mut variables = Variables::new();
        variables.set("response", &reply.variables());
        let made = |template: &Template| template.evaluate(&variables).ok().flatten().map(Zeroizing::new);
        let handler = self.handlers.iter().find(|handler| {
            (reply.data.is_some() || !handler.reads_body)
                && made(&handler.matches).is_some_and(|value| value.truthy())
        })?;
        Some(match handler.is_success {
            true => Handled::Success(handler.data.as_ref().and_then(made)),
            false => Handled::Failure(handler.staleness),
        })
    }

    pub(super) fn staleness(&self, reply: &Reply<'_>) -> Staleness {
        match self.handled(reply) {
            Some(Handled::Success(_)) => Staleness::Fine,
            Some(Handled::Failure(staleness)) => staleness,
            None if reply.status == StatusCode::UNAUTHORIZED => Staleness::AccessTokenExpired,
            None => Staleness::Fine,
        }
    }
}

impl ResponseHandler {
    fn read(file: &Arc<str>, node: &Node) -> Result<Self, Vec<Complaint>> {
        let complaint = |position: Position, problem: String, cure: String| {
            vec![Complaint { file: Arc::clone(file), position: Some(position), problem, cure }]
        };
        if let Some(entry) = node.entries().iter().find(|entry| !HANDLER_KEYS.contains(&entry.key.as_str())) {
            let cure = did_you_mean(&entry.key, HANDLER_KEYS);
            let cure = cure.map_or_else(|| "remove it".into(), |near| format!("did you mean `{near}`?"));
            let problem = format!("the key `{}` is unknown in a response handler", entry.key);
            return Err(complaint(entry.position, problem, cure));
        }
        let Some(condition) = node.get("match") else {
            let (problem, cure) = (
                "this response handler has no `match`",
                "write the formula that picks its responses; a function cannot",
            );
            return Err(complaint(node.position, problem.into(), cure.into()));
        };
        let matches = Template::from_node(file, condition)?;
        let data = node.get("data").map(|data| Template::from_node(file, data)).transpose()?;
        let staleness = staleness(node)
            .map_err(|(position, cure)| complaint(position, "this error key is unknown".into(), cure))?;
        Ok(Self {
            reads_body: matches.reads().iter().any(|path| needs_body(path)),
            is_success: is_success(node),
            matches,
            staleness,
            data,
        })
    }
}

fn is_success(handler: &Node) -> bool {
    handler.get("isSuccess").is_some_and(|node| Value::from(node).truthy())
}

/// What a handler says of the credentials; or where its unknown key stands, and what to write.
fn staleness(handler: &Node) -> Result<Staleness, (Position, String)> {
    let key = handler.get("error").and_then(|error| error.get("key"));
    match key.map(|key| (key.text().unwrap_or_default(), key.position)) {
        _ if is_success(handler) => Ok(Staleness::Fine),
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
