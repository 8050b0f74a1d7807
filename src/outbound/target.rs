//! What is asked for: which connection of the caller's, of which integration, and what of the third party.
//! Never decides whether a host is admitted, and never opens a secret.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, Uri};
use percent_encoding::percent_decode_str;

use super::rejection::Rejection;
use crate::call::Requested;
use crate::connector::{Catalog, Integration};
use crate::names::{ConnectionId, IntegrationKey};
use crate::store::{Connection, Reach, Selected, Store};
use crate::token::Caller;

/// Chooses a connection on a transparent route.
static CONNECTION: HeaderName = HeaderName::from_static("x-sidegate-connection");

/// First segments of the API's paths: they win over a transparent route.
const API: [&str; 11] = [
    "self",
    "customers",
    "customer",
    "connections",
    "connection",
    "integrations",
    "integration",
    "connection-options",
    "connection-requests",
    "connection-popup",
    "connect",
];

/// What a call is made with.
pub struct Target {
    /// The third party.
    pub integration: Arc<Integration>,
    /// The caller's account there.
    pub connection: ConnectionId,
    /// What is asked of it.
    pub requested: Requested,
}

/// Finds targets in the catalog and the store.
pub struct Targets {
    catalog: Arc<ArcSwap<Catalog>>,
    store: Store,
}

impl Targets {
    pub(super) fn new(catalog: Arc<ArcSwap<Catalog>>, store: Store) -> Self {
        Self { catalog, store }
    }

    /// Whether a path, without its query, is a call to a third party.
    pub(super) fn covers(&self, path: &str) -> bool {
        proxied(path).is_some() || (!is_api(path) && self.catalog.load().route(path).is_some())
    }

    /// The target of a request, its owner checked.
    pub(super) async fn find(
        &self,
        caller: &Caller,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Target, Rejection> {
        let text = uri.path_and_query().map_or("", |target| target.as_str());
        if let Some((selector, rest)) = proxied(text) {
            let connection = self.selected(caller, &decoded(selector)?).await?;
            let integration = self.usable(caller, &connection.integration)?;
            return Ok(Target { integration, connection: connection.id.clone(), requested: requested(rest) });
        }
        let (integration, rest) = self.routed(caller, uri)?;
        let connection = match headers.get(&CONNECTION) {
            None => self.only(caller, &integration.key).await?,
            Some(chosen) => {
                let selector = decoded(chosen.to_str().unwrap_or_default())?;
                let connection = self.selected(caller, &selector).await?;
                if connection.integration != integration.key {
                    return Err(Rejection::UnknownConnection { selector });
                }
                connection
            }
        };
        Ok(Target { integration, connection: connection.id.clone(), requested: Requested::Path(rest) })
    }

    /// The integration of a transparent route, and what follows the route's prefix.
    fn routed(&self, caller: &Caller, uri: &Uri) -> Result<(Arc<Integration>, String), Rejection> {
        let catalog = self.catalog.load();
        let (integration, rest) = catalog.route(uri.path()).ok_or(Rejection::NothingHere)?;
        let integration = self.usable(caller, &integration.key)?;
        let rest = uri.query().map_or_else(|| rest.to_owned(), |query| [rest, "?", query].concat());
        Ok((integration, rest))
    }

    fn usable(&self, caller: &Caller, key: &IntegrationKey) -> Result<Arc<Integration>, Rejection> {
        match self.catalog.load().get(key) {
            Some(found) if found.enabled && found.serves(caller.workspace()) => Ok(Arc::clone(found)),
            _ => Err(Rejection::IntegrationUnavailable { integration: key.clone() }),
        }
    }

    /// The live connection that a selector names: by its id, by its key, or as the only one of an integration.
    async fn selected(&self, caller: &Caller, selector: &str) -> Result<Arc<Connection>, Rejection> {
        let selected = self.store.select(&reach(caller)?, selector).await?;
        self.unambiguous(caller, selector, selected)
    }

    /// The only live connection of an integration; a key of the same name does not count.
    async fn only(
        &self,
        caller: &Caller,
        integration: &IntegrationKey,
    ) -> Result<Arc<Connection>, Rejection> {
        let selected = self.store.select_only(&reach(caller)?, integration).await?;
        self.unambiguous(caller, integration.as_str(), selected)
    }

    fn unambiguous(
        &self,
        caller: &Caller,
        selector: &str,
        selected: Selected,
    ) -> Result<Arc<Connection>, Rejection> {
        match selected {
            Selected::One(connection) => Ok(connection),
            Selected::Several(ids) => {
                Err(Rejection::AmbiguousConnection { integration: IntegrationKey::from(selector), ids })
            }
            Selected::Nothing => Err(self.none_for(caller, selector)),
            Selected::ById => Err(Rejection::CustomerRequired),
        }
    }

    /// Why nothing was found: no connection for a known integration, or a name that means nothing.
    fn none_for(&self, caller: &Caller, selector: &str) -> Rejection {
        match self.usable(caller, &IntegrationKey::from(selector)) {
            Ok(integration) => Rejection::NoConnection { integration: integration.key.clone() },
            Err(_) => Rejection::UnknownConnection { selector: selector.to_owned() },
        }
    }
}

/// A customer has its own connections; an admin token without a customer has its workspace's.
fn reach(caller: &Caller) -> Result<Reach, Rejection> {
    match caller.owner() {
        Some(owner) => Ok(Reach::Customer(owner)),
        None if caller.is_admin() => Ok(Reach::Workspace(caller.workspace().clone())),
        None => Err(Rejection::CustomerRequired),
    }
}

/// Selector and rest of `/connections/{selector}/proxy{rest}`, in the caller's bytes. The rest is empty, or starts with
/// `/` or `?`.
fn proxied(text: &str) -> Option<(&str, &str)> {
    let (selector, after) = text.strip_prefix("/connections/")?.split_once('/')?;
    let rest = after.strip_prefix("proxy")?;
    let bounded = rest.is_empty() || rest.starts_with(['/', '?']);
    (bounded && !selector.is_empty() && !selector.contains('?')).then_some((selector, rest))
}

/// A full URL follows the prefix and a slash as it is, not percent-encoded; anything else is a path.
fn requested(rest: &str) -> Requested {
    let is_url = |text: &&str| {
        let scheme = text.split("://").next().unwrap_or_default();
        text.len() > scheme.len()
            && (scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
    };
    match rest.strip_prefix('/').filter(is_url) {
        Some(url) => Requested::Url(url.to_owned()),
        None => Requested::Path(rest.to_owned()),
    }
}

fn decoded(selector: &str) -> Result<String, Rejection> {
    match percent_decode_str(selector).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Rejection::UnknownConnection { selector: selector.to_owned() }),
    }
}

fn is_api(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    API.contains(&first)
}

#[cfg(test)]
mod tests;
