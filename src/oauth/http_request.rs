//! One request of our own to a provider, through the egress guard: admitted, sent once, its reply read within bounds.
//! Never repeats, never follows a redirect, and never understands what comes back.

use std::error::Error;
use std::iter;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value as Json;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::http::client::{guarded, own_calls};
use crate::http::egress::{Egress, Names};
use crate::report::report;

use super::error::{ExchangeError, Sent};

/// A reply of more bytes is refused: token replies are a few kilobytes.
pub(super) const REPLY_LIMIT: usize = 1 << 20;

/// Some providers refuse requests that do not name their sender (GitHub does).
pub(super) const OUR_NAME: &str = concat!("sidegate/", env!("CARGO_PKG_VERSION"));

/// How the fields of a request travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As a form (RFC 6749 section 4.1.3).
    #[default]
    Form,
    /// As an object of texts in JSON.
    Json,
    /// In the query of a GET, for providers that have no other way.
    Query,
}

/// Fields that are to be sent.
pub(super) struct HttpRequest<'a> {
    pub(super) uri: &'a Url,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) form: String,
    pub(super) encoding: Encoding,
    pub(super) egress: Egress,
}

/// A reply as it came.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// How long the sender asks to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// When it was sent, by its sender's clock.
    pub(super) date: Option<Timestamp>,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// A provider's address, if it may be called.
pub(super) fn admit(uri: &str, egress: Egress) -> Result<Url, ExchangeError> {
    let refused = |error: &dyn Error| ExchangeError::NotAllowed { reason: error.to_string() };
    let uri = Url::parse(uri).map_err(|error| refused(&error))?;
    guarded(&uri, egress).map_err(|error| refused(&error))?;
    Ok(uri)
}

impl HttpRequest<'_> {
    /// Sends it, on a connection of its own. `deadline` covers all of it, to the reply's last byte.
    pub(super) async fn send(
        self,
        deadline: Duration,
        tls: &Arc<rustls::ClientConfig>,
        names: &Names,
    ) -> Result<Reply, ExchangeError> {
        let client = own_calls(self.egress, names.clone(), deadline, Arc::clone(tls))
            .map_err(|error| broken(error, Sent::No))?;
        let with_body = |kind: &str, body: String| {
            // Without a length, an empty form would go without one, and some servers answer 411.
            let request = client.post(self.uri.clone()).header(CONTENT_LENGTH, body.len());
            request.header(CONTENT_TYPE, kind).body(body)
        };
        let request = match self.encoding {
            Encoding::Form => with_body("application/x-www-form-urlencoded", self.form),
            Encoding::Json => with_body("application/json", json(&self.form)),
            Encoding::Query => client.get(with_query(self.uri, &self.form)),
        };
        let mut request = request.header(ACCEPT, "application/json").header(USER_AGENT, OUR_NAME);
        if let Some(value) = self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(|error| {
            let sent = if error.is_connect() { Sent::No } else { Sent::Perhaps };
            broken(error, sent)
        })?;
        let (status, headers) = (response.status(), response.headers());
        let (retry_after, date) = (retry_after(headers), point(headers, &DATE));
        Ok(Reply { status, retry_after, date, body: read(response).await? })
    }
}

/// The fields of a form as JSON has them.
fn json(form: &str) -> String {
    let fields = form_urlencoded::parse(form.as_bytes()).into_owned();
    Json::Object(fields.map(|(name, value)| (name, Json::String(value))).collect()).to_string()
}

/// The fields behind those that the address has.
fn with_query(uri: &Url, form: &str) -> Url {
    let mut uri = uri.clone();
    let query = uri.query().filter(|query| !query.is_empty());
    let query = query.map_or_else(|| form.to_owned(), |query| format!("{query}&{form}"));
    uri.set_query(Some(&query));
    uri
}

/// The whole body, up to the limit.
async fn read(mut response: reqwest::Response) -> Result<Zeroizing<Vec<u8>>, ExchangeError> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(error, Sent::Perhaps))? {
        if body.len() + chunk.len() > REPLY_LIMIT {
            let reason = format!("its reply is longer than {REPLY_LIMIT} bytes");
            return Err(ExchangeError::Transient { reason, retry_after: None, sent: Sent::Perhaps });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What lies under the client's own words, which only say that it sent a request; and without the address, whose query may
/// hold a secret.
fn broken(error: reqwest::Error, sent: Sent) -> ExchangeError {
    let depth = if error.is_connect() { 2 } else { 1 };
    let error = error.without_url();
    let causes = iter::successors(Some(&error as &dyn Error), |error| (*error).source());
    let reason = causes.take(depth + 1).last().map(|cause| report(cause).to_string()).unwrap_or_default();
    ExchangeError::Transient { reason, retry_after: None, sent }
}

/// `Retry-After` in seconds or as a date (RFC 9110 section 10.2.3). A date is measured against the reply's own `Date`,
/// so that a difference between the clocks does not matter.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, sent) = (point(headers, &RETRY_AFTER)?, point(headers, &DATE)?);
    (until >= sent).then(|| until.since(sent))
}

/// A header that is a date.
fn point(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(headers.get(name)?.to_str().ok()?.trim()).ok()?;
    Some(Timestamp::from_secs(date.duration_since(UNIX_EPOCH).ok()?.as_secs()))
}
