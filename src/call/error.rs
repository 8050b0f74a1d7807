//! Why a call has no answer of the third party's to give back.
//! Never a status code: what a caller is told is the door's own matter.

use std::time::Duration;

use http::Method;

use crate::clock::Timestamp;
use crate::http::BoxError;
use crate::http::pool::SendError;
use crate::inject::InjectError;
use crate::inject::target::TargetError;
use crate::method::RunError;
use crate::refresh::RefreshError;
use crate::store::StoreError;

/// Why a call failed before the third party's answer. Causes are for a log.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connection is archived, or was never there.
    #[error("there is no such connection")]
    NoConnection,
    /// The connection cannot be used until it is connected again.
    #[error("the connection is disconnected since {since}: {code}: {message}")]
    Disconnected {
        /// The stable code of its health.
        code: String,
        /// The sentence of its health.
        message: String,
        /// When it was found out.
        since: Timestamp,
        /// The same for a caller's program.
        why: RefreshError,
    },
    /// The stored token has ended and there is no new one.
    #[error("the credentials have ended")]
    Refresh {
        /// Why there is none.
        source: RefreshError,
        /// When asking again may help, where that is known.
        retry_after: Option<Duration>,
    },
    /// The connector gives no API client.
    #[error("the API client cannot be made")]
    ApiClient(#[source] RunError),
    /// The base URI that the spec gave is no usable one.
    #[error("the base URI is malformed: {0}")]
    BaseUri(&'static str),
    /// `hosts: connection`, and the connection has no usable origin.
    #[error("the connection has no origin pinned to it")]
    NoPinnedOrigin,
    /// What the caller asked for is no usable target.
    #[error("the target is malformed: {0}")]
    MalformedTarget(&'static str),
    /// The target is not one that these credentials may go to.
    #[error("the target `{origin}` is not admitted")]
    TargetNotAllowed {
        /// Scheme, host and port.
        origin: String,
    },
    /// The target is plain HTTP, and the integration does not say that it may be.
    #[error("the target `{origin}` is plain HTTP")]
    PlainTarget {
        /// Scheme, host and port.
        origin: String,
    },
    /// The method cannot carry credentials.
    #[error("method {0} cannot carry credentials")]
    Method(Method),
    /// The credentials do not fit into the request.
    #[error("the credentials cannot be put in")]
    Inject(#[source] InjectError),
    /// The body is a form whose parameters OAuth 1.0a signs, and too long to be kept for that.
    #[error("the form is too long to be signed")]
    LongForm,
    /// The caller's body broke off while it was read.
    #[error("the request body cannot be read")]
    RequestBody(#[source] BoxError),
    /// The third party's answer broke off while the connector's response handlers wanted to read it.
    #[error("the third party's answer broke off")]
    ResponseBody(#[source] BoxError),
    /// The third party gave no answer.
    #[error("no answer from the third party")]
    Send(#[from] SendError),
    /// Our own store does not answer.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
}

/// What the caller did wrong is told apart from what the connector did.
impl From<InjectError> for CallError {
    fn from(error: InjectError) -> Self {
        match error {
            InjectError::Method(method) => Self::Method(method),
            InjectError::LongForm => Self::LongForm,
            InjectError::Target(_) => Self::MalformedTarget("it does not fit into a request line"),
            InjectError::ReservedHeader(_)
            | InjectError::HeaderValue { .. }
            | InjectError::ColonInUsername => Self::Inject(error),
        }
    }
}

impl From<TargetError> for CallError {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::BaseUri(why) => Self::BaseUri(why),
            TargetError::NoPinnedOrigin => Self::NoPinnedOrigin,
            TargetError::Malformed(why) => Self::MalformedTarget(why),
            TargetError::NotAllowed { origin } => Self::TargetNotAllowed { origin },
            TargetError::Plain { origin } => Self::PlainTarget { origin },
        }
    }
}
