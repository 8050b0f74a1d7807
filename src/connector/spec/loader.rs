//! From the files of a connector to a [`Connector`], with every complaint and every warning.
//! Never evaluates a method.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Connector;
use super::options::inherited;
use crate::connector::implementation::{Implementation, Method};
use crate::connector::option::{AuthOption, AuthType, Ui};
use crate::connector::response::ResponseHandlers;
use crate::document::{self, Complaint, Entry, Kind, Node, Position, did_you_mean};
use crate::formula::{Template, Value};
use crate::names::ConnectorKey;

type Loaded = Result<(Arc<Connector>, Vec<Complaint>), Vec<Complaint>>;

/// Keys of a connector around its auth spec. Most describe parts of the vendor's product that are not authentication.
const CONNECTOR_KEYS: [&str; 25] = [
    "name",
    "key",
    "description",
    "uuid",
    "appUri",
    "appUuid",
    "logoUri",
    "connectionMode",
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

const TYPES: [&str; 6] =
    ["client-credentials", "oauth2", "oauth1", "proxy", "integration-app-token", "membrane-token"];

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
        operations: root.get("operations").map(Node::items).unwrap_or_default().into(),
        complaints: Vec::new(),
        warnings: Vec::new(),
    };
    let connector = loader.connector(key, root);
    let Loader { mut complaints, mut warnings, .. } = loader;
    // What an option inherits is read once for each.
    for list in [&mut complaints, &mut warnings] {
        list.sort();
        list.dedup();
    }
    match connector {
        Some(connector) if complaints.is_empty() => Ok((Arc::new(connector), warnings)),
        _ => Err(complaints),
    }
}

/// Reads and parses one file.
pub(super) fn read(path: &Path) -> Result<Node, Vec<Complaint>> {
    let text = text_of(path).map_err(|complaint| vec![complaint])?;
    document::parse(&path.display().to_string(), &text)
}

pub(super) fn text_of(path: &Path) -> Result<String, Complaint> {
    std::fs::read_to_string(path).map_err(|error| Complaint {
        file: path.display().to_string().into(),
        position: None,
        problem: format!("the file cannot be read: {error}"),
        cure: "check its name and permissions".into(),
    })
}

/// Reads one connector and gathers what is wrong or worth a word.
pub(super) struct Loader {
    pub(super) file: Arc<str>,
    pub(super) folder: Option<PathBuf>,
    /// The spec's list of operations.
    pub(super) operations: Arc<[Node]>,
    pub(super) complaints: Vec<Complaint>,
    pub(super) warnings: Vec<Complaint>,
}

/// One way to authenticate as it is read: the connector's own, or an option with what it inherits.
pub(super) struct Way<'n> {
    pub(super) key: Option<&'n str>,
    pub(super) spec: &'n Node,
}

impl Loader {
    fn connector(&mut self, key: ConnectorKey, root: &Node) -> Option<Connector> {
        let wrapped = root.get("auth").filter(|auth| matches!(auth.kind, Kind::Mapping(_)));
        let spec = wrapped.unwrap_or(root);
        self.check_keys(root, wrapped);
        let options = spec.get("options").map(Node::entries).unwrap_or_default();
        // Beside options, a spec without a way of its own is what they have in common.
        let is_whole = ["type", "makeApiClient"].iter().all(|key| spec.get(key).is_some());
        let mut ways = Vec::new();
        if options.is_empty() || is_whole {
            ways.push(self.way(root, &Way { key: None, spec }));
        }
        for option in options {
            self.known_keys(option.value.entries(), &auth_keys().collect::<Vec<_>>());
            let spec = inherited(spec, &option.value);
            ways.push(self.way(root, &Way { key: Some(&option.key), spec: &spec }));
        }
        Some(Connector {
            name: root.get("name").and_then(Node::text).unwrap_or(key.as_str()).to_owned(),
            key,
            ways: ways.into_iter().map(|way| way.map(Arc::new)).collect::<Option<_>>()?,
        })
    }

