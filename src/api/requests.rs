//! Requests to connect that a server makes for a customer, who follows their address in a browser.
//! Never lets a request's name do more than connect the one thing that it is for.

use http::{Method, Response};
use serde::Serialize;

use super::Api;
use super::ask::Ask;
use super::body::JsonBody;
use super::connections::integration_key;
use super::place::{Place, Selector};
use super::rejection::Rejection;
use super::seen::{Seen, random_id};
use super::view;
use crate::clock::Timestamp;
use crate::formula::Value;
use crate::http::Body;
use crate::steps::Steps;
use crate::store::{ConnectionRequest, Outcome};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestView<'a> {
    request_id: &'a str,
    tenant_id: &'a str,
    url: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_connection_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_error: Option<&'a Value>,
    #[serde(skip_serializing_if = "Steps::is_empty")]
    steps: &'a Steps,
    created_at: String,
}

impl Api {
    /// Everything at `/connection-requests`.
    pub(super) async fn on_connection_requests(
        &self,
        method: &Method,
        place: &Place<'_>,
        ask: Ask,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        match (&place.selector, method) {
            _ if !place.operation.is_empty() => Err(Rejection::NothingHere),
            (None, &Method::POST) => self.make_request(ask, seen).await,
            (None, _) => Err(Rejection::MethodNotAllowed { allow: "POST" }),
            (Some(name), _) => {
                seen.nameless();
                match *method {
                    Method::GET => self.read_request(name.text()?, ask).await,
                    _ => Err(Rejection::MethodNotAllowed { allow: "GET" }),
                }
            }
        }
    }

    /// `POST /connection-requests`
    async fn make_request(&self, ask: Ask, seen: &mut Seen) -> Result<Response<Body>, Rejection> {
        let (owner, caller) = (ask.customer()?, ask.caller.clone());
        let base = self.public_url()?;
        let body = ask.body().await?;
        if body.any("connectorParameters").is_some() {
            let why = "a request holds no secrets: set them on the connection, or on the integration";
            return Err(Rejection::FieldNotTaken { field: "connectorParameters".into(), why });
        }
        let connection = match body.one_of(&["connectionId", "connectionKey"], JsonBody::text)? {
            Some(name) => Some(self.found(&Selector::Name(name.to_owned()), &caller, seen).await?),
            None => None,
        };
        let integration = match &connection {
            Some(connection) => connection.integration.clone(),
            None => integration_key(&body)?,
        };
        let integration = self.usable(&caller, &integration)?;
        seen.integration(&integration.key);
        let created_at = self.clock.now();
        let request = ConnectionRequest {
            owner,
            integration: integration.key.clone(),
            connection: connection.map(|connection| connection.id),
            name: body.text("name")?.map(str::to_owned),
            several: body.truth("allowMultipleConnections") == Some(true),
            redirect_uri: body.text("redirectUri")?.map(str::to_owned),
            outcome: None,
            steps: Steps::default(),
            created_at,
        };
        // Its time of birth leads to its row, and the rest cannot be guessed.
        let name = format!("{:x}-{}", created_at.as_millis(), random_id());
        self.store.put_request(&name, &request).await?;
        Ok(shown(&base, &name, &request))
    }

    /// `GET /connection-requests/{requestId}`
    async fn read_request(&self, name: &str, ask: Ask) -> Result<Response<Body>, Rejection> {
        let owner = ask.customer()?;
        let request = self.connection_request(name).await?.filter(|request| request.owner == owner);
        let mut request = request.ok_or(Rejection::UnknownRequest)?;
        if request.outcome.is_none() {
            request.steps = self.progress.of(name);
        }
        Ok(shown(&self.public_url()?, name, &request))
    }

    /// The request of this name, if it is one and not too old.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn connection_request(&self, name: &str) -> Result<Option<ConnectionRequest>, Rejection> {
        let born = name.split('-').next().and_then(|time| u64::from_str_radix(time, 16).ok());
        let Some(born) = born else { return Ok(None) };
        Ok(self.store.request(name, Timestamp::from_millis(born)).await?)
    }

    /// Notes what came of a request, and what was done for it. A success stays whatever comes after it.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn conclude(
        &self,
        name: &str,
        request: &ConnectionRequest,
        outcome: Outcome,
        steps: &Steps,
    ) -> Result<(), Rejection> {
        self.store.conclude_request(name, request.created_at, outcome, steps.clone()).await?;
        self.progress.forget(name);
        Ok(())
    }

    /// Where browsers reach the connect pages.
    pub(super) fn public_url(&self) -> Result<String, Rejection> {
        self.browsers.load().address().map(str::to_owned).ok_or(Rejection::NoPublicUrl)
    }
}

fn shown(base: &str, name: &str, request: &ConnectionRequest) -> Response<Body> {
    let (status, connection, error) = match &request.outcome {
        None => ("pending", None, None),
        Some(Outcome::Success(connection)) => ("success", Some(connection.as_str()), None),
        Some(Outcome::Cancelled) => ("cancelled", None, None),
        Some(Outcome::Error(error)) => ("error", None, Some(error)),
    };
    view::shown(&RequestView {
        request_id: name,
        tenant_id: request.owner.customer.as_str(),
        url: format!("{base}/screens/connections?connectionRequestId={name}"),
        status,
        result_connection_id: connection,
        result_error: error,
        steps: &request.steps,
        created_at: request.created_at.to_string(),
    })
}
