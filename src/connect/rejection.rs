//! Every way a page says no: status, stable code, blame, and a sentence for the person in front of it.
//! Never shows what was typed, a token, or the cause of a failure; causes are for the log.

use http::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::json;

use super::field::{Complaint, Field};
use super::page;
use crate::api::rejection as api;
use crate::formula::Value;
use crate::http::Body;
use crate::telemetry::labels::Blame;
use crate::token::TokenError;

/// Tells our own refusals from other answers: its value is [`Rejection::code`].
const REJECTION: HeaderName = HeaderName::from_static("x-sidegate-rejection");
/// When a browser may come again for what is too much now.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// What is shown instead of what was asked for. Displays as the sentence that a person reads.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// No page of ours.
    #[error("There is no such page.")]
    NothingHere,
    /// The page is there, for other methods.
    #[error("This page takes {allow} only.")]
    MethodNotAllowed {
        /// Which ones.
        allow: &'static str,
    },
    /// Nobody said who asks.
    #[error("This page was opened without a token. Open it from your app again.")]
    NoToken,
    /// The token does not verify.
    #[error("{}", token_sentence(*.0))]
    Token(#[from] TokenError),
    /// The browser may not be sent there.
    #[error("The address to go to afterwards is not one that `connect.redirectUris` lists.")]
    RedirectNotAllowed,
    /// The form cannot be read.
    #[error("What was sent cannot be read: {0}.")]
    MalformedForm(&'static str),
    /// The form is longer than any that is taken.
    #[error("What was sent is longer than {} KiB.", .limit / 1024)]
    FormTooLarge {
        /// How long it may be, in bytes.
        limit: usize,
    },
    /// Nobody could keep others from guessing the request's name.
    #[error("The request's name must have 16 to 128 characters.")]
    UnsafeRequestId,
    /// As many browsers wait as may.
    #[error("Too many browsers are waiting. Try again in a moment.")]
    TooManyWaiting,
    /// It is not said what to connect.
    #[error(
        "It was not said what to connect: `integrationKey`, `integrationId` or `connectionId` is missing."
    )]
    NothingToConnect,
    /// There is no such connection request, or it is over.
    #[error("This link has been used up or is older than a day. Ask for a new one.")]
    UnknownRequest,
    /// Whoever was to connect did not want to.
    #[error("Connecting was cancelled.")]
    Cancelled,
    /// The browser brought back what nobody waits for.
    #[error(
        "This has come to its end before, has waited for more than a quarter of an hour, or was never begun here. Start again from your app."
    )]
    UnknownState,
    /// The browser is not the one that was sent away.
    #[error(
        "This was begun in another browser, or your browser keeps no cookies. Start again from your app in this one."
    )]
    OtherBrowser,
    /// It is brought back for another customer than it was begun for.
    #[error("This was begun for somebody else. Start again from your app.")]
    OtherCustomer,
    /// The API refused.
    #[error("{}", .0.message())]
    Api(Refused),
    /// The API refused where it was asked by a function.
    #[error(transparent)]
    Own(#[from] api::Rejection),
}

/// What the API answered instead.
#[derive(Debug)]
pub struct Refused {
    /// Its status.
    pub(super) status: StatusCode,
    /// The vendor's error body.
    pub(super) error: Value,
}

impl Refused {
    /// An answer that means nothing.
    pub(super) fn unreadable() -> Self {
        let error = json!({"type": "internal", "message": "Sidegate failed"});
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, error: error.into() }
    }

    /// One that was told before.
    pub(super) fn told(error: Value) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error }
    }

    /// What is wrong with which field: what the API says of a place in what was typed in, else the sentence for all.
    pub(super) fn complaints(&self, fields: &[Field]) -> Vec<Complaint> {
        let flaws = self.error.get("data").and_then(Value::as_array).unwrap_or_default();
        let text = |flaw: &Value, name: &str| flaw.get(name).and_then(Value::as_str).map(str::to_owned);
        let placed: Vec<_> = flaws
            .iter()
            .filter_map(|flaw| {
                let field = Field::at(fields, &text(flaw, "path")?)?.name.clone();
                Some(Complaint { field, what: text(flaw, "message")? })
            })
            .collect();
        if !placed.is_empty() {
            return placed;
        }
        vec![Complaint { field: String::new(), what: self.message().to_owned() }]
    }

    /// The sentence, which names no value.
    pub(super) fn message(&self) -> &str {
        self.error.get("message").and_then(Value::as_str).unwrap_or("Sidegate failed")
    }
}

