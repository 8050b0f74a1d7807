//! Why a method gave nothing.
//! Never holds a credential, nor what a third party wrote in an answer's body.

use http::StatusCode;

use crate::connector::{MethodError, Staleness};
use crate::http::BoxError;
use crate::http::pool::SendError;
use crate::inject::InjectError;
use crate::inject::target::TargetError;
use crate::script::{ErrorKind, HostError, Limit, ScriptError};
use crate::token::minted::NoToken;

/// Why a method gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The connector does not have this option.
    #[error("the connector has no option `{option}`")]
    NoOption {
        /// Its key; empty for the connector's own way.
        option: String,
    },
    /// A token is to say for which customer a request is, and there is none.
    #[error("there is no customer to make a token for")]
    NoCustomer,
    /// There is no token to be made.
    #[error(transparent)]
    Token(NoToken),
    /// The method fails, or its result is not what it must be.
    #[error(transparent)]
    Result(#[from] MethodError),
    /// Its request may not go where it was meant to.
    #[error("the request of {method} is not sent")]
    Target {
        /// The vendor's name of the method.
        method: &'static str,
        /// Why.
        #[source]
        source: TargetError,
    },
    /// The credentials do not fit into its request.
    #[error("the request of {method} cannot be made")]
    Inject {
        /// The vendor's name of the method.
        method: &'static str,
        /// Why.
        #[source]
        source: InjectError,
    },
    /// The third party gave no answer.
    #[error("the third party does not answer {method}")]
    Send {
        /// The vendor's name of the method.
        method: &'static str,
        /// Why.
        #[source]
        source: SendError,
    },
    /// The third party's answer broke off.
    #[error("the third party's answer to {method} broke off")]
    Body {
        /// The vendor's name of the method.
        method: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The third party's answer is longer than any that is read.
    #[error("the third party's answer to {method} is longer than 1 MiB")]
    TooLong {
        /// The vendor's name of the method.
        method: &'static str,
    },
    /// The third party's answer takes too long.
    #[error("the third party takes too long to answer {method}")]
    TooSlow {
        /// The vendor's name of the method.
        method: &'static str,
    },
    /// The third party refuses.
    #[error("the third party answers {method} with {status}")]
    Refused {
        /// The vendor's name of the method.
        method: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// What that says of the credentials.
        staleness: Staleness,
    },
    /// It is a script that gave nothing.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The test ran, and its result counts as false.
    #[error("the connector's test says that the credentials do not work")]
    TestSaysNo {
        /// The status of the answer that it was made of, where it is one request.
        status: Option<u16>,
    },
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The third party does not take the credentials, or what was asked for.
    Refused,
    /// The third party does not answer as it should; worth another try.
    Down,
    /// The connector or the integration must be mended.
    Misconfigured,
}

impl RunError {
    /// Whose fault it is.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Refused { status, .. } if is_passing(*status) => FailureKind::Down,
            Self::Refused { .. } | Self::TestSaysNo { .. } | Self::Result(MethodError::Credential { .. }) => {
                FailureKind::Refused
            }
            Self::Script(error) => of_script(&error.kind),
            Self::Send { .. } | Self::Body { .. } | Self::TooLong { .. } | Self::TooSlow { .. } => {
                FailureKind::Down
            }
            Self::NoOption { .. }
            | Self::NoCustomer
            | Self::Token(_)
            | Self::Result(_)
            | Self::Target { .. }
            | Self::Inject { .. } => FailureKind::Misconfigured,
        }
    }

    /// The status of the third party's answer, where it is an answer that failed it.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(status.as_u16()),
            Self::TestSaysNo { status } => *status,
            Self::Script(ScriptError { kind: ErrorKind::Thrown(thrown), .. }) => {
                thrown.status().map(|status| status.as_u16())
            }
            _ => None,
        }
    }

    /// Whether the third party may have done what was asked without our knowing.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        match self {
            Self::Send { source, .. } => {
                !matches!(source, SendError::Egress(_) | SendError::Connect(_) | SendError::ConnectTimeout)
            }
            Self::Script(error) => script_leaves_open(&error.kind),
            Self::Body { .. } | Self::TooLong { .. } | Self::TooSlow { .. } => true,
            _ => false,
        }
    }

    /// Whether the third party refused the credentials, so that newer ones may help.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        match self {
            Self::Refused { staleness, .. } => *staleness == Staleness::AccessTokenExpired,
            Self::Script(error) => {
                matches!(&error.kind, ErrorKind::Thrown(thrown) if thrown.key.as_deref() == Some("access_token_expired"))
            }
            _ => false,
        }
    }
}

/// A script that throws says no, unless the answer that it is about may be another later.
fn of_script(kind: &ErrorKind) -> FailureKind {
    match kind {
        ErrorKind::Thrown(thrown) => match thrown.key.as_deref() {
            Some(HostError::UNREACHABLE) => FailureKind::Down,
            Some(HostError::NOT_ADMITTED) => FailureKind::Misconfigured,
            _ if thrown.status().is_some_and(is_passing) => FailureKind::Down,
            _ => FailureKind::Refused,
        },
        ErrorKind::Busy(_) | ErrorKind::NoWorker(_) => FailureKind::Down,
        ErrorKind::Limit(exceeded) if exceeded.limit == Limit::WallClock => FailureKind::Down,
        _ => FailureKind::Misconfigured,
    }
}

/// What a script sent before it failed is not known; but an error that says what an answer was, is about one.
fn script_leaves_open(kind: &ErrorKind) -> bool {
    match kind {
        ErrorKind::Thrown(thrown) => match thrown.key.as_deref() {
            Some(key) => key == HostError::UNREACHABLE,
            None => thrown.status.is_none(),
        },
        ErrorKind::Syntax(_)
        | ErrorKind::Import(_)
        | ErrorKind::NoExport
        | ErrorKind::AsksTooEarly
        | ErrorKind::Busy(_)
        | ErrorKind::NoWorker(_) => false,
        _ => true,
    }
}

/// Whether the third party may well answer otherwise later.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}
