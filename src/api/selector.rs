//! Which connection and which integration a caller means.
//! Never tells what is another customer's from what is not there.

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use super::Api;
use super::rejection::Rejection;
use crate::connector::Integration;
use crate::names::IntegrationKey;
use crate::store::{Connection, Reach, Selected};
use crate::token::Caller;

impl Api {
    /// The live connection of the caller's that the path names, still percent-encoded: by id, by key, or as the only one of
    /// an integration.
    pub(super) async fn selected(&self, caller: &Caller, encoded: &str) -> Result<Connection, Rejection> {
        let selector = percent_decode_str(encoded).decode_utf8_lossy().into_owned();
        let reach = reach(caller)?;
        match self.store.select(&reach, &selector).await? {
            Selected::One(connection) => Ok(Arc::unwrap_or_clone(connection)),
            Selected::Several(ids) => Err(Rejection::AmbiguousConnection { selector, ids }),
            Selected::Nothing => Err(Rejection::UnknownConnection { selector }),
            Selected::ById => Err(Rejection::CustomerRequired),
        }
    }

    /// The integration of this key, if the caller may use it.
    pub(super) fn usable(
        &self,
        caller: &Caller,
        key: &IntegrationKey,
    ) -> Result<Arc<Integration>, Rejection> {
        let catalog = self.catalog.load();
        let Some(found) = catalog.get(key) else {
            let meant = catalog.nearest(key, caller.workspace()).cloned();
            return Err(Rejection::UnknownIntegration { key: key.clone(), meant });
        };
        let unavailable = |why| Err(Rejection::IntegrationUnavailable { key: key.clone(), why });
        if !found.enabled {
            return unavailable("is not enabled");
        }
        if !found.serves(caller.workspace()) {
            return unavailable("does not serve this workspace");
        }
        Ok(Arc::clone(found))
    }
}

/// Whose connections a caller may reach: its customer's; those of its workspace for an admin without a customer.
fn reach(caller: &Caller) -> Result<Reach, Rejection> {
    match caller.owner() {
        Some(owner) => Ok(Reach::Customer(owner)),
        None if caller.is_admin() => Ok(Reach::Workspace(caller.workspace().clone())),
        None => Err(Rejection::CustomerRequired),
    }
}
