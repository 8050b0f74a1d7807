//! A customer's connections: listed, read, archived, refreshed; created and changed in the files below.
//! Never opens a secret but for the admin's one reading and for a refresh.

mod create;
mod draft;
mod material;
mod update;

use http::Response;

use super::Api;
use super::ask::Ask;
use super::rejection::Rejection;
use super::seen::Seen;
use super::view::{self, ConnectionView, PageView};
use crate::http::Body;
use crate::names::{IntegrationKey, Owner};
use crate::refresh::RefreshError;
use crate::store::redb::Replaced;
use crate::store::{Connection, Filter, Opened, StoreError};
use crate::token::Caller;

/// How often a change is tried again after another write came first.
const ATTEMPTS: usize = 5;

impl Api {
    /// `GET /connections`
    pub(super) async fn list_connections(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let Some(filter) = filter(&ask)? else {
            return Ok(view::shown(&PageView { items: Vec::new(), cursor: None }));
        };
        let (connections, cursor) = self.store.list(filter).await.map_err(|error| match error {
            StoreError::BadCursor => {
                Rejection::InvalidQuery { key: "cursor", expected: "the cursor of the page before, or 0" }
            }
            other => other.into(),
        })?;
        let catalog = self.catalog.load();
        let mut items = Vec::with_capacity(connections.len());
        for connection in &connections {
            let integration = catalog.get(&connection.integration).map(AsRef::as_ref);
            items.push(ConnectionView::of(connection, integration));
        }
        Ok(view::shown(&PageView { items, cursor }))
    }

    /// `GET /connections/{selector}`; with `?includeSecrets=true` an admin sees the secrets too.
    pub(super) async fn read_connection(
        &self,
        selector: &str,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let with_secrets = ask.query.flag("includeSecrets")? == Some(true) && ask.caller.is_admin();
        let connection = self.found(selector, &ask.caller, seen).await?;
        if !with_secrets {
            return Ok(self.show(&connection));
        }
        let opened = self.open(&connection).await?;
        let catalog = self.catalog.load();
        let integration = catalog.get(&connection.integration).map(AsRef::as_ref);
        let view = ConnectionView::of(&opened.connection, integration);
        Ok(view::shown(&view.with_secrets(&opened.secrets)))
    }

    /// `DELETE /connections/{selector}`: the record stays, its secrets go.
    pub(super) async fn archive_connection(
        &self,
        selector: &str,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let mut connection = self.found(selector, &ask.caller, seen).await?;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            match self.store.update(&connection, move |one| one.archived_at = Some(now)).await? {
                Replaced::Stored(stored) => return Ok(self.show(&stored.connection)),
                Replaced::Overtaken(current) => connection = live(&current)?,
            }
        }
        Err(Rejection::Overtaken)
    }

    /// `POST /connections/{selector}/refresh-credentials`
    pub(super) async fn refresh_connection(
        &self,
        selector: &str,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let connection = self.found(selector, &ask.caller, seen).await?;
        self.usable(&ask.caller, &connection.integration)?;
        let opened = self.open(&connection).await?;
        let renewed = self.refresher.force(&opened).await.map_err(|error| self.not_refreshed(error))?;
        Ok(self.show(&renewed.connection))
    }

    /// The selected connection, noted for the event.
    async fn found(&self, selector: &str, caller: &Caller, seen: &mut Seen) -> Result<Connection, Rejection> {
        let connection = self.selected(caller, selector).await?;
        seen.connection(&connection.id);
        seen.integration(&connection.integration);
        Ok(connection)
    }

    async fn open(&self, connection: &Connection) -> Result<Opened, Rejection> {
        let opened = self.store.open_secrets(&connection.id).await?;
        let gone = || Rejection::UnknownConnection { selector: connection.id.to_string() };
        opened.filter(|opened| opened.connection.archived_at.is_none()).ok_or_else(gone)
    }

    fn show(&self, connection: &Connection) -> Response<Body> {
        let catalog = self.catalog.load();
        let integration = catalog.get(&connection.integration).map(AsRef::as_ref);
        view::shown(&ConnectionView::of(connection, integration))
    }

    /// With what a caller may wait for.
    fn not_refreshed(&self, source: RefreshError) -> Rejection {
        let retry_after = match source {
            RefreshError::ThrottledUntil(end) => Some(end.since(self.clock.now())),
            _ => None,
        };
        Rejection::Refresh { source, retry_after }
    }
}

/// What a write came upon, if it can still be changed.
fn live(current: &Opened) -> Result<Connection, Rejection> {
    match current.connection.archived_at {
        None => Ok(Connection::clone(&current.connection)),
        Some(_) => Err(Rejection::UnknownConnection { selector: current.connection.id.to_string() }),
    }
}

/// What a list shows; nothing where the filters contradict each other or ask for another customer's.
fn filter(ask: &Ask) -> Result<Option<Filter>, Rejection> {
    let query = &ask.query;
    let (own, user) = (ask.caller.owner(), query.text("userId"));
    if own.is_none() && !ask.caller.is_admin() {
        return Err(Rejection::CustomerRequired);
    }
    let workspace = ask.caller.workspace();
    let asked = user.map(|user| Owner { workspace: workspace.clone(), customer: user.into() });
    let connected = match (query.flag("connected")?, query.flag("disconnected")?) {
        (Some(connected), Some(disconnected)) if connected == disconnected => return Ok(None),
        (connected, disconnected) => connected.or(disconnected.map(|is| !is)),
    };
    let filter = Filter {
        workspace: Some(workspace.clone()),
        integration: query.either("integrationKey", "integrationId").map(IntegrationKey::from),
        include_archived: query.flag("includeArchived")? == Some(true),
        is_test: query.flag("isTest")?,
        connected,
        limit: query.limit()?,
        cursor: query.cursor(),
        owner: None,
    };
    match (own, asked) {
        (Some(own), Some(asked)) if own != asked => Ok(None),
        (own, asked) => Ok(Some(Filter { owner: own.or(asked), ..filter })),
    }
}