/// What the API says where it is asked by a function.
impl From<api::Rejection> for Refused {
    fn from(rejection: api::Rejection) -> Self {
        Self { status: rejection.status(), error: rejection.error_data().into() }
    }
}

impl Rejection {
    /// The stable code in `X-Sidegate-Rejection`; `docs/rejections.md` explains each.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingHere => "nothing_here",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::NoToken => "no_token",
            Self::Token(TokenError::Expired) => "expired_token",
            Self::Token(error @ (TokenError::KeysUnavailable | TokenError::Saturated)) => error.code(),
            Self::Token(_) => "invalid_token",
            Self::RedirectNotAllowed => "redirect_not_allowed",
            Self::MalformedForm(_) => "malformed_form",
            Self::FormTooLarge { .. } => "body_too_large",
            Self::UnsafeRequestId => "unsafe_request_id",
            Self::TooManyWaiting => "too_many_waiting",
            Self::NothingToConnect => "nothing_to_connect",
            Self::UnknownRequest => "unknown_request",
            Self::Cancelled => "cancelled",
            Self::UnknownState => "unknown_state",
            Self::OtherBrowser => "other_browser",
            Self::OtherCustomer => "other_customer",
            Self::Api(_) => "not_connected",
            Self::Own(rejection) => rejection.code(),
        }
    }

    /// The reason in the access log and the metrics: the code, but for a refused token what is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            _ => self.code(),
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Token(TokenError::KeysUnavailable) => Blame::ThirdParty,
            Self::Token(TokenError::Saturated) | Self::TooManyWaiting => Blame::Us,
            Self::Api(refused) if refused.status.is_server_error() => Blame::Us,
            Self::Own(rejection) => rejection.blame(),
            _ => Blame::Caller,
        }
    }

    /// The status: 4xx or 5xx.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NothingHere | Self::UnknownRequest => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Token(TokenError::KeysUnavailable | TokenError::Saturated) | Self::TooManyWaiting => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NoToken | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::FormTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Api(refused) => refused.status,
            Self::Own(rejection) => rejection.status(),
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The vendor's error data, as an app is told it.
    pub(super) fn error_data(&self) -> Value {
        let key = match self {
            Self::Api(refused) => return refused.error.clone(),
            Self::Own(rejection) => return rejection.error_data().into(),
            _ => match self.status() {
                StatusCode::UNAUTHORIZED => Some("not_authenticated"),
                StatusCode::NOT_FOUND => Some("not_found"),
                _ => None,
            },
        };
        let kind = if self.status().is_server_error() { "internal" } else { "bad_request" };
        let message = self.to_string();
        match key {
            Some(key) => json!({"type": kind, "key": key, "message": message}).into(),
            None => json!({"type": kind, "message": message}).into(),
        }
    }

    /// The page that says so.
    #[must_use]
    pub fn page(&self) -> Response<Body> {
        self.marked(page::sorry(&self.to_string()))
    }

    /// A page on which a person can try again, with the status of what went wrong.
    pub(super) fn marked(&self, mut page: Response<Body>) -> Response<Body> {
        *page.status_mut() = self.status();
        let headers = page.headers_mut();
        headers.insert(REJECTION, HeaderValue::from_static(self.code()));
        match self {
            Self::MethodNotAllowed { allow } => drop(headers.insert(ALLOW, HeaderValue::from_static(allow))),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
            }
            _ => {}
        }
        page
    }
}

/// A form that is shown again, for what was typed into it cannot be taken.
pub(super) fn again(mut page: Response<Body>) -> Response<Body> {
    *page.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    page.headers_mut().insert(REJECTION, HeaderValue::from_static("fields_refused"));
    page
}

fn token_sentence(error: TokenError) -> &'static str {
    match error {
        TokenError::Expired => "Your session has ended. Open this page from your app again.",
        TokenError::KeysUnavailable | TokenError::Saturated => {
            "It cannot be checked right now who you are. Try again in a moment."
        }
        _ => "The token that this page was opened with is not valid. Open it from your app again.",
    }
}
