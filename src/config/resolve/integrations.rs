//! Integrations: their connectors, parameters, apps and the hosts their credentials may go to.
//! Knows nothing of what a connector's methods do.

mod lenders;
mod private_key;
mod refresh;
mod token_endpoint;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::browsers::web_url;
use crate::config::resolve::{Resolver, suggestion};
use crate::connector::{
    App, AuthOption, Connections, Connector, HostPattern, Hosts, Integration, OptionSettings, Schema,
};
use crate::document::{Entry, Kind, Node, Position, did_you_mean};
use crate::formula::Value;
use crate::secret::Secret;

/// Parts of names under which people keep secrets.
const SECRET_WORDS: [&str; 6] = ["secret", "password", "token", "apikey", "privatekey", "credential"];

impl Resolver<'_> {
    pub(super) fn integrations(
        &mut self,
        raw: &raw::Sidegate,
        folders: &BTreeMap<String, PathBuf>,
    ) -> Vec<Arc<Integration>> {
        let connectors = self.connectors(raw, folders);
        let resolve = |(key, typed): (&String, &raw::Integration)| {
            self.known_workspaces(&typed.workspaces, &KeyPath::of(&["integrations", key, "workspaces"]), raw);
            self.integration(key, typed, &connectors)
        };
        let integrations: Vec<Integration> = raw.integrations.iter().filter_map(resolve).collect();
        self.refuse_same_routes(&integrations);
        let integrations = self.connect_lenders(integrations, raw);
        integrations.iter().for_each(|one| self.check_hosts(one));
        integrations
    }

    /// Every connector by key; `None` for one that did not load.
    fn connectors(
        &mut self,
        raw: &raw::Sidegate,
        folders: &BTreeMap<String, PathBuf>,
    ) -> BTreeMap<String, Option<Arc<Connector>>> {
        let used = |key: &str| raw.integrations.values().any(|integration| integration.connector.0 == key);
        let mut connectors = BTreeMap::new();
        for (key, folder) in folders {
            let loaded = Connector::load(key.as_str().into(), folder);
            connectors.insert(key.clone(), self.loaded(loaded, used(key)));
        }
        for key in raw.connectors.keys() {
            let path = KeyPath::of(&["connectors", key]);
            let Some(node) = self.places.written(&path) else { continue };
            let file = self.places.nearest(&path).source;
            let loaded = Connector::from_node(key.as_str().into(), &file, node);
            connectors.insert(key.clone(), self.loaded(loaded, used(key)));
        }
        connectors
    }

    /// A broken connector that no integration uses stops nothing.
    fn loaded(&mut self, loaded: Loaded, used: bool) -> Option<Arc<Connector>> {
        match loaded {
            Ok((connector, warnings)) => {
                self.warnings.extend(warnings);
                Some(connector)
            }
            Err(complaints) => {
                let list = if used { &mut self.complaints } else { &mut self.warnings };
                list.extend(complaints);
                None
            }
        }
    }

    fn integration(
        &mut self,
        key: &str,
        typed: &raw::Integration,
        connectors: &BTreeMap<String, Option<Arc<Connector>>>,
    ) -> Option<Integration> {
        let path = KeyPath::of(&["integrations", key]);
        let apps = self.apps(&typed.apps, &path.key("apps"));
        self.check_who_signs(typed, &path);
        let parameters = self.parameters(&typed.parameters, &path.key("parameters"));
        let hosts = self.allowed_hosts(typed.hosts.as_ref(), &path.key("hosts"));
        let route = typed.route.as_ref().map(|route| {
            self.prefix(&route.path_prefix, &path.key("route").key("pathPrefix"));
            route.path_prefix.clone()
        });
        let Some(connector) = connectors.get(&typed.connector.0) else {
            let problem = format!("there is no connector `{}`", typed.connector.0);
            let cure = suggestion(
                &typed.connector.0,
                connectors.keys(),
                "add the folder connectors/NAME/ with a spec.yml",
            );
            self.absent(&path.key("connector"), problem, cure);
            return None;
        };
        let connector = Arc::clone(connector.as_ref()?);
        let options = self.options(&typed.options_config, &connector, &path.key("optionsConfig"));
        Some(Integration {
            key: key.into(),
            connector,
            workspaces: typed.workspaces.iter().map(|key| key.as_str().into()).collect(),
            parameters,
            options,
            scopes: typed.scopes.clone(),
            token_endpoint: self.token_endpoint(&typed.token_endpoint, &path.key("tokenEndpoint")),
            apps,
            enabled: typed.enabled,
            hosts,
            connections: match typed.connections {
                raw::Connections::One => Connections::One,
                raw::Connections::Many => Connections::Many,
            },
            refresh: self.refresh(&typed.refresh, &path.key("refresh")),
            allow_private: typed.egress.allow_private,
            allow_plain: typed.egress.allow_plain,
            upgrade_idle: Some(typed.timeouts.upgrade_idle.0).filter(|idle| !idle.is_zero()),
            route,
            oauth_callback: self.oauth_callback(typed, &path.key("oAuthCallbackUri")),
            credentials_schema: self.credentials_schema(typed, &path.key("credentialsSchema")),
        })
    }

    fn oauth_callback(&mut self, typed: &raw::Integration, path: &KeyPath) -> Option<String> {
        let typed = typed.oauth_callback_uri.as_ref()?;
        if web_url(typed).is_none() {
            let cure = "write the whole address as it is registered with the provider, like https://app.example.com/oauth";
            self.error(path, format!("`{typed}` is no address of a web page"), cure);
        }
        Some(typed.clone())
    }

    fn credentials_schema(&mut self, typed: &raw::Integration, path: &KeyPath) -> Option<Schema> {
        typed.credentials_schema.as_ref()?;
        let node = self.places.written(path)?;
        match Schema::new(&Value::from(node)) {
            Ok(schema) => Some(schema),
            Err(problem) => {
                let problem = format!("`{path}` is no JSON Schema: {problem}");
                self.error(path, problem, "mend it, or remove it to take any credentials");
                None
            }
        }
    }

    fn apps(&mut self, typed: &[raw::App], path: &KeyPath) -> Vec<App> {
        let mut apps: Vec<App> = Vec::new();
        for (path, typed) in self.places.items(path, typed) {
            if apps.iter().any(|app| app.id.as_str() == typed.id.0) {
                let problem = format!("a second app is called `{}`", typed.id.0);
                self.error(&path.key("id"), problem, "give each app its own id");
            }
            let client_secret = typed
                .client_secret
                .as_ref()
                .and_then(|secret| self.secret(secret, &path.key("clientSecret")));
            let client_id = match &typed.client_id {
                raw::ClientId::Plain(text) => Some(text.0.clone()),
                raw::ClientId::Source(source) => self.secret_text(source, &path.key("clientId")),
            };
            let Some(client_id) = client_id else { continue };
            let private_key = self.private_key(typed, &path);
            apps.push(App { id: typed.id.0.as_str().into(), client_id, client_secret, private_key });
        }
        apps
    }

    /// What is different for some of the connector's options.
    fn options(
        &mut self,
        typed: &BTreeMap<String, raw::OptionConfig>,
        connector: &Connector,
        path: &KeyPath,
    ) -> BTreeMap<String, OptionSettings> {
        let known = || connector.ways().map(|way| way.key.as_deref().unwrap_or_default());
        let mut options = BTreeMap::<String, OptionSettings>::new();
        for (key, typed) in typed {
            let path = path.key(key);
            if !known().any(|known| known == key) {
                let cure = did_you_mean(key, known().filter(|key| !key.is_empty()));
                let cure = cure.map_or_else(|| "remove it".into(), |near| format!("did you mean `{near}`?"));
                self.error(&path, format!("the connector has no option `{key}`"), cure);
            }
            let parameters = self.parameters(&typed.parameters, &path.key("parameters"));
            options.insert(key.clone(), OptionSettings { disabled: typed.disabled, parameters });
        }
        options
    }

    /// The parameters in the order they were typed.
    fn parameters(&mut self, typed: &BTreeMap<String, raw::Anything>, path: &KeyPath) -> Secret<Value> {
        let mut entries = Vec::new();
        let names = self.places.below(path).map(str::to_owned).collect::<Vec<_>>();
        for name in names.iter().filter(|name| typed.contains_key(*name)) {
            let path = path.key(name);
            let Some(node) = self.places.written(&path) else { continue };
            let position = self.places.nearest(&path).position.unwrap_or(Position { line: 1, column: 1 });
            entries.push(Entry { key: name.clone(), position, value: node.clone() });
            if looks_secret(name) && node.text().is_some() && !node.text().is_some_and(str::is_empty) {
                let cure = "take it from a variable: ${NAME}, set from a secret";
                self.warn(&path, format!("`{path}` looks like a secret in plain sight"), cure);
            }
        }
        entries.sort_by_key(|entry| entry.position);
        let position = Position { line: 1, column: 1 };
        Secret::new(Value::from(&Node { position, kind: Kind::Mapping(entries) }))
    }

    fn allowed_hosts(&mut self, typed: Option<&raw::Hosts>, path: &KeyPath) -> Hosts {
        let listed = match typed {
            None => return Hosts::OfBaseUri,
            Some(raw::Hosts::Pinned(raw::PinWord::Connection)) => return Hosts::Connection,
            Some(raw::Hosts::Listed(listed)) => listed,
        };
        if listed.is_empty() {
            let cure = "list the hosts of the third party, or remove the key for the host of baseUri";
            self.error(path, format!("`{path}` lets credentials go nowhere"), cure);
        }
        let mut patterns = Vec::with_capacity(listed.len());
        for (path, typed) in self.places.items(path, listed) {
            match HostPattern::parse(typed) {
                Ok(pattern) => patterns.push(pattern),
                Err(problem) => {
                    let problem = format!("`{path}` is not a host pattern: {problem}");
                    let cure = "write api.example.com, api.example.com:8443 or *.example.com";
                    self.error(&path, problem, cure);
                }
            }
        }
        Hosts::Listed(patterns)
    }

    /// Without `hosts`, credentials may go to the host of baseUri, which then must be a literal; and an app's secret only to
    /// a token endpoint that is one.
    fn check_hosts(&mut self, integration: &Integration) {
        let Integration { key, hosts, connector, .. } = integration;
        let path = &KeyPath::of(&["integrations", key.as_str()]);
        // A lender's app stays with the lender's hosts.
        let computed = |way: &AuthOption| {
            way.auth.is_oauth() && way.lender().is_none() && !way.has_literal_token_endpoint()
        };
        if connector.ways().any(computed) && !matches!(hosts, Hosts::Listed(_)) {
            let problem =
                format!("`{}` lists no host: the connector computes its tokenUri", path.key("hosts"));
            self.absent(path, problem, "list the hosts that the app's secret may go to");
            return;
        }
        let is_computed = |way: &AuthOption| way.literal_base_host().is_none();
        if *hosts == Hosts::OfBaseUri && connector.ways().any(is_computed) {
            let problem = format!("`{}` is missing: the connector computes its baseUri", path.key("hosts"));
            let cure = "list the hosts that credentials may go to, or write `hosts: connection`";
            self.absent(path, problem, cure);
        }
    }

    fn refuse_same_routes(&mut self, integrations: &[Integration]) {
        for (index, one) in integrations.iter().enumerate() {
            let Some(route) = &one.route else { continue };
            let same = |other: &&Integration| {
                other.route.as_ref().is_some_and(|other| trimmed(other) == trimmed(route))
            };
            if let Some(other) = integrations.iter().take(index).find(same) {
                let path = KeyPath::of(&["integrations", one.key.as_str(), "route", "pathPrefix"]);
                let problem = format!("`{path}` is also the route of `{}`", other.key);
                self.error(&path, problem, "give each route its own prefix");
            }
        }
    }
}

type Loaded = Result<(Arc<Connector>, Vec<crate::document::Complaint>), Vec<crate::document::Complaint>>;

fn trimmed(prefix: &str) -> &str {
    prefix.trim_end_matches('/')
}

fn looks_secret(name: &str) -> bool {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    SECRET_WORDS.iter().any(|word| folded.contains(word))
}
