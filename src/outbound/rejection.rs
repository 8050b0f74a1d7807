//! Every way this door says no: status, stable code, blame, and a sentence for the caller.
//! Never shows a credential, a query, or the cause of a failure; causes are for the log.

use std::time::Duration;

use http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use serde_json::json;

use crate::call::CallError;
use crate::http::egress::EgressError;
use crate::http::pool::SendError;
use crate::http::request_id::X_REQUEST_ID;
use crate::http::{Body, reply};
use crate::names::{ConnectionId, IntegrationKey};
use crate::store::StoreError;
use crate::telemetry::labels::Blame;
use crate::token::TokenError;

/// Tells our own answers from the third party's: its value is [`Rejection::code`].
const REJECTION: HeaderName = HeaderName::from_static("x-sidegate-rejection");

/// When a caller may ask again for what is down, where nothing says when it will be up.
const RETRY_AFTER_DOWN: Duration = Duration::from_secs(10);

/// What is answered instead of the third party's response. Displays as a line for the log; what the caller reads is its
/// sentence.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// Neither a token nor the pair of a trusted service.
    #[error("no caller")]
    NoCaller,
    /// The pair came without the service secret, or to a listener that trusts nobody.
    #[error("the caller is not trusted to name a customer")]
    CallerNotTrusted,
    /// The pair is half there, doubled, or not text.
    #[error("the pair is malformed: {0}")]
    MalformedPair(&'static str),
    /// Token and pair speak for different customers.
    #[error("the token and the pair name different customers")]
    CallersDisagree,
    /// More than one token came, and they are not the same bytes.
    #[error("the token headers disagree")]
    TokenHeadersDisagree,
    /// A token header holds what cannot be a token.
    #[error("the token is not text")]
    UnreadableToken,
    /// The token ended.
    #[error("the token has expired")]
    ExpiredToken(#[source] TokenError),
    /// Any other fault of the token; callers cannot tell them apart.
    #[error("the token is not valid")]
    InvalidToken(#[source] TokenError),
    /// Nothing can be said of the token: its workspace's keys are not there, or too many bad signatures came just now.
    #[error("the token cannot be verified right now")]
    UnverifiableToken(#[source] TokenError),
    /// An admin token without a customer selected a connection by something else than its id.
    #[error("the token names no customer")]
    CustomerRequired,
    /// The path is no call to a third party.
    #[error("no such path")]
    NothingHere,
    /// There is no such connection, or it is another customer's: callers cannot tell the two apart.
    #[error("unknown connection `{selector}`")]
    UnknownConnection {
        /// What the caller asked for.
        selector: String,
    },
    /// The customer has not connected this integration.
    #[error("no connection for integration `{integration}`")]
    NoConnection {
        /// The integration.
        integration: IntegrationKey,
    },
    /// The customer has several connections for this integration.
    #[error("more than one connection for integration `{integration}`")]
    AmbiguousConnection {
        /// The integration.
        integration: IntegrationKey,
        /// Which ones.
        ids: Vec<ConnectionId>,
    },
    /// The connection's integration is not configured, not enabled, or not for this workspace.
    #[error("integration `{integration}` is not available")]
    IntegrationUnavailable {
        /// The integration.
        integration: IntegrationKey,
    },
    /// The store did not answer.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// The call was not made, or brought no answer.
    #[error("the call failed")]
    Call(#[from] CallError),
}

/// What a rejection is about, as far as its answer names it.
pub(super) struct Subject<'a> {
    pub(super) request_id: &'a HeaderValue,
    pub(super) method: &'a str,
    /// What was asked of the third party, without its query; once that is known.
    pub(super) url: Option<&'a str>,
}

impl Rejection {
    /// The stable code in `X-Sidegate-Rejection`; `docs/rejections.md` explains each. Where a refresh failed it is that
    /// failure's own.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCaller => "no_caller",
            Self::CallerNotTrusted => "caller_not_trusted",
            Self::MalformedPair(_) => "malformed_pair",
            Self::CallersDisagree => "callers_disagree",
            Self::TokenHeadersDisagree => "token_headers_disagree",
            Self::ExpiredToken(_) => "expired_token",
            Self::UnreadableToken | Self::InvalidToken(_) => "invalid_token",
            Self::UnverifiableToken(error) => error.code(),
            Self::CustomerRequired => "customer_required",
            Self::NothingHere => "nothing_here",
            Self::UnknownConnection { .. } | Self::Call(CallError::NoConnection) => "unknown_connection",
            Self::NoConnection { .. } => "no_connection",
            Self::AmbiguousConnection { .. } => "ambiguous_connection",
            Self::IntegrationUnavailable { .. } => "integration_unavailable",
            Self::Store(error) | Self::Call(CallError::Store(error)) if error.is_of_a_row() => {
                "unreadable_record"
            }
            Self::Store(_) | Self::Call(CallError::Store(_)) => "store_down",
            Self::Call(CallError::Disconnected { .. }) => "disconnected",
            Self::Call(CallError::Refresh { source, .. }) => source.code(),
            Self::Call(CallError::MalformedTarget(_)) => "malformed_target",
            Self::Call(CallError::TargetNotAllowed { .. }) => "target_not_allowed",
            Self::Call(CallError::PlainTarget { .. }) => "plain_target",
            Self::Call(CallError::Method(_)) => "method_not_allowed",
            Self::Call(CallError::LongForm) => "long_form",
            Self::Call(
                CallError::ApiClient(_)
                | CallError::BaseUri(_)
                | CallError::NoPinnedOrigin
                | CallError::Inject(_),
            ) => "misconfigured_connector",
            Self::Call(CallError::RequestBody(_) | CallError::Send(SendError::RequestBody(_))) => {
                "request_body"
            }
            Self::Call(CallError::Send(SendError::Egress(error))) if is_refusal(error) => "egress_refused",
            Self::Call(CallError::Send(SendError::ConnectTimeout | SendError::HeadTimeout)) => {
                "third_party_timeout"
            }
            Self::Call(CallError::Send(_) | CallError::ResponseBody(_)) => "third_party_down",
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
            Self::Store(_) | Self::Call(CallError::Store(_)) => Blame::Us,
            Self::UnverifiableToken(TokenError::KeysUnavailable) => Blame::ThirdParty,
            Self::UnverifiableToken(_) => Blame::Us,
            Self::Call(CallError::Refresh { source, .. }) => source.blame(),
            _ => match self.code() {
                "integration_unavailable" | "misconfigured_connector" | "egress_refused" | "plain_target" => {
                    Blame::Operator
                }
                "third_party_down" | "third_party_timeout" => Blame::ThirdParty,
                _ => Blame::Caller,
            },
        }
    }

    /// The usual status: 4xx or 5xx.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code() {
            "malformed_pair"
            | "callers_disagree"
            | "token_headers_disagree"
            | "ambiguous_connection"
            | "malformed_target"
            | "request_body" => StatusCode::BAD_REQUEST,
            "no_caller" | "caller_not_trusted" | "expired_token" | "invalid_token" => {
                StatusCode::UNAUTHORIZED
            }
            "customer_required" | "target_not_allowed" | "plain_target" | "egress_refused" => {
                StatusCode::FORBIDDEN
            }
            "nothing_here" | "unknown_connection" | "no_connection" | "integration_unavailable" => {
                StatusCode::NOT_FOUND
            }
            "method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
            "long_form" => StatusCode::PAYLOAD_TOO_LARGE,
            // The request is sound, and so are we: it is the state of the connection that stands in its way.
            "disconnected" | "needs_reconnect" | "not_refreshable" => StatusCode::CONFLICT,
            "third_party_down" | "outcome_unknown" | "rejected_while_fresh" => StatusCode::BAD_GATEWAY,
            "third_party_timeout" => StatusCode::GATEWAY_TIMEOUT,
            "provider_down"
            | "throttled_until"
            | "stopping"
            | "store_down"
            | "keys_unavailable"
            | "verification_saturated" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer with this status: the vendor's error body, the code, the request's id, and the headers that go with it.
    #[must_use]
    pub(super) fn answer(&self, status: StatusCode, subject: &Subject<'_>) -> Response<Body> {
        let (kind, key) = self.vendor_error();
        let mut data = match self {
            Self::Call(CallError::Refresh { source: why, .. } | CallError::Disconnected { why, .. }) => {
                Some(why.data())
            }
            _ => None,
        };
        if let Some(url) = subject.url {
            data.get_or_insert_default()["request"] = json!({ "url": url, "method": subject.method });
        }
        let body = reply::ErrorBody { kind, key, message: &self.sentence(), data };
        let mut answer = reply::error(status, &body);
        let headers = answer.headers_mut();
        headers.insert(REJECTION, HeaderValue::from_static(self.code()));
        headers.insert(&X_REQUEST_ID, subject.request_id.clone());
        match self.status() {
            StatusCode::UNAUTHORIZED => headers.insert(WWW_AUTHENTICATE, self.challenge()),
            StatusCode::SERVICE_UNAVAILABLE => headers.insert(RETRY_AFTER, self.retry_after()),
            StatusCode::METHOD_NOT_ALLOWED => headers
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")),
            _ => None,
        };
        answer
    }

    /// `type` and `key` as the vendor's SDKs know them.
    fn vendor_error(&self) -> (&'static str, Option<&'static str>) {
        if let Self::Call(CallError::Refresh { source, .. }) = self {
            return source.vendor_error();
        }
        match self.code() {
            "disconnected" => ("connection", Some("connection_is_defunct")),
            "third_party_down" | "third_party_timeout" => ("connection", None),
            "misconfigured_connector" | "egress_refused" | "plain_target" => ("configuration", None),
            _ => match self.status() {
                StatusCode::UNAUTHORIZED => ("bad_request", Some("not_authenticated")),
                StatusCode::FORBIDDEN => ("bad_request", Some("access_denied")),
                StatusCode::NOT_FOUND => ("bad_request", Some("not_found")),
                status if status.is_client_error() => ("bad_request", None),
                _ => ("internal", None),
            },
        }
    }

    /// RFC 6750 section 3: an error is named only where a token was sent.
    fn challenge(&self) -> HeaderValue {
        match self {
            Self::NoCaller | Self::CallerNotTrusted => HeaderValue::from_static("Bearer"),
            _ => HeaderValue::from_static(r#"Bearer error="invalid_token""#),
        }
    }

    /// Whole seconds (RFC 9110 section 10.2.3), rounded up.
    fn retry_after(&self) -> HeaderValue {
        let known = match self {
            Self::Call(CallError::Refresh { retry_after, .. }) => *retry_after,
            Self::UnverifiableToken(_) => Some(Duration::from_secs(1)),
            _ => None,
        };
        let wait = known.unwrap_or(RETRY_AFTER_DOWN);
        HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// What the caller reads: what is wrong and, where somebody can mend it, how.
    fn sentence(&self) -> String {
        match self {
            Self::NoCaller => "send a token, or X-Sidegate-Workspace and X-Sidegate-Customer from a trusted service".into(),
            Self::CallerNotTrusted => {
                "X-Sidegate-Workspace and X-Sidegate-Customer are believed only with the listener's serviceSecret as \
                 bearer, or with trustCaller"
                    .into()
            }
            Self::MalformedPair(why) => format!("X-Sidegate-Workspace and X-Sidegate-Customer go together: {why}"),
            Self::CallersDisagree => "the token and X-Sidegate-Customer name different customers".into(),
            Self::TokenHeadersDisagree => "more than one token was sent, and they differ".into(),
            Self::ExpiredToken(_) => "the token has expired".into(),
            Self::UnreadableToken | Self::InvalidToken(_) => "the token is not valid".into(),
            Self::UnverifiableToken(_) => "the token cannot be verified right now".into(),
            Self::CustomerRequired => "the token names no customer: select the connection by its id".into(),
            Self::NothingHere => "nothing is served here".into(),
            Self::UnknownConnection { selector } => format!("there is no connection `{selector}`"),
            Self::NoConnection { integration } => format!(
                "the customer has no connection for integration `{integration}`: create one with POST /connections"
            ),
            Self::AmbiguousConnection { integration, ids } => format!(
                "the customer has {} connections for integration `{integration}`: select one of {}",
                ids.len(),
                ids.iter().map(ConnectionId::as_str).collect::<Vec<_>>().join(", ")
            ),
            Self::IntegrationUnavailable { integration } => {
                format!("integration `{integration}` is not configured, not enabled, or not for this workspace")
            }
            Self::Store(error) => store_sentence(error).into(),
            Self::Call(error) => call_sentence(error),
        }
    }
}

fn call_sentence(error: &CallError) -> String {
    match error {
        CallError::NoConnection => "there is no such connection".into(),
        CallError::Disconnected { message, .. } => {
            format!("the connection is disconnected and must be connected again: {message}")
        }
        CallError::Refresh { source, .. } => source.to_string(),
        CallError::ApiClient(_) => {
            "the connector's makeApiClient gives no API client for this connection".into()
        }
        CallError::BaseUri(why) => format!("the connector's base URI is malformed: {why}"),
        CallError::NoPinnedOrigin => {
            "the integration says `hosts: connection`, and the connection has no origin pinned to it".into()
        }
        CallError::MalformedTarget(why) => format!("the target is malformed: {why}"),
        CallError::TargetNotAllowed { origin } => {
            format!("credentials may not go to `{origin}`; the integration's `hosts` would allow it")
        }
        CallError::PlainTarget { origin } => {
            format!("`{origin}` is plain HTTP; the integration's `egress.allowPlain` would allow it")
        }
        CallError::Method(method) => format!("method {method} cannot carry credentials"),
        CallError::LongForm => {
            "the third party wants each request signed with the parameters of its form, and this one is too long for that".into()
        }
        CallError::Inject(error) => format!("the connector's credentials do not fit into a request: {error}"),
        CallError::RequestBody(_) | CallError::Send(SendError::RequestBody(_)) => {
            "the request body broke off".into()
        }
        CallError::Send(SendError::Egress(error)) if is_refusal(error) => error.to_string(),
        CallError::Send(SendError::ConnectTimeout | SendError::HeadTimeout) => {
            "the third party did not answer in time".into()
        }
        CallError::Send(_) => "the third party cannot be reached".into(),
        CallError::ResponseBody(_) => "the third party's answer broke off".into(),
        CallError::Store(error) => store_sentence(error).into(),
    }
}

fn store_sentence(error: &StoreError) -> &'static str {
    if error.is_of_a_row() { "the stored record does not open" } else { "the store does not answer" }
}

/// Whether the guard said no, and not the resolver.
fn is_refusal(error: &EgressError) -> bool {
    !matches!(error, EgressError::Unresolved { .. } | EgressError::NoAddress { .. })
}

impl From<TokenError> for Rejection {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::ExpiredToken(error),
            TokenError::KeysUnavailable | TokenError::Saturated => Self::UnverifiableToken(error),
            _ => Self::InvalidToken(error),
        }
    }
}

#[cfg(test)]
mod tests;
