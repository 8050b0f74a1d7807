//! What an integration says of its provider's token endpoint, as typed.
//! Knows nothing of OAuth.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Span, Text};

/// How a token endpoint departs from the standard.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct TokenEndpoint {
    /// How the client proves itself, over what the connector says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) client_authentication: Option<ClientAuthentication>,
    /// How the fields of a request travel.
    pub(in crate::config) encoding: Encoding,
    /// What it calls client_id, such as client_key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) client_id_name: Option<Text>,
    /// What it calls client_secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) client_secret_name: Option<Text>,
    /// Whom privateKeyJwt and clientSecretJwt are signed for, if not the token endpoint by its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) audience: Option<Text>,
    /// How HTTP Basic writes id and secret.
    pub(in crate::config) basic: Basic,
    /// Where refresh tokens go, if not to the connector's tokenUri.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) refresh_uri: Option<Text>,
    /// Further fields of the request for the first tokens, such as audience.
    pub(in crate::config) parameters: BTreeMap<String, String>,
    /// Further fields of a refresh, such as resource; scope is sent there only if it is one of them.
    pub(in crate::config) refresh_parameters: BTreeMap<String, String>,
    /// Where a reply has what the standard calls by these names: a path with dots; an empty one is the whole body.
    pub(in crate::config) fields: BTreeMap<String, String>,
    /// What its expires_in counts.
    pub(in crate::config) expires_in: Unit,
    /// What it means by its own codes of refusals, over what is known of them.
    pub(in crate::config) errors: ErrorCodes,
    /// How long tokens live whose reply does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) lifetime: Option<Span>,
}

/// Codes as the replies have them, in `error`, `error.code`, `errcode` or `code`; numbers are typed like texts.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct ErrorCodes {
    /// The grant is dead: the customer has to connect again.
    pub(in crate::config) dead_grant: Vec<Text>,
    /// The app is refused: the operator has to mend it.
    pub(in crate::config) dead_app: Vec<Text>,
    /// Another try is worth while later.
    pub(in crate::config) transient: Vec<Text>,
}

/// How the client proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum ClientAuthentication {
    /// HTTP Basic.
    Header,
    /// Fields of the form.
    Body,
    /// Both at once, which certified servers refuse.
    Both,
    /// The id alone.
    None,
    /// A JWT signed with the app's privateKey.
    PrivateKeyJwt,
    /// A JWT signed with the app's clientSecret, HS256.
    ClientSecretJwt,
}

/// How the fields of a token request travel.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Encoding {
    /// As a form, as RFC 6749 wants it.
    #[default]
    Form,
    /// As JSON.
    Json,
    /// In the query of a GET.
    Query,
}

/// How HTTP Basic writes id and secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Basic {
    /// Form-urlencoded first, as RFC 6749 wants it.
    #[default]
    Encoded,
    /// As they are, for servers that do not decode.
    Raw,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::config) enum Unit {
    /// Seconds, as RFC 6749 wants it.
    #[default]
    Seconds,
    /// Thousandths of them.
    Milliseconds,
}
