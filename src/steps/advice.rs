//! What to do about the codes with which third parties refuse.
//! Never knows which third party it was: the standards' words come first, then those that are one provider's own.

use super::Stage;

/// What to do about a refusal, by its `code` or else by the `status` of the answer to this step.
pub(super) fn advice(stage: Stage, code: Option<&str>, status: Option<u16>) -> Option<&'static str> {
    code.and_then(|code| by_code(&normal(code))).or_else(|| by_status(stage, status?))
}

/// Codes are written as `invalid_grant`, `BAD_CLIENT_SECRET`, `Unauthorized` and `redirect-uri mismatch`.
fn normal(code: &str) -> String {
    let lower = code.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    lower.collect::<String>().trim_matches('_').to_owned()
}

fn by_code(code: &str) -> Option<&'static str> {
    Some(match code {
        "access_denied" | "permission_denied" | "user_denied" | "consent_required" => {
            "Access was not allowed there. Start again and allow it; if the account may not, ask its administrator."
        }
        "invalid_grant"
        | "bad_auth_code"
        | "bad_verification_code"
        | "invalid_code"
        | "code_expired"
        | "expired_token" => {
            "The code was refused: it was used before or is too old, or it belongs to another app or redirect URL. Start \
             again. If that does not help, compare the app's client id, grants and scopes at the third party with \
             those of the integration."
        }
        "bad_client_secret" | "invalid_client_secret" | "incorrect_client_credentials" => {
            "The client secret is not the app's. Copy it again from the third party's developer pages into the \
             integration's apps."
        }
        "invalid_client"
        | "invalid_client_id"
        | "bad_client_id"
        | "consumer_key_unknown"
        | "consumer_key_rejected"
        | "consumer_key_refused" => {
            "The app is not known there. Compare the client id and secret of the integration's apps with the third \
             party's developer pages, and how they are sent with what its documentation says."
        }
        "unauthorized" | "unauthorized_client" | "invalid_token" | "token_rejected" => {
            "The app or its token may not do this. Look at the third party's developer pages whether the app is \
             approved, installed and allowed to use this grant."
        }
        "redirect_uri_mismatch"
        | "invalid_redirect_uri"
        | "bad_redirect_uri"
        | "mismatching_redirect_uri"
        | "bad_redirect"
        | "callback_rejected"
        | "oauth_callback_rejected" => {
            "The redirect URL is not registered for the app. Register it at the third party exactly as sidegate check \
             prints it."
        }
        "invalid_scope" | "insufficient_scope" | "bad_scope" | "invalid_scope_requested" => {
            "The app may not ask for one of these scopes. Compare the integration's scopes with those that are switched \
             on for the app at the third party."
        }
        "unsupported_grant_type" | "unsupported_response_type" | "unsupported_response_mode" => {
            "The third party does not do it this way. Compare the connector with its documentation."
        }
        "signature_invalid" | "signature_method_rejected" => {
            "The signature was refused. Compare the integration's consumer secret and signature method with the third \
             party's developer pages."
        }
        "timestamp_refused" => "The clock of this machine differs from the third party's. Set it.",
        "login_required" | "interaction_required" | "account_selection_required" => {
            "You are not logged in there. Log in and start again."
        }
        "temporarily_unavailable" | "server_error" | "slow_down" | "rate_limited" | "rate_limit_exceeded" => {
            "The third party cannot answer now. Try again in a few minutes."
        }
        "invalid_request" | "invalid_request_object" | "parameter_absent" | "parameter_rejected" => {
            "The third party misses something, or does not take it. Compare the connector with its documentation."
        }
        _ => return None,
    })
}

fn by_status(stage: Stage, status: u16) -> Option<&'static str> {
    match status {
        // Nobody but the app proves itself there.
        401 if matches!(stage, Stage::RequestToken | Stage::Exchange) => by_code("invalid_client"),
        401 | 403 => by_code("unauthorized"),
        404 | 405 | 410 => Some(
            "There is nothing at this address. Compare the connector's addresses with the third party's documentation.",
        ),
        300..=399 => Some(
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
            assert!(advice(Stage::Exchange, Some(code), None).unwrap().contains(word), "{code}");
        }
    }

    #[test]
    fn a_status_tells_what_an_unknown_code_does_not() {
        let of_test = |code, status| advice(Stage::Test, code, status);
        assert_eq!(of_test(Some("E4711"), Some(401)), of_test(Some("Unauthorized"), None));
        assert_eq!(of_test(None, Some(503)), of_test(Some("server_error"), None));
        assert_eq!(of_test(Some("E4711"), Some(400)), None);
        assert_eq!(of_test(None, None), None);
    }

    #[test]
    fn a_401_is_about_the_app_where_nobody_else_proves_itself() {
        let of_app = advice(Stage::Exchange, Some("invalid_client"), Some(401));
        for stage in [Stage::Exchange, Stage::RequestToken] {
            assert_eq!(advice(stage, None, Some(401)), of_app);
        }
        assert_ne!(advice(Stage::Test, None, Some(401)), of_app);
    }
}
