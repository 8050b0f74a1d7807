//! A customer's connections: listed, read, archived, refreshed; created and changed in the files below.
//! Never opens a secret but for the admin's one reading and for a refresh.

mod create;
mod draft;
mod material;
mod update;

pub(super) use create::replaces;
pub(super) use draft::{Draft, Source, integration as integration_key};
pub(super) use material::{First, Verdict, With, connect, user};

use http::{Method, Response};

use super::Api;
use super::ask::Ask;
use super::customer::Told;
use super::place::{Place, Selector};
use super::rejection::Rejection;
use super::seen::Seen;
use super::view::{self, ConnectionView, PageView, TestView};
use crate::connector::{INTERNAL_API, Integration};
use crate::http::Body;
use crate::method::{FailureKind, RunError, Tested};
use crate::names::{IntegrationKey, Owner};
use crate::refresh::{RefreshError, Trial};
use crate::report::report;
use crate::store::redb::Replaced;
use crate::store::{Connection, Customer, Filter, Opened, SecretChanges};
use crate::token::Caller;

/// How often a change is tried again after another write came first.
pub(super) const ATTEMPTS: usize = 5;

impl Api {
    /// Everything at `/connections` and `/connection`, but the credential proxy.
    pub(super) async fn on_connections(
        &self,
        method: &Method,
        place: &Place<'_>,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let Some(selector) = &place.selector else {
            return match *method {
                Method::GET => self.list_connections(ask).await,
                Method::POST => self.create_connection(ask, seen).await,
                _ => Err(Rejection::MethodNotAllowed { allow: "GET, POST" }),
            };
        };
        match (place.operation, method) {
            ("", &Method::GET) => self.read_connection(selector, ask, seen).await,
            ("", &Method::PATCH | &Method::PUT) => self.update_connection(selector, ask, seen).await,
            ("", &Method::DELETE) => self.archive_connection(selector, ask, seen).await,
            ("", _) => Err(Rejection::MethodNotAllowed { allow: "GET, PATCH, PUT, DELETE" }),
            ("refresh-credentials", &Method::POST) => self.refresh_connection(selector, ask, seen).await,
            ("test", &Method::POST) => self.test_connection(selector, ask, seen).await,
            ("refresh-credentials" | "test", _) => Err(Rejection::MethodNotAllowed { allow: "POST" }),
            _ => Err(Rejection::NothingHere),
        }
    }

    /// `GET /connections`
    async fn list_connections(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let Some(filter) = filter(&ask)? else {
            let items: Vec<ConnectionView<'_>> = Vec::new();
            return Ok(view::shown(&PageView { items, cursor: None }));
        };
        let (connections, cursor) = self.store.list(filter).await.map_err(Rejection::of_page)?;
        let catalog = self.catalog.load();
        let mut items = Vec::with_capacity(connections.len());
        for connection in &connections {
            let integration = catalog.get(&connection.integration).map(AsRef::as_ref);
            items.push(ConnectionView::of(connection, integration));
        }
        Ok(view::shown(&PageView { items, cursor }))
    }

    /// `GET /connections/{selector}`; with `?includeSecrets=true` an admin sees the secrets too.
    async fn read_connection(
        &self,
        selector: &Selector,
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
    async fn archive_connection(
        &self,
        selector: &Selector,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let connection = self.found(selector, &ask.caller, seen).await?;
        Ok(self.show(&self.archive(connection).await?.connection))
    }

    /// Archives a connection, whatever was written to it in between. Then the third party is told, if the connector knows how;
    /// that it does not listen keeps nothing alive here.
    pub(super) async fn archive(&self, mut connection: Connection) -> Result<Opened, Rejection> {
        // What does not open can be archived all the same.
        let last = self.open(&connection).await.ok();
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            match self.store.update(&connection, move |one| one.archived_at = Some(now)).await? {
                Replaced::Stored(stored) => {
                    if let Some(last) = &last {
                        self.take_back(last).await;
                    }
                    return Ok(stored);
                }
                Replaced::Overtaken(current) => connection = live(&current)?,
            }
        }
        Err(Rejection::Overtaken)
    }

    /// `POST /connections/{selector}/refresh-credentials`
    async fn refresh_connection(
        &self,
        selector: &Selector,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let connection = self.found(selector, &ask.caller, seen).await?;
        self.usable(&ask.caller, &connection.integration)?;
        let opened = self.open(&connection).await?;
        let renewed = self.refresher.renew(&opened).await.map_err(|error| self.not_refreshed(error))?;
        Ok(self.show(&renewed.connection))
    }

    /// `POST /connections/{selector}/test`: asks the third party whether it takes the credentials, once more after a refresh where
    /// it calls them expired.
    async fn test_connection(
        &self,
        selector: &Selector,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let connection = self.found(selector, &ask.caller, seen).await?;
        let integration = self.usable(&ask.caller, &connection.integration)?;
        let fresh = self.refresher.fresh(self.open(&connection).await?).await;
        let opened = fresh.map_err(|error| self.not_refreshed(error))?;
        let mut tested = self.test(&integration, &opened).await?;
        let mut not_refreshed = None;
        if tested.as_ref().is_err_and(RunError::is_stale) {
            match self.refresher.force(&opened).await {
                Ok(renewed) => {
                    tested = self.test(&integration, &renewed).await?;
                    let is_taken = !tested.as_ref().is_err_and(RunError::is_stale);
                    self.refresher.tried(&renewed, Trial::of(is_taken));
                }
                Err(error) => not_refreshed = Some(error.data()),
            }
        }
        match tested {
            Ok(Tested::Passed { .. }) => {
                Ok(view::shown(&TestView { success: true, message: None, data: None }))
            }
            Ok(Tested::NoTest) => Err(Rejection::NoTest { key: integration.key.clone() }),
            // That the third party does not take them is what was asked for.
            Err(error) if error.kind() == FailureKind::Refused => {
                let message = Some(error.to_string());
                Ok(view::shown(&TestView { success: false, message, data: not_refreshed }))
            }
            Err(error) => Err(Rejection::Test(error)),
        }
    }

    /// `disconnect`: takes the credentials back at the third party.
    async fn take_back(&self, last: &Opened) {
        let integration = self.catalog.load().get(&last.connection.integration).cloned();
        let Some(integration) = integration else { return };
        let Connection { id, auth_option, app, pinned_origin, .. } = &*last.connection;
        let secrets = last.secrets_with(SecretChanges::default());
        let told = async {
            let customer = self.customer(&last.connection.owner).await?;
            let with = With::of(&integration, auth_option.as_deref(), app.as_ref())?.whose(user(&customer));
            let subject = with.subject(&secrets, Some(&secrets.credentials), pinned_origin.as_deref())?;
            self.methods.disconnect(&subject).await.map_err(Rejection::Test)
        };
        if let Err(error) = told.await {
            tracing::warn!(connection = %id, error = %report(&error), "the third party was not told of a disconnection");
        }
    }

    async fn test(
        &self,
        integration: &Integration,
        opened: &Opened,
    ) -> Result<Result<Tested, RunError>, Rejection> {
        let Connection { auth_option, app, pinned_origin, .. } = &*opened.connection;
        let customer = self.customer(&opened.connection.owner).await?;
        let with = With::of(integration, auth_option.as_deref(), app.as_ref())?.whose(user(&customer));
        let secrets = opened.secrets_with(SecretChanges::default());
        let subject = with.subject(&secrets, Some(&secrets.credentials), pinned_origin.as_deref())?;
        Ok(self.methods.test(&subject).await)
    }

    /// The customer as it is recorded; of one that is not, nothing but its id is known.
    pub(super) async fn customer(&self, owner: &Owner) -> Result<Customer, Rejection> {
        let known = self.store.customer(owner).await?;
        Ok(Told::default().over(known, owner.clone(), self.clock.now()))
    }

    /// The selected connection, noted for the event.
    pub(super) async fn found(
        &self,
        selector: &Selector,
        caller: &Caller,
        seen: &mut Seen,
    ) -> Result<Connection, Rejection> {
        let connection = self.selected(caller, selector).await?;
        seen.connection(&connection.id);
        seen.integration(&connection.integration);
        Ok(connection)
    }

    pub(super) async fn open(&self, connection: &Connection) -> Result<Opened, Rejection> {
        let opened = self.store.open_secrets(&connection.id).await?;
        let gone = || Rejection::UnknownConnection { selector: connection.id.to_string() };
        opened.filter(|opened| opened.connection.archived_at.is_none()).ok_or_else(gone)
    }

    pub(super) fn show(&self, connection: &Connection) -> Response<Body> {
        let catalog = self.catalog.load();
        let integration = catalog.get(&connection.integration).map(AsRef::as_ref);
        view::shown(&ConnectionView::of(connection, integration))
    }

    /// With what a caller may wait for.
    pub(super) fn not_refreshed(&self, source: RefreshError) -> Rejection {
        Rejection::Refresh { retry_after: source.pause(self.clock.steady()), source }
    }
}

/// What a write came upon, if it can still be changed.
pub(super) fn live(current: &Opened) -> Result<Connection, Rejection> {
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
    let integration = query.either("integrationKey", "integrationId").map(IntegrationKey::from);
    // What stands for the customer's own API was never connected by anybody, and shows only where it is asked for.
    let except = integration.is_none().then(|| IntegrationKey::from(INTERNAL_API));
    let filter = Filter {
        workspace: Some(workspace.clone()),
        integration,
        except,
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
