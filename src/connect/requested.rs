//! Connection requests as whoever follows one meets them: the form, how it ended, and who else is told.
//! Never asks who follows one: to know its name is enough, and enough for the one thing that it is for.

use http::Response;

use super::Connect;
use super::ask::{Visit, segment};
use super::ending::{message, refused_at, sent_to};
use super::page::{self, Told};
use super::rejection::{Refused, Rejection};
use super::result;
use super::seen::Seen;
use crate::api::{ConnectionRequest, Outcome};
use crate::formula::Value;
use crate::http::Body;
use crate::names::ConnectionId;
use crate::steps::Steps;
use crate::token::Caller;

/// Says that whoever followed a request does not want to connect.
pub(super) const CANCEL: &str = "cancel";

/// A connection request that is followed.
pub(super) struct Followed {
    pub(super) name: String,
    pub(super) request: ConnectionRequest,
}

impl Followed {
    /// Who is to connect; nobody else can be.
    pub(super) fn caller(&self) -> Caller {
        let owner = &self.request.owner;
        Caller::trusted(owner.workspace.clone(), owner.customer.clone())
    }
}

impl Connect {
    /// `/screens/connections?connectionRequestId=…`
    pub(super) async fn requested(
        &self,
        mut visit: Visit,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let name = visit.wish.text("connectionRequestId").ok_or(Rejection::NothingToConnect)?.to_owned();
        let followed = self.followed(&name).await?.ok_or(Rejection::UnknownRequest)?;
        let request = &followed.request;
        if let Some(Outcome::Success(_)) = request.outcome {
            let title = result::title(true, self.api.name_of(request.integration.as_str()).as_deref());
            let content = result::connected(&title, &request.steps);
            return Ok(page::page(&self.config.load(), &title, &content, &Told::default()));
        }
        let caller = followed.caller();
        seen.caller(&caller);
        visit.wish.fulfils(request);
        if visit.wish.text(CANCEL).is_some() {
            return self.cancelled(&visit, &followed).await;
        }
        let connection = request.connection.as_ref().map(ToString::to_string);
        let integration = segment(request.integration.as_str());
        let subject = self.subject(&caller, &visit, &integration, connection).await?;
        self.form(&caller, &visit, &subject, Some(&followed), seen).await
    }

    async fn cancelled(&self, visit: &Visit, followed: &Followed) -> Result<Response<Body>, Rejection> {
        let config = self.config.load();
        let redirect = visit.wish.redirect(&config.redirects)?;
        self.conclude(followed, &Err(Rejection::Cancelled), &Steps::default()).await?;
        Ok(match redirect {
            Some(redirect) => sent_to(refused_at(&redirect, "cancelled", &Value::Null).as_str()),
            None => page::page(&config, "Not connected", &result::cancelled(), &Told::default()),
        })
    }

    /// The request of this name, if it is one and not too old.
    pub(super) async fn followed(&self, name: &str) -> Result<Option<Followed>, Rejection> {
        let request = self.api.connection_request(name).await?;
        Ok(request.map(|request| Followed { name: name.to_owned(), request }))
    }

    /// Notes what came of a request, and tells who waits for it.
    pub(super) async fn conclude(
        &self,
        followed: &Followed,
        made: &Result<Value, Rejection>,
        steps: &Steps,
    ) -> Result<(), Rejection> {
        let outcome = match made {
            Ok(connection) => {
                let id = connection.get("id").and_then(Value::as_str).unwrap_or_default();
                Outcome::Success(ConnectionId::from(id))
            }
            Err(Rejection::Cancelled) => Outcome::Cancelled,
            Err(rejection) => Outcome::Error(rejection.error_data()),
        };
        self.api.conclude(&followed.name, &followed.request, outcome, steps).await?;
        self.tell(followed, made);
        Ok(())
    }

    /// Tells who waits for a request what the store knows of it: another process may have served it, or this one before it
    /// was started again.
    pub(super) async fn tell_stored(&self, name: &str, visit: &Visit) -> Result<(), Rejection> {
        let Some(followed) = self.followed(name).await? else { return Ok(()) };
        let made = match &followed.request.outcome {
            None => return Ok(()),
            Some(Outcome::Cancelled) => Err(Rejection::Cancelled),
            Some(Outcome::Error(error)) => Err(Rejection::Api(Refused::told(error.clone()))),
            Some(Outcome::Success(connection)) => {
                let line = (http::Method::GET, format!("/connections/{connection}"));
                self.ask(&followed.caller(), visit, line, None).await.map_err(Rejection::Api)
            }
        };
        self.tell(&followed, &made);
        Ok(())
    }

    fn tell(&self, followed: &Followed, made: &Result<Value, Rejection>) {
        let again = followed.request.connection.as_ref().map(ConnectionId::as_str);
        if let Ok(text) = serde_json::to_vec(&message(Some(&followed.name), again, made)) {
            self.events.tell(&followed.name, Some(followed.request.owner.clone()), text.into());
        }
    }
}
