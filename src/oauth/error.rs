//! What a failed exchange means.
//! Never holds a token, a secret or a reply's body.

use std::time::Duration;

/// Whether the token endpoint may have seen a request that failed: if so, a rotating refresh token may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// No connection came about; nothing was sent.
    No,
    /// The request left, or may have, and no whole answer came.
    Perhaps,
    /// It was answered, without a token.
    Answered {
        /// The answer's status.
        status: u16,
    },
}

/// What a failed exchange means.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The grant is revoked, expired or spent: only the customer can mend it, by connecting again.
    #[error("the grant is dead: {code} ({description})")]
    DeadGrant {
        /// The reply's status.
        status: u16,
        /// The reply's `error`.
        code: String,
        /// The reply's `error_description`, cut, cleaned and without secrets.
        description: String,
    },
    /// The OAuth app is refused: the operator must mend it; the connections are sound.
    #[error("the app is refused: {code} ({description})")]
    DeadApp {
        /// The reply's status.
        status: u16,
        /// The reply's `error`.
        code: String,
        /// The reply's `error_description`, cut, cleaned and without secrets.
        description: String,
    },
    /// No answer, or none that can be understood: worth another try later.
    #[error("the token endpoint did not answer as it should: {reason}")]
    Transient {
        /// What went wrong.
        reason: String,
        /// How long it expects to be away.
        retry_after: Option<Duration>,
        /// Whether the request may have arrived.
        sent: Sent,
    },
    /// It was asked too often.
    #[error("the token endpoint wants to be left alone")]
    Throttled {
        /// For how long.
        retry_after: Duration,
    },
    /// A refusal that says nothing about the grant or the app.
    #[error("the token endpoint refused: {status} {code}")]
    Unknown {
        /// The reply's status.
        status: u16,
        /// The reply's `error`; `none` if it has none.
        code: String,
    },
    /// The token endpoint may not be called as it is configured; nothing was sent.
    #[error("the token endpoint may not be called: {reason}")]
    NotAllowed {
        /// What is wrong with it.
        reason: String,
    },
}

impl ExchangeError {
    /// Whether the endpoint may have done what was asked without our knowing: a refresh token may be spent.
    #[must_use]
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Transient { sent: Sent::Perhaps, .. })
    }
}
