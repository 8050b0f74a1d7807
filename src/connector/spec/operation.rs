//! `operation-mapping`: a method that is a request of the connector's `operations`, with what it is given and what it gives.
//! Never knows what else an operation is good for.

use std::path::Path;
use std::sync::Arc;

use super::loader::{Loader, Way, read};
use super::method::{Found, OPERATION, REQUEST, below};
use crate::connector::implementation::{Implementation, Method};
use crate::document::{Node, did_you_mean};
use crate::formula::{Template, Value};

const KEYS: [&str; 3] = ["operationKey", "inputMapping", "outputMapping"];

impl Loader {
    /// `{operationKey, inputMapping, outputMapping}`.
    pub(super) fn operation(&mut self, way: &Way<'_>, method: Method, node: &Node) -> Option<Implementation> {
        let (file, node) = self.found(way, method, node, &OPERATION)?;
        self.check_mapping(&file, &node, &KEYS, &[&["operationKey"]]);
        let key = node.get("operationKey")?.text()?.to_owned();
        let (run_file, run) = self.run_of(&key, (&file, &node))?;
        let mut request = self.request_mapping(&run_file, &run)?;
        request.input = Some(match node.get("inputMapping") {
            Some(input) => self.template(&file, input)?,
            None => Template::from_value(&Value::empty_object()).ok()?,
        });
        if let Some(output) = node.get("outputMapping") {
            request.output = Some(self.template(&file, output)?);
        }
        Some(Implementation::Request(Box::new(request)))
    }

    /// The request that an operation is: `methods.run` of it in the spec's list, or `operations/<key>/run.rest.yml`.
    fn run_of(&mut self, key: &str, (file, named): (&Arc<str>, &Node)) -> Option<Found> {
        let operations = Arc::clone(&self.operations);
        let keyed = |one: &&Node| one.get("key").and_then(Node::text) == Some(key);
        let listed = operations.iter().find(keyed);
        let run = listed.and_then(|one| one.get("methods")).and_then(|methods| methods.get("run"));
        let kind = run.and_then(|run| run.get("type").or_else(|| run.get("implementationType")));
        let kind = kind.and_then(Node::text);
        if let Some(mapping) = run.and_then(|run| run.get("mapping")).filter(|_| is_request(kind)) {
            return Some((Arc::clone(&self.file), mapping.clone()));
        }
        if let Some(path) =
            self.folder.as_deref().and_then(|folder| run_file(folder, key)).filter(|_| is_request(kind))
        {
            let node = read(&path).map_err(|complaints| self.complaints.extend(complaints)).ok()?;
            return Some((path.display().to_string().into(), node));
        }
        let known = operations.iter().filter_map(|one| one.get("key").and_then(Node::text));
        let (problem, cure) = match did_you_mean(key, known).filter(|_| listed.is_none()) {
            Some(near) => (format!("there is no operation `{key}`"), format!("did you mean `{near}`?")),
            None => (
                format!("the operation `{key}` has no request"),
                format!("write operations/{key}/run.rest.yml, or use `rest-api-mapping`"),
            ),
        };
        self.complain_in(file, named.position, &problem, &cure);
        None
    }
}

fn is_request(kind: Option<&str>) -> bool {
    kind.is_none_or(|kind| kind == "rest-api-mapping")
}

fn run_file(folder: &Path, key: &str) -> Option<std::path::PathBuf> {
    let folder = below(&folder.join("operations"), key)?;
    REQUEST.iter().map(|suffix| folder.join(format!("run{suffix}"))).find(|path| path.is_file())
}