    fn check_keys(&mut self, root: &Node, wrapped: Option<&Node>) {
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

    fn way(&mut self, root: &Node, way: &Way<'_>) -> Option<AuthOption> {
        let spec = way.spec;
        let auth = self.auth_type(spec);
        let file = Arc::clone(&self.file);
        let enabled = spec.get("enabled").map(|node| self.template(&file, node));
        let ui = self.ui(root, spec);
        let (methods, response_handlers) = self.methods(way, auth);
        let text = |name| spec.get(name).and_then(Node::text).map(str::to_owned);
        Some(AuthOption {
            key: way.key.map(str::to_owned),
            auth: auth?,
            title: text("title"),
            description: text("description").or_else(|| ui.description.clone()),
            input_schema: spec.get("inputSchema").map(Value::from).or_else(|| ui.schema.clone()),
            parameters_schema: spec
                .get("parametersSchema")
                .or_else(|| root.get("parametersSchema"))
                .map(Value::from),
            proxy_key: self.proxy_key(spec, auth),
            lender: None,
            enabled: enabled.flatten(),
            ui,
            methods,
            response_handlers,
        })
    }

    /// The auth spec's, else that of `auth/ui.yml`, as older folders have it, else the connector's.
    fn ui(&mut self, root: &Node, spec: &Node) -> Ui {
        let ui = spec.get("ui").cloned().or_else(|| self.ui_file()).or_else(|| root.get("ui").cloned());
        let Some(ui) = ui else { return Ui::default() };
        let text = |name| ui.get(name).and_then(Node::text).map(str::to_owned);
        let schema = ui.get("schema").map(Value::from);
        Ui { schema, description: text("description"), help_uri: text("helpUri") }
    }

    fn ui_file(&mut self) -> Option<Node> {
        let folder = self.folder.as_ref()?.join("auth");
        let path = ["ui.yml", "ui.yaml"].map(|name| folder.join(name)).into_iter().find(|it| it.is_file())?;
        read(&path).map_err(|complaints| self.complaints.extend(complaints)).ok()
    }

    fn auth_type(&mut self, spec: &Node) -> Option<AuthType> {
        let Some(node) = spec.get("type") else {
            self.complain(spec.position, "the auth spec has no `type`", "write client-credentials or oauth2");
            return None;
        };
        match node.text().unwrap_or_default() {
            "client-credentials" => Some(AuthType::ClientCredentials),
            "oauth2" => Some(AuthType::OAuth2),
            "oauth1" => Some(AuthType::OAuth1),
            "proxy" => Some(AuthType::Proxy),
            "integration-app-token" => Some(AuthType::IntegrationAppToken),
            "membrane-token" => Some(AuthType::MembraneToken),
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

    fn proxy_key(&mut self, spec: &Node, auth: Option<AuthType>) -> Option<String> {
        if auth != Some(AuthType::Proxy) {
            return None;
        }
        let key = spec.get("proxyKey").and_then(Node::text).filter(|key| !key.is_empty());
        if key.is_none() {
            let cure = "write the key of the integration whose app it uses";
            self.complain(spec.position, "the auth type `proxy` has no `proxyKey`", cure);
        }
        key.map(str::to_owned)
    }

    /// Every method is read even where one is wrong, so that all complaints come at once. Of a way that borrows, only those that
    /// are its own matter; others it may have inherited.
    fn methods(
        &mut self,
        way: &Way<'_>,
        auth: Option<AuthType>,
    ) -> (BTreeMap<Method, Implementation>, ResponseHandlers) {
        let borrows = auth == Some(AuthType::Proxy);
        if way.spec.get("test").is_none() && !borrows {
            let cure = "write one, so that bad credentials show at once";
            self.warn(way.spec.position, "there is no `test`", cure);
        }
        if !borrows && !auth.is_some_and(AuthType::is_minted) {
            self.require(way, Method::MakeApiClient);
        }
        if auth.is_some_and(AuthType::is_oauth) {
            self.require(way, Method::GetOAuthConfig);
        }
        let (api_client, handlers) = self.api_client(way);
        let mut methods: BTreeMap<_, _> =
            api_client.map(|made| (Method::MakeApiClient, made)).into_iter().collect();
        if way.spec.get(Method::MakeApiClient.name()).is_none() && auth.is_some_and(AuthType::is_minted) {
            methods.extend(Self::base_of_parameters().map(|made| (Method::MakeApiClient, made)));
        }
        let others = Method::ALL.into_iter().filter(|method| *method != Method::MakeApiClient);
        for method in others.filter(|method| !borrows || method.may_be_borrowers()) {
            methods.extend(self.implementation(way, method).map(|made| (method, made)));
        }
        (methods, handlers)
    }

    /// `baseUri: {$var: connectorParameters.baseUri}`: for a token of ours, an address is all that is needed.
    fn base_of_parameters() -> Option<Implementation> {
        let variable: Value = [("$var", Value::from("connectorParameters.baseUri"))].into_iter().collect();
        let mapping: Value = [("baseUri", variable)].into_iter().collect();
        Template::from_value(&mapping).ok().map(Implementation::Mapping)
    }

    fn require(&mut self, way: &Way<'_>, method: Method) {
        if method.keys().iter().any(|key| way.spec.get(key).is_some()) {
            return;
        }
        let name = method.name();
        let cure = format!("write `{name}: {{type: mapping, mapping: …}}`");
        self.complain(way.spec.position, &format!("the method `{name}` is missing"), &cure);
    }

    pub(super) fn template(&mut self, file: &str, node: &Node) -> Option<Template> {
        Template::from_node(file, node).map_err(|complaints| self.complaints.extend(complaints)).ok()
    }

    /// Checks a mapping that is no formula: only known keys, and one of each needed group. `args` is the older nesting.
    pub(super) fn check_mapping(&mut self, file: &Arc<str>, node: &Node, known: &[&str], needed: &[&[&str]]) {
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

    /// A complaint about another file than the spec.
    pub(super) fn complain_in(&mut self, file: &Arc<str>, position: Position, problem: &str, cure: &str) {
        let complaint = Complaint { file: Arc::clone(file), ..self.complaint(position, problem, cure) };
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

/// The keys of an auth spec, methods among them.
fn auth_keys() -> impl Iterator<Item = &'static str> {
    AUTH_KEYS.into_iter().chain(Method::ALL.into_iter().flat_map(|method| method.keys().iter().copied()))
}
