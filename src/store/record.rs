//! The rows of the store: what is open, and what is sealed.
//! Never knows how a row is kept.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::clock::Timestamp;
use crate::formula::Value;
use crate::names::{AppId, ConnectionId, IntegrationKey, Owner, Version};
use crate::secret::Secret;

use super::refreshing::{RefreshFailure, Refreshing};

/// A customer, recorded when first seen in a token.
#[derive(Debug)]
pub struct Customer {
    /// The workspace, and the id in the customer's tokens.
    pub owner: Owner,
    /// Our own id of the record.
    pub id: String,
    /// As the last token said.
    pub name: Option<String>,
    /// As the last token said; may hold API keys, and is sealed at rest.
    pub fields: Option<Secret<Value>>,
    /// For the customer's own API (`internal-api`); sealed at rest.
    pub credentials: Option<Secret<Value>>,
    /// When it was first seen.
    pub created_at: Timestamp,
    /// When it was last seen; may lag behind.
    pub last_active_at: Timestamp,
}

impl Customer {
    /// Whether a token with this name and these fields says nothing new. What a token leaves out stays as it was.
    #[must_use]
    pub fn knows(&self, name: Option<&str>, fields: Option<&Secret<Value>>) -> bool {
        let name_known = name.is_none_or(|name| self.name.as_deref() == Some(name));
        let fields_known = fields
            .is_none_or(|fields| self.fields.as_ref().is_some_and(|known| known.expose() == fields.expose()));
        name_known && fields_known
    }
}

/// How a connection is doing.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub enum Health {
    /// It can be used.
    Ready,
    /// It cannot be used until the customer connects again.
    Disconnected {
        /// A stable code.
        code: String,
        /// A sentence for people.
        message: String,
        /// Since when.
        at: Timestamp,
    },
}

impl Health {
    /// The code of a connection whose refresh token was sent without an answer.
    pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";

    /// Whether it cannot be used because a refresh token was sent and no answer came.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Disconnected { code, .. } if code == Self::OUTCOME_UNKNOWN)
    }
}

/// The open part of a connection: safe to show.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    /// Its id, unique in the store.
    pub id: ConnectionId,
    /// Whose it is; never changes.
    pub owner: Owner,
    /// The integration it belongs to.
    pub integration: IntegrationKey,
    /// A name for machines, given by the caller.
    pub key: Option<String>,
    /// A name for people.
    pub name: String,
    /// Which of the connector's options it uses; none for the connector's own way.
    #[serde(default)]
    pub auth_option: Option<String>,
    /// The OAuth app that granted the credentials.
    pub app: Option<AppId>,
    /// The version of the credentials; the store sets it.
    pub version: Version,
    /// Whether it can be used.
    pub health: Health,
    /// For `hosts: connection`: the origin that was entered at connect time, as `https://host[:port]`.
    pub pinned_origin: Option<String>,
    /// When the access token ends, if that is known.
    pub expires_at: Option<Timestamp>,
    /// When it is due for a refresh.
    pub refresh_at: Option<Timestamp>,
    /// When it was connected last; none: when it was made.
    #[serde(default)]
    pub connected_at: Option<Timestamp>,
    /// When it was last refreshed since.
    pub refreshed_at: Option<Timestamp>,
    /// How its refreshes went.
    #[serde(default)]
    pub refreshing: Refreshing,
    /// The scopes that the provider granted, if it said.
    pub granted_scopes: Option<Vec<String>>,
    /// Whether it is for tests only.
    pub is_test: bool,
    /// The caller's own notes.
    pub meta: Option<Value>,
    /// When it was made; never changes.
    pub created_at: Timestamp,
    /// When it was last written; the store sets it.
    pub updated_at: Timestamp,
    /// When it was archived. An archived connection has no secrets any more and stays archived.
    pub archived_at: Option<Timestamp>,
}

impl Connection {
    /// A new one, of which nothing is known yet but whose it is and what for.
    #[must_use]
    pub fn new(
        id: ConnectionId,
        owner: Owner,
        integration: IntegrationKey,
        name: String,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            owner,
            integration,
            key: None,
            name,
            auth_option: None,
            app: None,
            version: Version::FIRST,
            health: Health::Ready,
            pinned_origin: None,
            expires_at: None,
            refresh_at: None,
            connected_at: None,
            refreshed_at: None,
            refreshing: Refreshing::default(),
            granted_scopes: None,
            is_test: false,
            meta: None,
            created_at: now,
            updated_at: now,
            archived_at: None,
        }
    }

    /// Why its credentials could not be refreshed, if the last attempt with just these failed.
    #[must_use]
    pub fn refresh_failure(&self) -> Option<&RefreshFailure> {
        self.refreshing.failure.as_ref().filter(|failure| failure.version == self.version)
    }
}

/// The sealed part of a connection.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// What gives access.
    pub credentials: Value,
    /// What the customer entered at connect time.
    pub input: Value,
    /// The connection's own connector parameters, over those of the integration.
    pub connector_parameters: Value,
}

impl Secrets {
    /// What is left when a connection is archived.
    pub(super) fn none() -> Self {
        let empty = Value::empty_object;
        Self { credentials: empty(), input: empty(), connector_parameters: empty() }
    }
}

impl From<Zeroizing<Secrets>> for Secret<Secrets> {
    fn from(mut open: Zeroizing<Secrets>) -> Self {
        Self::new(std::mem::replace(&mut *open, Secrets::none()))
    }
}

impl Zeroize for Secrets {
    fn zeroize(&mut self) {
        self.credentials.zeroize();
        self.input.zeroize();
        self.connector_parameters.zeroize();
    }
}

/// Secrets that take the place of others; what is `None` stays.
#[derive(Default)]
pub struct SecretChanges {
    /// New credentials, whole.
    pub credentials: Option<Value>,
    /// New input, whole.
    pub input: Option<Value>,
    /// New connector parameters, whole.
    pub connector_parameters: Option<Value>,
}

impl SecretChanges {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.credentials.is_none() && self.input.is_none() && self.connector_parameters.is_none()
    }
}

/// A connection with its secrets open, at one version. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The open part.
    pub connection: Arc<Connection>,
    /// The secrets of `connection.version`.
    pub secrets: Arc<Secret<Secrets>>,
}

impl Opened {
    /// Whether just this was entered when the credentials were made.
    #[must_use]
    pub fn was_entered(&self, input: &Value) -> bool {
        self.secrets.expose().input == *input
    }

    /// A copy of the secrets with `changes` in it, to be completed and stored.
    #[must_use]
    pub fn secrets_with(&self, changes: SecretChanges) -> Zeroizing<Secrets> {
        let old = self.secrets.expose();
        Zeroizing::new(Secrets {
            credentials: changes.credentials.unwrap_or_else(|| old.credentials.clone()),
            input: changes.input.unwrap_or_else(|| old.input.clone()),
            connector_parameters: changes
                .connector_parameters
                .unwrap_or_else(|| old.connector_parameters.clone()),
        })
    }
}
