//! What an upstream asks of a token beyond a valid signature.
//! Never knows of keys: whether the signature holds is not decided here.

use std::time::Duration;

use super::claims::Claims;
use super::error::TokenError;
use super::verify::Verified;
use crate::clock::Timestamp;
use crate::names::WorkspaceKey;

/// What an upstream asks of a token beyond a valid signature.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Workspaces whose tokens are taken; empty: all.
    pub workspaces: Vec<WorkspaceKey>,
    /// How far the clocks of issuer and gate may differ: `exp` is stretched and `nbf` brought forward by it.
    pub leeway: Duration,
    /// Whether a token without `exp` is refused.
    pub require_expiry: bool,
}

impl Policy {
    pub(super) fn admits_workspace(&self, workspace: &WorkspaceKey) -> Result<(), TokenError> {
        let takes = self.workspaces.is_empty() || self.workspaces.contains(workspace);
        if takes { Ok(()) } else { Err(TokenError::WorkspaceNotAllowed) }
    }

    pub(super) fn admits_times(&self, claims: &Claims, now: Timestamp) -> Result<(), TokenError> {
        let (now, leeway) = (now.as_secs_f64(), self.leeway.as_secs_f64());
        match claims.expires_at {
            None if self.require_expiry => return Err(TokenError::NoExpiry),
            Some(expires_at) if now >= expires_at + leeway => return Err(TokenError::Expired),
            _ => {}
        }
        if claims.not_before.is_some_and(|not_before| not_before > now + leeway) {
            return Err(TokenError::NotActive);
        }
        Ok(())
    }

    /// What depends on the policy and the time, and so is asked on every use of a token, remembered or not.
    pub(super) fn admits(&self, verified: &Verified, now: Timestamp) -> Result<(), TokenError> {
        self.admits_workspace(&verified.claims().workspace)?;
        self.admits_times(verified.claims(), now)
    }
}
