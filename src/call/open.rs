//! A connection opened for one call: its secrets, and what its connector's methods see of them.
//! Never decides whether its tokens are fresh.

use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::connector::{AuthOption, AuthType, Integration};
use crate::formula::Value;
use crate::http::egress::Egress;
use crate::inject::target::Allowed;
use crate::method::Subject;
use crate::names::ConnectionId;
use crate::refresh::{RefreshError, account};
use crate::store::{Customer, Health, Opened, Store, StoreError};

use super::CallError;

/// Reads the connection with its secrets; refuses one that cannot be used.
pub(super) async fn open(store: &Store, id: &ConnectionId) -> Result<Opened, CallError> {
    let opened = store.open_secrets(id).await?.ok_or(CallError::NoConnection)?;
    if opened.connection.archived_at.is_some() {
        return Err(CallError::NoConnection);
    }
    match &opened.connection.health {
        Health::Ready => Ok(opened),
        Health::Disconnected { code, message, at } => {
            let why = RefreshError::disconnected(code, message);
            Err(CallError::Disconnected { code: code.clone(), message: message.clone(), since: *at, why })
        }
    }
}

/// Whom the connector's methods are run for: this connection, with this version of the credentials.
pub(super) fn subject<'a>(
    integration: &'a Integration,
    opened: &'a Opened,
    customer: Option<&'a Customer>,
) -> Result<Subject<'a>, CallError> {
    Subject::new(integration, account(opened, customer)).map_err(CallError::ApiClient)
}

/// Whether the connector's methods see what the customer's tokens say of it: those of the customer's own API do.
pub(super) fn wants_customer(integration: &Integration, opened: &Opened) -> bool {
    let option = integration.connector.option(opened.connection.auth_option.as_deref());
    option.is_some_and(|option| integration.sees_user(option))
}

/// Which targets the connection's credentials may go to.
pub(super) fn allowed<'a>(integration: &'a Integration, opened: &'a Opened) -> Allowed<'a> {
    let egress = Egress { allow_private: integration.allow_private, allow_plain: integration.allow_plain };
    let pinned_origin = opened.connection.pinned_origin.as_deref();
    Allowed { hosts: &integration.hosts, pinned_origin, egress }
}

/// Whether newer credentials can be had at all.
pub(super) fn can_refresh(integration: &Integration, opened: &Opened) -> bool {
    let option = integration.connector.option(opened.connection.auth_option.as_deref());
    option.is_some_and(AuthOption::can_refresh)
}

/// Whether each request is signed, and with it the parameters of a form.
pub(super) fn signs(integration: &Integration, opened: &Opened) -> bool {
    let option = integration.connector.option(opened.connection.auth_option.as_deref());
    option.is_some_and(|option| option.auth == AuthType::OAuth1)
}

/// Every text among the connection's secrets, for whoever must leave them out.
pub(super) fn texts(opened: &Opened) -> Vec<Zeroizing<String>> {
    let secrets = opened.secrets.expose();
    let mut texts = Vec::new();
    let mut values = vec![&secrets.credentials, &secrets.input, &secrets.connector_parameters];
    while let Some(value) = values.pop() {
        match value {
            Value::String(text) => texts.push(Zeroizing::new(text.clone())),
            Value::Array(items) => values.extend(items),
            Value::Object(members) => values.extend(members.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    texts
}

/// Notes that the third party called the connection defunct. If its credentials were written meanwhile, the verdict was
/// about older ones and is dropped.
pub(super) async fn mark_defunct(store: &Store, opened: &Opened, now: Timestamp) -> Result<(), StoreError> {
    let defunct = Health::Disconnected {
        code: String::from("connection_is_defunct"),
        message: String::from("the third party says that the connection is defunct"),
        at: now,
    };
    store.update(&opened.connection, |connection| connection.health = defunct).await?;
    Ok(())
}
