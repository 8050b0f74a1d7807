//! Whom a method is run for: an integration, one of its connector's ways, and what is known of the connection.
//! Never knows where a connection is stored.

use super::RunError;
use crate::connector::{AuthOption, Integration, Method, MethodInput};
use crate::formula::{Value, Variables};
use crate::http::egress::Egress;
use crate::inject::target::Allowed;
use crate::names::{AppId, Owner};
use crate::secret::Secret;

/// What is known of a connection, stored or still being made.
#[derive(Clone, Copy)]
pub struct Account<'a> {
    /// Which of the connector's options it uses; none for the connector's own way.
    pub option: Option<&'a str>,
    /// The OAuth app that it stays with; none for the one that serves new connections.
    pub app: Option<&'a AppId>,
    /// Its own connector parameters, over those of the integration.
    pub connector_parameters: &'a Value,
    /// What the customer typed in.
    pub input: &'a Value,
    /// Its credentials, once there are any.
    pub credentials: Option<&'a Value>,
    /// For `hosts: connection`: the origin that was entered.
    pub pinned_origin: Option<&'a str>,
    /// Whose it is.
    pub user: Option<User<'a>>,
}

/// A customer, and what its tokens say of it, where that is known.
#[derive(Clone, Copy)]
pub struct User<'a> {
    /// Which customer of which workspace.
    pub owner: &'a Owner,
    /// Its name.
    pub name: Option<&'a str>,
    /// Its `fields`.
    pub fields: Option<&'a Secret<Value>>,
}

impl<'a> From<&'a Owner> for User<'a> {
    fn from(owner: &'a Owner) -> Self {
        Self { owner, name: None, fields: None }
    }
}

/// Whom a method is run for.
pub struct Subject<'a> {
    /// The integration.
    pub integration: &'a Integration,
    /// The way to authenticate.
    pub option: &'a AuthOption,
    account: Account<'a>,
    parameters: Variables,
    user: Option<Variables>,
    /// The same connection as the lender sees it, where the option borrows.
    lender: Option<Box<Self>>,
    more: Variables,
}

impl<'a> Subject<'a> {
    /// A connection of the integration.
    ///
    /// # Errors
    /// [`RunError::NoOption`] if the connector does not have its option any more.
    pub fn new(integration: &'a Integration, account: Account<'a>) -> Result<Self, RunError> {
        let option = integration
            .connector
            .option(account.option)
            .ok_or_else(|| RunError::NoOption { option: account.option.unwrap_or_default().to_owned() })?;
        Ok(Self::of(integration, option, account))
    }

    fn of(integration: &'a Integration, option: &'a AuthOption, account: Account<'a>) -> Self {
        let own = account.connector_parameters;
        let lender = option.lender().map(|lender| {
            let account = Account { option: lender.option().key.as_deref(), ..account };
            Box::new(Self::of(lender.integration(), lender.option(), account))
        });
        Self {
            integration,
            option,
            account,
            parameters: integration.connector_parameters(option, account.app, own),
            user: account.user.map(|user| variables_of(user, integration.sees_user(option))),
            lender,
            more: Variables::new(),
        }
    }

    /// Lets its methods see one more variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &Value) -> Self {
        self.more.set(name, value);
        self.lender = self.lender.map(|lender| Box::new(lender.with(name, value)));
        self
    }

    /// Lets its methods see one more variable, which is secret.
    #[must_use]
    pub fn with_secret(mut self, name: &str, text: &Secret<String>) -> Self {
        self.more.set_secret(name, text);
        self.lender = self.lender.map(|lender| Box::new(lender.with_secret(name, text)));
        self
    }

    /// For whom a method is run: a method that is borrowed sees, and may reach, what it would for the lender.
    pub(super) fn whose(&self, method: Method) -> &Self {
        let lends = self.option.lender_of(method).is_some();
        self.lender.as_deref().filter(|_| lends).map_or(self, |lender| lender.whose(method))
    }

    /// The same connection as the owner of its OAuth app sees it, who alone gets and renews its tokens.
    #[must_use]
    pub fn for_app_owner(&self) -> &Self {
        self.lender.as_deref().map_or(self, Self::for_app_owner)
    }

    /// What to ask a provider for, where the integration says so; else its lender.
    #[must_use]
    pub fn scopes(&self) -> Option<&'a [String]> {
        self.integration.scopes.as_deref().or_else(|| self.lender.as_ref()?.scopes())
    }

    /// What its methods see.
    #[must_use]
    pub fn input(&self) -> MethodInput<'_> {
        MethodInput {
            connector_parameters: &self.parameters,
            connection_parameters: self.account.input,
            credentials: self.account.credentials,
            user: self.user.as_deref(),
        }
    }

    /// Which targets its credentials may go to.
    #[must_use]
    pub fn allowed(&self) -> Allowed<'_> {
        let Self { integration, account, .. } = self;
        let egress =
            Egress { allow_private: integration.allow_private, allow_plain: integration.allow_plain };
        Allowed { hosts: &integration.hosts, pinned_origin: account.pinned_origin, egress }
    }

    /// The OAuth app that the connection stays with.
    #[must_use]
    pub fn app(&self) -> Option<&'a AppId> {
        self.account.app
    }

    /// Whose it is, and the `fields` of its tokens.
    pub(super) fn customer(&self) -> Option<(&'a Owner, Option<&Value>)> {
        let fields = self.user.as_ref().and_then(|user| user.get("fields"));
        Some((self.account.user?.owner, fields))
    }

    pub(super) fn variables(&self, method: Method) -> Variables {
        let mut variables = self.option.variables(method, &self.input());
        variables.set_all(&self.more);
        variables
    }
}

/// What formulas see as `user`: everything only where its tokens are for.
fn variables_of(user: User<'_>, everything: bool) -> Variables {
    let mut variables = Variables::new();
    variables.set("id", &Value::from(user.owner.customer.as_str()));
    if let Some(name) = user.name.filter(|_| everything) {
        variables.set("name", &Value::from(name));
    }
    if let Some(fields) = user.fields.filter(|_| everything) {
        variables.set_secret_value("fields", fields);
    }
    variables
}
