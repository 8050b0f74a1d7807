//! The caller's own record: made when it is first seen, kept up with its tokens.
//! Never shows the credentials for the customer's own API, and never changes what only a token may say.

use std::time::Duration;

use http::Response;

use super::Api;
use super::ask::Ask;
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

/// What a caller's token says of its customer; a trusted service's word has neither.
struct Told {
    name: Option<String>,
    fields: Option<Secret<Value>>,
}

impl Api {
    /// `GET /self`
    pub(super) async fn read_self(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let owner = ask.customer()?;
        let (told, now) = (Told::by(&ask.caller), self.clock.now());
        let known = self.store.customer(&owner).await?;
        let current = known.filter(|known| {
            known.knows(told.name.as_deref(), told.fields.as_ref())
                && now.since(known.last_active_at) < ACTIVITY_LAG
        });
        let customer = match current {
            Some(current) => current,
            None => self.record(owner, told, None).await?,
        };
        Ok(view::customer(&customer))
    }

    /// `PATCH /self`: credentials for the customer's own API.
    pub(super) async fn patch_self(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let owner = ask.customer()?;
        let told = Told::by(&ask.caller);
        let body = ask.body().await?;
        if let Some(field) = body.names().find(|name| *name != "credentials") {
            let why = "of a customer only `credentials` can be; its name and fields come from its token";
            return Err(Rejection::FieldNotTaken { field: field.to_owned(), why });
        }
        let credentials = body.any("credentials").cloned().map(Secret::new);
        Ok(view::customer(&self.record(owner, told, credentials).await?))
    }

    /// Writes what is new; what is not told stays as it is.
    async fn record(
        &self,
        owner: Owner,
        told: Told,
        credentials: Option<Secret<Value>>,
    ) -> Result<Customer, Rejection> {
        let (whose, now) = (owner.clone(), self.clock.now());
        let change = move |known| {
            let customer = told.over(known, owner, now);
            Customer { credentials: credentials.or(customer.credentials), ..customer }
        };
        Ok(self.store.change_customer(&whose, change).await?)
    }
}

impl Told {
    fn by(caller: &Caller) -> Self {
        let claims = caller.claims();
        let fields = claims.and_then(Claims::fields).cloned();
        Self {
            name: claims.and_then(Claims::name).map(str::to_owned),
            fields: fields.map(|fields| Secret::new(serde_json::Value::Object(fields).into())),
        }
    }

    /// The record with what the token says in it. What it leaves out stays.
    fn over(self, known: Option<Customer>, owner: Owner, now: Timestamp) -> Customer {
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
        Customer {
            name: self.name.or(known.name),
            fields: self.fields.or(known.fields),
            last_active_at: now,
            ..known
        }
    }
}
