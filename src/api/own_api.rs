//! The customer's own API, the reserved integration `internal-api`: credentials that are handed over instead of entered.
//! Never connects anything that the operator has not configured.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::Api;
use super::connections::{ATTEMPTS, First, Source, With, connect, user};
use super::customer::Told;
use super::rejection::Rejection;
use crate::connector::{INTERNAL_API, Integration};
use crate::formula::Value;
use crate::names::{IntegrationKey, Owner, WorkspaceKey};
use crate::store::redb::Replaced;
use crate::store::{Connection, Customer, Health, Reach, Secrets, Selected};

impl Api {
    /// Puts the credentials that are told for a customer's own API where calls find them: into its connection of
    /// `internal-api`. Where no such integration is configured they are left in what is told, for the customer's record.
    pub(super) async fn keep_own_credentials(&self, owner: &Owner, told: &mut Told) -> Result<(), Rejection> {
        let Some(integration) = self.own_api(&owner.workspace) else { return Ok(()) };
        let Some(credentials) = told.credentials.take() else { return Ok(()) };
        fit(&integration, &credentials)?;
        let known = self.store.customer(owner).await?;
        let customer = told.seen_over(known, owner.clone(), self.clock.now());
        self.connect_own(&customer, &integration, &credentials).await
    }

    /// Refuses credentials that could not be kept.
    pub(super) fn check_own_credentials(
        &self,
        workspace: &WorkspaceKey,
        told: &Told,
    ) -> Result<(), Rejection> {
        match (self.own_api(workspace), &told.credentials) {
            (Some(integration), Some(credentials)) => fit(&integration, credentials),
            _ => Ok(()),
        }
    }

    /// The integration that stands for the customer's own API, if it serves this workspace.
    fn own_api(&self, workspace: &WorkspaceKey) -> Option<Arc<Integration>> {
        let found = self.catalog.load().get(&IntegrationKey::from(INTERNAL_API)).cloned();
        found.filter(|integration| integration.enabled && integration.serves(workspace))
    }

    /// The SDKs hand over the same credentials whenever they are constructed. What was handed over already changes nothing:
    /// it may have been refreshed since.
    async fn connect_own(
        &self,
        customer: &Customer,
        integration: &Integration,
        credentials: &Zeroizing<Value>,
    ) -> Result<(), Rejection> {
        let owner = &customer.owner;
        let reach = Reach::Customer(owner.clone());
        for _ in 0..ATTEMPTS {
            let found = match self.store.select_only(&reach, &integration.key).await? {
                Selected::One(found) => Some(self.open(&found).await?),
                _ => None,
            };
            if found
                .as_ref()
                .is_some_and(|it| it.was_entered(credentials) && it.connection.health == Health::Ready)
            {
                return Ok(());
            }
            let app = integration.new_app(None).map(|app| app.id.clone());
            let mut secrets = Zeroizing::new(Secrets {
                credentials: Value::clone(credentials),
                input: Value::clone(credentials),
                connector_parameters: Value::empty_object(),
            });
            let with = With::of(integration, None, app.as_ref())?.whose(user(customer));
            let First { expires_at, pinned_origin: origin, .. } =
                self.first_credentials(with, Source::Sent, &mut secrets).await?;
            let expires_at = self.tested(with, &secrets, origin.as_deref(), expires_at).await?.expires_at;
            let (ahead, now) = (integration.refresh.ahead, self.clock.steady());
            let change = move |one: &mut Connection| {
                one.pinned_origin = origin;
                one.app = app;
                connect(one, expires_at, ahead, now);
            };
            let Some(found) = found else {
                let mut connection = self.blank(owner.clone(), integration, None);
                change(&mut connection);
                self.store.insert(connection, secrets.into(), true).await?;
                return Ok(());
            };
            if let Replaced::Stored(_) = self.store.replace(&found.connection, secrets.into(), change).await?
            {
                return Ok(());
            }
        }
        Err(Rejection::Overtaken)
    }
}

fn fit(integration: &Integration, credentials: &Value) -> Result<(), Rejection> {
    if credentials.as_object().is_none() {
        return Err(Rejection::WrongField { field: "credentials", expected: "an object" });
    }
    integration.check_credentials(credentials).map_err(Rejection::Schema)
}
