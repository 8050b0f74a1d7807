//! The forms: for a new connection, and for one that is to be connected again.
//! Never keeps what was typed; it goes to the API, or back into the form if it is no secret.

use http::{Method, Response};

use super::Connect;
use super::ask::{Visit, segment};
use super::ending::End;
use super::field::{self, Complaint, Field, Typed};
use super::flow::Made;
use super::form::Form;
use super::page::{self, Told};
use super::rejection::{self, Refused, Rejection};
use super::requested::Followed;
use super::seen::Seen;
use super::subject::{Cancel, Subject};
use super::wish::FILLED_IN;
use crate::formula::Value;
use crate::http::Body;
use crate::steps::{Step, Steps};
use crate::token::Caller;

impl Connect {
    /// `/embed/integrations/{key}/connect`
    pub(super) async fn new_connection(
        &self,
        integration: &str,
        visit: Visit,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let caller = self.caller(visit.wish.token(), seen).await?;
        let subject = self.subject(&caller, &visit, integration, None).await?;
        self.form(&caller, &visit, &subject, None, seen).await
    }

    /// `/embed/connections/{selector}/refresh`
    pub(super) async fn connect_again(
        &self,
        connection: &str,
        visit: Visit,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let caller = self.caller(visit.wish.token(), seen).await?;
        let subject = self.subject_again(&caller, &visit, connection).await?;
        self.form(&caller, &visit, &subject, None, seen).await
    }

    /// The form of what must be typed in before the browser is sent to the third party, if there is anything.
    pub(super) async fn form_before_consent(
        &self,
        caller: &Caller,
        visit: &Visit,
        integration: &str,
        again: Option<&str>,
        seen: &mut Seen,
    ) -> Result<Option<Response<Body>>, Rejection> {
        let (subject, path) = match again {
            Some(id) => {
                let path = format!("/embed/connections/{}/refresh", segment(id));
                (self.subject_again(caller, visit, &segment(id)).await?, path)
            }
            None => {
                let path = format!("/embed/integrations/{}/connect", segment(integration));
                (self.subject(caller, visit, &segment(integration), None).await?, path)
            }
        };
        if !subject.asks_before_consent(&visit.wish) {
            return Ok(None);
        }
        let visit = visit.at(path);
        self.form(caller, &visit, &subject, None, seen).await.map(Some)
    }

    /// What a connection is to.
    async fn subject_again(
        &self,
        caller: &Caller,
        visit: &Visit,
        connection: &str,
    ) -> Result<Subject, Rejection> {
        let path = format!("/connections/{connection}");
        let found = self.ask(caller, visit, (Method::GET, path), None).await.map_err(Rejection::Api)?;
        let text = |name: &str| found.get(name).and_then(Value::as_str).unwrap_or_default();
        let integration = segment(text("integrationKey"));
        self.subject(caller, visit, &integration, Some(text("id").to_owned())).await
    }

    pub(super) async fn subject(
        &self,
        caller: &Caller,
        visit: &Visit,
        integration: &str,
        connection: Option<String>,
    ) -> Result<Subject, Rejection> {
        let path = format!("/integrations/{integration}");
        let found = self.ask(caller, visit, (Method::GET, path), None).await.map_err(Rejection::Api)?;
        Ok(Subject::of(&found, connection))
    }

    /// Shows the form, or takes what was typed into it. `followed`: the request that is fulfilled by it.
    pub(super) async fn form(
        &self,
        caller: &Caller,
        visit: &Visit,
        subject: &Subject,
        followed: Option<&Followed>,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        seen.integration(&subject.integration);
        let config = self.config.load();
        let redirect = visit.wish.redirect(&config.redirects)?;
        let Some((way, option)) = subject.chosen(&visit.wish) else {
            return Ok(page::page(&config, &subject.title(), &subject.ways(visit), &Told::default()));
        };
        let fields = Field::all(option.get("inputSchema").unwrap_or(&Value::Null));
        let is_filled_in = visit.wish.text(FILLED_IN).is_some();
        let show = |complaints: &[Complaint]| {
            let typed = is_filled_in.then_some(Typed(&visit.typed));
            let form = Form { fields: &fields, typed, complaints };
            let cancel = Cancel::of(followed.is_some(), redirect.as_ref());
            let content = subject.form(visit, (way, option), &form, cancel);
            page::page(&config, &subject.title(), &content, &Told::default())
        };
        if !is_filled_in {
            return Ok(show(&[]));
        }
        let input = match field::object(&fields, &Typed(&visit.typed)) {
            Ok(input) => input,
            Err(complaints) => return Ok(rejection::again(show(&complaints))),
        };
        let wanted = visit.wish.connection(&subject.integration, option.get("key"), Some(input));
        let (again, mut steps) = (subject.connection.as_deref(), Steps::default());
        let made = match self.make(caller, visit, &wanted, again, &mut steps).await {
            Ok(Made::NotYet(answer)) => return Ok(answer),
            Ok(Made::Connection(connection)) => Ok(connection),
            // The third party refused, and there is nothing that could be typed in otherwise.
            Err(refused) if fields.is_empty() && steps.failure().is_some() => Err(Rejection::Api(refused)),
            // Nothing has ended yet: whoever sits in front of it may type something else.
            Err(refused) => {
                let page = show(&complaints(&refused, &fields, &steps));
                let rejection = Rejection::Api(refused);
                seen.refused(&rejection);
                return Ok(rejection.marked(page));
            }
        };
        if let Err(rejection) = &made {
            seen.refused(rejection);
        }
        if let Some(followed) = followed {
            self.conclude(followed, &made, &steps).await?;
        }
        let is_awaited = visit.wish.text("requestId").is_some();
        let end = End { made, steps: &steps, is_awaited, integration: &subject.integration };
        Ok(self.ended(visit, redirect, Some(caller), end))
    }
}

/// What is wrong with what was typed in, and what to do about it where the third party said so.
fn complaints(refused: &Refused, fields: &[Field], steps: &Steps) -> Vec<Complaint> {
    let mut complaints = refused.complaints(fields);
    let advice = steps.failure().and_then(Step::advice);
    complaints.extend(advice.map(|advice| Complaint { field: String::new(), what: advice.to_string() }));
    complaints
}
