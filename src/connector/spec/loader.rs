//! From the files of a connector to a [`Connector`], with every complaint and every warning.
//! Never evaluates a method.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::api_client::ResponseHandlers;
use super::super::oauth_config;
use super::method::{self, Found, Method};
use super::{AuthType, Connector, Methods};
use crate::document::{self, Complaint, Entry, Kind, Node, Position, did_you_mean};
use crate::formula::{Template, Value};
use crate::names::ConnectorKey;

type Loaded = Result<(Arc<Connector>, Vec<Complaint>), Vec<Complaint>>;

/// Keys of a connector around its auth spec. Most describe parts of the vendor's product that are not authentication.
const CONNECTOR_KEYS: [&str; 24] = [
    "name",
    "key",
    "description",
    "uuid",
    "appUri",
    "appUuid",
    "logoUri",
    "apiDocsUri",
    "documentationUri",
    "categories",
    "api",
    "ui",
    "auth",
    "parametersSchema",
    "data",
    "udm",
    "udms",
    "operations",
    "events",
    "actions",
    "test",
    "hasReadme",
    "knowledgeBaseUuid",
    "workspaceId",
];

/// Keys of an auth spec, methods apart.
const AUTH_KEYS: [&str; 13] = [
    "type",
    "title",
    "description",
    "enabled",
    "proxyKey",
    "ui",
    "inputSchema",
    "parametersSchema",
    "credentialsSchema",
    "customCredentialsSchema",
    "options",
    "key",
    "name",
];

const LATER_TYPES: [&str; 4] = ["oauth1", "proxy", "integration-app-token", "membrane-token"];
const TYPES: [&str; 6] =
    ["client-credentials", "oauth2", "oauth1", "proxy", "integration-app-token", "membrane-token"];

const API_CLIENT_KEYS: [&str; 8] =
    ["baseUri", "baseUrl", "headers", "query", "defaultQueryParameters", "auth", "responseHandlers", "args"];

/// Reads `spec.yml` of a folder, and the methods beside it.
pub(super) fn load_folder(key: ConnectorKey, folder: &Path) -> Loaded {
    let candidates = [folder.join("spec.yml"), folder.join("spec.yaml")];
    let Some(path) = candidates.iter().find(|path| path.is_file()) else {
        return Err(vec![Complaint {
            file: folder.display().to_string().into(),
            position: None,
            problem: format!("the connector `{key}` has no spec.yml"),
            cure: "write one, or remove the folder".into(),
        }]);
    };
    let file = path.display().to_string();
    let node = read(path)?;
    load_node(key, &file, &node, Some(folder))
}

/// Reads a spec that has been parsed.
pub(super) fn load_node(key: ConnectorKey, file: &str, root: &Node, folder: Option<&Path>) -> Loaded {
    let mut loader = Loader {
        file: file.into(),
        folder: folder.map(Path::to_owned),
        complaints: Vec::new(),
        warnings: Vec::new(),
    };
    let connector = loader.connector(key, root);
    let Loader { mut complaints, warnings, .. } = loader;
    match connector {
        Some(connector) if complaints.is_empty() => Ok((Arc::new(connector), warnings)),
        _ => {
            complaints.sort();
            Err(complaints)
        }
    }
}

/// Reads and parses one file.
pub(super) fn read(path: &Path) -> Result<Node, Vec<Complaint>> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![Complaint {
            file: file.as_str().into(),
            position: None,
            problem: format!("the file cannot be read: {error}"),
            cure: "check its name and permissions".into(),
        }]
    })?;
    document::parse(&file, &text)
}

/// Reads one connector and gathers what is wrong or worth a word.
pub(super) struct Loader {
    pub(super) file: Arc<str>,
    pub(super) folder: Option<PathBuf>,
    pub(super) complaints: Vec<Complaint>,
    warnings: Vec<Complaint>,
}

impl Loader {
    fn connector(&mut self, key: ConnectorKey, root: &Node) -> Option<Connector> {
        let wrapped = root.get("auth").filter(|auth| matches!(auth.kind, Kind::Mapping(_)));
        let spec = wrapped.unwrap_or(root);
        self.check_keys(root, wrapped);
        let auth = self.auth_type(spec);
        if let Some(options) = spec.get("options") {
            self.complain(
                options.position,
                "`options` come with a later version",
                "make each option its own connector",
            );
        }
        let methods = self.methods(spec, auth);
        Some(Connector {
            name: root.get("name").and_then(Node::text).unwrap_or(key.as_str()).to_owned(),
            key,
            auth: auth?,
            input_schema: input_schema(root, spec),
            methods: methods?,
        })
    }

    fn check_keys(&mut self, root: &Node, wrapped: Option<&Node>) {
        let auth_keys = || AUTH_KEYS.into_iter().chain(method::NAMES);
        match wrapped {
            Some(auth) => {
                self.known_keys(root.entries(), &CONNECTOR_KEYS);
                self.known_keys(auth.entries(), &auth_keys().collect::<Vec<_>>());
            }
            None => self.known_keys(root.entries(), &auth_keys().chain(CONNECTOR_KEYS).collect::<Vec<_>>()),
        }
    }

