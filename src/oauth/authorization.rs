//! The address that a customer's browser is sent to for its consent (RFC 6749 section 4.1.1), and the proof that the code which
//! comes back was ours to ask for (RFC 7636).
//! Never sends anything, and never knows whose browser it is.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::secret::Secret;

/// What only we may say: neither a connector's `extra` nor the query of its `authorizeUri` can. A request object
/// (RFC 9101) would say all of it at once.
const RESERVED: [&str; 9] = [
    "response_type",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];

/// A request for consent, before a browser carries it.
pub struct AuthorizationRequest<'a> {
    /// The authorization endpoint; the parameters of its query are kept.
    pub authorize_uri: &'a str,
    /// The OAuth app.
    pub client_id: &'a str,
    /// What its provider calls `client_id`.
    pub client_id_name: &'a str,
    /// Where the browser is to come back to.
    pub redirect_uri: &'a str,
    /// What is asked for; nothing is not sent.
    pub scopes: &'a [String],
    /// What the browser is to bring back.
    pub state: &'a str,
    /// What the code will be redeemed with, if anything.
    pub verifier: Option<&'a Secret<String>>,
    /// Further parameters.
    pub extra: &'a [(String, String)],
}

impl AuthorizationRequest<'_> {
    /// Where to send the browser.
    ///
    /// # Errors
    /// The authorization endpoint is no URL.
    pub fn url(&self) -> Result<Url, url::ParseError> {
        let mut url = Url::parse(self.authorize_uri)?;
        let said: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        url.set_query(None);
        let mut query = url.query_pairs_mut();
        let is_free =
            |(name, _): &&(String, String)| !RESERVED.contains(&name.as_str()) && name != self.client_id_name;
        let is_replaced = |name: &str| self.extra.iter().any(|(extra, _)| extra == name);
        query.extend_pairs(said.iter().filter(is_free).filter(|(name, _)| !is_replaced(name)));
        query.append_pair("response_type", "code").append_pair(self.client_id_name, self.client_id);
        query.append_pair("redirect_uri", self.redirect_uri);
        if !self.scopes.is_empty() {
            query.append_pair("scope", &self.scopes.join(" "));
        }
        query.append_pair("state", self.state);
        if let Some(verifier) = self.verifier {
            query.append_pair("code_challenge", &challenge(verifier));
            query.append_pair("code_challenge_method", "S256");
        }
        query.extend_pairs(self.extra.iter().filter(is_free));
        drop(query);
        Ok(url)
    }
}

/// A new `code_verifier`: 256 random bits (RFC 7636 section 4.1).
///
/// # Panics
/// The operating system has no randomness, which it has once it runs.
#[must_use]
pub fn code_verifier() -> Secret<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).expect("the operating system has randomness once it runs");
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// The `code_challenge` of method S256 (RFC 7636 section 4.2).
fn challenge(verifier: &Secret<String>) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.expose().as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn asked(
        authorize_uri: &str,
        scopes: &[String],
        extra: &[(String, String)],
    ) -> (String, Vec<(String, String)>) {
        let verifier = Secret::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
        let request = AuthorizationRequest {
            authorize_uri,
            client_id: "c",
            client_id_name: "client_id",
            redirect_uri: "https://auth.example.com/oauth-callback",
            scopes,
            state: "s:t",
            verifier: Some(&verifier),
            extra,
        };
        let url = request.url().unwrap();
        let place = url.as_str().split('?').next().unwrap().to_owned();
        (place, url.query_pairs().into_owned().collect())
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let (_, query) = asked("https://p.example/authorize", &[], &[]);
        let query: BTreeMap<_, _> = query.into_iter().collect();
        assert_eq!(query["code_challenge"], "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(query["code_challenge_method"], "S256");
    }

    #[test]
    fn a_verifier_is_long_enough_and_never_the_same() {
        let (one, other) = (code_verifier(), code_verifier());
        assert_eq!(one.expose().len(), 43);
        assert!(!one.matches(other.expose().as_bytes()));
    }

    #[test]
    fn row_3_2_3_the_id_goes_by_the_name_that_the_provider_has_for_it_and_only_once() {
        let extra = pairs(&[("client_key", "evil"), ("client_id", "evil"), ("lang", "de")]);
        let request = AuthorizationRequest {
            authorize_uri: "https://p.example/authorize?client_key=old",
            client_id: "c",
            client_id_name: "client_key",
            redirect_uri: "https://auth.example.com/oauth-callback",
            scopes: &[],
            state: "s",
            verifier: None,
            extra: &extra,
        };
        let query: Vec<_> = request.url().unwrap().query_pairs().into_owned().collect();
        let expected = pairs(&[
            ("response_type", "code"),
            ("client_key", "c"),
            ("redirect_uri", "https://auth.example.com/oauth-callback"),
            ("state", "s"),
            ("lang", "de"),
        ]);
        assert_eq!(query, expected);
    }

    #[test]
    fn what_is_ours_is_said_once_and_the_rest_is_kept() {
        let scopes = ["a b".to_owned(), "c".to_owned()];
        let hostile = pairs(&[
            ("client_id", "evil"),
            ("redirect_uri", "https://evil.example"),
            ("state", "evil"),
            ("scope", "all"),
            ("code_challenge_method", "plain"),
            ("request_uri", "https://evil.example"),
            ("prompt", "consent"),
            ("tenant", "new"),
        ]);
        let place = "https://p.example/authorize";
        let uri = format!("{place}?response_type=token&tenant=old&lang=de&state=fixed");
        let (asked_at, query) = asked(&uri, &scopes, &hostile);
        assert_eq!(asked_at, place);
        let expected = pairs(&[
            ("lang", "de"),
            ("response_type", "code"),
            ("client_id", "c"),
            ("redirect_uri", "https://auth.example.com/oauth-callback"),
            ("scope", "a b c"),
            ("state", "s:t"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
            ("prompt", "consent"),
            ("tenant", "new"),
        ]);
        assert_eq!(query, expected);
        assert!(!asked(place, &[], &[]).1.iter().any(|(name, _)| name == "scope"));
    }
}
