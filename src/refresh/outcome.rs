//! What each answer of a token endpoint means for a connection and its caller.
//! Never sends, never stores, and holds no secret: its errors may be shown.

use std::time::Duration;

use serde_json::json;

use crate::clock::Timestamp;
use crate::method::{FailureKind, RunError};
use crate::oauth::{ExchangeError, Sent};
use crate::report::report;
use crate::store::{FailureClass, Health, RefreshFailure};
use crate::telemetry::labels::{Blame, RefreshOutcome};

use super::pauses::LONGEST_PAUSE;

/// Why there is no fresh credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The grant is dead: nothing helps but that the customer connects again.
    #[error("the connection must be connected again: {reason}")]
    NeedsReconnect {
        /// What the provider said.
        reason: String,
    },
    /// The provider cannot be reached, or does not answer as it should; worth another try.
    #[error("the provider is down: {reason}")]
    ProviderDown {
        /// What went wrong.
        reason: String,
        /// The status of its answer, if it gave one now.
        status: Option<u16>,
    },
    /// The provider asked to be left alone until then.
    #[error("the provider throttles until {0}")]
    ThrottledUntil(Timestamp),
    /// The OAuth app, or its configuration here, must be mended by the operator; the connection is sound.
    #[error("the app is misconfigured: {reason}")]
    MisconfiguredApp {
        /// What is wrong with it.
        reason: String,
    },
    /// Neither refreshed nor refused in a way that is understood.
    #[error("the outcome of the refresh is not known: {reason}")]
    OutcomeUnknown {
        /// What is known.
        reason: String,
    },
    /// There is nothing to refresh with.
    #[error("the credentials cannot be refreshed: {reason}")]
    NotRefreshable {
        /// What is missing.
        reason: &'static str,
    },
    /// A token that came from a forced refresh a moment ago was refused too: a further refresh would not help.
    #[error("the third party refuses a token that was just refreshed")]
    RejectedWhileFresh,
    /// Sidegate stops, and begins no exchange that it could not finish.
    #[error("Sidegate stops")]
    Stopping,
    /// Our own store does not read or write.
    #[error("the store is down: {reason}")]
    StoreDown {
        /// What went wrong.
        reason: String,
    },
}

impl RefreshError {
    /// The connector does not fit the connection any more.
    pub(super) fn misfit(error: &RunError) -> Self {
        Self::MisconfiguredApp { reason: error.to_string() }
    }

    /// Why a connection is disconnected, from the code and the sentence of its health.
    #[must_use]
    pub fn disconnected(code: &str, message: &str) -> Self {
        let reason = message.to_owned();
        match code {
            Health::OUTCOME_UNKNOWN => Self::OutcomeUnknown { reason },
            _ => Self::NeedsReconnect { reason },
        }
    }

    /// The stable code, which callers see in `X-Sidegate-Refresh`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NeedsReconnect { .. } => "needs_reconnect",
            Self::ProviderDown { .. } => "provider_down",
            Self::ThrottledUntil(_) => "throttled_until",
            Self::MisconfiguredApp { .. } => "misconfigured_app",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::NotRefreshable { .. } => "not_refreshable",
            Self::RejectedWhileFresh => "rejected_while_fresh",
            Self::Stopping => "stopping",
            Self::StoreDown { .. } => "store_down",
        }
    }

    /// The same for a caller's program, as `data` of the vendor's error body, with the moment before which asking again is
    /// useless, where that is known.
    #[must_use]
    pub fn data(&self) -> serde_json::Value {
        let refresh = match self {
            Self::ThrottledUntil(end) => json!({ "code": self.code(), "retryAt": end.to_string() }),
            _ => json!({ "code": self.code() }),
        };
        json!({ "refresh": refresh })
    }

    /// `type` and `key` of the vendor's error body.
    #[must_use]
    pub fn vendor_error(&self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::NeedsReconnect { .. } => ("connection", Some("connection_is_defunct")),
            Self::NotRefreshable { .. } | Self::OutcomeUnknown { .. } | Self::RejectedWhileFresh => {
                ("connection", Some("access_token_expired"))
            }
            Self::ThrottledUntil(_) => ("connection", Some("rate_limit_exceeded")),
            Self::ProviderDown { .. } => ("connection", None),
            Self::MisconfiguredApp { .. } => ("configuration", None),
            Self::Stopping | Self::StoreDown { .. } => ("internal", None),
        }
    }

    /// How long it is useless to ask again, where that is known.
    #[must_use]
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::ThrottledUntil(end) => Some(end.since(now)),
            _ => None,
        }
    }

    /// The status of the provider's answer, where that is what tells that it is down.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        if let Self::ProviderDown { status, .. } = self { *status } else { None }
    }

    /// Who can do something about it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::NeedsReconnect { .. } | Self::NotRefreshable { .. } => Blame::Caller,
            Self::ProviderDown { .. }
            | Self::ThrottledUntil(_)
            | Self::OutcomeUnknown { .. }
            | Self::RejectedWhileFresh => Blame::ThirdParty,
            Self::MisconfiguredApp { .. } => Blame::Operator,
            Self::Stopping | Self::StoreDown { .. } => Blame::Us,
        }
    }

    /// The same as a connection remembers it; none for what says nothing about the connection.
    pub(super) fn class(&self) -> Option<FailureClass> {
        match self {
            Self::NeedsReconnect { .. } => Some(FailureClass::DeadGrant),
            Self::MisconfiguredApp { .. } => Some(FailureClass::DeadApp),
            Self::ThrottledUntil(_) => Some(FailureClass::Throttled),
            Self::ProviderDown { .. } => Some(FailureClass::Transient),
            Self::OutcomeUnknown { .. } => Some(FailureClass::Unknown),
            Self::NotRefreshable { .. }
            | Self::RejectedWhileFresh
            | Self::Stopping
            | Self::StoreDown { .. } => None,
        }
    }

    /// The reason alone, as a connection remembers it.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::NeedsReconnect { reason }
            | Self::ProviderDown { reason, .. }
            | Self::MisconfiguredApp { reason }
            | Self::OutcomeUnknown { reason }
            | Self::StoreDown { reason } => reason.clone(),
            Self::ThrottledUntil(_)
            | Self::NotRefreshable { .. }
            | Self::RejectedWhileFresh
            | Self::Stopping => self.to_string(),
        }
    }

    /// What a connection remembers, as the error that it was.
    pub(super) fn remembered(failure: &RefreshFailure) -> Self {
        let reason = failure.message.clone();
        match failure.class {
            FailureClass::DeadGrant => Self::NeedsReconnect { reason },
            FailureClass::DeadApp => Self::MisconfiguredApp { reason },
            FailureClass::Throttled => Self::ThrottledUntil(failure.next_try.unwrap_or(failure.at)),
            FailureClass::Transient => Self::ProviderDown { reason, status: None },
            FailureClass::Unknown => Self::OutcomeUnknown { reason },
        }
    }

    /// What a failed exchange means at `now`.
    fn from_exchange(error: &ExchangeError, now: Timestamp) -> Self {
        match error {
            ExchangeError::DeadGrant { code, description, .. } => {
                Self::NeedsReconnect { reason: told(code, description) }
            }
            ExchangeError::DeadApp { code, description, .. } => {
                Self::MisconfiguredApp { reason: told(code, description) }
            }
            ExchangeError::Transient { retry_after: Some(pause), .. }
            | ExchangeError::Throttled { retry_after: pause } => {
                Self::ThrottledUntil(now.plus(LONGEST_PAUSE.min(*pause)))
            }
            ExchangeError::Transient { reason, sent, .. } => {
                let status = if let Sent::Answered { status } = sent { Some(*status) } else { None };
                Self::ProviderDown { reason: reason.clone(), status }
            }
            ExchangeError::Unknown { status, code } => {
                Self::OutcomeUnknown { reason: format!("the token endpoint answered {status}, {code}") }
            }
            ExchangeError::NotAllowed { reason } => Self::MisconfiguredApp { reason: reason.clone() },
        }
    }
}

