//! Who speaks on the outbound side: a verified token, or a trusted service on a customer's behalf.
//! Never knows how the service proved that it may be trusted.

use super::{Claims, Verified};
use crate::names::{CustomerId, Owner, WorkspaceKey};

/// Who speaks on the outbound side.
#[derive(Clone, Debug)]
pub struct Caller {
    workspace: WorkspaceKey,
    customer: Option<CustomerId>,
    admin: bool,
    verified: Option<Verified>,
}

impl Caller {
    /// Whoever sent the token.
    #[must_use]
    pub fn from_token(verified: Verified) -> Self {
        let claims = verified.claims();
        Self {
            workspace: claims.workspace.clone(),
            customer: claims.id.clone(),
            admin: claims.is_admin,
            verified: Some(verified),
        }
    }

    /// The pair `X-Sidegate-Workspace` and `X-Sidegate-Customer` from a trusted service; never an admin.
    #[must_use]
    pub fn trusted(workspace: WorkspaceKey, customer: CustomerId) -> Self {
        Self { workspace, customer: Some(customer), admin: false, verified: None }
    }

    /// The workspace it belongs to.
    #[must_use]
    pub fn workspace(&self) -> &WorkspaceKey {
        &self.workspace
    }

    /// The customer it speaks for; an admin may speak for none.
    #[must_use]
    pub fn customer(&self) -> Option<&CustomerId> {
        self.customer.as_ref()
    }

    /// Whether its token is an admin token.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.admin
    }

    /// Name and fields of the token, where there was one.
    #[must_use]
    pub fn claims(&self) -> Option<&Claims> {
        self.verified.as_ref().map(Verified::claims)
    }

    /// Whose records it may reach, where it speaks for a customer.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        let customer = self.customer.clone()?;
        Some(Owner { workspace: self.workspace.clone(), customer })
    }
}
