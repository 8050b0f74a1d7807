//! What the methods of a connector see.
//! Never evaluates one.

use crate::formula::{Value, Variables};

/// What a method sees. Every name of both of the vendor's generations is offered to its formulas.
#[derive(Clone, Copy)]
pub struct MethodInput<'a> {
    /// The integration's parameters with the chosen app and the connection's own
    /// ([`super::Integration::connector_parameters`]): `connectorParameters`, formerly `appParameters`.
    pub connector_parameters: &'a Value,
    /// What the customer typed in: `connectionParameters`, `connectionInput`, `input`, `parameters`.
    pub connection_parameters: &'a Value,
    /// `credentials`, once there are any.
    pub credentials: Option<&'a Value>,
    /// `user`: the customer's `id`, `name` and `fields`, for the customer's own API.
    pub user: Option<&'a Value>,
}

impl MethodInput<'_> {
    pub(super) fn variables(&self) -> Variables {
        let mut variables = Variables::new();
        for name in ["connectorParameters", "appParameters"] {
            variables.set(name, self.connector_parameters);
        }
        for name in ["connectionParameters", "connectionInput", "input", "parameters"] {
            variables.set(name, self.connection_parameters);
        }
        if let Some(credentials) = self.credentials {
            variables.set("credentials", credentials);
        }
        if let Some(user) = self.user {
            variables.set("user", user);
        }
        variables
    }
}
