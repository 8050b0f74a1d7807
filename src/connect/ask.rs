//! One visit of a browser, and what it asks of the API on the visitor's behalf.
//! Never asks for anything that the visitor's own token would not give.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use zeroize::Zeroizing;

use super::Connect;
use super::rejection::{Refused, Rejection};
use super::wish::Wish;
use crate::formula::Value;
use crate::http::Body;
use crate::http::body::{Collected, collect_within};
use crate::http::listener::Arrival;
use crate::http::request_id::X_REQUEST_ID;
use crate::token::Caller;

/// The longest form, in bytes.
const LIMIT: usize = 1024 * 1024;
/// How long it may take to arrive.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest answer of the API that is read: a page of this room needs one thing at a time.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// One visit.
pub(super) struct Visit {
    pub(super) wish: Wish,
    /// What was typed, name by name.
    pub(super) typed: Vec<(String, String)>,
    pub(super) path: String,
    pub(super) request_id: Option<HeaderValue>,
    pub(super) arrival: Arrival,
}

impl Visit {
    /// Reads query and form.
    pub(super) async fn read(head: &Parts, body: Body, arrival: Arrival) -> Result<Self, Rejection> {
        let query = head.uri.query().unwrap_or_default();
        let mut pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut typed = Vec::new();
        if head.method == Method::POST {
            typed = form(head, body, LIMIT).await?;
            pairs.extend(typed.iter().cloned());
        }
        Ok(Self {
            wish: Wish::of(&pairs)?,
            typed,
            path: head.uri.path().to_owned(),
            request_id: head.headers.get(&X_REQUEST_ID).cloned(),
            arrival,
        })
    }
}

impl Visit {
    /// A visit of this wish, with nothing typed.
    pub(super) fn again(wish: Wish, head: &Parts, arrival: Arrival) -> Self {
        Self {
            wish,
            typed: Vec::new(),
            path: head.uri.path().to_owned(),
            request_id: head.headers.get(&X_REQUEST_ID).cloned(),
            arrival,
        }
    }

    /// The same at another page, with nothing typed.
    pub(super) fn at(&self, path: String) -> Self {
        let request_id = self.request_id.clone();
        Self { wish: self.wish.clone(), typed: Vec::new(), path, request_id, arrival: self.arrival }
    }
}

/// The fields of a form of at most `limit` bytes.
pub(super) async fn form(head: &Parts, body: Body, limit: usize) -> Result<Vec<(String, String)>, Rejection> {
    let is_form = head.headers.get(CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded")
    });
    let form = whole(body, limit).await?;
    if !is_form && !form.is_empty() {
        return Err(Rejection::MalformedForm("it is not application/x-www-form-urlencoded"));
    }
    Ok(url::form_urlencoded::parse(&form).into_owned().collect())
}

async fn whole(body: Body, limit: usize) -> Result<Zeroizing<Vec<u8>>, Rejection> {
    match tokio::time::timeout(DEADLINE, collect_within(body, limit)).await {
        Ok(Ok(Collected::Whole(form))) => Ok(Zeroizing::new(form.to_vec())),
        Ok(Ok(Collected::TooLong(_))) => Err(Rejection::FormTooLarge { limit }),
        Ok(Err(_)) | Err(_) => Err(Rejection::MalformedForm("it broke off")),
    }
}

impl Connect {
    /// Asks the API as `caller`: its answer, or why it refused.
    pub(super) async fn ask(
        &self,
        caller: &Caller,
        visit: &Visit,
        (method, path): (Method, String),
        body: Option<&Value>,
    ) -> Result<Value, Refused> {
        let text = body.map(serde_json::to_vec).transpose().map_err(|_| Refused::unreadable())?;
        let mut request = Request::new(text.map_or_else(Body::empty, Body::full));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| Refused::unreadable())?;
        if let Some(id) = &visit.request_id {
            request.headers_mut().insert(&X_REQUEST_ID, id.clone());
        }
        let answer = self.api.handle(request, caller.clone(), visit.arrival).await;
        let status = answer.status();
        let Ok(Collected::Whole(text)) = collect_within(answer.into_body(), ANSWER_LIMIT).await else {
            return Err(Refused::unreadable());
        };
        let told: Value = serde_json::from_slice(&text).map_err(|_| Refused::unreadable())?;
        if status.is_success() { Ok(told) } else { Err(Refused { status, error: told }) }
    }
}

/// A name as one segment of a path.
pub(super) fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
