//! From YAML to a request in formulas: `rest-api-mapping`.
//! Never evaluates it.

use std::sync::Arc;

use super::loader::Loader;
use crate::connector::request::RequestMapping;
use crate::document::{Entry, Kind, Node};

const KEYS: [&str; 4] = ["path", "method", "requestMapping", "responseMapping"];
const REQUEST_KEYS: [&str; 4] = ["pathParameters", "query", "headers", "data"];
const METHODS: [http::Method; 5] =
    [http::Method::GET, http::Method::POST, http::Method::PUT, http::Method::PATCH, http::Method::DELETE];

impl Loader {
    /// `{path, method, requestMapping: {pathParameters, query, headers, data}, responseMapping}`.
    pub(super) fn request_mapping(&mut self, file: &Arc<str>, node: &Node) -> Option<RequestMapping> {
        self.check_mapping(file, node, &KEYS, &[&["path"]]);
        let method = self.http_method(file, node);
        let response = node.get("responseMapping").map(|node| self.template(file, node));
        let joined = self.joined(file, node)?;
        let request = self.template(file, &joined)?;
        let response = match response {
            Some(read) => Some(read?),
            None => None,
        };
        Some(RequestMapping { request, method: method?, response, input: None, output: None })
    }

    /// `path` and the members of `requestMapping` as one mapping.
    fn joined(&mut self, file: &Arc<str>, node: &Node) -> Option<Node> {
        let position = node.position;
        let path = Entry { key: "path".into(), position, value: node.get("path")?.clone() };
        let mut entries = vec![path];
        if let Some(mapping) = node.get("requestMapping") {
            self.check_mapping(file, mapping, &REQUEST_KEYS, &[]);
            entries.extend(mapping.entries().iter().cloned());
        }
        Some(Node { position, kind: Kind::Mapping(entries) })
    }

    fn http_method(&mut self, file: &Arc<str>, node: &Node) -> Option<http::Method> {
        let Some(node) = node.get("method") else { return Some(http::Method::GET) };
        let wanted = node.text().unwrap_or_default().to_ascii_uppercase();
        let method = METHODS.into_iter().find(|method| method.as_str() == wanted);
        if method.is_none() {
            let cure = "write get, post, put, patch or delete";
            self.complain_in(file, node.position, "this is no method of a request", cure);
        }
        method
    }
}
