//! skeleton
use crate::names::{CustomerId, WorkspaceKey};
use crate::clock::Timestamp;

/// What a verified token says.
pub struct Claims {
    /// `iss` / `workspaceKey`
    pub workspace: WorkspaceKey,
    /// `id`, else `tenantKey`, else `sub`
    pub id: Option<CustomerId>,
    pub name: Option<String>,
    /// truthy `isAdmin`
    pub is_admin: bool,
    /// `fields`, if an object. May hold API keys: never logged.
    pub fields: Option<serde_json::Map<String, serde_json::Value>>,
    pub expires_at: Option<f64>,
    /// Every claim as it stood, for rules.
    pub all: serde_json::Map<String, serde_json::Value>,
}
#[allow(dead_code)] fn _t(_: Timestamp) {}
