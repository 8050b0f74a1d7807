//! A browser that is sent to a third party for its customer's consent, and what becomes of it when it comes back.
//! Never takes an answer from another browser than was sent away, and none twice.

use http::header::SET_COOKIE;
use http::request::Parts;
use http::{Method, Response};
use url::form_urlencoded;

use super::Connect;
use super::ask::{self, Visit};
use super::browser::{self, Mark};
use super::ending::{End, sent_to};
use super::page::{self, Html, Told};
use super::rejection::{Refused, Rejection};
use super::seen::Seen;
use super::wish::FILLED_IN;
use super::wish::Wish;
use crate::api::{Asked, Brought, Consent, ConsentWish};
use crate::formula::Value;
use crate::http::Body;
use crate::http::listener::Arrival;
use crate::steps::Steps;
use crate::token::Caller;

/// The longest answer that a provider's page may post, in bytes: a code, a signed word of who the customer is, and the like.
const LONGEST_ANSWER: usize = 16 * 1024;

impl Connect {
    /// Sends the browser to the third party, if what is wanted needs its customer's consent there.
    pub(super) async fn sent_away(
        &self,
        caller: &Caller,
        visit: &Visit,
        wanted: &Value,
        again: Option<&str>,
        steps: &mut Steps,
    ) -> Result<Option<Response<Body>>, Refused> {
        let (config, mark) = (self.config.load(), Mark::new());
        let wish = ConsentWish {
            wanted,
            again,
            custom_state: visit.wish.text("customState"),
            request: visit.wish.text("connectionRequestId"),
            browser: mark.digest(),
            afterwards: visit.wish.afterwards(),
        };
        let Some(Asked { place, name }) = self.api.ask_for_consent(caller, wish, steps).await? else {
            return Ok(None);
        };
        // A browser holds what a form leads to against the policy of the page that the form was on.
        let mut answer = match visit.wish.text(FILLED_IN) {
            Some(_) => page::page(&config, "Connect", &on_its_way(&place), &Told::default()),
            None => sent_to(place.as_str()),
        };
        if let Some(cookie) = mark.cookie(&config, &name) {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(Some(answer))
    }

    /// `/oauth-callback`
    pub(super) async fn callback(
        &self,
        head: &Parts,
        body: Body,
        arrival: Arrival,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        match head.method {
            Method::GET => {}
            Method::POST => return Ok(posted(&ask::form(head, body, LONGEST_ANSWER).await?)),
            _ => return Err(Rejection::MethodNotAllowed { allow: "GET, POST" }),
        }
        let query = head.uri.query().unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let brought = Brought::of(&pairs);
        match brought.text("state") {
            Some(state) => self.came_back(state, &brought, head, arrival, seen).await,
            None => self.begun_elsewhere(&pairs, &brought, head, arrival, seen).await,
        }
    }

    /// A browser that was sent away comes back.
    async fn came_back(
        &self,
        state: &str,
        brought: &Brought,
        head: &Parts,
        arrival: Arrival,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let config = self.config.load();
        let consent = self.api.take_consent(state).await?.ok_or(Rejection::UnknownState)?;
        let name = state.split(':').next().unwrap_or_default();
        if !browser::is_marked(&head.headers, &config, name, &consent.browser) {
            return Err(Rejection::OtherBrowser);
        }
        self.check_customer(&consent, brought, seen).await?;
        let caller = Caller::trusted(consent.owner.workspace.clone(), consent.owner.customer.clone());
        seen.caller(&caller);
        seen.integration(consent.integration.as_str());
        let visit = Visit::again(Wish::kept(&consent.afterwards), head, arrival);
        let redirect = visit.wish.redirect(&config.redirects)?;
        let mut steps = consent.steps.clone();
        let request = visit.wish.text("connectionRequestId");
        let made = self.api.connect_by_consent(&consent, brought, request, &mut steps).await;
        let made = made.map_err(Rejection::from);
        if let Err(rejection) = &made {
            seen.refused(rejection);
        }
        if let Some(followed) = self.followed(request.unwrap_or_default()).await? {
            self.conclude(&followed, &made, &steps).await?;
        }
        let end = End { made, steps: &steps, is_awaited: true, integration: consent.integration.as_str() };
        let mut answer = self.ended(&visit, redirect, Some(&caller), end);
        if let Some(cookie) = browser::forget(&config, name) {
            answer.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(answer)
    }

    /// An app that sends a browser here with a token may mean another customer than the one who was asked.
    async fn check_customer(
        &self,
        consent: &Consent,
        brought: &Brought,
        seen: &mut Seen,
    ) -> Result<(), Rejection> {
        let (Some(_), Some(token)) = (brought.text("integration"), brought.text("token")) else {
            return Ok(());
        };
        let caller = self.caller(Some(token), seen).await?;
        let is_same = caller.owner().as_ref() == Some(&consent.owner);
        if is_same { Ok(()) } else { Err(Rejection::OtherCustomer) }
    }

    /// A customer who began at the third party is sent here by its app, whose token says who it is.
    async fn begun_elsewhere(
        &self,
        pairs: &[(String, String)],
        brought: &Brought,
        head: &Parts,
        arrival: Arrival,
        seen: &mut Seen,
    ) -> Result<Response<Body>, Rejection> {
        let (Some(integration), Some(token)) = (brought.text("integration"), brought.text("token")) else {
            return Err(Rejection::UnknownState);
        };
        let visit = Visit::again(Wish::of(pairs)?, head, arrival);
        let redirect = visit.wish.redirect(&self.config.load().redirects)?;
        seen.integration(integration);
        let mut steps = Steps::default();
        let (caller, made) = match self.caller(Some(token), seen).await {
            Err(rejection) => (None, Err(rejection)),
            Ok(caller) => {
                let wanted = visit.wish.connection(integration, visit.wish.any("authOptionKey"), None);
                let made = self.api.connect_from_elsewhere(&caller, wanted, brought, &mut steps).await;
                (Some(caller), made.map_err(Rejection::from))
            }
        };
        if let Err(rejection) = &made {
            seen.refused(rejection);
        }
        let end = End { made, steps: &steps, is_awaited: true, integration };
        Ok(self.ended(&visit, redirect, caller.as_ref(), end))
    }
}

/// What a provider's page posted (`response_mode=form_post`), brought again as a query.
///
/// A browser does not add our cookie to what another site's page posts, but does to the GET that this leads to. Nothing is
/// looked up or ended before: whoever has a browser post here could have sent it here with that query as well, and whether
/// it is the browser that was sent away, its cookie says then as ever. The code stands in the address as if the provider
/// had put it there: it is good once, for us alone, and with the verifier that only we have; no page learns where its
/// visitor came from, and no log has a query.
fn posted(fields: &[(String, String)]) -> Response<Body> {
    let query = form_urlencoded::Serializer::new(String::from("?")).extend_pairs(fields).finish();
    // Relative, it leads here whatever stands before our paths.
    sent_to(&query)
}

/// A page that leads on by itself, and by a link where browsers do not follow.
fn on_its_way(place: &url::Url) -> Html {
    let mut html = Html::new();
    html.raw("<meta http-equiv=\"refresh\" content=\"0;url=").text(place).raw("\">");
    html.raw("<h1>One moment</h1><p>You are being sent on to log in and to allow access.</p>");
    html.raw("<p><a href=\"").text(place).raw("\">Go on</a></p>");
    html
}
