//! A consent that came back: its code redeemed, credentials made, tested, and only then a connection stored.
//! Never tries a step twice, and leaves nothing behind where one fails: whoever wants to connect begins again.

use super::answer::Brought;
use super::rejection::ConsentError;
use super::trail::{self, Trail};
use super::{Question, app_owner};
use crate::api::Api;
use crate::api::body::JsonBody;
use crate::api::connections::{
    ATTEMPTS, Draft, Verdict, With, connect, integration_key, live, replaces, user,
};
use crate::api::rejection::Rejection;
use crate::api::view::ConnectionView;
use crate::clock::Timestamp;
use crate::connector::{AuthType, Hosts, Integration};
use crate::formula::Value;
use crate::refresh::FirstCredentials;
use crate::steps::{Payload, Stage, Steps};
use crate::store::redb::Replaced;
use crate::store::{Connection, Consent, Opened, Secrets};
use crate::token::Caller;

/// What a consent came to, before it is stored.
struct Made {
    secrets: zeroize::Zeroizing<Secrets>,
    auth_option: Option<String>,
    expires_at: Option<Timestamp>,
    pinned_origin: Option<String>,
    granted_scopes: Option<Vec<String>>,
}

impl Api {
    /// Connects what a customer consented to, with what its browser brought back: the connection as the API shows it.
    ///
    /// `request`: the connection request that was followed, if one was.
    ///
    /// # Errors
    /// It could not be connected; `steps` say how far it came.
    pub async fn connect_by_consent(
        &self,
        consent: &Consent,
        brought: &Brought,
        request: Option<&str>,
        steps: &mut Steps,
    ) -> Result<Value, Rejection> {
        let caller = Caller::trusted(consent.owner.workspace.clone(), consent.owner.customer.clone());
        let integration = self.usable(&caller, &consent.integration)?;
        let body = JsonBody::of(consent.wanted.clone())?;
        let draft = Draft::read(&body)?;
        let again = self.opened_again(consent).await?;
        let mut trail = self.trail(steps, request);
        let made = self.made(consent, &integration, (&draft, again.as_ref()), brought, &mut trail).await?;
        trail.begin(Stage::Stored);
        let stored = match again {
            Some(again) => self.store_again(again, &integration, &draft, consent, made).await,
            None => match replaces(&integration, &body) {
                Ok(replace) => self.store_new(consent, &integration, &draft, made, replace).await,
                Err(rejection) => Err(rejection),
            },
        };
        let stored = trail.ended(stored, |_| Payload::default())?;
        Ok(self.viewed(&stored.connection))
    }

    /// Connects what a customer consented to at the third party before anybody sent it there, as from its list of apps:
    /// there is nothing that its answer could be held against, but whose it is the caller's token says.
    ///
    /// # Errors
    /// It could not be connected; `steps` say how far it came.
    pub async fn connect_from_elsewhere(
        &self,
        caller: &Caller,
        wanted: Value,
        brought: &Brought,
        steps: &mut Steps,
    ) -> Result<Value, Rejection> {
        let owner = caller.owner().ok_or(Rejection::CustomerRequired)?;
        let body = JsonBody::of(wanted.clone())?;
        let integration = self.usable(caller, &integration_key(&body)?)?;
        let draft = Draft::read(&body)?;
        let app = integration.new_app(draft.auth_option_over(None).as_deref()).map(|app| app.id.clone());
        let with = With::chosen(
            &integration,
            draft.auth_option_over(None).as_deref(),
            app.as_ref(),
            &draft.secrets_over(None),
        )?;
        // By OAuth 1.0a there is nothing to begin with at the third party.
        if app_owner(with).1.auth != AuthType::OAuth2 {
            return Err(ConsentError::NotByConsent.into());
        }
        self.connecting(&owner, caller, with).await?;
        let mut trail = self.trail(steps, None);
        trail.plan(Stage::OAUTH2);
        trail.begin(Stage::Callback);
        let consent = Consent {
            owner,
            integration: integration.key.clone(),
            connection: None,
            app: app.clone(),
            wanted,
            callback: self.callback(with)?,
            state: String::new(),
            temporary: None,
            proof: None,
            browser: Vec::new(),
            afterwards: Value::Null,
            steps: Steps::default(),
            created_at: self.clock.now(),
        };
        self.connect_by_consent(&consent, brought, None, steps).await
    }

    /// The connection as the API shows it.
    fn viewed(&self, connection: &Connection) -> Value {
        let catalog = self.catalog.load();
        let integration = catalog.get(&connection.integration).map(AsRef::as_ref);
        serde_json::to_value(ConnectionView::of(connection, integration)).unwrap_or_default().into()
    }

    /// The connection that is to be connected again, as it is now.
    async fn opened_again(&self, consent: &Consent) -> Result<Option<Opened>, Rejection> {
        let Some(id) = &consent.connection else { return Ok(None) };
        let gone = || Rejection::UnknownConnection { selector: id.to_string() };
        let opened = self.store.open_secrets(id).await?.ok_or_else(gone)?;
        live(&opened)?;
        Ok(Some(opened))
    }

