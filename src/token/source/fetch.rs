//! One small GET for a key set: guarded, bounded in time and bytes, and never led elsewhere.
//! Never knows what the keys are for.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, HeaderMap, IF_NONE_MATCH, USER_AGENT};
use url::Url;

use crate::http::client::{guarded, own_calls};
use crate::http::egress::{Egress, EgressError, Names};

/// A set of more bytes is refused: real ones have a few kilobytes.
pub(super) const MAX_SET: usize = 256 * 1024;
/// From dialling to the last byte.
const DEADLINE: Duration = Duration::from_secs(3);
/// A longer tag is not sent back.
const MAX_TAG: usize = 1024;

const OUR_NAME: &str = concat!("sidegate/", env!("CARGO_PKG_VERSION"));

/// What a set's URL answered.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The text of a set, for all that is known.
    Set {
        /// The body.
        text: String,
        /// How long the server says it is fresh.
        max_age: Option<Duration>,
    },
    /// The set is the one that was fetched last.
    Unchanged {
        /// How long the server says it is fresh.
        max_age: Option<Duration>,
    },
}

/// Why there is no text of a set.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("the key set's address may not be dialled; allowPrivate and allowPlain of `jwks` would open it")]
    Egress(#[source] EgressError),
    #[error("the key set's server does not answer as it should")]
    Transport(#[source] reqwest::Error),
    #[error("the key set's server answers {0}, which leads elsewhere; give the address it leads to")]
    Redirect(StatusCode),
    #[error("the key set's server answers {0}")]
    Status(StatusCode),
    #[error("the key set has more than {MAX_SET} bytes")]
    TooLong,
    #[error("the key set is not UTF-8")]
    NotText,
}

/// A URL, and the tag of what came from it last.
pub(super) struct Fetcher {
    url: Url,
    egress: Egress,
    tls: Arc<rustls::ClientConfig>,
    tag: Option<String>,
}

impl Fetcher {
    pub(super) fn new(url: Url, egress: Egress, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { url, egress, tls, tag: None }
    }

    /// Asks for the whole set the next time, changed or not.
    pub(super) fn forget(&mut self) {
        self.tag = None;
    }

    pub(super) async fn fetch(&mut self) -> Result<Fetched, FetchError> {
        guarded(&self.url, self.egress).map_err(FetchError::Egress)?;
        let client = own_calls(self.egress, Names::default(), DEADLINE, Arc::clone(&self.tls))
            .map_err(FetchError::Transport)?;
        let mut get = client
            .get(self.url.clone())
            .header(ACCEPT, "application/jwk-set+json, application/json")
            .header(USER_AGENT, OUR_NAME);
        if let Some(tag) = &self.tag {
            get = get.header(IF_NONE_MATCH, tag);
        }
        let response = get.send().await.map_err(transport)?;
        let max_age = max_age(response.headers());
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if self.tag.is_some() => return Ok(Fetched::Unchanged { max_age }),
            status if status.is_redirection() => return Err(FetchError::Redirect(status)),
            status => return Err(FetchError::Status(status)),
        }
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let text = String::from_utf8(read(response).await?).map_err(|_| FetchError::NotText)?;
        self.tag = tag.filter(|tag| tag.len() <= MAX_TAG);
        Ok(Fetched::Set { text, max_age })
    }
}

async fn read(mut response: reqwest::Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(transport)? {
        if body.len() + chunk.len() > MAX_SET {
            return Err(FetchError::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without the address, which may hold a secret in its query.
fn transport(error: reqwest::Error) -> FetchError {
    FetchError::Transport(error.without_url())
}

/// `max-age` of Cache-Control (RFC 9111 section 5.2.2); an answer that may not be kept is fresh for no time at all.
fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let directives: Vec<String> =
        values.flat_map(|value| value.split(',')).map(|part| part.trim().to_ascii_lowercase()).collect();
    if directives.iter().any(|directive| directive == "no-store" || directive == "no-cache") {
        return Some(Duration::ZERO);
    }
    let seconds = directives.iter().find_map(|directive| directive.strip_prefix("max-age="))?;
    Some(Duration::from_secs(seconds.trim_matches('"').parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_control_says_how_long_a_set_is_fresh() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CACHE_CONTROL, http::HeaderValue::from_static(value));
            max_age(&headers).map(|age| age.as_secs())
        };
        assert_eq!(of("public, max-age=300"), Some(300));
        assert_eq!(of("Max-Age=\"60\" , must-revalidate"), Some(60));
        assert_eq!(of("no-cache, max-age=300"), Some(0));
        assert_eq!(of("no-store"), Some(0));
        assert_eq!(of("public"), None);
        assert_eq!(of("max-age=-1"), None);
        assert_eq!(of("max-age=99999999999999999999999"), None);
        assert_eq!(max_age(&HeaderMap::new()), None);
    }
}