    fn known_keys(&mut self, entries: &[Entry], known: &[&str]) {
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let cure = did_you_mean(&entry.key, known.iter().copied())
                .map_or_else(|| "remove it".to_owned(), |near| format!("did you mean `{near}`?"));
            self.complain(entry.position, &format!("the key `{}` is unknown", entry.key), &cure);
        }
    }

    fn auth_type(&mut self, spec: &Node) -> Option<AuthType> {
        let Some(node) = spec.get("type") else {
            self.complain(spec.position, "the auth spec has no `type`", "write client-credentials or oauth2");
            return None;
        };
        match node.text().unwrap_or_default() {
            "client-credentials" => Some(AuthType::ClientCredentials),
            "oauth2" => Some(AuthType::OAuth2),
            later if LATER_TYPES.contains(&later) => {
                let problem = format!("the auth type `{later}` comes with a later version");
                self.complain(node.position, &problem, "use client-credentials or oauth2 until then");
                None
            }
            other => {
                let cure = did_you_mean(other, TYPES).map_or_else(
                    || "write client-credentials or oauth2".into(),
                    |near| format!("did you mean `{near}`?"),
                );
                self.complain(node.position, "this auth type is unknown", &cure);
                None
            }
        }
    }

    /// Every method is read even where one is wrong, so that all complaints come at once.
    fn methods(&mut self, spec: &Node, auth: Option<AuthType>) -> Option<Methods> {
        if spec.get("test").is_none() {
            self.warn(spec.position, "there is no `test`", "write one, so that bad credentials show at once");
        }
        self.note_unused(spec);
        let api_client = self.required(spec, Method::MakeApiClient);
        let oauth_config = match auth {
            Some(AuthType::OAuth2) => self.required(spec, Method::GetOAuthConfig),
            _ => None,
        };
        let credentials_from_parameters = self.optional(spec, Method::FromConnectionParameters);
        let from_refresh = self.optional(spec, Method::FromRefreshTokenResponse);
        let from_access = self.optional(spec, Method::FromAccessTokenResponse);
        self.optional(spec, Method::RefreshCredentials);
        if let Some((file, node)) = &oauth_config {
            self.check_mapping(file, node, &oauth_config::KEYS, &[&["clientId"], &["tokenUri"]]);
        }
        let mut template = |found: Option<Found>| found.and_then(|(file, node)| self.template(&file, &node));
        let oauth_config = template(oauth_config);
        let credentials_from_parameters = template(credentials_from_parameters);
        let credentials_from_token_response = template(from_refresh.or(from_access));
        let (make_api_client, response_handlers) =
            api_client.and_then(|(file, node)| self.api_client(&file, node))?;
        Some(Methods {
            make_api_client,
            response_handlers,
            oauth_config,
            credentials_from_parameters,
            credentials_from_token_response,
        })
    }

    /// The response handlers are evaluated with each response, the rest with each request.
    fn api_client(&mut self, file: &Arc<str>, mut node: Node) -> Option<(Template, ResponseHandlers)> {
        self.check_mapping(file, &node, &API_CLIENT_KEYS, &[&["baseUri", "baseUrl"]]);
        let handlers = method::take(&mut node, "responseHandlers");
        let (handlers, warnings, complaints) = ResponseHandlers::read(file, handlers.as_ref());
        self.warnings.extend(warnings);
        self.complaints.extend(complaints);
        Some((self.template(file, &node)?, handlers))
    }

    fn template(&mut self, file: &str, node: &Node) -> Option<Template> {
        Template::from_node(file, node).map_err(|complaints| self.complaints.extend(complaints)).ok()
    }

    /// Checks a mapping that is no formula: only known keys, and one of each needed group. `args` is the older nesting.
    fn check_mapping(&mut self, file: &Arc<str>, node: &Node, known: &[&str], needed: &[&[&str]]) {
        let fields = node.get("args").unwrap_or(node);
        if fields.entries().first().is_some_and(|first| first.key.starts_with('$')) {
            return;
        }
        let outer = std::mem::replace(&mut self.file, Arc::clone(file));
        self.known_keys(fields.entries(), known);
        for names in needed.iter().filter(|names| names.iter().all(|name| fields.get(name).is_none())) {
            let name = names.first().copied().unwrap_or_default();
            self.complain(
                fields.position,
                &format!("the mapping has no `{name}`"),
                &format!("write `{name}`"),
            );
        }
        self.file = outer;
    }

    pub(super) fn complain(&mut self, position: Position, problem: &str, cure: &str) {
        let complaint = self.complaint(position, problem, cure);
        self.complaints.push(complaint);
    }

    pub(super) fn warn(&mut self, position: Position, problem: &str, cure: &str) {
        let complaint = self.complaint(position, problem, cure);
        self.warnings.push(complaint);
    }

    fn complaint(&self, position: Position, problem: &str, cure: &str) -> Complaint {
        let (problem, cure) = (problem.to_owned(), cure.to_owned());
        Complaint { file: Arc::clone(&self.file), position: Some(position), problem, cure }
    }
}

/// The newer name first, then the auth spec's form, then the connector's.
fn input_schema(root: &Node, spec: &Node) -> Option<serde_json::Value> {
    let form = |node: &Node| node.get("ui").and_then(|ui| ui.get("schema")).cloned();
    let schema = spec.get("inputSchema").cloned().or_else(|| form(spec)).or_else(|| form(root))?;
    Some(serde_json::Value::from(&Value::from(&schema)))
}
