//! What a browser brings back from a provider (RFC 6749 section 4.1.2, RFC 9207), read and held against what was asked.
//! Never trusts more of it than its state, which is checked before.

use url::Url;
use zeroize::Zeroizing;

use super::rejection::ConsentError;
use crate::connector::OAuthConfig;
use crate::formula::Value;
use crate::secret::Secret;

/// How much of a provider's texts is kept.
const LONGEST: usize = 200;

/// What a browser brought back.
pub struct Brought(Zeroizing<Value>);

impl Brought {
    /// From the pairs of its query; of a repeated name the first counts.
    #[must_use]
    pub fn of(pairs: &[(String, String)]) -> Self {
        let pairs = pairs.iter().rev().map(|(name, value)| (name.as_str(), Value::from(value.as_str())));
        Self(Zeroizing::new(pairs.collect()))
    }

    /// All of it, by name.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let members = self.0.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default()))
    }

    /// All of it, for the connector's methods: `queryParameters`.
    pub(super) fn query(&self) -> &Value {
        &self.0
    }

    /// A text that is there and not empty.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The code, if it is from whom was asked and says yes.
    pub(super) fn code(&self, config: &OAuthConfig) -> Result<Secret<String>, ConsentError> {
        self.check_issuer(config)?;
        if let Some(code) = self.text("error") {
            let description = cut(self.text("error_description").unwrap_or_default());
            return Err(ConsentError::Refused { code: cut(code), description });
        }
        let code = self.text("code").ok_or(ConsentError::NoCode)?;
        Ok(Secret::new(code.to_owned()))
    }

    /// The verifier of OAuth 1.0a, if it is for the temporary token that the browser was sent away with.
    pub(super) fn verifier(&self, temporary: &str) -> Result<&str, ConsentError> {
        // No standard says how a customer's no comes back; these are the words of those who tell it.
        if let Some(code) = ["oauth_problem", "error", "denied"].iter().find_map(|name| self.text(name)) {
            let code = if code == temporary { "access_denied" } else { code };
            return Err(ConsentError::Refused { code: cut(code), description: String::new() });
        }
        match (self.text("oauth_token"), self.text("oauth_verifier")) {
            (Some(token), Some(verifier)) if token == temporary => Ok(verifier),
            _ => Err(ConsentError::NoCode),
        }
    }

    /// RFC 9207 section 2.4. Where nothing says who the provider is, it is on the host that the browser was sent to.
    fn check_issuer(&self, config: &OAuthConfig) -> Result<(), ConsentError> {
        let named = self.text("iss");
        let (expected, is_right) = match (&config.issuer, named) {
            (None, None) => return Ok(()),
            (Some(issuer), named) => (issuer.clone(), named == Some(issuer)),
            (None, Some(named)) => {
                let expected = config.authorize_uri.as_deref().and_then(origin).unwrap_or_default();
                let is_right = origin(named).as_ref() == Some(&expected);
                (expected, is_right)
            }
        };
        if is_right {
            return Ok(());
        }
        Err(ConsentError::WrongIssuer { named: cut(named.unwrap_or("nobody")), expected })
    }
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<String> {
    let url = Url::parse(url).ok().filter(Url::has_host)?;
    Some(url.origin().ascii_serialization())
}

/// The beginning of somebody else's text, on one line.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}
