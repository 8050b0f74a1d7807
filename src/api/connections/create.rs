//! `POST /connections`: a new connection, from credentials or from what they are made of.
//! Never leaves anything behind that it did not store whole.

use http::Response;

use super::draft::{self, Draft};
use super::material::{First, With, connect, user};
use crate::api::Api;
use crate::api::ask::Ask;
use crate::api::body::JsonBody;
use crate::api::rejection::Rejection;
use crate::api::seen::{Seen, random_id};
use crate::connector::{Connections, Integration};
use crate::http::Body;
use crate::names::{AppId, ConnectionId, Owner};
use crate::store::Connection;

impl Api {
    /// `POST /connections`. Where a customer has one connection of the integration, the new one replaces it.
    pub(in crate::api) async fn create_connection(
        &self,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let (owner, caller) = (ask.customer()?, ask.caller.clone());
        let body = ask.body().await?;
        let integration = self.usable(&caller, &draft::integration(&body)?)?;
        seen.integration(&integration.key);
        let draft = Draft::read(&body)?;
        let replace = replaces(&integration, &body)?;
        let app = integration.new_app(draft.auth_option()).map(|app| app.id.clone());
        let mut secrets = draft.secrets();
        let customer = self.customer(&owner).await?;
        let with = With::chosen(&integration, draft.auth_option(), app.as_ref(), &secrets)?;
        let with = with.whose(user(&customer));
        let First { expires_at, pinned_origin, by_exchange } =
            self.first_credentials(with, draft.source(), &mut secrets).await?;
        let expires_at = self.tested(with, &secrets, pinned_origin.as_deref(), expires_at).await?.expires_at;
        let auth_option = draft.auth_option().map(str::to_owned);
        let mut connection =
            Connection { pinned_origin, auth_option, ..self.blank(owner.clone(), &integration, app) };
        connect(&mut connection, expires_at, integration.refresh.ahead, self.clock.steady());
        if by_exchange {
            connection.refreshing.succeeded();
        }
        draft.open_part().write(&mut connection);
        seen.connection(&connection.id);
        let stored = self.store.insert(connection, secrets.into(), replace).await?;
        Ok(self.show(&stored.connection))
    }

    /// A connection of which nothing is known yet but whose it is and what for.
    pub(in crate::api) fn blank(
        &self,
        owner: Owner,
        integration: &Integration,
        app: Option<AppId>,
    ) -> Connection {
        let now = self.clock.now();
        let (key, name) = (integration.key.clone(), integration.connector.name.clone());
        Connection { app, ..Connection::new(ConnectionId::from(random_id()), owner, key, name, now) }
    }
}

/// Whether a new connection takes the place of the old: where a customer may have one only, and where several are not wanted.
pub(in crate::api) fn replaces(integration: &Integration, body: &JsonBody) -> Result<bool, Rejection> {
    match (integration.connections, body.truth("allowMultipleConnections")) {
        (Connections::One, Some(true)) => Err(Rejection::OneOnly { key: integration.key.clone() }),
        (Connections::One, _) | (Connections::Many, Some(false)) => Ok(true),
        (Connections::Many, _) => Ok(false),
    }
}
