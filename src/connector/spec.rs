//! skeleton
use std::sync::Arc;
use std::path::Path;
use crate::document::{Complaint, Node};
use crate::names::ConnectorKey;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType { ClientCredentials, OAuth2 /* OAuth1, Proxy, IntegrationAppToken, MembraneToken: later issues; a load error that names the type */ }
/// A connector: its auth spec, methods checked and ready to evaluate.
#[derive(Debug)]
pub struct Connector { pub key: ConnectorKey, pub name: String, pub auth: AuthType, pub input_schema: Option<serde_json::Value>, /* methods: private */ }
impl Connector {
    /// A folder: spec.yml (or spec.yaml) and auth/<method>.(map.yml|yml). Both generations (auth: wrapper, top-level inline {type, mapping}).
    pub fn load(_key: ConnectorKey, _folder: &Path) -> Result<(Arc<Self>, Vec<Complaint>), Vec<Complaint>> { unimplemented!() }
    /// Inline in sidegate.yaml: only inline methods are possible.
    pub fn from_node(_key: ConnectorKey, _file: &str, _node: &Node) -> Result<(Arc<Self>, Vec<Complaint>), Vec<Complaint>> { unimplemented!() }
}
