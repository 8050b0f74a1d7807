//! `PATCH` and `PUT /connections/{selector}`: a connection changed, or connected again with new credentials.
//! Never moves a connection to another origin: what it holds was entered for the first.

use http::Response;

use super::draft::{Draft, Source};
use super::material::{Renewal, With, connect, user};
use super::{ATTEMPTS, live};
use crate::api::Api;
use crate::api::ask::Ask;
use crate::api::place::Selector;
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
        selector: &Selector,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let mut connection = self.found(selector, &ask.caller, seen).await?;
        let caller = ask.caller.clone();
        let body = ask.body().await?;
        let draft = Draft::read(&body)?;
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
        let open = draft.open_part();
        Ok(self.store.update(connection, |one| open.write(one)).await?)
    }

    async fn write_secrets(
        &self,
        connection: &Connection,
        draft: &Draft<'_>,
        integration: &Integration,
    ) -> Result<Replaced, Rejection> {
        let opened = self.open(connection).await?;
        let mut secrets = opened.secrets_with(draft.changes());
        let option = draft.auth_option().or(opened.connection.auth_option.as_deref()).map(str::to_owned);
        // Whoever connects again does so with the app that serves new connections.
        let newest = integration.new_app(option.as_deref()).map(|app| app.id.clone());
        let customer = self.customer(&connection.owner).await?;
        let with = With::of(integration, option.as_deref(), newest.as_ref())?.whose(user(&customer));
        let mut renewal = match draft.source() {
            Source::Nothing => Renewal::Kept,
            source => self.renewed_credentials(with, source, &mut secrets).await?,
        };
        let app = if renewal == Renewal::Kept { opened.connection.app.clone() } else { newest.clone() };
        let with = With { app: app.as_ref(), ..with };
        let origin = self.pinned_origin(with, &secrets).await?;
        if integration.hosts == Hosts::Connection && origin != opened.connection.pinned_origin {
            let why = "it is not the one that this connection was made for; make a new connection";
            return Err(Rejection::Origin { why, source: None });
        }
        if let Renewal::Renewed(expires_at) = renewal {
            renewal = Renewal::Renewed(
                self.tested(with, &secrets, origin.as_deref(), expires_at).await?.expires_at,
            );
        }
        let app = app.clone();
        let (open, ahead, now) = (draft.open_part(), integration.refresh.ahead, self.clock.steady());
        let change = move |one: &mut Connection| {
            open.write(one);
            if let Renewal::Renewed(expires_at) = renewal {
                one.app = app;
                one.auth_option = option;
                connect(one, expires_at, ahead, now);
            }
        };
        Ok(self.store.replace(&opened.connection, secrets.into(), change).await?)
    }
}
