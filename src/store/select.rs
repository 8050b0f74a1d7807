//! Selecting one connection by what callers call it: its id, its key, or its integration.
//! Never opens a secret, and never tells what is out of reach from what is not there.

use super::error::StoreError;
use std::sync::Arc;

use super::list::Filter;
use super::near::Wanted;
use super::record::Connection;
use super::redb::Store;
use crate::names::{ConnectionId, IntegrationKey, Owner, WorkspaceKey};

/// How many connections are read at a time.
const PAGE: usize = 1000;

/// Whose connections may be selected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Those of one customer.
    Customer(Owner),
    /// Those of all customers of a workspace, by id only.
    Workspace(WorkspaceKey),
}

/// What a selector found among the live connections in reach.
#[derive(Debug)]
pub enum Selected {
    /// This one.
    One(Arc<Connection>),
    /// Several of the integration that it names.
    Several(Vec<ConnectionId>),
    /// None.
    Nothing,
    /// It is no id in reach, and without a customer nothing else selects.
    ById,
}

impl Reach {
    fn holds(&self, connection: &Connection) -> bool {
        match self {
            Self::Customer(owner) => *owner == connection.owner,
            Self::Workspace(workspace) => *workspace == connection.owner.workspace,
        }
    }
}

impl Store {
    /// The live connection that `selector` names: by its id, else by its key, else as the only one of an integration.
    ///
    /// # Errors
    /// The file or a row cannot be read.
    pub async fn select(&self, reach: &Reach, selector: &str) -> Result<Selected, StoreError> {
        self.near_or((reach.clone(), Wanted::Any(selector.to_owned())), async {
            let by_id = self.connection(&ConnectionId::from(selector)).await?;
            let by_id = by_id.filter(|found| found.archived_at.is_none() && reach.holds(found));
            if let Some(connection) = by_id {
                return Ok(Selected::One(Arc::new(connection)));
            }
            let owner = match reach {
                Reach::Customer(owner) => owner,
                Reach::Workspace(_) => return Ok(Selected::ById),
            };
            let mut live = self.live(owner).await?;
            if let Some(position) = live.iter().position(|one| one.key.as_deref() == Some(selector)) {
                return Ok(Selected::One(Arc::new(live.swap_remove(position))));
            }
            Ok(only(live, selector))
        })
        .await
    }

    /// The only live connection of an integration.
    ///
    /// # Errors
    /// The file or a row cannot be read.
    pub async fn select_only(&self, reach: &Reach, of: &IntegrationKey) -> Result<Selected, StoreError> {
        self.near_or((reach.clone(), Wanted::OnlyOf(of.clone())), async {
            match reach {
                Reach::Customer(owner) => Ok(only(self.live(owner).await?, of.as_str())),
                Reach::Workspace(_) => Ok(Selected::ById),
            }
        })
        .await
    }

    /// What was selected before, if nothing was written since; else what is read now.
    async fn near_or(
        &self,
        by: (Reach, Wanted),
        read: impl Future<Output = Result<Selected, StoreError>>,
    ) -> Result<Selected, StoreError> {
        let generation = self.generation();
        if let Some(connection) = self.near().selected(&by, generation) {
            return Ok(Selected::One(connection));
        }
        let selected = read.await?;
        if let Selected::One(connection) = &selected {
            self.near().keep_selected(by, connection, generation);
        }
        Ok(selected)
    }

    /// All live connections of a customer, in order of creation.
    ///
    /// # Errors
    /// The file or a row cannot be read.
    pub async fn live(&self, owner: &Owner) -> Result<Vec<Connection>, StoreError> {
        let mut filter = Filter { owner: Some(owner.clone()), limit: PAGE, ..Filter::default() };
        let mut live = Vec::new();
        loop {
            let (page, next) = self.list(filter.clone()).await?;
            live.extend(page);
            filter.cursor = next;
            if filter.cursor.is_none() {
                return Ok(live);
            }
        }
    }
}

fn only(mut live: Vec<Connection>, integration: &str) -> Selected {
    live.retain(|one| one.integration.as_str() == integration);
    match live.pop() {
        None => Selected::Nothing,
        Some(only) if live.is_empty() => Selected::One(Arc::new(only)),
        Some(last) => Selected::Several(live.into_iter().chain([last]).map(|one| one.id).collect()),
    }
}
