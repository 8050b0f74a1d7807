//! Every way this door says no: status, stable code, blame, and a sentence for the caller.
//! Never shows a credential, a field's value, or the cause of a failure; causes are for the log.

mod answer;
mod words;

use std::time::Duration;

use http::StatusCode;

use super::consent::rejection::ConsentError;
use crate::connector::Flaw;
use crate::http::BoxError;
use crate::http::egress::EgressError;
use crate::method::{FailureKind, RunError};
use crate::names::{ConnectionId, IntegrationKey};
use crate::refresh::RefreshError;
use crate::store::StoreError;
use crate::telemetry::labels::Blame;
use words::{flaws, hint, listed};

/// What is answered instead of what was asked for. Displays as the sentence that the caller reads.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// No path of this API; the vendor's other products are none of ours.
    #[error(
        "nothing is served here: Sidegate serves /self, /customers, /connections and /integrations; what is no \
             authentication, such as flows, actions and data, is none of its business"
    )]
    NothingHere,
    /// The path is there, for other methods.
    #[error("this path takes {allow} only")]
    MethodNotAllowed {
        /// Which ones.
        allow: &'static str,
    },
    /// A browser asks, from a web app that is not listed.
    #[error("no browser may ask from this origin: `cors.origins` would list it")]
    OriginNotAllowed,
    /// An admin token without a customer, where one is needed.
    #[error("the token names no customer: use one with `id`, or select a connection by its id")]
    CustomerRequired,
    /// Only an admin may do this.
    #[error("this takes an admin token: one whose `isAdmin` is true")]
    AdminRequired,
    /// The workspace has no such customer.
    #[error("there is no customer `{id}`")]
    UnknownCustomer {
        /// What the caller asked for.
        id: String,
    },
    /// The workspace has this customer.
    #[error("a customer with the id `{id}` already exists")]
    CustomerExists {
        /// Its id.
        id: String,
    },
    /// There is no such request to connect, it is another customer's, or it is over.
    #[error("there is no such connection request, or it is older than a day")]
    UnknownRequest,
    /// Nobody said where browsers reach the connect pages.
    #[error("`publicUrl` says where browsers reach the connect pages, and it is not configured")]
    NoPublicUrl,
    /// There is no such connection, or it is another customer's: callers cannot tell the two apart.
    #[error("there is no connection `{selector}`")]
    UnknownConnection {
        /// What the caller asked for.
        selector: String,
    },
    /// The customer has several connections for the integration that it selected by.
    #[error("the customer has {} connections for `{selector}`: select one of {}", ids.len(), listed(ids))]
    AmbiguousConnection {
        /// What the caller asked for.
        selector: String,
        /// Which ones there are.
        ids: Vec<ConnectionId>,
    },
    /// No integration of this key is configured.
    #[error("there is no integration `{key}`{}", hint(meant.as_ref()))]
    UnknownIntegration {
        /// What the caller asked for.
        key: IntegrationKey,
        /// What it may have meant.
        meant: Option<IntegrationKey>,
    },
    /// The integration is configured, but not for this.
    #[error("integration `{key}` {why}")]
    IntegrationUnavailable {
        /// Which one.
        key: IntegrationKey,
        /// In what way.
        why: &'static str,
    },
    /// Several connections are wanted where a customer may have one.
    #[error(
        "a customer may have one connection of integration `{key}`; its `connections: many` would allow several"
    )]
    OneOnly {
        /// Of which integration.
        key: IntegrationKey,
    },
    /// Another live connection of the customer's has this key.
    #[error("a connection with the key `{key}` already exists")]
    KeyTaken {
        /// The key.
        key: String,
    },
    /// The body is longer than any that is taken.
    #[error("the body is longer than 1 MiB")]
    BodyTooLarge,
    /// The body broke off, or took too long.
    #[error("the request body broke off")]
    RequestBody(#[source] BoxError),
    /// The body is no JSON.
    #[error("the body is not JSON: line {line}, column {column}")]
    MalformedJson {
        /// From 1.
        line: usize,
        /// From 1; 0 at the very start of a line.
        column: usize,
    },
    /// The body is JSON, but a list or a single value.
    #[error("the body must be a JSON object")]
    NotAnObject,
    /// A field is not what it must be.
    #[error("`{field}` must be {expected}")]
    WrongField {
        /// Its name.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A field must be there.
    #[error("`{field}` is missing: {why}")]
    MissingField {
        /// Its name.
        field: &'static str,
        /// What it is needed for.
        why: &'static str,
    },
    /// Two names of one field hold different values.
    #[error("`{first}` and `{second}` mean the same and differ")]
    FieldsDisagree {
        /// One name.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A field that cannot be set here.
    #[error("`{field}` cannot be set here: {why}")]
    FieldNotTaken {
        /// Its name.
        field: String,
        /// Where it comes from instead.
        why: &'static str,
    },
    /// A key of the query is not what it must be.
    #[error("`{key}` in the query must be {expected}")]
    InvalidQuery {
        /// Its name.
        key: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// What was sent does not fit the schema that is configured for it.
    #[error("this does not fit its schema: {}", flaws(.0))]
    Schema(Vec<Flaw>),
    /// The connector makes nothing of what the customer typed in.
    #[error("the connector cannot make credentials of this: {0}")]
    Input(#[source] RunError),
    /// The connector's test says that the credentials do not work, or could not be run.
    #[error("the credentials were tested, and the connection cannot be used: {0}")]
    Test(#[source] RunError),
    /// The base URI that was entered gives no origin to pin.
    #[error("the base URI of this connection is refused: {why}")]
    Origin {
        /// What is wrong with it.
        why: &'static str,
        /// What the connector said, if it gave none.
        #[source]
        source: Option<RunError>,
    },
    /// The origin that was entered is one that the egress guard shuts.
    #[error("the base URI of this connection is refused: {0}")]
    Egress(EgressError),
    /// There is no fresh credential to be had.
    #[error("{source}")]
    Refresh {
        /// Why.
        source: RefreshError,
        /// When asking again may help, where that is known.
        retry_after: Option<Duration>,
    },
    /// A customer's consent came to nothing.
    #[error(transparent)]
    Consent(#[from] ConsentError),
    /// The connector has no test.
    #[error("the connector of integration `{key}` has no `test`")]
    NoTest {
        /// Of which integration.
        key: IntegrationKey,
    },
    /// Other writes came first, again and again.
    #[error("the connection is being changed by somebody else: try again")]
    Overtaken,
    /// The store failed.
    #[error("the store does not answer")]
    Store(#[source] StoreError),
    /// One row of it was damaged or changed in the file.
    #[error("the stored record does not open")]
    UnreadableRecord(#[source] StoreError),
    /// Sidegate itself failed.
    #[error("Sidegate failed")]
    Internal,
}

impl Rejection {
    /// The stable code in `X-Sidegate-Rejection`; `docs/rejections.md` explains each. Where a refresh failed it is that
    /// failure's own.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NothingHere => "nothing_here",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::CustomerRequired => "customer_required",
            Self::AdminRequired => "admin_required",
            Self::UnknownCustomer { .. } => "unknown_customer",
            Self::UnknownRequest => "unknown_request",
            Self::NoPublicUrl => "no_public_url",
            Self::UnknownConnection { .. } => "unknown_connection",
            Self::AmbiguousConnection { .. } => "ambiguous_connection",
            Self::UnknownIntegration { .. } => "unknown_integration",
            Self::IntegrationUnavailable { .. } => "integration_unavailable",
            Self::OneOnly { .. } => "one_only",
            Self::KeyTaken { .. } | Self::CustomerExists { .. } => "already_exists",
            Self::BodyTooLarge => "body_too_large",
            Self::RequestBody(_) => "request_body",
            Self::MalformedJson { .. } | Self::NotAnObject => "malformed_json",
            Self::WrongField { .. } => "wrong_field",
            Self::MissingField { .. } => "missing_field",
            Self::FieldsDisagree { .. } => "fields_disagree",
            Self::FieldNotTaken { .. } => "field_not_taken",
            Self::InvalidQuery { .. } => "invalid_query",
            Self::Schema(_) => "schema_violated",
            Self::Input(_) => "input_refused",
            Self::Test(error) => match error.kind() {
                FailureKind::Refused => "test_failed",
                FailureKind::Down => "third_party_down",
                FailureKind::Misconfigured => "misconfigured_connector",
            },
            Self::Origin { .. } | Self::Egress(_) => "origin_refused",
            Self::Refresh { source, .. } => source.code(),
            Self::Consent(error) => error.code(),
            Self::NoTest { .. } => "no_test",
            Self::Overtaken => "overtaken",
            Self::Store(_) => "store_down",
            Self::UnreadableRecord(_) => "unreadable_record",
            Self::Internal => "internal",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::IntegrationUnavailable { .. } | Self::OneOnly { .. } | Self::NoPublicUrl => Blame::Operator,
            Self::Test(error) => match error.kind() {
                FailureKind::Refused => Blame::Caller,
                FailureKind::Down => Blame::ThirdParty,
                FailureKind::Misconfigured => Blame::Operator,
            },
            Self::Refresh { source, .. } => source.blame(),
            Self::Consent(error) => error.blame(),
            Self::Store(_) | Self::UnreadableRecord(_) | Self::Internal => Blame::Us,
            _ => Blame::Caller,
        }
    }

    /// The status: 4xx or 5xx.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self.code() {
            "origin_not_allowed" | "customer_required" | "admin_required" => StatusCode::FORBIDDEN,
            "nothing_here"
            | "unknown_customer"
            | "unknown_connection"
            | "unknown_request"
            | "unknown_integration"
            | "integration_unavailable" => StatusCode::NOT_FOUND,
            "method_not_allowed" => StatusCode::METHOD_NOT_ALLOWED,
            "body_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            // The request is sound: it is the state of what it asks for that stands in its way.
            "already_exists" | "no_test" | "overtaken" | "needs_reconnect" | "not_refreshable" => {
                StatusCode::CONFLICT
            }
            "outcome_unknown" | "rejected_while_fresh" | "third_party_down" => StatusCode::BAD_GATEWAY,
            "provider_down" | "throttled_until" | "stopping" | "store_down" => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            "misconfigured_app"
            | "misconfigured_connector"
            | "no_public_url"
            | "unreadable_record"
            | "internal" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A page could not be had.
    pub(super) fn of_page(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor => {
                Self::InvalidQuery { key: "cursor", expected: "the cursor of the page before, or 0" }
            }
            other => other.into(),
        }
    }
}

impl From<StoreError> for Rejection {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::KeyTaken { key } => Self::KeyTaken { key },
            damaged if damaged.is_of_a_row() => Self::UnreadableRecord(damaged),
            other => Self::Store(other),
        }
    }
}
