//! `PATCH` and `PUT /connections/{selector}`: a connection changed, or connected again with new credentials.
//! Never moves a connection to another origin: what it holds was entered for the first.

use http::Response;

use super::draft::{Draft, Source};
use super::material::{Renewal, pinned_origin};
use super::{ATTEMPTS, live};
use crate::api::Api;
use crate::api::ask::Ask;
use crate::api::rejection::Rejection;
use crate::api::seen::Seen;
use crate::connector::{Hosts, Integration};
use crate::http::Body;
use crate::store::Connection;
use crate::store::redb::Replaced;

impl Api {
    /// `PATCH` and `PUT`: what the body leaves out stays. New credentials make the connection ready again.
    pub(in crate::api) async fn update_connection(
        &self,
        selector: &str,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let mut connection = self.found(selector, &ask.caller, seen).await?;
        let caller = ask.caller.clone();
        let body = ask.body().await?;
        let draft = Draft::read(&body)?;
        let itself = |one: &Connection| one.id == connection.id;
        self.refuse_taken_key(&connection.owner, draft.key, itself).await?;
        let integration =
            if draft.is_open() { None } else { Some(self.usable(&caller, &connection.integration)?) };
        for _ in 0..ATTEMPTS {
            let written = match &integration {
                None => self.write_open(&connection, &draft).await?,
                Some(integration) => self.write_secrets(&connection, &draft, integration).await?,
            };
            match written {
                Replaced::Stored(stored) => return Ok(self.show(&stored.connection)),
                Replaced::Overtaken(current) => connection = live(&current)?,
            }
        }
        Err(Rejection::Overtaken)
    }

    async fn write_open(&self, connection: &Connection, draft: &Draft<'_>) -> Result<Replaced, Rejection> {
        let mut changed = connection.clone();
        draft.write(&mut changed);
        Ok(self.store.update(connection.version, changed).await?)
    }

    async fn write_secrets(
        &self,
        connection: &Connection,
        draft: &Draft<'_>,
        integration: &Integration,
    ) -> Result<Replaced, Rejection> {
        let opened = self.open(connection).await?;
        let mut changed = Connection::clone(&opened.connection);
        draft.write(&mut changed);
        let mut secrets = opened.secrets_with(draft.changes());
        if draft.source() != Source::Nothing {
            // Whoever connects again does so with the app that serves new connections.
            let app = integration.app(None).map(|app| app.id.clone());
            let renewal =
                self.renewed_credentials(integration, app.as_ref(), draft.source(), &mut secrets)?;
            if let Renewal::Renewed(expires_at) = renewal {
                changed.app = app;
                self.connect(&mut changed, expires_at);
            }
        }
        let origin = pinned_origin(integration, changed.app.as_ref(), &secrets)?;
        if integration.hosts == Hosts::Connection && origin != changed.pinned_origin {
            let why = "it is not the one that this connection was made for; make a new connection";
            return Err(Rejection::Origin { why, source: None });
        }
        Ok(self.store.replace(opened.connection.version, changed, secrets.into()).await?)
    }
}
