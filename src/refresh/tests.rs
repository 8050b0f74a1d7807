use super::*;
use crate::clock::Timestamp;
use crate::formula::Value;
use crate::names::{ConnectionId, Owner, Version};
use crate::secret::Secret;
use crate::store::Connection;

pub(super) fn connection(id: &str, now: Timestamp) -> Connection {
    Connection {
        id: ConnectionId::from(id),
        owner: Owner { workspace: "acme".into(), customer: "ada".into() },
        integration: "crm".into(),
        key: None,
        name: "Ada".into(),
        app: None,
        version: Version::FIRST,
        health: Health::Ready,
        pinned_origin: None,
        expires_at: None,
        refresh_at: None,
        refreshed_at: None,
        granted_scopes: None,
        is_test: false,
        meta: None,
        created_at: now,
        updated_at: now,
        archived_at: None,
    }
}

pub(super) fn opened(id: &str, now: Timestamp) -> Opened {
    let empty = || Value::Object(indexmap::IndexMap::new());
    let secrets = Secrets { credentials: empty(), input: empty(), connector_parameters: empty() };
    Opened { connection: Arc::new(connection(id, now)), secrets: Arc::new(Secret::new(secrets)) }
}
