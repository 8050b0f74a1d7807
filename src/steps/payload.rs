//! What a step sent or got, masked as it is made: a value is shown only under a name that is known to hold no secret.
//! Never decides by what a value looks like whether it is harmless, but for words within a sentence.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::formula::Value;

/// What stands in place of a value that is not shown.
const MASKED: &str = "[masked]";
/// How many values are shown, and how many characters of each.
const MOST: usize = 40;
const LONGEST: usize = 300;
/// A name longer than this may be a value that was read as a name.
const LONGEST_NAME: usize = 40;
/// A word of a sentence that is as long and has a digit in it may be a token.
const LIKE_A_TOKEN: usize = 20;

/// Names whose values are shown, in lower case. Each is the name of something that is public in the standards, or that
/// tells what went wrong.
const SHOWN: &[&str] = &[
    "access_type",
    "accesstokenuri",
    "approval_prompt",
    "audience",
    "authorizeuri",
    "client_id",
    "code_challenge_method",
    "detail",
    "error",
    "error_code",
    "error_description",
    "error_uri",
    "expires",
    "expires_in",
    "grant_type",
    "iss",
    "issuer",
    "message",
    "method",
    "oauth_callback_confirmed",
    "oauth_problem",
    "oauth_problem_advice",
    "oauth_signature_method",
    "oauth_version",
    "ok",
    "prompt",
    "reason",
    "redirect_uri",
    "refresh_token_expires_in",
    "requesttokenuri",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "scopes",
    "status",
    "statuscode",
    "token_type",
    "tokenuri",
    "type",
];

/// What a step sent or got: names, and values as far as they may be seen. However one is made, from pairs, from a reply or
/// from a row of the store, a value under a name that is not listed is not in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Payload(Vec<(String, String)>);

impl Payload {
    /// Names and what is shown of their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn add(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                for (inner, value) in members {
                    let whole = if name.is_empty() { inner.clone() } else { format!("{name}.{inner}") };
                    self.add(&whole, value);
                }
            }
            value if self.0.len() < MOST => self.0.push((shown_name(name), shown(name, value))),
            _ => {}
        }
    }
}

/// From what is JSON: the members of an object, and those within them under names with points.
impl From<&Value> for Payload {
    fn from(value: &Value) -> Self {
        let mut payload = Self::default();
        if let Value::Object(_) = value {
            payload.add("", value);
        }
        payload
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Self {
        Self::from(&value)
    }
}

impl From<Payload> for Value {
    fn from(payload: Payload) -> Self {
        payload.0.into_iter().collect()
    }
}

/// From pairs, as a query or a form has them.
impl<N: AsRef<str>, V: Into<Value>> FromIterator<(N, V)> for Payload {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        let mut payload = Self::default();
        pairs.into_iter().for_each(|(name, value)| payload.add(name.as_ref(), &value.into()));
        payload
    }
}

/// A code, as `invalid_grant`, of which nothing else than a code is left.
pub(super) fn clean_code(code: &str) -> String {
    prose(code).chars().take(LONGEST_NAME * 2).collect()
}

fn shown_name(name: &str) -> String {
    let is_name = name.len() <= LONGEST_NAME * 2
        && name.split('.').all(|part| {
            is_shown(part)
                || part.len() <= LONGEST_NAME
                    && part.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-'))
        });
    if is_name { name.to_owned() } else { MASKED.to_owned() }
}

fn is_shown(name: &str) -> bool {
    SHOWN.contains(&name.to_ascii_lowercase().as_str())
}

fn shown(name: &str, value: &Value) -> String {
    let name = name.rsplit('.').next().unwrap_or_default();
    let text = match value {
        Value::Null => "null".to_owned(),
        Value::Array(items) => items.iter().map(Value::text).collect::<Vec<_>>().join(" "),
        other => other.text(),
    };
    // That nothing is there is often what is wrong, and no secret.
    match text.as_str() {
        "" => "(empty)".to_owned(),
        "null" | "(empty)" => text,
        _ if !is_shown(name) => MASKED.to_owned(),
        _ if name == "client_id" => printable(&text),
        _ => prose(&text),
    }
}

