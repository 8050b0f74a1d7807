//! How a request to connect ends: by a redirect, by messages, by events, by a page.
//! Never ends one without telling whoever waits for it.

use http::header::{HeaderValue, LOCATION};
use http::{Response, StatusCode};
use url::Url;

use super::Connect;
use super::ask::{Visit, segment};
use super::page::{self, Told};
use super::rejection::Rejection;
use super::result;
use crate::formula::Value;
use crate::http::Body;
use crate::steps::Steps;
use crate::token::Caller;

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
            let place = match &made {
                Ok(connection) => connected_at(redirect, connection),
                Err(rejection) => refused_at(&redirect, &rejection.to_string(), &rejection.error_data()),
            };
            return sent_to(place.as_str());
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
                let again = visit.wish.text("connectionRequestId").map(request_page);
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

/// Sends a browser on, to an absolute address or a relative one. What stands there may be good for one use, and is
/// remembered by no header table on the way.
pub(super) fn sent_to(place: &str) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(mut place) = HeaderValue::from_str(place) {
        place.set_sensitive(true);
        answer.headers_mut().insert(LOCATION, place);
    }
    answer
}

/// Where a connection request is followed.
pub(super) fn request_page(name: &str) -> String {
    format!("/screens/connections?connectionRequestId={}", segment(name))
}
