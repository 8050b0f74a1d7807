//! A connector: its auth spec, read once, its methods checked and ready to evaluate.
//! Never knows which integration uses it.

mod loader;
mod method;

use std::path::Path;
use std::sync::Arc;

use super::api_client::ResponseHandlers;
use crate::document::{Complaint, Node};
use crate::formula::Template;
use crate::names::ConnectorKey;

/// What kind of credentials a third party takes. The vendor's other types (oauth1, proxy, the token types) come with
/// a later version; a spec of one is a load error that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// What the customer typed in: an API key, a user name and password, a token.
    ClientCredentials,
    /// OAuth 2.0 (RFC 6749): tokens that are refreshed.
    OAuth2,
}

/// A connector, immutable; integrations share it.
#[derive(Debug)]
pub struct Connector {
    /// The name of its folder, or its key in the configuration.
    pub key: ConnectorKey,
    /// What people call the third party.
    pub name: String,
    /// The kind of credentials.
    pub auth: AuthType,
    /// The JSON Schema of what a customer types in.
    pub input_schema: Option<serde_json::Value>,
    pub(super) methods: Methods,
}

/// The methods of a spec. A [`Template`] shows nothing in its `Debug`, for a mapping may hold literals.
#[derive(Debug)]
pub(super) struct Methods {
    pub(super) make_api_client: Template,
    pub(super) response_handlers: ResponseHandlers,
    pub(super) oauth_config: Option<Template>,
    pub(super) credentials_from_parameters: Option<Template>,
    pub(super) credentials_from_token_response: Option<Template>,
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

    /// The host and port of the base URI, where the mapping has it as a literal: what may be sent to by default.
    #[must_use]
    pub fn literal_base_host(&self) -> Option<(String, u16)> {
        literal_host(&self.methods.make_api_client, &["baseUri", "baseUrl"])
    }

    /// Whether the token endpoint is a literal of `getOAuthConfig`, so that nothing a customer typed in can move it.
    #[must_use]
    pub fn has_literal_token_endpoint(&self) -> bool {
        self.methods
            .oauth_config
            .as_ref()
            .is_some_and(|mapping| literal_host(mapping, &["tokenUri"]).is_some())
    }
}

/// The host and port of the URL that stands as a literal under one of `names`.
fn literal_host(mapping: &Template, names: &[&str]) -> Option<(String, u16)> {
    let mapping = mapping.member("args").unwrap_or_else(|| mapping.clone());
    let uri = names.iter().find_map(|name| mapping.member(name))?.literal()?;
    let uri = url::Url::parse(uri.as_str()?).ok()?;
    Some((uri.host_str()?.to_owned(), uri.port_or_known_default()?))
}

#[cfg(test)]
mod tests;