/// A text without what may be a token in it.
fn prose(text: &str) -> String {
    let words = text.split_whitespace().map(|word| match Url::parse(word) {
        Ok(url) if url.has_host() => place(url),
        _ if word.len() >= LIKE_A_TOKEN && word.contains(|c: char| c.is_ascii_digit()) => MASKED.to_owned(),
        _ => word.to_owned(),
    });
    printable(&words.collect::<Vec<_>>().join(" "))
}

/// An address without what may be a secret in it.
fn place(mut url: Url) -> String {
    url.set_query(None);
    url.set_fragment(None);
    // Only addresses without a host cannot be told so.
    let _ = (url.set_username(""), url.set_password(None));
    url.into()
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Vec<(String, String)> {
        Payload::from(serde_json::from_str::<Value>(json).unwrap()).0
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    #[test]
    fn a_value_is_shown_only_under_a_name_that_is_known_to_hold_no_secret() {
        let reply = r#"{"access_token": "planted", "token_type": "bearer", "expires_in": 3600, "scope": ["a", "b"], "new_thing": 7,
            "authed_user": {"id": "U1", "access_token": "planted", "scope": "chat:write"}, "refresh_token": "", "error": null,
            "incoming_webhook": {"url": "https://hooks.chat.example/services/planted"}}"#;
        assert_eq!(
            of(reply),
            pairs(&[
                ("access_token", MASKED),
                ("token_type", "bearer"),
                ("expires_in", "3600"),
                ("scope", "a b"),
                ("new_thing", MASKED),
                ("authed_user.id", MASKED),
                ("authed_user.access_token", MASKED),
                ("authed_user.scope", "chat:write"),
                ("refresh_token", "(empty)"),
                ("error", "null"),
                // Whoever knows it may post: Slack and Discord send one with the tokens.
                ("incoming_webhook.url", MASKED),
            ])
        );
    }

    #[test]
    fn what_may_be_a_token_is_found_within_sentences_addresses_and_names() {
        let reply = r#"{"error_description": "no grant 1a2b3c4d5e6f7a8b9c0d1e2f\u0007 for you", "7a8b9c0d1e2f": "",
            "tokenUri": "https://user:planted@crm.example/token?secret=planted#planted", "client_id": "1a2b3c4d5e6f7a8b9c0d1e2f"}"#;
        assert_eq!(
            of(reply),
            pairs(&[
                ("error_description", "no grant [masked] for you"),
                (MASKED, "(empty)"),
                ("tokenUri", "https://crm.example/token"),
                ("client_id", "1a2b3c4d5e6f7a8b9c0d1e2f"),
            ])
        );
    }

    #[test]
    fn what_was_masked_stays_so_however_often_it_is_read() {
        let once =
            Payload::from_iter([("a.b", "planted"), ("scope", "all"), ("state", ""), ("code", "planted")]);
        let text = serde_json::to_string(&once).unwrap();
        assert_eq!(serde_json::from_str::<Payload>(&text).unwrap(), once);
        // A row that somebody wrote by hand is masked as well.
        let forged: Payload = serde_json::from_str(r#"{"access_token": "planted"}"#).unwrap();
        assert_eq!(forged.0, pairs(&[("access_token", MASKED)]));
    }

    #[test]
    fn a_reply_cannot_fill_a_page() {
        let many = Payload::from_iter((0..1000).map(|number| (format!("scope{number}"), "x")));
        assert_eq!(many.0.len(), MOST);
        let long = Payload::from_iter([("scope", "x ".repeat(10_000))]);
        assert_eq!(long.0[0].1.len(), LONGEST);
        assert_eq!(clean_code(&"invalid grant ".repeat(100)).len(), 80);
    }
}
