//! Every configured third party, by key and by route.
//! Never changes: a reload swaps it whole.

use std::collections::HashMap;
use std::sync::Arc;

use super::Integration;
use crate::document::did_you_mean;
use crate::names::{IntegrationKey, WorkspaceKey};

/// Every configured third party, in the order of the configuration.
#[derive(Debug, Default)]
pub struct Catalog {
    integrations: Vec<Arc<Integration>>,
    by_key: HashMap<IntegrationKey, usize>,
    /// Prefixes without a slash at the end, longest first.
    routes: Vec<(String, usize)>,
}

impl Catalog {
    /// Gathers integrations whose keys and routes differ; of two with one key, the later counts.
    #[must_use]
    pub fn new(integrations: impl IntoIterator<Item: Into<Arc<Integration>>>) -> Self {
        let integrations: Vec<Arc<Integration>> = integrations.into_iter().map(Into::into).collect();
        let by_key = integrations.iter().enumerate().map(|(at, it)| (it.key.clone(), at)).collect();
        let mut routes: Vec<(String, usize)> = Vec::new();
        for (at, integration) in integrations.iter().enumerate() {
            let prefix = integration.route.as_deref().map(|route| route.trim_end_matches('/').to_owned());
            routes.extend(prefix.map(|prefix| (prefix, at)));
        }
        routes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self { integrations, by_key, routes }
    }

    /// The integration of this key, enabled or not.
    #[must_use]
    pub fn get(&self, key: &IntegrationKey) -> Option<&Arc<Integration>> {
        self.integrations.get(*self.by_key.get(key)?)
    }

    /// The key that was most likely meant by one that is not there, among those that `workspace` can use.
    #[must_use]
    pub fn nearest(&self, key: &IntegrationKey, workspace: &WorkspaceKey) -> Option<&IntegrationKey> {
        let usable = self.all().filter(|one| one.enabled && one.serves(workspace));
        let meant = did_you_mean(key.as_str(), usable.map(|one| one.key.as_str()))?;
        self.by_key.get_key_value(meant).map(|(key, _)| key)
    }

    /// All of them, enabled or not.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Integration>> {
        self.integrations.iter()
    }

    /// The longest transparent route that holds `path` by whole segments, with the rest of the path: empty, or
    /// beginning with a slash. `path` has no query.
    #[must_use]
    pub fn route<'p>(&self, path: &'p str) -> Option<(&Arc<Integration>, &'p str)> {
        self.routes.iter().find_map(|(prefix, at)| {
            let rest = path.strip_prefix(prefix.as_str())?;
            let whole = rest.is_empty() || rest.starts_with('/');
            whole.then(|| Some((self.integrations.get(*at)?, rest))).flatten()
        })
    }
}

#[cfg(test)]
mod tests;
