//! What to do about the codes with which third parties refuse, and with which we do.
//! Never knows which third party it was: the standards' words come first, then those that are one provider's own.

use std::fmt;

use super::Stage;

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// For whoever sits in front of it.
    pub customer: Option<&'static str>,
    /// For whoever set up the integration; a customer can only pass it on.
    pub operator: Option<&'static str>,
}

/// All of it, as for an operator.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = if self.customer.is_some() && self.operator.is_some() { " " } else { "" };
        let [customer, operator] = [self.customer, self.operator].map(Option::unwrap_or_default);
        write!(f, "{customer}{space}{operator}")
    }
}

/// What to do about a refusal, by its `code` or else by the `status` of the answer to this step.
pub(super) fn advice(stage: Stage, code: Option<&str>, status: Option<u16>) -> Option<Advice> {
    code.and_then(|code| by_code(&normal(code))).or_else(|| by_status(stage, status?))
}

/// Codes are written as `invalid_grant`, `BAD_CLIENT_SECRET`, `Unauthorized` and `redirect-uri mismatch`.
fn normal(code: &str) -> String {
    let lower = code.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    lower.collect::<String>().trim_matches('_').to_owned()
}

const fn customer(text: &'static str) -> Option<Advice> {
    Some(Advice { customer: Some(text), operator: None })
}

const fn operator(text: &'static str) -> Option<Advice> {
    Some(Advice { customer: None, operator: Some(text) })
}

const fn both(customer: &'static str, operator: &'static str) -> Option<Advice> {
    Some(Advice { customer: Some(customer), operator: Some(operator) })
}

fn by_code(code: &str) -> Option<Advice> {
    match code {
        "access_denied"
        | "permission_denied"
        | "user_denied"
        | "user_cancelled_authorize"
        | "user_cancelled_login"
        | "consent_required" => customer(
            "Access was not allowed there. Start again and allow it; if your account may not, ask its administrator.",
        ),
        "login_required" | "interaction_required" | "account_selection_required" => {
            customer("You are not logged in there. Log in and start again.")
        }
        "temporarily_unavailable"
        | "server_error"
        | "slow_down"
        | "rate_limited"
        | "rate_limit_exceeded"
        | "throttled_until" => customer("The third party cannot answer now. Try again in a few minutes."),
        "provider_down" | "third_party_down" => both(
            "The third party cannot answer now. Try again in a few minutes.",
            "If it stays like this, compare the connector's addresses with the third party's documentation.",
        ),
        "no_code" => {
            customer("Start again, and do not leave the third party's pages before they send you back.")
        }
        "wrong_issuer" => both(
            "Start again from your app. If it ends like this again, do not go on.",
            "Somebody may have put an answer of another provider in the way. If it is the right one, let `issuer` in \
             getOAuthConfig say what it calls itself.",
        ),
        "invalid_grant"
        | "bad_auth_code"
        | "bad_verification_code"
        | "invalid_code"
        | "code_expired"
        | "expired_token" => both(
            "The code was refused, because it was used before or is too old. Start again.",
            "If that does not help, the code belongs to another app or redirect URL: compare the app's client id, grants and \
             scopes at the third party with those of the integration.",
        ),
        "bad_client_secret" | "invalid_client_secret" | "incorrect_client_credentials" => operator(
            "The client secret is not the app's. Copy it again from the third party's developer pages into the \
             integration's apps.",
        ),
        "invalid_client"
        | "invalid_client_id"
        | "bad_client_id"
        | "consumer_key_unknown"
        | "consumer_key_rejected"
        | "consumer_key_refused" => operator(
            "The app is not known there. Compare the client id and secret of the integration's apps with the third \
             party's developer pages, and how they are sent with what its documentation says.",
        ),
        "unauthorized" | "unauthorized_client" | "invalid_token" | "token_rejected" => operator(
            "The app or its token may not do this. Look at the third party's developer pages whether the app is \
             approved, installed and allowed to use this grant.",
        ),
        "redirect_uri_mismatch"
        | "invalid_redirect_uri"
        | "bad_redirect_uri"
        | "mismatching_redirect_uri"
        | "mismatch_redirect_uri_auth_code"
        | "bad_redirect"
        | "callback_rejected"
        | "oauth_callback_rejected" => operator(
            "The redirect URL is not registered for the app. Register it at the third party exactly as `sidegate check` \
             prints it.",
        ),
        "invalid_scope" | "insufficient_scope" | "bad_scope" | "invalid_scope_requested" => operator(
            "The app may not ask for one of these scopes. Compare the integration's scopes with those that are switched \
             on for the app at the third party.",
        ),
        "unsupported_grant_type" | "unsupported_response_type" | "unsupported_response_mode" => {
            operator("The third party does not do it this way. Compare the connector with its documentation.")
        }
        "signature_invalid" | "signature_method_rejected" => operator(
            "The signature was refused. Compare the integration's consumer secret and signature method with the third \
             party's developer pages.",
        ),
        "timestamp_refused" => operator("The clock of this machine differs from the third party's. Set it."),
        "invalid_request" | "invalid_request_object" | "parameter_absent" | "parameter_rejected" => operator(
            "The third party misses something, or does not take it. Compare the connector with its documentation.",
        ),
        _ => None,
    }
}

