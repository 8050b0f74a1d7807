//! Where the implementation of a method stands, inline or in a file named after the method, and what it is written in.
//! Never knows what the method computes.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::loader::{Loader, Way, read, text_of};
use crate::connector::implementation::{Implementation, Method};
use crate::connector::response::ResponseHandlers;
use crate::connector::{oauth_config, oauth1_config};
use crate::document::{Kind, Node, did_you_mean};
use crate::script::Script;

/// What an implementation is read from: a mapping and the file it stands in.
pub(super) type Found = (Arc<str>, Node);

const API_CLIENT_KEYS: [&str; 8] =
    ["baseUri", "baseUrl", "headers", "query", "defaultQueryParameters", "auth", "responseHandlers", "args"];

/// The suffixes of a method's file, in the vendor's order.
const MAPPING: [&str; 4] = [".map.yml", ".map.yaml", ".yml", ".yaml"];
pub(super) const REQUEST: [&str; 4] = [".rest.yml", ".rest.yaml", ".api.yml", ".api.yaml"];
pub(super) const OPERATION: [&str; 2] = [".op.yml", ".op.yaml"];
/// TypeScript is found, so that it can be refused by its name.
const SCRIPT: [&str; 3] = [".js", ".mjs", ".ts"];

/// What methods are written in, and whether one may be.
type Form = (&'static str, fn(Method) -> bool);

const FORMS: [Form; 5] = [
    ("mapping", Method::may_be_mapping),
    ("rest-api-mapping", Method::may_be_request),
    ("operation-mapping", Method::may_be_operation),
    ("javascript", |_| true),
    ("not-supported", |_| true),
];

impl Loader {
    /// The implementation of a method, if the way has one that can be run.
    pub(super) fn implementation(&mut self, way: &Way<'_>, method: Method) -> Option<Implementation> {
        let (key, node) = method.keys().iter().find_map(|key| Some((*key, way.spec.get(key)?)))?;
        let Some(kind) = node.get("type").or_else(|| node.get("implementationType")).and_then(Node::text)
        else {
            let problem = format!("the method `{key}` does not say how it is implemented");
            let cure = "write `type: mapping` with a `mapping`, or `implementationType: mapping` with a file";
            self.complain(node.position, &problem, cure);
            return None;
        };
        match kind {
            "not-supported" => None,
            "mapping" if method.may_be_mapping() => {
                let (file, node) = self.found(way, method, node, &MAPPING)?;
                self.check_fields(way, method, (&file, &node));
                Some(Implementation::Mapping(self.template(&file, &node)?))
            }
            // The vendor's page on `test` writes a request under this name, too.
            "mapping" => self.request(way, method, node, &MAPPING),
            "javascript" => self.script(way, method, node).map(Implementation::Script),
            "rest-api-mapping" if method.may_be_request() => self.request(way, method, node, &REQUEST),
            "operation-mapping" if method.may_be_operation() => self.operation(way, method, node),
            other => {
                self.refuse_kind(method, key, node, other);
                None
            }
        }
    }

    /// Takes `responseHandlers` out of `makeApiClient`: they are evaluated with each response, the rest with each request.
    pub(super) fn api_client(&mut self, way: &Way<'_>) -> (Option<Implementation>, ResponseHandlers) {
        let method = Method::MakeApiClient;
        let is_mapping = way.spec.get(method.name()).is_some_and(|node| {
            node.get("type").or_else(|| node.get("implementationType")).and_then(Node::text)
                == Some("mapping")
        });
        if !is_mapping {
            return (self.implementation(way, method), ResponseHandlers::default());
        }
        let found = way.spec.get(method.name()).and_then(|node| self.found(way, method, node, &MAPPING));
        let Some((file, mut node)) = found else { return (None, ResponseHandlers::default()) };
        self.check_fields(way, method, (&file, &node));
        let handlers = take(&mut node, "responseHandlers");
        let (handlers, complaints) = ResponseHandlers::read(&file, handlers.as_ref());
        self.complaints.extend(complaints);
        (self.template(&file, &node).map(Implementation::Mapping), handlers)
    }

    /// The mapping of a method: inline, or in its file.
    pub(super) fn found(
        &mut self,
        way: &Way<'_>,
        method: Method,
        node: &Node,
        suffixes: &[&str],
    ) -> Option<Found> {
        if let Some(mapping) = node.get("mapping") {
            return Some((Arc::clone(&self.file), mapping.clone()));
        }
        let path = self.file_of(way, method, node, suffixes, "mapping")?;
        match read(&path) {
            Ok(mapping) => Some((path.display().to_string().into(), mapping)),
            Err(complaints) => {
                self.complaints.extend(complaints);
                None
            }
        }
    }

    /// The function of a method: inline as `code`, or in its file.
    fn script(&mut self, way: &Way<'_>, method: Method, node: &Node) -> Option<Script> {
        let script = if let Some(code) = node.get("code") {
            Script::new(&format!("{}:{} ({})", self.file, code.position.line, method.name()), code.text()?)
        } else {
            let path = self.file_of(way, method, node, &SCRIPT, "code")?;
            text_of(&path).and_then(|text| Script::new(&path.display().to_string(), &text))
        };
        script.map_err(|complaint| self.complaints.push(complaint)).ok()
    }

    /// The file that holds a method which does not stand inline under `inline`.
    fn file_of(
        &mut self,
        way: &Way<'_>,
        method: Method,
        node: &Node,
        suffixes: &[&str],
        inline: &str,
    ) -> Option<PathBuf> {
        let name = method.name();
        let Some(folder) = self.folder.clone() else {
            let problem = format!("the method `{name}` has no `{inline}`");
            self.complain(node.position, &problem, "write it inline here");
            return None;
        };
        let said = node.get("filePath").and_then(Node::text);
        let mut candidates = match said {
            Some(said) => below(&folder, said).into_iter().collect(),
            None => candidates(&folder, way.key, method, suffixes),
        };
        candidates.retain(|path| path.is_file());
        if candidates.is_empty() {
            let stem = method.stems().first().copied().unwrap_or_default();
            let suffix = suffixes.first().copied().unwrap_or_default();
            let problem = format!("the file of the method `{name}` is missing");
            self.complain(node.position, &problem, &format!("write auth/{stem}{suffix}"));
            return None;
        }
        Some(candidates.swap_remove(0))
    }

    fn request(
        &mut self,
        way: &Way<'_>,
        method: Method,
        node: &Node,
        suffixes: &[&str],
    ) -> Option<Implementation> {
        let (file, node) = self.found(way, method, node, suffixes)?;
        Some(Implementation::Request(Box::new(self.request_mapping(&file, &node)?)))
    }

    fn check_fields(&mut self, way: &Way<'_>, method: Method, (file, node): (&Arc<str>, &Node)) {
        let is_oauth1 = way.spec.get("type").and_then(Node::text) == Some("oauth1");
        match method {
            Method::MakeApiClient => {
                self.check_mapping(file, node, &API_CLIENT_KEYS, &[&["baseUri", "baseUrl"]]);
            }
            Method::GetOAuthConfig if is_oauth1 => {
                self.check_mapping(file, node, &oauth1_config::KEYS, &oauth1_config::NEEDED);
            }
            Method::GetOAuthConfig => {
                self.check_mapping(file, node, &oauth_config::KEYS, &[&["clientId"], &["tokenUri"]]);
            }
            _ => {}
        }
    }

    /// What the method cannot be written in, or nothing can.
    fn refuse_kind(&mut self, method: Method, key: &str, node: &Node, kind: &str) {
        let fits = FORMS.into_iter().filter(|(_, may)| may(method)).map(|(kind, _)| kind);
        let fits = format!("write it as {}", fits.collect::<Vec<_>>().join(", "));
        let known = FORMS.map(|(kind, _)| kind).into_iter().chain(["graphql-api-mapping"]);
        let near = did_you_mean(kind, known.clone()).filter(|_| known.clone().all(|known| known != kind));
        let cure = near.map_or(fits, |near| format!("did you mean `{near}`?"));
        self.complain(node.position, &format!("the method `{key}` cannot be `{kind}`"), &cure);
    }
}

/// The files that may hold a method: those of the option before those of the connector.
fn candidates(folder: &Path, option: Option<&str>, method: Method, suffixes: &[&str]) -> Vec<PathBuf> {
    let auth = folder.join("auth");
    let own = option.and_then(|option| below(&auth, option));
    let folders = own.into_iter().chain([auth]);
    folders
        .flat_map(|folder| {
            let names =
                method.stems().iter().flat_map(|stem| suffixes.iter().map(move |it| format!("{stem}{it}")));
            names.map(move |name| folder.join(name))
        })
        .collect()
}

/// `path` below `folder`, if it does not leave it.
pub(super) fn below(folder: &Path, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    plain.then(|| folder.join(path))
}

/// Takes `key` out of a mapping, or out of its older nesting under `args`.
pub(super) fn take(node: &mut Node, key: &str) -> Option<Node> {
    let Kind::Mapping(entries) = &mut node.kind else { return None };
    if let Some(at) = entries.iter().position(|entry| entry.key == key) {
        return Some(entries.remove(at).value);
    }
    let nested = entries.iter_mut().find(|entry| entry.key == "args")?;
    take(&mut nested.value, key)
}
