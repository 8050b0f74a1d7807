//! The type `proxy`: a way that is connected with the OAuth app, and by the methods, of another integration.
//! Never gives a method of the borrower's what is the lender's own.

use std::sync::Arc;

use super::{AuthOption, Integration};

/// Who an option borrows from: an integration, and the way of its connector that makes and renews the credentials.
#[derive(Clone, Debug)]
pub struct Lender {
    integration: Arc<Integration>,
    option: Arc<AuthOption>,
}

impl Lender {
    /// The integration's connector's own way; without one, its first option.
    #[must_use]
    pub fn of(integration: &Arc<Integration>) -> Option<Self> {
        let option = integration.connector.shared_option(None)?;
        Some(Self { integration: Arc::clone(integration), option: Arc::clone(option) })
    }

    /// The integration whose apps are used.
    #[must_use]
    pub fn integration(&self) -> &Integration {
        &self.integration
    }

    /// The way whose methods are used.
    #[must_use]
    pub fn option(&self) -> &AuthOption {
        &self.option
    }
}
