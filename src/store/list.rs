//! Lists of connections, page by page.
//! Never opens a secret.

use std::ops::ControlFlow;

use super::error::StoreError;
use super::file::StoreFile;
use super::record::{Connection, Health};
use super::redb::Store;
use super::tables::{self, Scope};
use crate::clock::Timestamp;
use crate::names::{ConnectionId, IntegrationKey, Owner, WorkspaceKey};

/// The rows of a page, if the filter does not say; and the most it may say.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// Which connections to list. Without an owner and a workspace, none.
#[derive(Debug, Default, Clone)]
pub struct Filter {
    /// Those of one customer.
    pub owner: Option<Owner>,
    /// Those of all customers of a workspace; where an owner is given, it decides.
    pub workspace: Option<WorkspaceKey>,
    /// Those of one integration.
    pub integration: Option<IntegrationKey>,
    /// None of this one.
    pub except: Option<IntegrationKey>,
    /// Archived ones too.
    pub include_archived: bool,
    /// Those for tests, or the others.
    pub is_test: Option<bool>,
    /// Those that can be used, or the others.
    pub connected: Option<bool>,
    /// Rows of a page, at most 1000; 0 means 100.
    pub limit: usize,
    /// Where the last page ended, as it was given with it.
    pub cursor: Option<String>,
}

impl Filter {
    fn admits(&self, connection: &Connection) -> bool {
        let connected = connection.health == Health::Ready;
        self.integration.as_ref().is_none_or(|integration| *integration == connection.integration)
            && self.except.as_ref().is_none_or(|except| *except != connection.integration)
            && (self.include_archived || connection.archived_at.is_none())
            && self.is_test.is_none_or(|is_test| is_test == connection.is_test)
            && self.connected.is_none_or(|wanted| wanted == connected)
    }
}

/// One page, and the cursor of the next.
pub(super) fn page(
    file: &StoreFile,
    filter: &Filter,
) -> Result<(Vec<Connection>, Option<String>), StoreError> {
    let scope = match (&filter.owner, &filter.workspace) {
        (Some(owner), _) => Scope::Owner(owner),
        (None, Some(workspace)) => Scope::Workspace(workspace),
        (None, None) => return Ok((Vec::new(), None)),
    };
    let after = filter.cursor.as_deref().map(place).transpose()?;
    let limit = if filter.limit == 0 { PAGE } else { filter.limit.min(LARGEST_PAGE) };
    let mut page = Vec::new();
    let mut more = false;
    file.read(|transaction| {
        tables::walk(transaction, &scope, after, |connection| {
            if !filter.admits(&connection) {
                return ControlFlow::Continue(());
            }
            if page.len() == limit {
                more = true;
                return ControlFlow::Break(());
            }
            page.push(connection);
            ControlFlow::Continue(())
        })
    })?;
    let next = page.last().filter(|_| more).map(cursor);
    Ok((page, next))
}

impl Store {
    /// At most `limit` connections that are not archived, of all workspaces, in the order of their ids from behind `after`.
    ///
    /// # Errors
    /// The file or a row cannot be read.
    pub async fn of_all(
        &self,
        after: Option<ConnectionId>,
        limit: usize,
    ) -> Result<Vec<Connection>, StoreError> {
        self.read_aside(move |store| {
            let mut page = Vec::new();
            let after = after.as_ref().map(ConnectionId::as_str);
            store.file.read(|transaction| {
                tables::walk_all(transaction, after, |connection| {
                    page.extend(Some(connection).filter(|one| one.archived_at.is_none()));
                    if page.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                })
            })?;
            Ok(page)
        })
        .await
    }
}

fn cursor(last: &Connection) -> String {
    format!("{}.{}", last.created_at.as_millis(), last.id)
}

fn place(cursor: &str) -> Result<(Timestamp, &str), StoreError> {
    let (created, id) = cursor.split_once('.').ok_or(StoreError::BadCursor)?;
    let created = created.parse().map_err(|_| StoreError::BadCursor)?;
    Ok((Timestamp::from_millis(created), id))
}
