//! A connection as the store has it: what of it an exchange needs.
//! Never reads the store.

use crate::method::{Account, User};
use crate::store::{Customer, Opened, Secrets, TokenDigest};

use super::connected;
use super::exchange::refresh_token;
use super::outcome::RefreshError;
use super::single_flight::Outcome;

/// Credentials to go on with: those of a connection that lives.
pub(super) fn good_for_use(opened: Opened) -> Outcome {
    if opened.connection.archived_at.is_some() {
        return Err(gone());
    }
    connected(&opened).map(|()| opened)
}

pub(super) fn open(opened: &Opened) -> &Secrets {
    opened.secrets.expose()
}

/// The connection as its connector's methods see it, with what is known of its customer.
#[must_use]
pub fn account<'a>(opened: &'a Opened, customer: Option<&'a Customer>) -> Account<'a> {
    let (connection, secrets) = (&opened.connection, open(opened));
    Account {
        option: connection.auth_option.as_deref(),
        app: connection.app.as_ref(),
        connector_parameters: &secrets.connector_parameters,
        input: &secrets.input,
        credentials: Some(&secrets.credentials),
        pinned_origin: connection.pinned_origin.as_deref(),
        user: Some(User {
            owner: &connection.owner,
            name: customer.and_then(|customer| customer.name.as_deref()),
            fields: customer.and_then(|customer| customer.fields.as_ref()),
        }),
    }
}

/// The refresh token that a connection has, as the journal knows it.
pub(super) fn held_token(opened: &Opened) -> Option<TokenDigest> {
    let token = refresh_token(&open(opened).credentials)?;
    Some(TokenDigest::of(&opened.connection.id, token))
}

/// What is said of one that is there no more.
pub(super) fn gone() -> RefreshError {
    RefreshError::NeedsReconnect { reason: "the connection is gone".into() }
}
