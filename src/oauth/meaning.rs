//! What a provider's code for a refusal means: for the grant, for the app, or for neither.
//! Pure; knows nothing of replies. Each code is here because its provider documents it in public.

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The grant is revoked, expired or spent.
    DeadGrant,
    /// The OAuth app is refused.
    DeadApp,
    /// Worth another try later.
    Transient,
    /// Nothing that is known here.
    Unknown,
}

/// Whose code it is, as far as the shape of the reply tells. Words mean the same wherever they stand, numbers do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A word of RFC 6749, of OAuth 1.0a, or of a provider that adds its own.
    #[default]
    Words,
    /// The first of `errors` beside `success: false`.
    Marketo,
    /// `errcode` beside `errmsg`.
    WeChat,
    /// `code` of an error object whose `type` is `OAuthException`.
    Meta,
}

impl Dialect {
    /// What `code` means in it.
    pub(super) fn meaning(self, code: &str) -> Meaning {
        match self {
            Self::Words => word(code),
            Self::Marketo => marketo(code),
            Self::WeChat => wechat(code),
            Self::Meta => meta(code),
        }
    }
}

fn word(code: &str) -> Meaning {
    match code {
        // RFC 6749 section 5.2.
        "invalid_grant"
        // GitHub: "Troubleshooting OAuth app access token request errors".
        | "bad_refresh_token" | "bad_verification_code"
        // Slack: the errors of oauth.v2.access. Zoho has invalid_code for a refresh token, too.
        | "invalid_refresh_token" | "invalid_code" | "token_expired" | "token_revoked" | "account_inactive"
        // Salesforce: "OAuth 2.0 Authorization Errors". The user or its whole organization is locked.
        | "inactive_user" | "inactive_org"
        // HubSpot: the `status` of its replies.
        | "BAD_AUTH_CODE" | "BAD_REFRESH_TOKEN"
        // OAuth 1.0a: the "problem reporting" extension.
        | "token_rejected" | "token_used" | "permission_denied" => Meaning::DeadGrant,
        // RFC 6749 section 5.2.
        "invalid_client" | "unauthorized_client"
        // GitHub.
        | "incorrect_client_credentials"
        // Slack; invalid_client_id is Salesforce's, too.
        | "bad_client_secret" | "invalid_client_id"
        // Zoho: "Refresh access tokens".
        | "invalid_client_secret"
        // Google: "Authorization errors".
        | "deleted_client"
        // HubSpot.
        | "BAD_CLIENT_ID" | "BAD_CLIENT_SECRET"
        // OAuth 1.0a.
        | "consumer_key_unknown" | "consumer_key_rejected" | "signature_invalid" => Meaning::DeadApp,
        // RFC 6749 section 4.1.2.1 has these for the authorization endpoint; token endpoints use them too.
        "temporarily_unavailable" | "server_error"
        // Slack.
        | "ratelimited" | "internal_error" | "service_unavailable"
        // Salesforce.
        | "rate_limit_exceeded" => Meaning::Transient,
        _ => Meaning::Unknown,
    }
}

/// Marketo's "Error Codes" of the REST API: 604 a timeout, 606 and 607 the limits of a moment and of a day, 608 and 611 its own
/// trouble, 615 too many at once. 601 and 602 speak of an access token, which a token endpoint is not asked with: they say
/// nothing of the grant.
fn marketo(code: &str) -> Meaning {
    match code {
        "604" | "606" | "607" | "608" | "611" | "615" => Meaning::Transient,
        _ => word(code),
    }
}

/// WeChat's and WeCom's "global return codes".
fn wechat(code: &str) -> Meaning {
    match code {
        // The code is wrong, expired or used; the refresh token is wrong or expired; the user changed the password.
        "40029" | "42003" | "40163" | "40030" | "42002" | "42007" => Meaning::DeadGrant,
        // The secret is wrong, the app is unknown, our address is not on its list.
        "40001" | "40125" | "40013" | "40164" => Meaning::DeadApp,
        // Busy; the limits of a day and of a minute.
        "-1" | "45009" | "45011" => Meaning::Transient,
        _ => word(code),
    }
}

/// Meta's "Handling Errors" of the Graph API: 190 is the access token, with which Facebook, Instagram and Threads extend a
/// grant; 2 is its own trouble, 4 and 17 are limits.
fn meta(code: &str) -> Meaning {
    match code {
        "190" => Meaning::DeadGrant,
        "2" | "4" | "17" => Meaning::Transient,
        _ => word(code),
    }
}
