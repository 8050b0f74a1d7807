//! Which connection and which integration a caller means.
//! Never tells what is another customer's from what is not there.

use std::sync::Arc;

use super::Api;
use super::place::{Selector, Wanted};
use super::rejection::Rejection;
use crate::connector::Integration;
use crate::names::IntegrationKey;
use crate::store::{Connection, Reach, Selected};
use crate::token::Caller;

impl Api {
    /// The live connection of the caller's that is selected: by id, by key, or as the only one of an integration.
    pub(super) async fn selected(
        &self,
        caller: &Caller,
        selector: &Selector,
    ) -> Result<Connection, Rejection> {
        let reach = reach(caller)?;
        let name = selector.text()?;
        let found = match selector {
            Selector::Query(Wanted { id: None, key: None, integration: Some(integration) }) => {
                self.store.select_only(&reach, &IntegrationKey::from(integration.as_str())).await?
            }
            _ => self.store.select(&reach, name).await?,
        };
        let unknown = || Rejection::UnknownConnection { selector: name.to_owned() };
        match found {
            Selected::One(connection) if selector.fits(&connection) => Ok(Arc::unwrap_or_clone(connection)),
            Selected::Several(ids) if selector.may_be_an_integration() => {
                Err(Rejection::AmbiguousConnection { selector: name.to_owned(), ids })
            }
            Selected::One(_) | Selected::Several(_) | Selected::Nothing => Err(unknown()),
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

impl Selector {
    /// The text that selects.
    pub(super) fn text(&self) -> Result<&str, Rejection> {
        match self {
            Self::Name(name) => Ok(name),
            Self::Query(wanted) => wanted.first().ok_or(Rejection::InvalidQuery {
                key: "id",
                expected: "there; `key`, and for a connection `integrationKey`, select as well",
            }),
        }
    }

    /// Whether everything that a query selects by is so.
    fn fits(&self, connection: &Connection) -> bool {
        let Self::Query(Wanted { id, key, integration }) = self else { return true };
        id.as_deref().is_none_or(|id| id == connection.id.as_str())
            && key.as_deref().is_none_or(|key| connection.key.as_deref() == Some(key))
            && integration.as_deref().is_none_or(|one| one == connection.integration.as_str())
    }

    fn may_be_an_integration(&self) -> bool {
        !matches!(self, Self::Query(wanted) if wanted.id.is_some() || wanted.key.is_some())
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