fn by_status(stage: Stage, status: u16) -> Option<Advice> {
    match status {
        // Nobody but the app proves itself there.
        401 if matches!(stage, Stage::RequestToken | Stage::Exchange) => by_code("invalid_client"),
        401 | 403 if stage == Stage::Test => both(
            "Start again with an account that may use the third party's API.",
            "If that does not help, its token does not reach what the connector's `test` asks for: compare scopes and \
             address, and look at the third party's developer pages whether the app is approved and installed.",
        ),
        401 | 403 => by_code("unauthorized"),
        404 | 405 | 410 => operator(
            "There is nothing at this address. Compare the connector's addresses with the third party's documentation.",
        ),
        300..=399 => operator(
            "The third party sends elsewhere, which is not followed. Compare the connector's addresses with its \
             documentation.",
        ),
        408 | 429 | 500.. => by_code("temporarily_unavailable"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_exchange(code: &str) -> Advice {
        advice(Stage::Exchange, Some(code), None).unwrap()
    }

    #[test]
    fn a_code_is_known_however_it_is_written() {
        for (code, word) in [
            ("invalid_grant", "code"),
            ("BAD_CLIENT_SECRET", "secret"),
            ("Unauthorized", "approved"),
            ("invalid_client", "client id"),
            ("redirect_uri_mismatch", "Register"),
            ("redirect-uri mismatch", "Register"),
            ("access_denied", "allow"),
            ("invalid_scope", "scopes"),
            ("timestamp_refused", "clock"),
        ] {
            assert!(of_exchange(code).to_string().contains(word), "{code}");
        }
    }

    #[test]
    fn a_customer_is_told_what_a_customer_can_do() {
        for code in ["access_denied", "server_error", "login_required"] {
            assert_eq!(of_exchange(code).operator, None, "{code}");
        }
        for code in ["invalid_client", "redirect_uri_mismatch", "invalid_scope"] {
            assert_eq!(of_exchange(code).customer, None, "{code}");
        }
        let Advice { customer, operator } = of_exchange("invalid_grant");
        let (customer, operator) = (customer.unwrap(), operator.unwrap());
        assert_eq!(of_exchange("invalid_grant").to_string(), format!("{customer} {operator}"));
    }

    #[test]
    fn a_status_tells_what_an_unknown_code_does_not() {
        let of = |stage, code, status| advice(stage, code, status);
        assert_eq!(of(Stage::Callback, Some("E4711"), Some(401)), Some(of_exchange("Unauthorized")));
        assert_eq!(of(Stage::Test, None, Some(503)), Some(of_exchange("server_error")));
        assert_eq!(of(Stage::Test, Some("E4711"), Some(400)), None);
        assert_eq!(of(Stage::Test, None, None), None);
    }

    #[test]
    fn a_401_is_about_the_app_where_nobody_else_proves_itself() {
        for stage in [Stage::Exchange, Stage::RequestToken] {
            assert_eq!(advice(stage, None, Some(401)), Some(of_exchange("invalid_client")));
        }
        assert!(advice(Stage::Test, None, Some(401)).unwrap().customer.is_some());
    }
}
