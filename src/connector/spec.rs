//! A connector: its auth spec, read once, its methods checked and ready to evaluate.
//! Never knows which integration uses it.

mod loader;
mod method;
mod operation;
mod options;
mod request;

use std::path::Path;
use std::sync::Arc;

use super::{AuthOption, Lender};
use crate::document::{Complaint, Node};
use crate::names::ConnectorKey;

/// A connector, immutable; integrations share it.
#[derive(Debug)]
pub struct Connector {
    /// The name of its folder, or its key in the configuration.
    pub key: ConnectorKey,
    /// What people call the third party.
    pub name: String,
    /// Its own way, where it has one, and its options. Never empty.
    ways: Vec<Arc<AuthOption>>,
}

impl Connector {
    /// Reads a folder: `spec.yml` or `spec.yaml`, and a file for each method that is not inline,
    /// `auth/<method-in-kebab-case>.map.yml` or `.yml`. Both generations of the vendor's format, see docs/connectors.md.
    ///
    /// # Errors
    /// All complaints at once. The second part of a success are warnings.
    pub fn load(key: ConnectorKey, folder: &Path) -> Result<(Arc<Self>, Vec<Complaint>), Vec<Complaint>> {
        loader::load_folder(key, folder)
    }

    /// Reads a connector that stands inline in `sidegate.yaml`; its methods must stand inline as well.
    ///
    /// # Errors
    /// As [`Connector::load`].
    pub fn from_node(
        key: ConnectorKey,
        file: &str,
        node: &Node,
    ) -> Result<(Arc<Self>, Vec<Complaint>), Vec<Complaint>> {
        loader::load_node(key, file, node, None)
    }

    /// The option of this key. None, or an empty key, is the connector's own way; without one, its first option.
    #[must_use]
    pub fn option(&self, key: Option<&str>) -> Option<&AuthOption> {
        self.shared_option(key).map(Arc::as_ref)
    }

    pub(super) fn shared_option(&self, key: Option<&str>) -> Option<&Arc<AuthOption>> {
        match key.filter(|key| !key.is_empty()) {
            Some(key) => self.ways.iter().find(|way| way.key.as_deref() == Some(key)),
            None => self.ways.first(),
        }
    }

    /// What a customer can choose among: the options; without any, the connector's own way.
    pub fn offered(&self) -> impl Iterator<Item = &AuthOption> {
        let has_options = self.ways.iter().any(|way| way.key.is_some());
        self.ways().filter(move |way| way.key.is_some() == has_options)
    }

    /// The connector's own way and its options.
    pub fn ways(&self) -> impl Iterator<Item = &AuthOption> {
        self.ways.iter().map(Arc::as_ref)
    }

    /// The keys that name whom its ways of the type `proxy` borrow from.
    pub fn proxy_keys(&self) -> impl Iterator<Item = &str> {
        self.ways().filter_map(|way| way.proxy_key.as_deref())
    }

    /// The same connector, each way of the type `proxy` connected with the lender that `find` gives for its key.
    #[must_use]
    pub fn borrowing(&self, find: impl Fn(&str) -> Option<Lender>) -> Self {
        let connected = |way: &Arc<AuthOption>| match way.proxy_key.as_deref().and_then(&find) {
            Some(lender) => Arc::new(way.borrowing(lender)),
            None => Arc::clone(way),
        };
        Self {
            key: self.key.clone(),
            name: self.name.clone(),
            ways: self.ways.iter().map(connected).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
