//! The settings that only a restart changes, so that a reload can say which of them were changed in vain.
//! Never holds a secret: what was typed as one is `[secret]` before it comes here.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::path::Places;
use super::raw;
use crate::document::Complaint;

/// Below these, but for [`RELOADED`], nothing changes while the process runs: sockets are bound, threads are started,
/// the store is open.
const FIXED: [&str; 5] = ["listeners", "workers", "store", "accessLog", "scripts"];
/// What a reload changes all the same.
const RELOADED: [[&str; 3]; 1] = [["listeners", "outbound", "serviceSecret"]];

/// Each fixed setting by its keys, as JSON text.
#[derive(Clone, Debug, Default)]
pub struct Fixed(BTreeMap<Vec<String>, String>);

impl Fixed {
    pub(super) fn of(raw: &raw::Sidegate) -> Self {
        let mut leaves = BTreeMap::new();
        let tree = serde_json::to_value(raw).unwrap_or_default();
        for section in FIXED {
            if let Some(value) = tree.get(section) {
                gather(value, vec![section.to_owned()], &mut leaves);
            }
        }
        Self(leaves)
    }

    /// A complaint for each setting that `wanted` has otherwise, at its place in `places`.
    #[must_use]
    pub fn changed_in_vain(&self, wanted: &Self, places: &Places) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        let keys: std::collections::BTreeSet<_> = self.0.keys().chain(wanted.0.keys()).collect();
        for path in keys {
            if self.0.get(path) == wanted.0.get(path) {
                continue;
            }
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let problem = format!("`{}` changed, and a reload cannot change it", path.join("."));
            complaints.push(places.complaint(&path, problem, "restart Sidegate to apply it"));
        }
        complaints
    }
}

fn gather(value: &Json, path: Vec<String>, leaves: &mut BTreeMap<Vec<String>, String>) {
    if RELOADED.iter().any(|keys| path == *keys) {
        return;
    }
    let below = |key: String| path.iter().cloned().chain([key]).collect();
    match value {
        Json::Object(entries) => {
            entries.iter().for_each(|(key, value)| gather(value, below(key.clone()), leaves));
        }
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| gather(value, below(at.to_string()), leaves));
        }
        leaf => {
            leaves.insert(path, leaf.to_string());
        }
    }
}
