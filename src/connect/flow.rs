//! The SDKs' request to connect something without a form, and how any request to connect ends: by a redirect, by messages,
//! by events. Never ends one without telling whoever waits for it.

use http::header::{HeaderValue, LOCATION};
use http::{Method, Response, StatusCode};
use serde_json::json;
use url::Url;

use super::Connect;
use super::ask::{Visit, segment};
use super::page::{self, Told};
use super::rejection::{Refused, Rejection};
use super::result;
use super::seen::Seen;
use crate::formula::Value;
use crate::http::Body;
use crate::steps::Steps;
use crate::token::Caller;

impl Connect {
    /// `/connect` and `/connection-popup`
    pub(super) async fn connect(&self, visit: Visit, seen: &mut Seen) -> Result<Response<Body>, Rejection> {
        let redirect = visit.wish.redirect(&self.config.load().redirects)?;
        let (caller, made) = match self.caller(visit.wish.token(), seen).await {
            Err(rejection) => (None, Err(rejection)),
            Ok(caller) => {
                let made = self.connect_as(&caller, &visit, seen).await;
                (Some(caller), made)
            }
        };
        if let Err(rejection) = &made {
            seen.refused(rejection);
        }
        Ok(self.ended(&visit, redirect, caller.as_ref(), made, true))
    }

    async fn connect_as(&self, caller: &Caller, visit: &Visit, seen: &mut Seen) -> Result<Value, Rejection> {
        let wish = &visit.wish;
        let again = wish.text("connectionId");
        let integration = wish.text("integrationKey").or_else(|| wish.text("integrationId"));
        if again.is_none() && integration.is_none() {
            return Err(Rejection::NothingToConnect);
        }
        let integration = integration.unwrap_or_default();
        seen.integration(integration);
        let wanted = wish.connection(integration, wish.any("authOptionKey"), None);
        self.make(caller, visit, &wanted, again).await.map_err(Rejection::Api)
    }

    /// Makes a connection through the API, or connects one again.
    pub(super) async fn make(
        &self,
        caller: &Caller,
        visit: &Visit,
        wanted: &Value,
        again: Option<&str>,
    ) -> Result<Value, Refused> {
        let line = match again {
            None => (Method::POST, "/connections".to_owned()),
            Some(id) => (Method::PATCH, format!("/connections/{}", segment(id))),
        };
        self.ask(caller, visit, line, Some(wanted)).await
    }

    /// Tells everybody whom it concerns, and shows or sends the browser on.
    pub(super) fn ended(
        &self,
        visit: &Visit,
        redirect: Option<Url>,
        caller: Option<&Caller>,
        made: Result<Value, Rejection>,
        is_awaited: bool,
    ) -> Response<Body> {
        let request = visit.wish.text("requestId");
        let message = message(request, &made);
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
        match made {
            Ok(connection) => {
                let told = Told { message, connection: Some(connection) };
                page::page(&config, "Connected", &result::connected(&Steps::default()), &told)
            }
            Err(rejection) => {
                let told = Told { message, connection: None };
                let content = result::refused(&rejection, &Steps::default());
                rejection.marked(page::page(&config, "Not connected", &content, &told))
            }
        }
    }
}

/// The message that the SDKs wait for.
pub(super) fn message(request: Option<&str>, made: &Result<Value, Rejection>) -> Value {
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
    if let Some(request) = request {
        message.overlay(&Value::from(json!({ "requestId": request })));
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
