//! Every way this listener says no: status, stable code, blame, and a sentence for the caller.
//! Never tells a caller which check a token failed; that stands in the log.

use std::error::Error;
use std::time::Duration;

use http::header::{
    ALLOW, CONNECTION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TRAILER, WWW_AUTHENTICATE,
};
use http::{Method, Response, StatusCode};

use super::limits::TooLong;
use crate::formula::FormulaError;
use crate::http::body::BoxError;
use crate::http::headers::{Malformed, has};
use crate::http::hops::Loop;
use crate::http::listener::SlowBody;
use crate::http::pool::SendError;
use crate::http::{Body, reply};
use crate::telemetry::labels::Blame;
use crate::token::TokenError;

/// Tells our own answers from the upstream's: its value is [`Rejection::code`].
pub(super) static REJECTION: HeaderName = HeaderName::from_static("x-sidegate-rejection");

/// What is answered instead of forwarding. Displays as the sentence that the caller gets.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// Two parsers could read this request in two ways.
    #[error("the request is malformed: {0}")]
    Malformed(Malformed),
    /// Two spellings of the path are decided by different rules.
    #[error("the path can be read in more than one way, and not all of them are allowed alike")]
    AmbiguousPath,
    /// A header has the name of one of ours but for `_` in place of `-`.
    #[error("a header's name differs from a reserved one only in `_` and `-`")]
    AmbiguousHeader,
    /// More than one token came, and they are not the same bytes.
    #[error("more than one token was sent, and they differ")]
    TokenHeadersDisagree,
    /// The rule demands a token, and none came.
    #[error("a token is required")]
    NoToken,
    /// A token header holds what cannot be a token.
    #[error("the token is not valid")]
    UnreadableToken,
    /// The token ended.
    #[error("the token has expired")]
    ExpiredToken(#[source] TokenError),
    /// Any other fault of the token: callers cannot tell them apart.
    #[error("the token is not valid")]
    InvalidToken(#[source] TokenError),
    /// The workspace's keys are not there, so that nothing can be said of the token.
    #[error("tokens of this workspace cannot be verified right now")]
    KeysUnavailable(#[source] TokenError),
    /// Too many bad signatures came just now for this token's to be checked.
    #[error("too many tokens cannot be verified right now")]
    VerificationSaturated(#[source] TokenError),
    /// The rule demands a customer, and the token names none.
    #[error("the token speaks for no customer")]
    CustomerRequired,
    /// The rule demands an admin token.
    #[error("an admin token is required")]
    AdminRequired,
    /// A claim has none of the values that the rule lists.
    #[error("the token's claims do not allow this")]
    ClaimsNotAllowed,
    /// The rule's condition is not true of the token.
    #[error("the token does not meet the condition of this path")]
    ConditionNotMet,
    /// The rule's condition could not be evaluated.
    #[error("the token does not meet the condition of this path")]
    ConditionFailed(#[source] FormulaError),
    /// A preflight came from an origin that is not listed.
    #[error("the origin is not allowed here")]
    OriginNotAllowed,
    /// No upstream serves this host and path.
    #[error("nothing is served here")]
    NoUpstream,
    /// The upstream has no rule for this path.
    #[error("nothing is served here")]
    NoRule,
    /// There are rules for this path, but for other methods: these.
    #[error("the method is not allowed here")]
    MethodNotAllowed(Vec<Method>),
    /// So many requests are on their way that one more would slow all of them.
    #[error("too many requests are being served; try again later")]
    Overloaded {
        /// When to come again.
        retry_after: Duration,
    },
    /// The customer asks more often than it may.
    #[error("too many requests; try again later")]
    RateLimited {
        /// When to come again.
        retry_after: Duration,
    },
    /// The customer has as many requests on their way as it may.
    #[error("too many requests at once; try again when one has ended")]
    TooManyInFlight {
        /// When to come again.
        retry_after: Duration,
    },
    /// The request's body is longer than the upstream takes.
    #[error("the request's body is too long")]
    BodyTooLarge(#[source] BoxError),
    /// The request asks for a protocol that the upstream's `upgrades` do not list.
    #[error("a switch to this protocol is not allowed here")]
    UpgradeNotAllowed,
    /// The request has been here before, or in too many places like this.
    #[error("the request goes in circles")]
    LoopDetected,
    /// The caller's own body broke off or is malformed.
    #[error("the request's body is malformed or incomplete")]
    RequestBody(#[source] SendError),
    /// The caller was too slow with its own body.
    #[error("the request's body came too slowly")]
    SlowBody(#[source] SendError),
    /// The listener has several certificates, and none is for the request's host.
    #[error("this host is not served over this connection")]
    Misdirected,
    /// The upstream was not reached, or hung up before it answered.
    #[error("the service cannot be reached")]
    UpstreamDown(#[source] SendError),
    /// The upstream took too long.
    #[error("the service did not answer in time")]
    UpstreamTimeout(#[source] SendError),
}

impl Rejection {
    /// The stable code in `X-Sidegate-Rejection`; `docs/rejections.md` explains each.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.code(),
            Self::AmbiguousPath => "ambiguous_path",
            Self::AmbiguousHeader => "ambiguous_header",
            Self::TokenHeadersDisagree => "token_headers_disagree",
            Self::NoToken => "no_token",
            Self::ExpiredToken(_) => "expired_token",
            Self::UnreadableToken | Self::InvalidToken(_) => "invalid_token",
            Self::KeysUnavailable(_) => "keys_unavailable",
            Self::VerificationSaturated(_) => "verification_saturated",
            Self::CustomerRequired => "customer_required",
            Self::AdminRequired => "admin_required",
            Self::ClaimsNotAllowed => "claims_not_allowed",
            Self::ConditionNotMet => "condition_not_met",
            Self::ConditionFailed(_) => "condition_failed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::NoUpstream => "no_upstream",
            Self::NoRule => "no_rule",
            Self::MethodNotAllowed(_) => "method_not_allowed",
            Self::Overloaded { .. } => "overloaded",
            Self::RateLimited { .. } => "rate_limited",
            Self::TooManyInFlight { .. } => "too_many_requests_in_flight",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::UpgradeNotAllowed => "upgrade_not_allowed",
            Self::LoopDetected => "loop_detected",
            Self::RequestBody(_) => "request_body",
            Self::SlowBody(_) => "request_timeout",
            Self::Misdirected => "misdirected",
            Self::UpstreamDown(_) => "upstream_down",
            Self::UpstreamTimeout(_) => "upstream_timeout",
        }
    }

    /// The reason in the access log and the metrics: the code, but for a refused token what is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnreadableToken => "malformed",
            Self::ExpiredToken(error) | Self::InvalidToken(error) => error.code(),
            _ => self.code(),
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::UpstreamDown(_) | Self::UpstreamTimeout(_) => Blame::Upstream,
            Self::KeysUnavailable(_) => Blame::ThirdParty,
            Self::VerificationSaturated(_) | Self::Overloaded { .. } => Blame::Us,
            Self::LoopDetected => Blame::Operator,
            _ => Blame::Caller,
        }
    }

    /// The status: 4xx or 5xx.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(Malformed::TargetTooLong) => StatusCode::URI_TOO_LONG,
            Self::Malformed(_)
            | Self::AmbiguousPath
            | Self::AmbiguousHeader
            | Self::TokenHeadersDisagree
            | Self::UpgradeNotAllowed
            | Self::RequestBody(_) => StatusCode::BAD_REQUEST,
            Self::LoopDetected => StatusCode::LOOP_DETECTED,
            Self::NoToken | Self::UnreadableToken | Self::ExpiredToken(_) | Self::InvalidToken(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::KeysUnavailable(_) | Self::VerificationSaturated(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::CustomerRequired
            | Self::AdminRequired
            | Self::ClaimsNotAllowed
            | Self::ConditionNotMet
            | Self::ConditionFailed(_)
            | Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::NoUpstream | Self::NoRule => StatusCode::NOT_FOUND,
            Self::SlowBody(_) => StatusCode::REQUEST_TIMEOUT,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::RateLimited { .. } | Self::TooManyInFlight { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UpstreamDown(_) => StatusCode::BAD_GATEWAY,
            Self::UpstreamTimeout(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The answer: the vendor's error body, the code, and the headers that go with the status.
    #[must_use]
    pub fn answer(&self) -> Response<Body> {
        let (kind, key) = self.vendor_error();
        let message = self.to_string();
        let mut answer =
            reply::error(self.status(), &reply::ErrorBody { kind, key, message: &message, data: None });
        let headers = answer.headers_mut();
        headers.insert(&REJECTION, HeaderValue::from_static(self.code()));
        if let Some(challenge) = self.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Self::MethodNotAllowed(methods) = self {
            headers.extend(allow(methods).map(|value| (ALLOW, value)));
        }
        if let Some(wait) = self.retry_after() {
            // Whole seconds, rounded up: who comes too early is refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        if let Self::Malformed(_) | Self::RequestBody(_) | Self::SlowBody(_) | Self::BodyTooLarge(_) = self {
            // Where the caller's framing is in doubt, nothing more is read from that connection.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    /// When the caller may come again, where waiting helps.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after }
            | Self::RateLimited { retry_after }
            | Self::TooManyInFlight { retry_after } => Some(*retry_after),
            Self::KeysUnavailable(_) | Self::VerificationSaturated(_) => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// `type` and `key` as the vendor's SDKs know them.
    fn vendor_error(&self) -> (&'static str, Option<&'static str>) {
        match self.status() {
            StatusCode::UNAUTHORIZED => ("bad_request", Some("not_authenticated")),
            StatusCode::FORBIDDEN => ("bad_request", Some("access_denied")),
            StatusCode::NOT_FOUND => ("bad_request", Some("not_found")),
            status if status.is_client_error() => ("bad_request", None),
            _ => ("internal", None),
        }
    }

    /// RFC 6750 section 3: an error is named only where a token was sent.
    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::NoToken => Some("Bearer"),
            Self::ExpiredToken(_) => {
                Some(r#"Bearer error="invalid_token", error_description="the token has expired""#)
            }
            Self::UnreadableToken | Self::InvalidToken(_) => Some(r#"Bearer error="invalid_token""#),
            Self::CustomerRequired
            | Self::AdminRequired
            | Self::ClaimsNotAllowed
            | Self::ConditionNotMet
            | Self::ConditionFailed(_) => Some(r#"Bearer error="insufficient_scope""#),
            _ => None,
        }
    }
}

/// Takes from an answer of the upstream's what would make it look like ours: the header, and the trailer, which is sent
/// on only if `Trailer` announces it.
pub(super) fn disown(headers: &mut HeaderMap) {
    if !has(headers, &REJECTION) && !has(headers, &TRAILER) {
        return;
    }
    headers.remove(&REJECTION);
    let announces = |value: &HeaderValue| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|name| name.trim_ascii().eq_ignore_ascii_case(REJECTION.as_str().as_bytes()))
    };
    if headers.get_all(TRAILER).iter().any(announces) {
        headers.remove(TRAILER);
    }
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl From<Loop> for Rejection {
    fn from(_: Loop) -> Self {
        Self::LoopDetected
    }
}

impl From<TokenError> for Rejection {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::ExpiredToken(error),
            TokenError::KeysUnavailable => Self::KeysUnavailable(error),
            TokenError::Saturated => Self::VerificationSaturated(error),
            _ => Self::InvalidToken(error),
        }
    }
}

impl From<SendError> for Rejection {
    fn from(error: SendError) -> Self {
        match error {
            SendError::ConnectTimeout | SendError::HeadTimeout => Self::UpstreamTimeout(error),
            SendError::RequestBody(_) if SlowBody::is_behind(&error) => Self::SlowBody(error),
            SendError::RequestBody(broken) if is_too_long(&*broken) => Self::BodyTooLarge(broken),
            SendError::RequestBody(_) => Self::RequestBody(error),
            SendError::Egress(_) | SendError::Connect(_) | SendError::Broken(_) => Self::UpstreamDown(error),
        }
    }
}

/// Whether a body broke off because we broke it off.
fn is_too_long(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<TooLong>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn allow(methods: &[Method]) -> Option<HeaderValue> {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    HeaderValue::from_str(&names.join(", ")).ok()
}

#[cfg(test)]
mod tests;
