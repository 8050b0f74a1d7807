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
    /// The pages that a browser connects something on.
    Connect,
}

impl Door {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Api => "api",
            Self::Connect => "connect",
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

/// Who ended an answer, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// All of it was handed over.
    Complete,
    /// The caller left before its end, or was too slow to read it.
    ClientGone,
    /// The upstream broke it off.
    UpstreamCut,
    /// The upstream stood still for longer than it may.
    Timeout,
}

impl End {
    /// The word in the access log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamCut => "upstream_cut",
            Self::Timeout => "timeout",
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

/// How a customer's connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// It can be used.
    Ready,
    /// It can be used, but the last refresh failed.
    Failing,
    /// The customer must connect again.
    Disconnected,
}

impl ConnectionState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Failing, Self::Disconnected];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Failing => "failing",
            Self::Disconnected => "disconnected",
        }
    }
}

/// How a reading of a key set or of a list of revocations ended.
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
    /// Every outcome.
    pub const ALL: [Self; 4] = [Self::Changed, Self::Unchanged, Self::Failed, Self::Refused];

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

/// What stands for everything that has no label of its own, as OpenTelemetry spells it.
pub const OTHER: &str = "_OTHER";

/// A request's method: those of RFC 9110 and RFC 5789, and one for all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MethodLabel {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// CONNECT
    Connect,
    /// OPTIONS
    Options,
    /// TRACE
    Trace,
    /// PATCH
    Patch,
    /// Any other.
    Other,
}

impl MethodLabel {
    /// The label of a method as sent; methods are case-sensitive.
    #[must_use]
    pub fn of(method: &str) -> Self {
        match method {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "CONNECT" => Self::Connect,
            "OPTIONS" => Self::Options,
            "TRACE" => Self::Trace,
            "PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Connect => "CONNECT",
            Self::Options => "OPTIONS",
            Self::Trace => "TRACE",
            Self::Patch => "PATCH",
            Self::Other => OTHER,
        }
    }
}

/// How an upstream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamFault {
    /// It could not be connected to.
    Connect,
    /// Connecting took too long.
    ConnectTimeout,
    /// Its response head took too long.
    HeadTimeout,
    /// It hung up before it answered, or what it sent was no answer.
    Broken,
    /// Its answer broke off, or stood still for too long.
    Cut,
}

impl UpstreamFault {
    /// Every fault, so that each has its series from the start.
    pub const ALL: [Self; 5] =
        [Self::Connect, Self::ConnectTimeout, Self::HeadTimeout, Self::Broken, Self::Cut];

    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::HeadTimeout => "head_timeout",
            Self::Broken => "broken",
            Self::Cut => "cut",
        }
    }
}
