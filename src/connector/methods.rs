//! The methods of a connector: what they see, and what they give.
//! Never sends anything; a method that does comes from the room that runs scripts.

use zeroize::Zeroizing;

use super::Connector;
pub use super::api_client::{ApiClient, Staleness};
pub use super::fields::MethodError;
pub use super::oauth_config::{ClientAuthentication, GrantType, OAuthConfig};
use crate::formula::{Template, Value, Variables};

/// What a method sees. Every name of both of the vendor's generations is offered to its formulas.
pub struct MethodInput<'a> {
    /// The integration's parameters with the chosen app and the connection's own
    /// ([`super::Integration::connector_parameters`]): `connectorParameters`, formerly `appParameters`.
    pub connector_parameters: &'a Value,
    /// What the customer typed in: `connectionParameters`, `connectionInput`, `input`, `parameters`.
    pub connection_parameters: &'a Value,
    /// `credentials`, once there are any.
    pub credentials: Option<&'a Value>,
}

impl Connector {
    /// Makes the API client for a connection. Its formulas see `credentials` laid over what the customer typed in.
    ///
    /// # Errors
    /// If the mapping gives no base URI, or anything that cannot be sent.
    pub fn make_api_client(&self, input: &MethodInput<'_>) -> Result<ApiClient, MethodError> {
        let mut credentials = Variables::new();
        credentials.set_all(input.connection_parameters);
        if let Some(own) = input.credentials {
            credentials.set_all(own);
        }
        let mut variables = input.variables();
        variables.set("credentials", &credentials);
        let made = evaluate("makeApiClient", &self.methods.make_api_client, &variables)?;
        ApiClient::from_result(&made, self.methods.response_handlers.clone())
    }

    /// The OAuth configuration, of an oauth2 connector.
    ///
    /// # Errors
    /// If the connector has none, or a required field is missing or malformed.
    pub fn oauth_config(&self, input: &MethodInput<'_>) -> Result<OAuthConfig, MethodError> {
        let Some(template) = &self.methods.oauth_config else {
            return Err(MethodError::NoMethod { method: "getOAuthConfig" });
        };
        let made = evaluate("getOAuthConfig", template, &input.variables())?;
        OAuthConfig::from_result(&made)
    }

    /// The credentials to store for what the customer typed in: without the method, just that.
    ///
    /// # Errors
    /// If the method gives no object.
    pub fn credentials_from_parameters(&self, input: &MethodInput<'_>) -> Result<Value, MethodError> {
        let method = "getCredentialsFromConnectionParameters";
        let Some(template) = &self.methods.credentials_from_parameters else {
            return Ok(input.connection_parameters.clone());
        };
        let made = evaluate(method, template, &input.variables())?;
        an_object(method, &made)
    }

    /// What a token response adds to the credentials, if the connector has a method for it:
    /// `getCredentialsFromRefreshTokenResponse`, else the one for access tokens. Its formulas see `tokenResponse`.
    ///
    /// # Errors
    /// If the method gives no object.
    pub fn credentials_from_token_response(
        &self,
        input: &MethodInput<'_>,
        response: &Value,
    ) -> Result<Option<Value>, MethodError> {
        let method = "getCredentialsFromRefreshTokenResponse";
        let Some(template) = &self.methods.credentials_from_token_response else { return Ok(None) };
        let mut variables = input.variables();
        variables.set("tokenResponse", response);
        let made = evaluate(method, template, &variables)?;
        an_object(method, &made).map(Some)
    }

    /// Whether credentials can be refreshed at all: those of oauth2, unless the spec says that its provider issues no
    /// refresh token and the first token does not come from the client's own credentials.
    #[must_use]
    pub fn can_refresh(&self) -> bool {
        let Some(config) = &self.methods.oauth_config else { return false };
        let literal = |key| config.member(key).and_then(|member| member.literal());
        let never = literal("noRefreshToken").is_some_and(|value| value.truthy());
        let own = literal("grantType").is_some_and(|grant| grant.as_str() == Some("client_credentials"));
        own || !never
    }
}

impl MethodInput<'_> {
    fn variables(&self) -> Variables {
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
        variables
    }
}

/// Evaluates a method. Undefined counts as an empty object, and the older nesting under `args` is undone.
fn evaluate(
    method: &'static str,
    template: &Template,
    variables: &Value,
) -> Result<Zeroizing<Value>, MethodError> {
    let made = template.evaluate(variables).map_err(|source| MethodError::Formula { method, source })?;
    let made = Zeroizing::new(made.unwrap_or_else(Value::empty_object));
    Ok(match made.get("args") {
        Some(nested @ Value::Object(_)) if matches!(method, "makeApiClient" | "getOAuthConfig") => {
            Zeroizing::new(nested.clone())
        }
        _ => made,
    })
}

fn an_object(method: &'static str, made: &Value) -> Result<Value, MethodError> {
    match made {
        Value::Object(_) => Ok(made.clone()),
        _ => Err(MethodError::Wrong { method, field: "result".into(), expected: "an object" }),
    }
}

#[cfg(test)]
mod tests;
