//! Connecting by a customer's consent: where its browser is to go for it, and what is kept until it comes back.
//! Never knows a page or a cookie, and makes no connection of a consent that did not come to its end.

mod answer;
mod complete;
mod oauth1;
mod oauth2;
pub(super) mod rejection;
mod trail;

use std::sync::Arc;

use url::Url;

use super::Api;
use super::body::JsonBody;
use super::connections::{Draft, Source, With, integration_key, replaces, user};
use super::place::Selector;
use super::rejection::Rejection;
use super::seen::random_id;
use crate::clock::Timestamp;
use crate::connector::{AuthOption, AuthType, Integration};
use crate::formula::Value;
use crate::method::Subject;
use crate::names::Owner;
use crate::refresh::{CodeError, FirstTokens};
use crate::secret::Secret;
use crate::steps::{Stage, Steps};
use crate::store::{Consent, Customer, Opened, Secrets};
use crate::token::Caller;

use rejection::ConsentError;
use trail::Trail;

pub use answer::Brought;

/// Why a browser is not sent somewhere.
const NOT_ADMITTED: &str =
    "its authorizeUri is not https, or is computed and not listed in the integration's `hosts`";

/// What is to be connected, and what is to be known when the browser comes back.
pub struct ConsentWish<'a> {
    /// What is wanted of the connection, as `POST /connections` takes it.
    pub wanted: &'a Value,
    /// The connection that is to be connected again.
    pub again: Option<&'a str>,
    /// What the app wants to find in the state, behind a colon.
    pub custom_state: Option<&'a str>,
    /// The connection request that is followed, if one is.
    pub request: Option<&'a str>,
    /// A digest of what only this browser has.
    pub browser: Vec<u8>,
    /// What whoever sends the browser away wants to know afterwards.
    pub afterwards: Value,
}

/// A browser that is to be sent away.
pub struct Asked {
    /// Where to.
    pub place: Url,
    /// The name of its consent: the part of the state that is ours.
    pub name: String,
}

/// What a customer is asked for.
#[derive(Clone, Copy)]
struct Question<'a> {
    with: With<'a>,
    secrets: &'a Secrets,
    /// Where the browser is to come back to.
    callback: &'a str,
    /// What it is to bring back.
    state: &'a str,
}

/// A browser that is sent away, and what is kept until it comes back.
struct Away {
    place: Url,
    /// By OAuth 1.0a, the token that it carries.
    temporary: Option<String>,
    proof: Option<Secret<String>>,
}

/// What a consent gave.
struct Redeemed {
    tokens: FirstTokens,
    /// The scopes that were asked for, and those that were granted, as far as that is known.
    asked: Vec<String>,
    granted: Option<Vec<String>>,
    /// Whether a refresh token is to be expected.
    renews: bool,
}

impl Api {
    /// Begins to connect what needs a customer's consent. None for what needs none: that is made by `POST /connections`.
    ///
    /// # Errors
    /// It cannot be connected, as far as that is known already.
    pub async fn ask_for_consent(
        &self,
        caller: &Caller,
        wish: ConsentWish<'_>,
        steps: &mut Steps,
    ) -> Result<Option<Asked>, Rejection> {
        let body = JsonBody::of(wish.wanted.clone())?;
        let draft = Draft::read(&body)?;
        let (integration, again) = self.meant(caller, &body, wish.again).await?;
        let owner = match &again {
            Some(again) => again.connection.owner.clone(),
            None => caller.owner().ok_or(Rejection::CustomerRequired)?,
        };
        let secrets = draft.secrets_over(again.as_ref());
        let option = draft.auth_option_over(again.as_ref());
        let app = integration.new_app(option.as_deref()).map(|app| app.id.clone());
        let with = With::chosen(&integration, option.as_deref(), app.as_ref(), &secrets)?;
        if !needs_consent(with) || draft.source() == Source::Sent {
            return Ok(None);
        }
        if again.is_none() {
            replaces(&integration, &body)?;
        }
        let customer = self.connecting(&owner, caller, with).await?;
        let (with, now, callback) = (with.whose(user(&customer)), self.clock.now(), self.callback(with)?);
        let name = format!("{:x}-{}", now.as_millis(), random_id());
        let custom = wish.custom_state.map(|custom| format!("{name}:{custom}"));
        let state = custom.unwrap_or_else(|| name.clone());
        let question = Question { with, secrets: &secrets, callback: &callback, state: &state };
        let away = self.asked(&question, &mut self.trail(steps, wish.request)).await?;
        let Some(Away { place, temporary, proof }) = away else { return Ok(None) };
        let consent = Consent {
            integration: integration.key.clone(),
            connection: again.as_ref().map(|again| again.connection.id.clone()),
            app: app.clone(),
            wanted: wish.wanted.clone(),
            callback: callback.clone(),
            state: state.clone(),
            temporary,
            proof,
            browser: wish.browser,
            afterwards: wish.afterwards,
            steps: steps.clone(),
            created_at: now,
            owner: owner.clone(),
        };
        self.store.put_consent(&name, consent).await?;
        Ok(Some(Asked { place, name }))
    }