    /// Everything but storing it.
    async fn made(
        &self,
        consent: &Consent,
        integration: &Integration,
        (draft, again): (&Draft<'_>, Option<&Opened>),
        brought: &Brought,
        trail: &mut Trail<'_>,
    ) -> Result<Made, Rejection> {
        let auth_option = draft.auth_option_over(again);
        let mut secrets = draft.secrets_over(again);
        // What another grant gave has no place beside what this one gives.
        secrets.credentials = Value::empty_object();
        let customer = self.customer(&consent.owner).await?;
        let with = With::of(integration, auth_option.as_deref(), consent.app.as_ref())?;
        let with = with.whose(user(&customer));
        let Consent { callback, state, .. } = consent;
        let question = Question { with, secrets: &secrets, callback, state };
        let redeemed = match app_owner(with).1.auth {
            AuthType::OAuth1 => self.redeemed_by_oauth1(&question, consent, brought, trail).await?,
            _ => self.redeemed_by_oauth2(&question, consent, brought, trail).await?,
        };
        trail.begin(Stage::Credentials);
        let (account, query) = (with.account(&secrets), brought.query());
        let first = self.refresher.first_credentials(integration, account, query, &redeemed.tokens).await;
        let first = trail.ended(first.map_err(Rejection::Input), |first| trail::granted(&redeemed, first))?;
        let FirstCredentials { mut credentials, expires_at } = first;
        secrets.credentials = std::mem::replace(&mut *credentials, Value::Null);
        // Where nothing refreshes them, an end would only cut them off.
        let expires_at = expires_at.filter(|_| with.option.can_refresh());
        trail.begin(Stage::Test);
        let tried = self.tried(with, &secrets, expires_at, again).await;
        let (Verdict { expires_at, .. }, pinned_origin) =
            trail.answered(tried, |(verdict, _)| trail::tested(verdict.tested))?;
        let granted_scopes = redeemed.granted.filter(|granted| !granted.is_empty());
        Ok(Made { secrets, auth_option, expires_at, pinned_origin, granted_scopes })
    }

    /// Where the credentials may go, and whether the third party takes them; gives that, and the origin to pin.
    async fn tried(
        &self,
        with: With<'_>,
        secrets: &Secrets,
        expires_at: Option<Timestamp>,
        again: Option<&Opened>,
    ) -> Result<(Verdict, Option<String>), Rejection> {
        let origin = self.pinned_origin(with, secrets).await?;
        let kept = again.map(|again| &again.connection.pinned_origin);
        if with.integration.hosts == Hosts::Connection && kept.is_some_and(|kept| *kept != origin) {
            let why = "it is not the one that this connection was made for; make a new connection";
            return Err(Rejection::Origin { why, source: None });
        }
        let verdict = self.tested(with, secrets, origin.as_deref(), expires_at).await?;
        Ok((verdict, origin))
    }

    async fn store_new(
        &self,
        consent: &Consent,
        integration: &Integration,
        draft: &Draft<'_>,
        made: Made,
        replace: bool,
    ) -> Result<Opened, Rejection> {
        let mut connection = self.blank(consent.owner.clone(), integration, consent.app.clone());
        connection.pinned_origin = made.pinned_origin;
        connection.auth_option = made.auth_option;
        connect(&mut connection, made.expires_at, integration.refresh.ahead, self.clock.steady());
        connection.refreshing.succeeded();
        connection.granted_scopes = made.granted_scopes;
        draft.open_part().write(&mut connection);
        Ok(self.store.insert(connection, made.secrets.into(), replace).await?)
    }

    /// The connection keeps its id, and moves to the app that the customer consented to.
    async fn store_again(
        &self,
        mut again: Opened,
        integration: &Integration,
        draft: &Draft<'_>,
        consent: &Consent,
        made: Made,
    ) -> Result<Opened, Rejection> {
        for _ in 0..ATTEMPTS {
            let secrets = made.secrets.clone().into();
            let (open, app) = (draft.open_part(), consent.app.clone());
            let (ahead, now) = (integration.refresh.ahead, self.clock.steady());
            let (option, scopes, end) =
                (made.auth_option.clone(), made.granted_scopes.clone(), made.expires_at);
            let change = move |one: &mut Connection| {
                open.write(one);
                one.app = app;
                one.auth_option = option;
                connect(one, end, ahead, now);
                one.refreshing.succeeded();
                one.granted_scopes = scopes;
            };
            match self.store.replace(&again.connection, secrets, change).await? {
                Replaced::Stored(stored) => return Ok(stored),
                Replaced::Overtaken(current) => {
                    live(&current)?;
                    again = current;
                }
            }
        }
        Err(Rejection::Overtaken)
    }
}
