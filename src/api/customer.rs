//! A customer's record: made when it is first seen, kept up with its tokens and with what an admin writes.
//! Never shows the credentials for the customer's own API, and lets a customer change nothing that only a token may say.

use std::time::Duration;

use http::{Method, Response};
use zeroize::Zeroizing;

use super::Api;
use super::ask::Ask;
use super::body::JsonBody;
use super::rejection::Rejection;
use super::view;
use crate::clock::Timestamp;
use crate::formula::Value;
use crate::http::Body;
use crate::names::Owner;
use crate::secret::Secret;
use crate::store::Customer;
use crate::token::{Caller, Claims};

/// How far `last_active_at` may lag behind, so that reading costs no write each time.
const ACTIVITY_LAG: Duration = Duration::from_secs(3600);

/// What a token or a body says of a customer; what it leaves out is `None`. A trusted service's word has none of it.
#[derive(Default)]
pub(super) struct Told {
    name: Option<String>,
    fields: Option<Secret<Value>>,
    /// For the customer's own API.
    pub(super) credentials: Option<Zeroizing<Value>>,
    /// Whether the customer itself is there.
    is_active: bool,
}

impl Api {
    /// Everything at `/self`.
    pub(super) async fn on_self(&self, method: &Method, ask: Ask) -> Result<Response<Body>, Rejection> {
        match *method {
            Method::GET => self.read_self(ask).await,
            Method::PATCH => self.patch_self(ask).await,
            _ => Err(Rejection::MethodNotAllowed { allow: "GET, PATCH" }),
        }
    }

    /// `GET /self`
    async fn read_self(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        Ok(view::customer(&self.kept_up(ask.customer()?, &ask.caller).await?))
    }

    /// The customer as its own caller says it is, recorded where that is news.
    pub(super) async fn kept_up(&self, owner: Owner, caller: &Caller) -> Result<Customer, Rejection> {
        let (told, now) = (Told::by(caller), self.clock.now());
        let known = self.store.customer(&owner).await?;
        let current = known.filter(|known| {
            known.knows(told.name.as_deref(), told.fields.as_ref())
                && now.since(known.last_active_at) < ACTIVITY_LAG
        });
        match current {
            Some(current) => Ok(current),
            None => self.record(owner, told).await,
        }
    }

    /// `PATCH /self`: credentials for the customer's own API.
    async fn patch_self(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let owner = ask.customer()?;
        let told = Told::by(&ask.caller);
        let body = ask.body().await?;
        if let Some(field) = body.names().find(|name| *name != "credentials") {
            let why = "of a customer only `credentials` can be; its name and fields come from its token";
            return Err(Rejection::FieldNotTaken { field: field.to_owned(), why });
        }
        let credentials = body.any("credentials").cloned().map(Zeroizing::new);
        Ok(view::customer(&self.record(owner, Told { credentials, ..told }).await?))
    }

    /// Writes what is new; what is not told stays as it is.
    pub(super) async fn record(&self, owner: Owner, mut told: Told) -> Result<Customer, Rejection> {
        self.keep_own_credentials(&owner, &mut told).await?;
        let (whose, now) = (owner.clone(), self.clock.now());
        let change = move |known| told.over(known, owner, now);
        Ok(self.store.change_customer(&whose, change).await?)
    }
}

impl Told {
    /// What a body says, for an admin.
    pub(super) fn read(body: &JsonBody) -> Result<Self, Rejection> {
        Ok(Self {
            name: body.text("name")?.map(str::to_owned),
            fields: body.object("fields")?.cloned().map(Secret::new),
            credentials: body.any("credentials").cloned().map(Zeroizing::new),
            is_active: false,
        })
    }

    /// What a caller's token says.
    fn by(caller: &Caller) -> Self {
        let claims = caller.claims();
        let fields = claims.and_then(Claims::fields).cloned();
        Self {
            name: claims.and_then(Claims::name).map(str::to_owned),
            fields: fields.map(|fields| Secret::new(serde_json::Value::Object(fields).into())),
            credentials: None,
            is_active: true,
        }
    }

    /// The record as it will be, for what is asked before it is written.
    pub(super) fn seen_over(&self, known: Option<Customer>, owner: Owner, now: Timestamp) -> Customer {
        let fields = self.fields.as_ref().map(Secret::duplicate);
        Self { name: self.name.clone(), fields, credentials: None, is_active: false }.over(known, owner, now)
    }

    /// The record with what is told in it. What is left out stays.
    pub(super) fn over(self, known: Option<Customer>, owner: Owner, now: Timestamp) -> Customer {
        // The customer's id in its tokens is the record's id too: a connection names its customer without a look-up.
        let known = known.unwrap_or_else(|| Customer {
            id: owner.customer.to_string(),
            owner,
            name: None,
            fields: None,
            credentials: None,
            created_at: now,
            last_active_at: now,
        });
        let credentials = self.credentials.map(|mut told| std::mem::replace(&mut *told, Value::Null));
        Customer {
            name: self.name.or(known.name),
            fields: self.fields.or(known.fields),
            credentials: credentials.map(Secret::new).or(known.credentials),
            last_active_at: if self.is_active { now } else { known.last_active_at },
            ..known
        }
    }
}
