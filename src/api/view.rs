//! What callers see of customers and connections, in the words of both of the vendor's generations.
//! Never shows a secret but where the caller's right to it was checked before.

mod refresh;

use http::{Response, StatusCode};
use serde::Serialize;

use crate::clock::Timestamp;
use crate::connector::{AuthOption, Integration};
use crate::formula::Value;
use crate::http::{Body, reply};
use crate::refresh::RefreshError;
use crate::refresh::schedule::next_refresh;
use crate::secret::Secret;
use crate::store::{Connection, Customer, FailureClass, Health, Secrets};

use refresh::RefreshView;

/// A connection. The names of the older SDK stand beside those of the newer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConnectionView<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    user_id: &'a str,
    integration_id: &'a str,
    integration_key: &'a str,
    integration: IntegrationView<'a>,
    connected: bool,
    disconnected: bool,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[ErrorView<'a>; 1]>,
    is_test: bool,
    can_test: bool,
    can_refresh_credentials: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_credentials_refresh_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_retry_timestamp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<RefreshView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_scopes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing_scopes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a Value>,
    created_at: String,
    updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    archived_at: Option<String>,
    #[serde(skip)]
    is_readable: bool,
    #[serde(flatten)]
    secrets: Option<SecretsView<'a>>,
}

#[derive(Serialize)]
struct IntegrationView<'a> {
    id: &'a str,
    key: &'a str,
    name: &'a str,
}

/// Error data as the vendor has it.
#[derive(Clone, Serialize)]
struct ErrorView<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    key: &'static str,
    message: &'a str,
    data: serde_json::Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecretsView<'a> {
    credentials: &'a Value,
    parameters: &'a Value,
    input: &'a Value,
    connector_parameters: &'a Value,
}

/// A page of a list; without a cursor it is the last.
#[derive(Serialize)]
pub(super) struct PageView<T> {
    pub(super) items: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
}

/// What a test came to.
#[derive(Serialize)]
pub(super) struct TestView {
    pub(super) success: bool,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Why there were no fresh credentials to test, where the third party called these expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<serde_json::Value>,
}

/// A customer, its credentials left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CustomerView<'a> {
    id: &'a str,
    internal_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<&'a Value>,
    is_test: bool,
    workspace_key: &'a str,
    created_at: String,
    last_active_at: String,
}

impl<'a> ConnectionView<'a> {
    /// Without its secrets. `integration` is what is configured now, if it still is.
    pub(super) fn of(connection: &'a Connection, integration: Option<&'a Integration>) -> Self {
        let key = connection.integration.as_str();
        let name = integration.map_or(key, |integration| integration.connector.name.as_str());
        let ready = connection.health == Health::Ready;
        let error = error(&connection.health);
        let option = integration.and_then(|known| known.connector.option(connection.auth_option.as_deref()));
        let can_refresh = option.is_some_and(AuthOption::can_refresh);
        let failure = connection.refresh_failure();
        let next_try = failure.and_then(|failure| failure.next_try);
        Self {
            id: connection.id.as_str(),
            name: &connection.name,
            key: connection.key.as_deref(),
            user_id: connection.owner.customer.as_str(),
            integration_id: key,
            integration_key: key,
            integration: IntegrationView { id: key, key, name },
            connected: ready,
            disconnected: !ready,
            state: state(connection),
            errors: error.clone().map(|error| [error]),
            error,
            is_test: connection.is_test,
            can_test: option.is_some_and(AuthOption::can_test),
            can_refresh_credentials: can_refresh,
            next_credentials_refresh_at: next_refresh(connection, integration).map(rfc3339),
            retry_attempts: failure.map(|failure| failure.in_a_row),
            next_retry_timestamp: next_try.map(rfc3339),
            refresh: RefreshView::of(connection, can_refresh),
            granted_scopes: connection.granted_scopes.as_deref(),
            missing_scopes: missing_scopes(connection, integration, option).unwrap_or_default(),
            meta: connection.meta.as_ref(),
            created_at: rfc3339(connection.created_at),
            updated_at: rfc3339(connection.updated_at),
            archived_at: connection.archived_at.map(rfc3339),
            is_readable: option.is_some_and(|option| option.lender().is_none()),
            secrets: None,
        }
    }

    /// With its secrets: only for an admin who asked for them and for this one connection. What a lender's app got is not shown,
    /// nor where it is not known any more whose app it was.
    pub(super) fn with_secrets(self, secrets: &'a Secret<Secrets>) -> Self {
        if !self.is_readable {
            return self;
        }
        let Secrets { credentials, input, connector_parameters } = secrets.expose();
        let secrets = SecretsView { credentials, parameters: input, input, connector_parameters };
        Self { secrets: Some(secrets), ..self }
    }
}

/// The answer that shows something.
pub(super) fn shown<T: Serialize>(view: &T) -> Response<Body> {
    reply::json(StatusCode::OK, view)
}

/// The answer that shows a customer to itself or to an admin: its fields are those of its own tokens.
pub(super) fn customer(customer: &Customer) -> Response<Body> {
    shown(&CustomerView::of(customer))
}

impl<'a> CustomerView<'a> {
    pub(super) fn of(customer: &'a Customer) -> Self {
        Self {
            id: &customer.id,
            internal_id: customer.owner.customer.as_str(),
            name: customer.name.as_deref(),
            fields: customer.fields.as_ref().map(Secret::expose),
            is_test: false,
            workspace_key: customer.owner.workspace.as_str(),
            created_at: rfc3339(customer.created_at),
            last_active_at: rfc3339(customer.last_active_at),
        }
    }
}

/// The scopes that are asked for now and were not granted then.
fn missing_scopes(
    connection: &Connection,
    integration: Option<&Integration>,
    option: Option<&AuthOption>,
) -> Option<Vec<String>> {
    let granted = connection.granted_scopes.as_ref()?;
    let mut asked = integration?.known_scopes(option?)?;
    asked.retain(|scope| !granted.contains(scope));
    Some(asked)
}

fn error(health: &Health) -> Option<ErrorView<'_>> {
    let Health::Disconnected { code, message, .. } = health else { return None };
    let data = RefreshError::disconnected(code, message).data();
    // Whatever the last refresh came to, only connecting again helps.
    Some(ErrorView { kind: "connection", key: "connection_is_defunct", message, data })
}

/// In the vendor's words. An app that the provider refuses is for the operator to mend.
fn state(connection: &Connection) -> &'static str {
    let class = connection.refresh_failure().map(|failure| failure.class);
    match (&connection.health, class) {
        (Health::Disconnected { .. }, _) => "CLIENT_ACTION_REQUIRED",
        (Health::Ready, Some(FailureClass::DeadApp)) => "CONFIGURATION_ERROR",
        (Health::Ready, _) => "READY",
    }
}

fn rfc3339(at: Timestamp) -> String {
    at.to_string()
}

#[cfg(test)]
mod tests;
