//! What an integration says of its provider's token endpoint where that departs from the standard.
//! Never knows the endpoint's app, nor what it answers.

use std::time::Duration;

use super::ClientAuthentication;

/// How a token endpoint wants to be asked, and how its replies are to be read. The default is RFC 6749.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// How the client proves itself, over what the connector says.
    pub client_authentication: Option<ClientAuthentication>,
    /// How the fields of a request travel.
    pub encoding: Encoding,
    /// What it calls `client_id`, if not that.
    pub client_id_name: Option<String>,
    /// What it calls `client_secret`, if not that.
    pub client_secret_name: Option<String>,
    /// Whom a client's assertion is for, if not the endpoint by its address.
    pub audience: Option<String>,
    /// HTTP Basic has id and secret as they are, not form-urlencoded first as RFC 6749 section 2.3.1 wants.
    pub basic_is_raw: bool,
    /// Where refresh tokens go, if not to the token endpoint.
    pub refresh_uri: Option<String>,
    /// Further fields of the request for the first tokens.
    pub parameters: Vec<(String, String)>,
    /// Further fields of a refresh.
    pub refresh_parameters: Vec<(String, String)>,
    /// Where the provider has what the standard calls by these names: keys and list positions, from the outside in; none of
    /// them is the whole body.
    pub fields: Vec<(String, Vec<String>)>,
    /// Its `expires_in` counts milliseconds.
    pub milliseconds: bool,
    /// What it means by its codes.
    pub errors: ErrorCodes,
    /// How long tokens live whose reply does not say it.
    pub lifetime: Option<Duration>,
}

impl TokenSettings {
    /// What it calls `client_id`.
    #[must_use]
    pub fn client_id_name(&self) -> &str {
        self.client_id_name.as_deref().unwrap_or("client_id")
    }

    /// What it calls `client_secret`.
    #[must_use]
    pub fn client_secret_name(&self) -> &str {
        self.client_secret_name.as_deref().unwrap_or("client_secret")
    }
}

/// How the fields of a token request travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As a form.
    #[default]
    Form,
    /// As JSON.
    Json,
    /// In the query of a GET.
    Query,
}

/// Codes of a token endpoint's refusals, as its replies have them, by what they mean. They go before what is known of codes
/// and statuses; no code is in two lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ErrorCodes {
    /// The customer has to connect again.
    pub dead_grant: Vec<String>,
    /// The operator has to mend the app.
    pub dead_app: Vec<String>,
    /// Another try is worth while later.
    pub transient: Vec<String>,
}
