//! The methods a connector may have, and what each may be written in.
//! Never runs one: the room `method` does.

use super::request::RequestMapping;
use crate::formula::Template;
use crate::script::Script;

/// A method of an auth spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// How to call the third party.
    MakeApiClient,
    /// How to ask its provider for tokens.
    GetOAuthConfig,
    /// The first tokens, where the standard exchange does not fit.
    GetTokenData,
    /// The credentials for what the customer typed in.
    CredentialsFromParameters,
    /// What the first token response adds to the credentials.
    CredentialsFromAccessToken,
    /// What a later one adds.
    CredentialsFromRefreshToken,
    /// New credentials for those that ended.
    RefreshCredentials,
    /// Whether the credentials work.
    Test,
    /// Takes them back at the third party.
    Disconnect,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 9] = [
        Self::MakeApiClient,
        Self::GetOAuthConfig,
        Self::GetTokenData,
        Self::CredentialsFromParameters,
        Self::CredentialsFromAccessToken,
        Self::CredentialsFromRefreshToken,
        Self::RefreshCredentials,
        Self::Test,
        Self::Disconnect,
    ];

    /// The vendor's name of it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.keys().first().copied().unwrap_or_default()
    }

    /// Its key in a spec, then its aliases.
    #[must_use]
    pub fn keys(self) -> &'static [&'static str] {
        match self {
            Self::MakeApiClient => &["makeApiClient"],
            Self::GetOAuthConfig => &["getOAuthConfig", "oAuthConfig"],
            Self::GetTokenData => &["getTokenData"],
            Self::CredentialsFromParameters => &["getCredentialsFromConnectionParameters"],
            Self::CredentialsFromAccessToken => {
                &["getCredentialsFromAccessTokenResponse", "getCredentialsFromTokenResponse"]
            }
            Self::CredentialsFromRefreshToken => &["getCredentialsFromRefreshTokenResponse"],
            Self::RefreshCredentials => &["refreshCredentials"],
            Self::Test => &["test"],
            Self::Disconnect => &["disconnect"],
        }
    }

    /// The stems its file may have.
    pub(super) fn stems(self) -> &'static [&'static str] {
        match self {
            Self::MakeApiClient => &["make-api-client"],
            Self::GetOAuthConfig => &["get-oauth-config", "oauth-config"],
            Self::GetTokenData => &["get-token-data"],
            Self::CredentialsFromParameters => &["get-credentials-from-connection-parameters"],
            Self::CredentialsFromAccessToken => {
                &["get-credentials-from-access-token-response", "get-credentials-from-token-response"]
            }
            Self::CredentialsFromRefreshToken => &["get-credentials-from-refresh-token-response"],
            Self::RefreshCredentials => &["refresh-credentials"],
            Self::Test => &["test"],
            Self::Disconnect => &["disconnect"],
        }
    }

    /// Whether a way of the type `proxy` may have one of its own: how to speak with the third party is the borrower's matter,
    /// how to get credentials is the lender's.
    pub(super) fn may_be_borrowers(self) -> bool {
        matches!(self, Self::MakeApiClient | Self::Test | Self::Disconnect)
    }

    /// Whether it may be written as formulas alone.
    pub(super) fn may_be_mapping(self) -> bool {
        !matches!(self, Self::Test | Self::Disconnect)
    }

    /// Whether it may be written as a call of one of the connector's operations.
    pub(super) fn may_be_operation(self) -> bool {
        self == Self::Test
    }

    /// Whether it may be written as a request. The methods that make other requests possible may not.
    pub(super) fn may_be_request(self) -> bool {
        matches!(
            self,
            Self::CredentialsFromParameters | Self::RefreshCredentials | Self::Test | Self::Disconnect
        )
    }
}

/// What a method is written in.
#[derive(Clone, Debug)]
pub enum Implementation {
    /// Formulas: `mapping`.
    Mapping(Template),
    /// One request to the third party, and what its answer gives: `rest-api-mapping`, or the `operation-mapping` of one.
    Request(Box<RequestMapping>),
    /// A function: `javascript`.
    Script(Script),
}
