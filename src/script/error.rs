//! Why a script gave no result, in sentences that name the script, the method and the limit.
//! Never holds what the script was given: its own messages are masked before they come here.

use super::limits::{Exceeded, Limits};
use super::mask::Mask;
use super::message::Failure;

/// Why a script gave no result. Each names the script and its method.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}: {method} {kind}", place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default())]
pub struct ScriptError {
    /// The script.
    pub file: String,
    /// Line and column in it, if they are known.
    pub place: Option<(u32, u32)>,
    /// The method.
    pub method: String,
    /// What happened.
    pub kind: ErrorKind,
}

/// An error that a script threw.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {message}")]
pub struct Thrown {
    /// Its name.
    pub name: String,
    /// Its message; what the script was given is masked.
    pub message: String,
    /// The vendor's key, as `access_token_expired`.
    pub key: Option<String>,
    /// The status of the answer that it is about, if it carries one.
    pub status: Option<u16>,
}

impl Thrown {
    /// The status, if it is one.
    #[must_use]
    pub fn status(&self) -> Option<http::StatusCode> {
        self.status.and_then(|status| http::StatusCode::from_u16(status).ok())
    }
}

/// What happened to a script.
#[derive(Debug, thiserror::Error)]
pub enum ErrorKind {
    /// It ran into a limit.
    #[error("ran into the limit {0}")]
    Limit(Exceeded),
    /// It threw.
    #[error("threw {0}")]
    Thrown(Box<Thrown>),
    /// It is no JavaScript.
    #[error("is not JavaScript: {0}; TypeScript must be compiled first")]
    Syntax(String),
    /// It imports what there is not.
    #[error(
        "imports {0:?}, which is not there; built in are axios, @integration-app/connector-sdk and \
         @integration-app/sdk/errors, and everything else must stand in the script itself"
    )]
    Import(String),
    /// It exports no function.
    #[error("is not exported; write `export default async function ({{ credentials }}) {{ … }}`")]
    NoExport,
    /// It asks for something while it is loaded.
    #[error("makes requests while it is loaded; make them in the function")]
    AsksTooEarly,
    /// Its promise waits for nothing.
    #[error("gave a promise that waits for something that never happens")]
    Unsettled,
    /// Its process ended.
    #[error("ended its worker process ({0})")]
    Crashed(String),
    /// What it gave is not JSON as we read it.
    #[error("gave a result that cannot be read: {0}")]
    Unreadable(String),
    /// All workers stayed busy.
    #[error("found no free worker within {0}; scripts.workers says how many there are")]
    Busy(String),
    /// No worker could be started.
    #[error("has no worker process: {0}")]
    NoWorker(std::io::Error),
}

impl ErrorKind {
    /// What it is counted as.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Limit(_) => "limit",
            Self::Thrown(_) => "thrown",
            Self::Crashed(_) | Self::NoWorker(_) => "crashed",
            Self::Busy(_) => "busy",
            Self::Syntax(_)
            | Self::Import(_)
            | Self::NoExport
            | Self::AsksTooEarly
            | Self::Unsettled
            | Self::Unreadable(_) => "unusable",
        }
    }

    /// The script's own words without what it was given.
    pub(super) fn masked(self, mask: &mut Mask) -> Self {
        match self {
            Self::Thrown(thrown) => {
                let (name, message) = (mask.hide(&thrown.name), mask.hide(&thrown.message));
                Self::Thrown(Box::new(Thrown { name, message, ..*thrown }))
            }
            other => other,
        }
    }

    /// A failure that the worker reported, and where in the script it was.
    pub(super) fn of(failure: Failure, limits: &Limits) -> (Self, Option<(u32, u32)>) {
        match failure {
            Failure::Limit(reached) => (Self::Limit(reached.of(limits)), None),
            Failure::Thrown { name, message, place, key, status } => {
                (Self::Thrown(Box::new(Thrown { name, message, key, status })), place)
            }
            Failure::Syntax { message, place } => (Self::Syntax(message), place),
            Failure::Import { name, place } => (Self::Import(name), place),
            Failure::NoExport => (Self::NoExport, None),
            Failure::Unsettled => (Self::Unsettled, None),
        }
    }
}
