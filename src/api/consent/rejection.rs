//! Why a customer's consent came to no connection.
//! Never holds a code, a token, or what a connector's method was given.

use serde_json::json;

use crate::method::{FailureKind, RunError};
use crate::refresh::CodeError;
use crate::telemetry::labels::Blame;

/// Why a customer's consent came to no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// The provider, or the customer there, said no.
    #[error("the third party gave no access: {code}{}", described(.description))]
    Refused {
        /// Its `error`.
        code: String,
        /// Its `error_description`, cut.
        description: String,
    },
    /// The browser brought an answer of somebody else than was asked (RFC 9207).
    #[error("the answer is not from whom was asked: it names {named}, and {expected} is expected")]
    WrongIssuer {
        /// Who it says it is from.
        named: String,
        /// Who was asked.
        expected: String,
    },
    /// The browser came back with nothing.
    #[error("the third party sent the browser back without a code")]
    NoCode,
    /// This is not connected by going to the third party.
    #[error("this integration is not connected by going to the third party")]
    NotByConsent,
    /// The code brought no tokens.
    #[error(transparent)]
    Code(#[from] CodeError),
}

impl ConsentError {
    /// The stable code in `X-Sidegate-Rejection`; `docs/rejections.md` explains each.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "consent_refused",
            Self::WrongIssuer { .. } => "wrong_issuer",
            Self::NoCode => "no_code",
            Self::NotByConsent => "not_by_consent",
            Self::Code(CodeError::Refused { .. }) => "code_refused",
            Self::Code(CodeError::App { .. }) => "misconfigured_app",
            Self::Code(CodeError::Exchange(error)) => error.code(),
            Self::Code(CodeError::Method(error)) => match error.kind() {
                FailureKind::Refused => "code_refused",
                FailureKind::Down => "third_party_down",
                FailureKind::Misconfigured => "misconfigured_connector",
            },
        }
    }

    /// What the third party said, as the vendor has it in the `data` of an error.
    pub(in crate::api) fn data(&self) -> Option<serde_json::Value> {
        let (status, code, description) = match self {
            Self::Code(
                CodeError::Refused { status, code, description }
                | CodeError::App { status, code, description },
            ) => (Some(*status), code, description),
            Self::Code(CodeError::Method(error)) => return failed(error),
            Self::Refused { code, description } => (None, code, description),
            _ => return None,
        };
        let mut response = json!({ "data": { "error": code } });
        if let Some(status) = status {
            response["status"] = status.into();
        }
        if !description.is_empty() {
            response["data"]["error_description"] = description.as_str().into();
        }
        Some(json!({ "response": response }))
    }

    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self.code() {
            "consent_refused" | "not_by_consent" => Blame::Caller,
            "misconfigured_app" | "misconfigured_connector" => Blame::Operator,
            _ => Blame::ThirdParty,
        }
    }
}

/// The same of a method's request, of which only the status is told.
pub(in crate::api) fn failed(error: &RunError) -> Option<serde_json::Value> {
    error.status().map(|status| json!({ "response": { "status": status } }))
}

fn described(description: &str) -> String {
    if description.is_empty() { String::new() } else { format!(" ({description})") }
}
