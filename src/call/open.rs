//! A connection opened for one call: its secrets, and the API client made from them.
//! Never decides whether its tokens are fresh.

use crate::clock::Timestamp;
use crate::connector::{ApiClient, Integration, MethodInput};
use crate::names::ConnectionId;
use crate::store::{Health, Opened, Store, StoreError};

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
            Err(CallError::Disconnected { code: code.clone(), message: message.clone(), since: *at })
        }
    }
}

/// Evaluates the connector's makeApiClient with this version of the credentials.
pub(super) fn api_client(integration: &Integration, opened: &Opened) -> Result<ApiClient, CallError> {
    let secrets = opened.secrets.expose();
    let parameters =
        integration.connector_parameters(opened.connection.app.as_ref(), &secrets.connector_parameters);
    let input = MethodInput {
        connector_parameters: &parameters,
        connection_parameters: &secrets.input,
        credentials: Some(&secrets.credentials),
    };
    integration.connector.make_api_client(&input).map_err(CallError::ApiClient)
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
