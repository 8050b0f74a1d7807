//! The SDKs' request to connect something without a form, and how any request to connect ends: by a redirect, by messages,
//! by events. Never ends one without telling whoever waits for it.

use http::header::{HeaderValue, LOCATION};
use http::{Method, Response, StatusCode};
use url::Url;

use super::Connect;
use super::ask::{Visit, segment};
use super::page::{self, Told};
use super::rejection::{Refused, Rejection};
use super::seen::Seen;
use super::{requested, result};
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

/// How a request to connect ended.
pub(super) struct End<'s> {
    /// The connection, or why there is none.
    pub(super) made: Result<Value, Rejection>,
    /// What was done for it.
    pub(super) steps: &'s Steps,
    /// Whether somebody waits for a message of it.
    pub(super) is_awaited: bool,
    /// What was to be connected, as far as that is known.
    pub(super) integration: &'s str,
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

    /// Tells everybody whom it concerns, and shows or sends the browser on.
    pub(super) fn ended(
        &self,
        visit: &Visit,
        redirect: Option<Url>,
        caller: Option<&Caller>,
        end: End<'_>,
    ) -> Response<Body> {
        let End { made, steps, is_awaited, integration } = end;
        let request = visit.wish.text("requestId");
        let message = message(request, visit.wish.text("connectionId"), &made);
        if let (Some(request), Some(caller)) = (request, caller)
            && let Ok(text) = serde_json::to_vec(&message)
        {
            self.events.tell(request, caller.owner(), text.into());
        }
        if let Some(redirect) = redirect {
            return sent_to(&match &made {
                Ok(connection) => connected_at(redirect, connection),
                Err(rejection) => refused_at(&redirect, &rejection.to_string(), &rejection.error_data()),
            });
        }
        let message = is_awaited.then_some(message);
        let config = self.config.load();
        let title = result::title(made.is_ok(), self.api.name_of(integration).as_deref());
        match made {
            Ok(connection) => {
                let told = Told { message, connection: Some(connection) };
                page::page(&config, &title, &result::connected(&title, steps), &told)
            }
            Err(rejection) => {
                let told = Told { message, connection: None };
                let again = visit.wish.text("connectionRequestId").map(requested::path);
                let content = result::refused(&title, &rejection, steps, again.as_deref());
                rejection.marked(page::page(&config, &title, &content, &told))
            }
        }
    }
}

/// The message that the SDKs wait for. `again`: the connection that was to be connected again.
pub(super) fn message(request: Option<&str>, again: Option<&str>, made: &Result<Value, Rejection>) -> Value {
    let mut message = match made {
        Ok(connection) => Value::from_iter([
            ("source", Value::from("integration.app")),
            ("type", Value::from("newConnectionCreated")),
            ("connection", connection.clone()),
        ]),
        Err(rejection) => Value::from_iter([
            ("source", Value::from("integration.app")),
            ("type", Value::from("newConnectionFailure")),
            ("error", Value::from(rejection.to_string())),
            ("errorData", rejection.error_data()),
        ]),
    };
    let failed = again.filter(|_| made.is_err());
    for (name, text) in [("requestId", request), ("connectionId", failed)] {
        message.overlay(&text.map(|text| (name, Value::from(text))).into_iter().collect());
    }
    message
}

fn connected_at(mut redirect: Url, connection: &Value) -> Url {
    let id = connection.get("id").and_then(Value::as_str).unwrap_or_default();
    redirect.query_pairs_mut().append_pair("connectionId", id);
    redirect
}

/// Where a browser goes that has no connection to bring.
pub(super) fn refused_at(redirect: &Url, error: &str, data: &Value) -> Url {
    let mut redirect = redirect.clone();
    redirect.query_pairs_mut().append_pair("error", error);
    if *data != Value::Null {
        let data = serde_json::to_string(data).unwrap_or_default();
        redirect.query_pairs_mut().append_pair("errorData", &data);
    }
    redirect
}

/// Sends a browser on.
pub(super) fn sent_to(url: &Url) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(place) = HeaderValue::from_str(url.as_str()) {
        answer.headers_mut().insert(LOCATION, place);
    }
    answer
}
