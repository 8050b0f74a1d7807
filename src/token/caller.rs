//! skeleton
use super::Verified;
use crate::names::{CustomerId, Owner, WorkspaceKey};

/// Who speaks on the outbound side: a verified token, or a service we trust that names its customer.
#[derive(Clone)]
pub struct Caller { /* private */ workspace: WorkspaceKey, customer: Option<CustomerId>, admin: bool, verified: Option<Verified> }
impl Caller {
    pub fn from_token(verified: Verified) -> Self { Self { workspace: verified.claims().workspace.clone(), customer: verified.claims().id.clone(), admin: verified.claims().is_admin, verified: Some(verified) } }
    /// The pair `X-Sidegate-Workspace` and `X-Sidegate-Customer` from a trusted service.
    pub fn trusted(workspace: WorkspaceKey, customer: CustomerId) -> Self { Self { workspace, customer: Some(customer), admin: false, verified: None } }
    pub fn workspace(&self) -> &WorkspaceKey { &self.workspace }
    pub fn customer(&self) -> Option<&CustomerId> { self.customer.as_ref() }
    pub fn is_admin(&self) -> bool { self.admin }
    /// Name and fields of the token, where there was one.
    pub fn claims(&self) -> Option<&super::Claims> { self.verified.as_ref().map(Verified::claims) }
    pub fn owner(&self) -> Option<Owner> { self.customer.clone().map(|customer| Owner { workspace: self.workspace.clone(), customer }) }
}
