//! Whether an exchange is made at all, and with what.
//! Never sends a grant, and never writes.

use std::sync::Arc;

use crate::connector::Integration;
use crate::method::Subject;
use crate::store::{Connection, Opened};

use super::exchange::Plan;
use super::memory::Pause;
use super::outcome::RefreshError;
use super::row::{account, open};
use super::{Cause, Refresher};

impl Refresher {
    /// The integration as it is configured now, and what to send; or why nothing is sent.
    pub(super) async fn admit(
        &self,
        current: &Opened,
        cause: Cause,
    ) -> Result<(Arc<Integration>, Plan), RefreshError> {
        let (connection, now) = (&current.connection, self.clock.steady());
        let integration = self.integration(connection)?;
        if let Some(pause) = self.memory.paused(connection, &integration, now)
            && !self.is_back(&pause).await
        {
            return Err(pause.error);
        }
        if cause == Cause::Rejection && self.memory.just_forced(&connection.id, connection.version, now) {
            return Err(RefreshError::RejectedWhileFresh);
        }
        let plan = self.plan(current, &integration).await.inspect_err(|error| {
            // No exchange was made, so there is nothing for the row.
            if let Some(note) = self.memory.note(connection, now, error) {
                self.memory.pause(&connection.id, &integration, &note, None);
            }
        })?;
        // Last of all: who is admitted asks for all connections of the app.
        if let Some(app) = plan.app(&integration) {
            self.memory.apps.admit(&app, now)?;
        }
        Ok((integration, plan))
    }

    /// The integration as it is configured now, and what would be sent: nothing is, so whatever speaks against sending
    /// does not count.
    pub(super) async fn planned(&self, current: &Opened) -> Result<(Arc<Integration>, Plan), RefreshError> {
        let integration = self.integration(&current.connection)?;
        let plan = self.plan(current, &integration).await?;
        Ok((integration, plan))
    }

    /// The connection's integration as it is configured now.
    pub(super) fn integration(&self, connection: &Connection) -> Result<Arc<Integration>, RefreshError> {
        let known = self.catalog.load().get(&connection.integration).map(Arc::clone);
        known.ok_or_else(|| RefreshError::MisconfiguredApp {
            reason: format!("the integration {} is not configured", connection.integration),
        })
    }

    async fn plan(&self, current: &Opened, integration: &Integration) -> Result<Plan, RefreshError> {
        let customer = self.customer(integration, current).await;
        let account = account(current, customer.as_ref());
        let subject = Subject::new(integration, account).map_err(|error| RefreshError::misfit(&error))?;
        Plan::of(&self.sources.methods, &subject, open(current)).await
    }

    /// Asks an endpoint that was down whether it is back, if nobody has just done so.
    async fn is_back(&self, pause: &Pause) -> bool {
        let Some(down) = &pause.down else { return false };
        let endpoints = &self.memory.endpoints;
        if !endpoints.may_ask(down, self.clock.steady()) {
            return false;
        }
        let answers = self.sources.tokens.answers(&down.uri, down.egress).await;
        endpoints.asked(down, answers, self.clock.steady());
        endpoints.is_back(down, pause.from)
    }
}
