//! skeleton
use std::sync::Arc;
use serde::{Deserialize, Serialize};
use crate::clock::Timestamp;
use crate::formula::Value;
use crate::names::{AppId, ConnectionId, IntegrationKey, Owner, Version};
use crate::secret::Secret;
/// A customer as first seen in a token.
#[derive(Debug, Clone)]
pub struct Customer { pub owner: Owner, pub id: String /* our record id */, pub name: Option<String>, pub fields: Option<Value> /* sealed at rest */, pub credentials: Option<Value> /* internal-api credentials, sealed at rest */, pub created_at: Timestamp, pub last_active_at: Timestamp }
/// How a connection is doing.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
pub enum Health { Ready, /// cannot be used until reconnected: a stable code and a sentence
    Disconnected { code: String, message: String, at: Timestamp } }
/// The open part of a connection: safe to show.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Connection {
    pub id: ConnectionId, pub owner: Owner, pub integration: IntegrationKey, pub key: Option<String>, pub name: String,
    pub app: Option<AppId>, pub version: Version, pub health: Health,
    /// origin entered at connect time (hosts: connection)
    pub pinned_origin: Option<String>,
    pub expires_at: Option<Timestamp>, pub refresh_at: Option<Timestamp>, pub refreshed_at: Option<Timestamp>,
    pub granted_scopes: Option<Vec<String>>, pub is_test: bool, pub meta: Option<Value>,
    pub created_at: Timestamp, pub updated_at: Timestamp, pub archived_at: Option<Timestamp>,
}
/// The sealed part.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets { pub credentials: Value, pub input: Value, pub connector_parameters: Value }
impl zeroize::Zeroize for Secrets { fn zeroize(&mut self) { self.credentials.zeroize(); self.input.zeroize(); self.connector_parameters.zeroize(); } }
impl zeroize::Zeroize for Opened { fn zeroize(&mut self) {} }
/// A connection with its secrets open, at one version. Cheap to clone.
#[derive(Clone)]
pub struct Opened { pub connection: Arc<Connection>, pub secrets: Arc<Secret<Secrets>> }
