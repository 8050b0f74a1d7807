//! One configured third party: a connector, its parameters, and the rules for its connections.
//! Never knows a connection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::hosts::Site;
pub use super::hosts::{HostPattern, Hosts};
use super::schema::{Flaw, Schema};
use super::{AuthOption, Connector, RefreshSettings, TokenSettings};
use crate::formula::{Value, Variables};
use crate::names::{AppId, IntegrationKey, WorkspaceKey};
use crate::secret::Secret;
use crate::token::mint::PrivateKey;

/// The key of the integration that stands for a customer's own API.
pub const INTERNAL_API: &str = "internal-api";

/// An OAuth app, registered with the third party.
#[derive(Debug)]
pub struct App {
    /// Its `id` in the configuration; a connection stays with the app that granted it.
    pub id: AppId,
    /// The client's id.
    pub client_id: String,
    /// The client's secret; a public client has none.
    pub client_secret: Option<Secret<String>>,
    /// What it signs assertions with, where it has no secret to show.
    pub private_key: Option<Arc<PrivateKey>>,
}

/// How many connections a customer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Connections {
    /// A new connection replaces the old.
    #[default]
    One,
    /// Several; then a call names the connection.
    Many,
}

/// What an integration says of one of its connector's options.
#[derive(Debug)]
pub struct OptionSettings {
    /// Whether it is not offered. Connections that were made with it live on.
    pub disabled: bool,
    /// An object, over the integration's parameters.
    pub parameters: Secret<Value>,
}

/// One configured third party.
#[derive(Debug)]
pub struct Integration {
    /// Its key and id: the stem of its file.
    pub key: IntegrationKey,
    /// How the third party wants to be spoken to.
    pub connector: Arc<Connector>,
    /// The workspaces it serves; empty means all.
    pub workspaces: Vec<WorkspaceKey>,
    /// An object, what formulas see as `connectorParameters`; it may hold secrets.
    pub parameters: Secret<Value>,
    /// What it says of the connector's options, by their keys; the connector's own way has an empty one.
    pub options: BTreeMap<String, OptionSettings>,
    /// What to ask for, over the scopes of the spec.
    pub scopes: Option<Vec<String>>,
    /// How its token endpoint is asked and read.
    pub token_endpoint: Arc<TokenSettings>,
    /// The OAuth apps; the first serves new connections.
    pub apps: Vec<App>,
    /// Whether calls are let through.
    pub enabled: bool,
    /// Where credentials may go.
    pub hosts: Hosts,
    /// How many connections a customer may have.
    pub connections: Connections,
    /// When and how its credentials are refreshed.
    pub refresh: RefreshSettings,
    /// Whether private addresses may be dialled.
    pub allow_private: bool,
    /// Whether plain http may be spoken.
    pub allow_plain: bool,
    /// How long a tunnel may be silent; none: for ever.
    pub upgrade_idle: Option<Duration>,
    /// The prefix of the transparent route, such as `/hubspot`.
    pub route: Option<String>,
    /// Where a customer's browser comes back to from the provider, where that is not our own callback: a page of the
    /// operator's, which sends it on to ours.
    pub oauth_callback: Option<String>,
    /// What credentials must look like that are handed over as they are.
    pub credentials_schema: Option<Schema>,
}

impl Integration {
    /// What formulas see as `connectorParameters`: the integration's parameters, over them those for the option, over them
    /// `clientId` and `clientSecret` of the app, over them the connection's own. Of a lender's app, the secret is not there.
    #[must_use]
    pub fn connector_parameters(&self, option: &AuthOption, app: Option<&AppId>, own: &Value) -> Variables {
        let mut parameters = Variables::new();
        parameters.set_all_secret(&self.parameters);
        if let Some(settings) = self.settings(option) {
            parameters.set_all_secret(&settings.parameters);
        }
        let owner = self.app_owner(option);
        let app = app.map_or_else(|| owner.apps.first(), |id| owner.app(id));
        if let Some(app) = app {
            parameters.set("clientId", &Value::from(app.client_id.as_str()));
            if let (Some(secret), None) = (&app.client_secret, option.lender()) {
                parameters.set_secret("clientSecret", secret);
            }
        }
        parameters.set_all(own);
        parameters
    }

    /// Whether an option is to be offered: the connector and the integration both say so.
    #[must_use]
    pub fn offers(&self, option: &AuthOption, connector_parameters: &Value) -> bool {
        !self.settings(option).is_some_and(|settings| settings.disabled)
            && option.is_enabled(connector_parameters)
    }

