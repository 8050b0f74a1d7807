//! The third parties that a customer can connect, and how.
//! Never shows parameters, apps or methods.

use std::sync::Arc;

use http::{Method, Response};
use serde::Serialize;

use super::Api;
use super::ask::Ask;
use super::connections::integration_key;
use super::options::{AuthView, OptionView};
use super::place::{Place, Selector};
use super::rejection::Rejection;
use super::seen::Seen;
use super::view::{self, ConnectionView, PageView};
use crate::connector::Integration;
use crate::http::Body;
use crate::names::IntegrationKey;
use crate::store::Connection;
use crate::token::Caller;

/// An integration, with the customer's connection where it has one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct IntegrationView<'a> {
    id: &'a str,
    key: &'a str,
    name: &'a str,
    /// Empty: connectors bring no pictures along.
    logo_uri: &'static str,
    state: &'static str,
    connector_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_type: Option<&'static str>,
    auth_options: Vec<OptionView<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection: Option<ConnectionView<'a>>,
}

/// What the vendor's SDKs read of a connector: how to authenticate, and nothing of how that is done.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpecView<'a> {
    key: &'a str,
    name: &'a str,
    auth: AuthView<'a>,
}

impl<'a> IntegrationView<'a> {
    fn of(integration: &'a Integration, connections: &'a [Connection]) -> Self {
        let key = integration.key.as_str();
        let options = OptionView::all(integration);
        let mut own = connections.iter().filter(|connection| connection.integration == integration.key);
        Self {
            id: key,
            key,
            name: &integration.connector.name,
            logo_uri: "",
            state: "READY",
            connector_id: integration.connector.key.as_str(),
            auth_type: options.first().map(OptionView::kind),
            auth_options: options.into_iter().map(OptionView::keyed).collect(),
            connection: own.next_back().map(|one| ConnectionView::of(one, Some(integration))),
        }
    }
}

impl Api {
    /// What people call an integration, if there is one of this key.
    #[must_use]
    pub fn name_of(&self, integration: &str) -> Option<String> {
        let catalog = self.catalog.load();
        Some(catalog.get(&integration.into())?.connector.name.clone())
    }

    /// Everything at `/integrations` and `/integration`.
    pub(super) async fn on_integrations(
        &self,
        method: &Method,
        place: &Place<'_>,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let Some(selector) = &place.selector else {
            return match *method {
                Method::GET => self.list_integrations(ask).await,
                _ => Err(Rejection::MethodNotAllowed { allow: "GET" }),
            };
        };
        let integration = self.selected_integration(selector, &ask.caller)?;
        seen.integration(&integration.key);
        match (place.operation, method) {
            ("", &Method::GET) => self.read_integration(&integration, &ask.caller).await,
            ("connector-spec", &Method::GET) => Ok(view::shown(&SpecView {
                key: integration.connector.key.as_str(),
                name: &integration.connector.name,
                auth: AuthView::of(&integration),
            })),
            ("disconnect", &Method::POST) => self.disconnect(&integration, &ask.caller).await,
            ("" | "connector-spec", _) => Err(Rejection::MethodNotAllowed { allow: "GET" }),
            ("disconnect", _) => Err(Rejection::MethodNotAllowed { allow: "POST" }),
            _ => Err(Rejection::NothingHere),
        }
    }

    /// `POST /connection-options`: how something can be connected, by integration or by connection.
    pub(super) async fn on_connection_options(
        &self,
        method: &Method,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        if *method != Method::POST {
            return Err(Rejection::MethodNotAllowed { allow: "POST" });
        }
        let caller = ask.caller.clone();
        let body = ask.body().await?;
        let key = match body.text("connectionId")? {
            Some(id) => self.found(&Selector::Name(id.to_owned()), &caller, seen).await?.integration,
            None => integration_key(&body)?,
        };
        let integration = self.usable(&caller, &key)?;
        seen.integration(&integration.key);
        Ok(view::shown(&OptionView::all(&integration)))
    }

    /// `GET /integrations`: those that the caller can use, all on one page.
    async fn list_integrations(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let connections = self.connections_of(&ask.caller).await?;
        let search = ask.query.text("search").map(str::to_lowercase);
        let catalog = self.catalog.load();
        let usable = catalog.all().filter(|integration| {
            let named =
                |text: &str| search.as_ref().is_none_or(|search| text.to_lowercase().contains(search));
            integration.enabled
                && integration.serves(ask.caller.workspace())
                && !integration.is_own_api()
                && (named(integration.key.as_str()) || named(&integration.connector.name))
        });
        let items = usable.map(|integration| IntegrationView::of(integration, &connections)).collect();
        Ok(view::shown(&PageView { items, cursor: None }))
    }

    /// `GET /integrations/{key}`
    async fn read_integration(
        &self,
        integration: &Integration,
        caller: &Caller,
    ) -> Result<Response<Body>, Rejection> {
        let connections = self.connections_of(caller).await?;
        Ok(view::shown(&IntegrationView::of(integration, &connections)))
    }

    /// `POST /integrations/{key}/disconnect`: archives every connection of the customer's to it.
    async fn disconnect(
        &self,
        integration: &Integration,
        caller: &Caller,
    ) -> Result<Response<Body>, Rejection> {
        let owner = caller.owner().ok_or(Rejection::CustomerRequired)?;
        for connection in self.store.live(&owner).await? {
            if connection.integration == integration.key {
                self.archive(connection).await?;
            }
        }
        self.read_integration(integration, caller).await
    }

    fn selected_integration(
        &self,
        selector: &Selector,
        caller: &Caller,
    ) -> Result<Arc<Integration>, Rejection> {
        self.usable(caller, &IntegrationKey::from(selector.text()?))
    }

    async fn connections_of(&self, caller: &Caller) -> Result<Vec<Connection>, Rejection> {
        match caller.owner() {
            Some(owner) => Ok(self.store.live(&owner).await?),
            None => Ok(Vec::new()),
        }
    }
}
