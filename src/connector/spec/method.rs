//! Where the implementation of a method stands: inline, or in a file named after the method.
//! Never knows what the method computes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::loader::{Loader, read};
use crate::document::{Kind, Node};

/// Every method key of the vendor's format, aliases among them.
pub(super) const NAMES: [&str; 11] = [
    "makeApiClient",
    "getOAuthConfig",
    "oAuthConfig",
    "getTokenData",
    "getCredentialsFromAccessTokenResponse",
    "getCredentialsFromRefreshTokenResponse",
    "getCredentialsFromTokenResponse",
    "getCredentialsFromConnectionParameters",
    "refreshCredentials",
    "test",
    "disconnect",
];

/// Methods whose implementation is never run by this version: connecting and testing are its user's.
const UNUSED: [&str; 2] = ["disconnect", "getTokenData"];

/// The methods that are evaluated, or refused if they cannot be.
#[derive(Clone, Copy)]
pub(super) enum Method {
    MakeApiClient,
    GetOAuthConfig,
    FromConnectionParameters,
    FromAccessTokenResponse,
    FromRefreshTokenResponse,
    RefreshCredentials,
}

impl Method {
    /// Its key, then its aliases.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::MakeApiClient => &["makeApiClient"],
            Self::GetOAuthConfig => &["getOAuthConfig", "oAuthConfig"],
            Self::FromConnectionParameters => &["getCredentialsFromConnectionParameters"],
            Self::FromAccessTokenResponse => {
                &["getCredentialsFromAccessTokenResponse", "getCredentialsFromTokenResponse"]
            }
            Self::FromRefreshTokenResponse => &["getCredentialsFromRefreshTokenResponse"],
            Self::RefreshCredentials => &["refreshCredentials"],
        }
    }

    /// The stems its file may have.
    fn stems(self) -> &'static [&'static str] {
        match self {
            Self::MakeApiClient => &["make-api-client"],
            Self::GetOAuthConfig => &["get-oauth-config", "oauth-config"],
            Self::FromConnectionParameters => &["get-credentials-from-connection-parameters"],
            Self::FromAccessTokenResponse => {
                &["get-credentials-from-access-token-response", "get-credentials-from-token-response"]
            }
            Self::FromRefreshTokenResponse => &["get-credentials-from-refresh-token-response"],
            Self::RefreshCredentials => &["refresh-credentials"],
        }
    }
}

/// A mapping and the file it stands in.
pub(super) type Found = (Arc<str>, Node);

impl Loader {
    /// Says which methods of the spec are accepted and then not run.
    pub(super) fn note_unused(&mut self, spec: &Node) {
        for entry in spec.entries().iter().filter(|entry| UNUSED.contains(&entry.key.as_str())) {
            let problem = format!("`{}` is accepted and not run by this version", entry.key);
            self.warn(entry.position, &problem, "nothing to do");
        }
    }

    /// The mapping of a method that must be there.
    pub(super) fn required(&mut self, spec: &Node, method: Method) -> Option<Found> {
        let [name, ..] = method.keys() else { return None };
        if method.keys().iter().all(|key| spec.get(key).is_none()) {
            let cure = format!("write `{name}: {{type: mapping, mapping: …}}`");
            self.complain(spec.position, &format!("the method `{name}` is missing"), &cure);
            return None;
        }
        self.optional(spec, method)
    }

    /// The mapping of a method, if the spec has the method.
    pub(super) fn optional(&mut self, spec: &Node, method: Method) -> Option<Found> {
        let (name, node) = method.keys().iter().find_map(|key| Some((*key, spec.get(key)?)))?;
        let Some(kind) = node.get("type").or_else(|| node.get("implementationType")).and_then(Node::text)
        else {
            let cure = "write `type: mapping` with a `mapping`, or `implementationType: mapping` with a file";
            self.complain(
                node.position,
                &format!("the method `{name}` does not say how it is implemented"),
                cure,
            );
            return None;
        };
        match kind {
            "mapping" => match node.get("mapping") {
                Some(mapping) => Some((Arc::clone(&self.file), mapping.clone())),
                None => self.method_file(name, method, node),
            },
            "not-supported" => None,
            other => {
                let problem = format!("the method `{name}` as `{other}` comes with a later version");
                self.complain(node.position, &problem, "write it as a mapping until then");
                None
            }
        }
    }

    fn method_file(&mut self, name: &str, method: Method, node: &Node) -> Option<Found> {
        let Some(folder) = self.folder.clone() else {
            self.complain(
                node.position,
                &format!("the method `{name}` has no `mapping`"),
                "write it inline here",
            );
            return None;
        };
        let Some(path) = candidates(&folder, method).find(|path| path.is_file()) else {
            let stem = method.stems().first().copied().unwrap_or_default();
            let problem = format!("the file of the method `{name}` is missing");
            self.complain(node.position, &problem, &format!("write auth/{stem}.map.yml"));
            return None;
        };
        match read(&path) {
            Ok(mapping) => Some((path.display().to_string().into(), mapping)),
            Err(complaints) => {
                self.complaints.extend(complaints);
                None
            }
        }
    }
}

/// The files that may hold a method, in the vendor's order of suffixes.
fn candidates(folder: &Path, method: Method) -> impl Iterator<Item = PathBuf> {
    let stems = method.stems().iter();
    stems.flat_map(move |stem| {
        [".map.yml", ".map.yaml", ".yml", ".yaml"]
            .map(|suffix| folder.join("auth").join(format!("{stem}{suffix}")))
    })
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