    /// The consent that this state was made for, if it is one, not too old, and was not brought back before. It is over with
    /// that, whatever comes of it.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn take_consent(&self, state: &str) -> Result<Option<Consent>, Rejection> {
        // What stands behind the first colon is the app's.
        let name = state.split(':').next().unwrap_or_default();
        let born = name.split('-').next().and_then(|time| u64::from_str_radix(time, 16).ok());
        let Some(born) = born else { return Ok(None) };
        let taken = self.store.take_consent(name, Timestamp::from_millis(born)).await?;
        Ok(taken.filter(|consent| consent.state == state))
    }

    /// The integration, and the connection that is to be connected again.
    async fn meant(
        &self,
        caller: &Caller,
        body: &JsonBody,
        again: Option<&str>,
    ) -> Result<(Arc<Integration>, Option<Opened>), Rejection> {
        let Some(id) = again else { return Ok((self.usable(caller, &integration_key(body)?)?, None)) };
        let connection = self.selected(caller, &Selector::Name(id.to_owned())).await?;
        Ok((self.usable(caller, &connection.integration)?, Some(self.open(&connection).await?)))
    }

    /// Notes steps as they are taken. Whoever made the request that is followed may ask for them meanwhile.
    fn trail<'a>(&'a self, steps: &'a mut Steps, request: Option<&'a str>) -> Trail<'a> {
        Trail::new(&*self.clock, steps, request.map(|request| (&self.progress, request)))
    }

    /// The customer as a connector's methods may see it, when this caller begins to connect something. Where they see no more than
    /// its id, nothing is recorded.
    async fn connecting(
        &self,
        owner: &Owner,
        caller: &Caller,
        with: With<'_>,
    ) -> Result<Customer, Rejection> {
        let is_own = caller.owner().as_ref() == Some(owner);
        match is_own && with.integration.sees_user(with.option) {
            true => self.kept_up(owner.clone(), caller).await,
            false => self.customer(owner).await,
        }
    }

    /// Where the provider sends browsers back to.
    fn callback(&self, with: With<'_>) -> Result<String, Rejection> {
        Ok(with.integration.app_owner(with.option).callback(&self.public_url()?))
    }

    /// What the provider did not say of the consent means what it means for a refresh.
    fn not_redeemed(&self, error: CodeError) -> Rejection {
        match error {
            CodeError::Exchange(error) => self.not_refreshed(error),
            error => ConsentError::Code(error).into(),
        }
    }

    /// Where to send the browser. None if it need not go anywhere.
    async fn asked(&self, question: &Question<'_>, trail: &mut Trail<'_>) -> Result<Option<Away>, Rejection> {
        let Question { with, secrets, .. } = *question;
        with.option.check_input(&secrets.input).map_err(Rejection::Schema)?;
        let away = match app_owner(with).1.auth {
            AuthType::OAuth1 => Some(self.asked_by_oauth1(question, trail).await?),
            _ => self.asked_by_oauth2(question, trail).await?,
        };
        if away.is_some() {
            trail.begin(Stage::Callback);
        }
        Ok(away)
    }
}

impl Question<'_> {
    /// What the connector's methods see.
    fn subject(&self) -> Result<Subject<'_>, Rejection> {
        let subject = self.with.subject(self.secrets, None, None)?;
        let text = |text: &str| Value::from(text);
        Ok(subject.with("redirectUri", &text(self.callback)).with("state", &text(self.state)))
    }
}

/// Whether a customer must say yes at the third party.
fn needs_consent(with: With<'_>) -> bool {
    app_owner(with).1.auth.is_oauth()
}

/// Whose app asks, and by which way of its connector.
fn app_owner<'a>(with: With<'a>) -> (&'a Integration, &'a AuthOption) {
    let (mut integration, mut option) = (with.integration, with.option);
    while let Some(lender) = option.lender() {
        (integration, option) = (lender.integration(), lender.option());
    }
    (integration, option)
}

/// What is asked for: the integration's own list goes before its lender's, and that before the connector's.
fn wanted_scopes<'a>(with: With<'a>, connectors: &'a [String]) -> &'a [String] {
    let own = with.integration.scopes.as_deref().or_else(|| app_owner(with).0.scopes.as_deref());
    own.unwrap_or(connectors)
}
