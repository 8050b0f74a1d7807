//! What a third party gives back of what was put in: a redirect that keeps the query, a header that is sent back.
//! Never reads a body, and never touches a header that holds nothing of ours.
//!
//! It compares bytes: what a third party has encoded otherwise than we or RFC 3986 would is not found.

use http::header::{
    ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING,
    CONTENT_LANGUAGE, CONTENT_LOCATION, CONTENT_TYPE, LINK, LOCATION, PRAGMA, REFRESH, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use super::placement::NOT_UNRESERVED;
use crate::connector::ApiClient;

/// Response headers in which URLs stand.
const WITH_URLS: [HeaderName; 4] = [LOCATION, CONTENT_LOCATION, LINK, REFRESH];

/// What connectors put in beside credentials, and what answers have for reasons of their own.
const HARMLESS: [HeaderName; 10] = [
    ACCEPT,
    ACCEPT_CHARSET,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    CACHE_CONTROL,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    PRAGMA,
    USER_AGENT,
];

/// What is looked for in the answers to one API client's requests.
pub struct Echo {
    /// Headers that answers have no use for.
    names: Vec<HeaderName>,
    /// Parameters as they stand in a URL, and in a URL within a URL: up to the value, and the value.
    parameters: Vec<(String, Zeroizing<String>)>,
}

impl Echo {
    /// Of what this client puts in.
    #[must_use]
    pub fn of(client: &ApiClient) -> Self {
        let injected = client.headers.iter().map(|(name, _)| name).filter(|name| !HARMLESS.contains(name));
        let mut names: Vec<_> = injected.cloned().chain([AUTHORIZATION]).collect();
        names.dedup();
        let mut parameters = Vec::new();
        for (name, value) in &client.query {
            let encoded = |text: &str| utf8_percent_encode(text, NOT_UNRESERVED).to_string();
            let (name, raw) = (encoded(name), Zeroizing::new(value.expose().clone()));
            let value = Zeroizing::new(encoded(&raw));
            parameters.push((format!("{}%3D", encoded(&name)), Zeroizing::new(encoded(&value))));
            parameters.push((format!("{name}="), raw));
            parameters.push((format!("{name}="), value));
        }
        // Of values that begin alike, the longest goes first; of no value there is nothing to hide.
        parameters.retain(|(_, value)| !value.is_empty());
        parameters.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        Self { names, parameters }
    }

    /// Removes headers of our names, and empties our parameters in URLs: a request that follows one through Sidegate
    /// gets them again. Every other byte stays.
    pub fn take_back(&self, headers: &mut HeaderMap) {
        let has_ours = |name: &HeaderName| self.names.contains(name) || WITH_URLS.contains(name);
        if !headers.keys().any(has_ours) {
            return;
        }
        for name in &self.names {
            headers.remove(name);
        }
        for name in WITH_URLS {
            let Ok(values) = headers.try_entry(name) else { continue };
            let http::header::Entry::Occupied(mut values) = values else { continue };
            for value in values.iter_mut() {
                if let Some(cleaned) = self.without_parameters(value) {
                    *value = cleaned;
                }
            }
        }
    }

    /// The value without ours, if they are in it.
    fn without_parameters(&self, value: &HeaderValue) -> Option<HeaderValue> {
        let mut text = value.as_bytes().to_vec();
        for (name, secret) in &self.parameters {
            empty(&mut text, name.as_bytes(), secret.as_bytes());
        }
        (text.len() < value.len()).then(|| HeaderValue::from_bytes(&text).ok()).flatten()
    }
}

/// Cuts each `secret` that follows `name`, in any case: escapes are written in both.
fn empty(text: &mut Vec<u8>, name: &[u8], secret: &[u8]) {
    let whole = name.len() + secret.len();
    let mut from = 0;
    while let Some(window) = text.get(from..from + whole) {
        let (before, after) = window.split_at(name.len());
        if before.eq_ignore_ascii_case(name) && after.eq_ignore_ascii_case(secret) {
            text.drain(from + name.len()..from + whole);
        }
        from += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::ResponseHandlers;
    use crate::secret::Secret;

    fn echo() -> Echo {
        let secret = |text: &str| Secret::new(text.to_owned());
        Echo::of(&ApiClient {
            base_uri: String::from("https://api.example.com"),
            headers: vec![
                (HeaderName::from_static("x-api-key"), secret("planted-header")),
                (CONTENT_TYPE, secret("application/json")),
            ],
            query: vec![
                (String::from("api_token"), secret("pl+nted/query")),
                (String::from("format"), secret("")),
            ],
            basic: None,
            signer: None,
            response_handlers: ResponseHandlers::default(),
        })
    }

    fn taken_back(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.append(name, HeaderValue::from_static("another"));
        headers.append(name, value.parse().unwrap());
        echo().take_back(&mut headers);
        headers.get_all(name).iter().next_back().map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn our_parameters_are_emptied_in_every_url_of_an_answer() {
        let cases = [
            ("location", "/a/?x=1&api_token=pl%2Bnted%2Fquery&y=2", "/a/?x=1&api_token=&y=2"),
            ("location", "/a?api_token=pl%2bnted%2fquery", "/a?api_token="),
            ("location", "/a?api_token=pl+nted/query#f", "/a?api_token=#f"),
            (
                "location",
                "/login?to=%2Fa%3Fapi_token%3Dpl%252Bnted%252Fquery",
                "/login?to=%2Fa%3Fapi_token%3D",
            ),
            ("content-location", "/a?API_TOKEN=pl%2Bnted%2Fquery", "/a?API_TOKEN="),
            (
                "link",
                "</a?api_token=pl%2Bnted%2Fquery&p=2>; rel=next, </a?p=9&api_token=pl%2Bnted%2Fquery>; rel=last",
                "</a?api_token=&p=2>; rel=next, </a?p=9&api_token=>; rel=last",
            ),
            ("refresh", "5; url=/a?api_token=pl%2Bnted%2Fquery", "5; url=/a?api_token="),
        ];
        for (name, given, expected) in cases {
            assert_eq!(taken_back(name, given).as_deref(), Some(expected), "{name}: {given}");
        }
    }

    #[test]
    fn a_header_of_ours_does_not_come_back() {
        assert_eq!(taken_back("x-api-key", "planted-header"), None);
        assert_eq!(taken_back("authorization", "Bearer planted"), None);
    }

    #[test]
    fn what_is_not_ours_stays_as_it_is() {
        let kept = [
            ("content-type", "application/json"),
            ("location", "https://elsewhere.example/?api_token=another&format=json"),
            ("x-other", "/a?api_token=pl%2Bnted%2Fquery"),
        ];
        for (name, value) in kept {
            assert_eq!(taken_back(name, value).as_deref(), Some(value));
        }
    }
}
