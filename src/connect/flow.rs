//! The SDKs' request to connect something without a form, and what every request to connect comes to.
//! Never says how one ended.

use http::{Method, Response};

use super::Connect;
use super::ask::{Visit, segment};
use super::ending::End;
use super::rejection::{Refused, Rejection};
use super::seen::Seen;
use crate::formula::Value;
use crate::http::Body;
use crate::steps::Steps;
use crate::token::Caller;

/// What came of a request to connect.
pub(super) enum Made {
    /// A connection.
    Connection(Value),
    /// Nothing yet: the browser has to do something first.
    NotYet(Response<Body>),
}

impl Connect {
    /// `/connect` and `/connection-popup`
    pub(super) async fn connect(&self, visit: Visit, seen: &mut Seen) -> Result<Response<Body>, Rejection> {
        let redirect = visit.wish.redirect(&self.config.load().redirects)?;
        let mut steps = Steps::default();
        let (caller, made) = match self.caller(visit.wish.token(), seen).await {
            Err(rejection) => (None, Err(rejection)),
            Ok(caller) => match self.connect_as(&caller, &visit, seen, &mut steps).await {
                Ok(Made::NotYet(answer)) => return Ok(answer),
                Ok(Made::Connection(connection)) => (Some(caller), Ok(connection)),
                Err(rejection) => (Some(caller), Err(rejection)),
            },
        };
        if let Err(rejection) = &made {
            seen.refused(rejection);
        }
        let end = End { made, steps: &steps, is_awaited: true, integration: seen.integration_key() };
        Ok(self.ended(&visit, redirect, caller.as_ref(), end))
    }

    async fn connect_as(
        &self,
        caller: &Caller,
        visit: &Visit,
        seen: &mut Seen,
        steps: &mut Steps,
    ) -> Result<Made, Rejection> {
        let wish = &visit.wish;
        let again = wish.text("connectionId");
        let integration = wish.text("integrationKey").or_else(|| wish.text("integrationId"));
        if again.is_none() && integration.is_none() {
            return Err(Rejection::NothingToConnect);
        }
        let integration = integration.unwrap_or_default();
        seen.integration(integration);
        if let Some(form) = self.form_before_consent(caller, visit, integration, again, seen).await? {
            return Ok(Made::NotYet(form));
        }
        let wanted = wish.connection(integration, wish.any("authOptionKey"), None);
        self.make(caller, visit, &wanted, again, steps).await.map_err(Rejection::Api)
    }

    /// Makes a connection through the API, or connects one again; or sends the browser away for the customer's consent.
    pub(super) async fn make(
        &self,
        caller: &Caller,
        visit: &Visit,
        wanted: &Value,
        again: Option<&str>,
        steps: &mut Steps,
    ) -> Result<Made, Refused> {
        if let Some(away) = self.sent_away(caller, visit, wanted, again, steps).await? {
            return Ok(Made::NotYet(away));
        }
        let line = match again {
            None => (Method::POST, "/connections".to_owned()),
            Some(id) => (Method::PATCH, format!("/connections/{}", segment(id))),
        };
        self.ask(caller, visit, line, Some(wanted)).await.map(Made::Connection)
    }
}
