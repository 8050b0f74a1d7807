//! The values that metrics are labelled with: closed sets, so that no caller's text becomes a label.
//! Knows nothing of what is counted.

/// The listener a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// The public listener in front of the API.
    Inbound,
    /// The credential proxy.
    Outbound,
    /// The SDK-compatible API.
    Api,
}

impl Door {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Api => "api",
        }
    }
}

/// Whose fault an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// Nobody's: the request went through, whatever the upstream answered.
    None,
    /// The caller sent what cannot be taken.
    Caller,
    /// Sidegate failed.
    Us,
    /// The API behind the inbound listener failed.
    Upstream,
    /// The third party of an outbound call failed.
    ThirdParty,
    /// The configuration stands in the way.
    Operator,
}

impl Blame {
    /// The word in the access log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Caller => "caller",
            Self::Us => "us",
            Self::Upstream => "upstream",
            Self::ThirdParty => "third_party",
            Self::Operator => "operator",
        }
    }
}

/// How a refresh ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefreshOutcome {
    /// New tokens were stored.
    Refreshed,
    /// The provider says that the grant is gone: the customer must reconnect.
    DeadGrant,
    /// The provider refuses the OAuth app: the operator must act.
    DeadApp,
    /// A failure that passes; tried again later.
    Transient,
    /// An answer that means nothing known, or none: the tokens may have been rotated.
    Unknown,
    /// New tokens came but could not be written; they are kept in memory and written later.
    NotSaved,
}

impl RefreshOutcome {
    /// Every outcome, so that each has its series from the start.
    pub const ALL: [Self; 6] =
        [Self::Refreshed, Self::DeadGrant, Self::DeadApp, Self::Transient, Self::Unknown, Self::NotSaved];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::DeadGrant => "dead_grant",
            Self::DeadApp => "dead_app",
            Self::Transient => "transient",
            Self::Unknown => "unknown",
            Self::NotSaved => "not_saved",
        }
    }
}

/// What the token room reads anew while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenSource {
    /// A workspace's key set.
    Jwks,
    /// A workspace's revocations.
    Revoked,
}

impl TokenSource {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jwks => "jwks",
            Self::Revoked => "revoked",
        }
    }
}

/// How a reading of a key set or of revocations ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoadOutcome {
    /// It is another one, and in use.
    Changed,
    /// It is the one in use.
    Unchanged,
    /// There was nothing to read: no answer, another status, no file.
    Failed,
    /// What was read cannot be used.
    Refused,
}

impl LoadOutcome {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// The class of an HTTP status (RFC 9110 section 15), the only form of it that is a label.
#[must_use]
pub const fn status_class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    }
}