    /// The integration whose apps an option uses: this one, or the one that lends them.
    #[must_use]
    pub fn app_owner<'a>(&'a self, option: &'a AuthOption) -> &'a Self {
        option.lender().map_or(self, |lender| lender.integration().app_owner(lender.option()))
    }

    /// Where its third party sends browsers back to after a consent, as it is to be registered there: a page of the operator's,
    /// else ours.
    #[must_use]
    pub fn callback(&self, public_url: &str) -> String {
        self.oauth_callback.clone().unwrap_or_else(|| format!("{public_url}/oauth-callback"))
    }

    /// Whether customers give consent to an app of its own. None where only formulas or scripts know.
    #[must_use]
    pub fn asks_for_consent(&self) -> Option<bool> {
        let ways = self.connector.ways().filter(|way| way.lender().is_none());
        let asks: Vec<_> = ways.map(AuthOption::asks_for_consent).collect();
        match asks.contains(&Some(true)) {
            true => Some(true),
            false => (!asks.contains(&None)).then_some(false),
        }
    }

    /// The app that serves new connections with the option of this key.
    #[must_use]
    pub fn new_app(&self, option: Option<&str>) -> Option<&App> {
        self.app_owner(self.connector.option(option)?).apps.first()
    }

    /// The scopes that a customer is asked for, where no formula has to be evaluated to know them.
    #[must_use]
    pub fn known_scopes(&self, option: &AuthOption) -> Option<Vec<String>> {
        let lenders = || option.lender().map(|lender| lender.integration().known_scopes(lender.option()));
        self.scopes.clone().or_else(|| lenders().unwrap_or_else(|| option.literal_scopes()))
    }

    /// Its own app of this id.
    #[must_use]
    pub fn app(&self, id: &AppId) -> Option<&App> {
        self.apps.iter().find(|app| app.id == *id)
    }

    /// Whether it stands for the customer's own API.
    #[must_use]
    pub fn is_own_api(&self) -> bool {
        self.key.as_str() == INTERNAL_API
    }

    /// Whether an option's methods see what the customer's tokens say of it: those of the customer's own API do, and what mints
    /// tokens says it on.
    #[must_use]
    pub fn sees_user(&self, option: &AuthOption) -> bool {
        self.is_own_api() || option.auth.is_minted()
    }

    fn settings(&self, option: &AuthOption) -> Option<&OptionSettings> {
        self.options.get(option.key.as_deref().unwrap_or_default())
    }

    /// Whether a token request, which carries the app's secret, may go to `token_uri`: the option has it as a literal,
    /// or `hosts` lists its host. A formula may read what a customer typed in.
    #[must_use]
    pub fn admits_token_endpoint(&self, option: &AuthOption, token_uri: &str) -> bool {
        let listed = |url: &url::Url| Site::of(url).is_some_and(|site| self.hosts.lists(&site));
        option.has_literal_token_endpoint() || url::Url::parse(token_uri).is_ok_and(|url| listed(&url))
    }

    /// Whether a customer's browser may be sent to `authorize_uri`: the option has it as a literal,
    /// `hosts` lists its host, or it is on the host of the token endpoint. Without `allow_plain` it must be https.
    #[must_use]
    pub fn admits_authorization_endpoint(
        &self,
        option: &AuthOption,
        authorize_uri: &str,
        token_uri: &str,
    ) -> bool {
        let parsed = |uri: &str| url::Url::parse(uri).ok();
        let Some(url) = parsed(authorize_uri) else { return false };
        let Some(site) = Site::of(&url) else { return false };
        let beside_tokens = || parsed(token_uri).is_some_and(|tokens| Site::of(&tokens) == Some(site));
        (self.allow_plain || site.scheme == "https")
            && (option.has_literal_authorization_endpoint() || self.hosts.lists(&site) || beside_tokens())
    }

    /// Holds credentials that are handed over as they are against the schema, if there is one.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn check_credentials(&self, credentials: &Value) -> Result<(), Vec<Flaw>> {
        let flaws = self.credentials_schema.as_ref().map(|schema| schema.flaws(credentials));
        match flaws.filter(|flaws| !flaws.is_empty()) {
            Some(flaws) => Err(flaws),
            None => Ok(()),
        }
    }

    /// Whether the integration serves this workspace.
    #[must_use]
    pub fn serves(&self, workspace: &WorkspaceKey) -> bool {
        self.workspaces.is_empty() || self.workspaces.contains(workspace)
    }
}
