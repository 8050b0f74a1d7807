//! The customers of a workspace: read by themselves and by an admin, written by an admin only.
//! Never shows the credentials for a customer's own API.

use http::{Method, Response};

use super::Api;
use super::ask::Ask;
use super::body::JsonBody;
use super::customer::Told;
use super::place::Place;
use super::rejection::Rejection;
use super::seen::random_id;
use super::view::{self, CustomerView, PageView};
use crate::http::Body;
use crate::names::{CustomerId, Owner, WorkspaceKey};
use crate::store::Customer;
use crate::token::Caller;

impl Api {
    /// Everything at `/customers` and `/customer`.
    pub(super) async fn on_customers(
        &self,
        method: &Method,
        place: &Place<'_>,
        ask: Ask,
    ) -> Result<Response<Body>, Rejection> {
        if !place.operation.is_empty() {
            return Err(Rejection::NothingHere);
        }
        let Some(selector) = &place.selector else {
            return match *method {
                Method::GET => self.list_customers(ask).await,
                Method::POST => self.create_customer(ask).await,
                _ => Err(Rejection::MethodNotAllowed { allow: "GET, POST" }),
            };
        };
        let customer = CustomerId::from(selector.text()?);
        let owner = Owner { workspace: ask.caller.workspace().clone(), customer };
        match *method {
            Method::GET => self.read_customer(&owner, &ask.caller).await,
            Method::PATCH | Method::PUT => self.update_customer(owner, ask).await,
            Method::DELETE => self.remove_customer(&owner, &ask.caller).await,
            _ => Err(Rejection::MethodNotAllowed { allow: "GET, PATCH, PUT, DELETE" }),
        }
    }

    /// `GET /customers`
    async fn list_customers(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let workspace = admin(&ask.caller)?.clone();
        let listed = self.store.customers(workspace, ask.query.limit()?, ask.query.cursor());
        let (customers, cursor) = listed.await.map_err(Rejection::of_page)?;
        Ok(view::shown(&PageView { items: customers.iter().map(CustomerView::of).collect(), cursor }))
    }

    /// `POST /customers`; without an `internalId` it gets one.
    async fn create_customer(&self, ask: Ask) -> Result<Response<Body>, Rejection> {
        let workspace = admin(&ask.caller)?.clone();
        let body = ask.body().await?;
        let id = body.one_of(&["internalId", "id"], JsonBody::text)?.map_or_else(random_id, str::to_owned);
        if id.is_empty() {
            let expected = "text that is not empty";
            return Err(Rejection::WrongField { field: "internalId", expected });
        }
        let owner = Owner { workspace, customer: CustomerId::from(id.as_str()) };
        let told = Told::read(&body)?;
        self.check_own_credentials(&owner.workspace, &told)?;
        let first = Told::default().over(None, owner.clone(), self.clock.now());
        if !self.store.insert_customer(first).await? {
            return Err(Rejection::CustomerExists { id });
        }
        Ok(view::customer(&self.record(owner, told).await?))
    }

    /// `GET /customers/{id}`
    async fn read_customer(&self, owner: &Owner, caller: &Caller) -> Result<Response<Body>, Rejection> {
        if caller.owner().as_ref() != Some(owner) {
            admin(caller)?;
        }
        Ok(view::customer(&self.known_customer(owner).await?))
    }

    /// `PATCH` and `PUT`: what the body leaves out stays. A token that says otherwise is believed when it comes.
    async fn update_customer(&self, owner: Owner, ask: Ask) -> Result<Response<Body>, Rejection> {
        admin(&ask.caller)?;
        self.known_customer(&owner).await?;
        let told = Told::read(&ask.body().await?)?;
        Ok(view::customer(&self.record(owner, told).await?))
    }

    /// `DELETE`: the record goes, and its connections are archived.
    async fn remove_customer(&self, owner: &Owner, caller: &Caller) -> Result<Response<Body>, Rejection> {
        admin(caller)?;
        let removed = self.known_customer(owner).await?;
        self.store.remove_customer(owner).await?;
        Ok(view::customer(&removed))
    }

    async fn known_customer(&self, owner: &Owner) -> Result<Customer, Rejection> {
        let unknown = || Rejection::UnknownCustomer { id: owner.customer.to_string() };
        self.store.customer(owner).await?.ok_or_else(unknown)
    }
}

/// The workspace of an admin token.
fn admin(caller: &Caller) -> Result<&WorkspaceKey, Rejection> {
    if caller.is_admin() { Ok(caller.workspace()) } else { Err(Rejection::AdminRequired) }
}