/// Why an exchange brought nothing.
pub(super) enum Failure {
    /// The token endpoint refused, or did not answer.
    Exchange(ExchangeError),
    /// The connector's `refreshCredentials` failed.
    Method(RunError),
}

impl Failure {
    /// What it means at `now`.
    pub(super) fn meaning(&self, now: Timestamp) -> RefreshError {
        match self {
            Self::Exchange(error) => RefreshError::from_exchange(error, now),
            Self::Method(error) => from_method(error),
        }
    }

    /// Whether the exchange may have succeeded without our knowing.
    pub(super) fn leaves_open(&self) -> bool {
        match self {
            Self::Exchange(error) => error.leaves_open(),
            Self::Method(error) => error.leaves_open(),
        }
    }

    /// Whether the endpoint is away, so that it can be asked without a grant whether it is back. One that throttles is not.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Exchange(ExchangeError::Transient { .. }))
    }

    pub(super) fn label(&self) -> RefreshOutcome {
        match self {
            Self::Exchange(error) => label(error),
            Self::Method(error) => match from_method(error) {
                RefreshError::NeedsReconnect { .. } => RefreshOutcome::DeadGrant,
                RefreshError::MisconfiguredApp { .. } => RefreshOutcome::DeadApp,
                RefreshError::ProviderDown { .. } => RefreshOutcome::Transient,
                _ => RefreshOutcome::Unknown,
            },
        }
    }

    /// The chain of causes, for the log.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Exchange(error) => report(error).to_string(),
            Self::Method(error) => report(error).to_string(),
        }
    }
}

/// A method asks with what the customer typed in: where the third party refuses that, nothing else is left.
fn from_method(error: &RunError) -> RefreshError {
    let reason = report(error).to_string();
    match error.kind() {
        FailureKind::Refused if error.is_stale() => RefreshError::NeedsReconnect { reason },
        FailureKind::Refused => RefreshError::OutcomeUnknown { reason },
        FailureKind::Down => RefreshError::ProviderDown { reason, status: error.status() },
        FailureKind::Misconfigured => RefreshError::MisconfiguredApp { reason },
    }
}

/// The same as a label.
fn label(error: &ExchangeError) -> RefreshOutcome {
    match error {
        ExchangeError::DeadGrant { .. } => RefreshOutcome::DeadGrant,
        ExchangeError::DeadApp { .. } | ExchangeError::NotAllowed { .. } => RefreshOutcome::DeadApp,
        ExchangeError::Transient { .. } | ExchangeError::Throttled { .. } => RefreshOutcome::Transient,
        ExchangeError::Unknown { .. } => RefreshOutcome::Unknown,
    }
}

fn told(code: &str, description: &str) -> String {
    if description.is_empty() { code.to_owned() } else { format!("{code}: {description}") }
}
