//! The admin listener: `/status`, `/keys` and `/dry-run` to look at, `/reload`, `/drain` and `/key-rotate` to act; nothing else.
//! Never believes that whoever reaches it meant to: a browser on this machine can be made to ask by any web page.

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

use super::page::Page;
use super::preview::Wanted;
use super::rejection::{Rejection, refused_reload};
use super::status::Operations;
use crate::http::headers::{admit, host};
use crate::http::listener::{Address, Arrival, Handler};
use crate::http::{Body, reply};

/// The admin listener's handler.
pub struct Control<O> {
    operations: Arc<O>,
    address: Address,
    page: Page,
}

impl<O: Operations> Control<O> {
    /// For the listener at `address`, which is of this machine.
    #[must_use]
    pub fn new(operations: Arc<O>, address: Address) -> Self {
        Self { operations, address, page: Page::default() }
    }

    async fn answer(&self, head: &Parts) -> Response<Body> {
        let mut answer = self.page_of(head).await.unwrap_or_else(|rejection| rejection.answer());
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        answer
    }

    async fn page_of(&self, head: &Parts) -> Result<Response<Body>, Rejection> {
        admit(head).map_err(Rejection::Malformed)?;
        self.check_host(head)?;
        check_origin(head)?;
        match head.uri.path() {
            "/" | "/status" => {
                only(head, &[Method::GET, Method::HEAD], "GET, HEAD")?;
                Ok(self.status(head))
            }
            "/reload" => {
                only(head, &[Method::POST], "POST")?;
                let reloaded = self.operations.reload().await;
                Ok(match reloaded.applied {
                    true => reply::json(StatusCode::OK, &reloaded),
                    false => refused_reload(&reloaded),
                })
            }
            "/drain" => {
                only(head, &[Method::POST], "POST")?;
                self.operations.drain();
                Ok(reply::json(StatusCode::ACCEPTED, &serde_json::json!({"draining": true})))
            }
            "/keys" => {
                only(head, &[Method::GET, Method::HEAD], "GET, HEAD")?;
                let keys = self.operations.keys().await.ok_or(Rejection::NoStore)?;
                Ok(reply::json(StatusCode::OK, &serde_json::json!({ "keys": keys })))
            }
            "/dry-run" => {
                only(head, &[Method::GET, Method::HEAD], "GET, HEAD")?;
                let wanted = Wanted::of(&head.uri).ok_or(Rejection::NoConnection)?;
                let preview = self.operations.preview(wanted).await.map_err(Rejection::NoRequest)?;
                Ok(reply::json(StatusCode::OK, &preview))
            }
            "/key-rotate" => {
                only(head, &[Method::POST], "POST")?;
                let rotation = self.operations.rotate().ok_or(Rejection::NoStore)?;
                Ok(reply::json(StatusCode::ACCEPTED, &rotation))
            }
            _ => Err(Rejection::NotFound),
        }
    }

    fn status(&self, head: &Parts) -> Response<Body> {
        let status = self.operations.status();
        if wants_json(head) {
            return reply::json(StatusCode::OK, &status);
        }
        let mut answer = Response::new(Body::full(self.page.html(&status)));
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, self.page.policy());
        answer
    }

    /// A name that somebody else made resolve to this machine is not ours (DNS rebinding). No browser can ask a Unix
    /// socket.
    fn check_host(&self, head: &Parts) -> Result<(), Rejection> {
        let Address::Tcp(address) = &self.address else { return Ok(()) };
        let asked = name_of(host(head).unwrap_or_default());
        let is_loopback =
            |name: &str| name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == address.ip());
        if asked.eq_ignore_ascii_case("localhost") || is_loopback(asked) {
            return Ok(());
        }
        Err(Rejection::HostNotAllowed)
    }
}

impl<O: Operations> Handler for Control<O> {
    async fn handle(&self, request: Request<Body>, _arrival: Arrival) -> Response<Body> {
        let (head, _) = request.into_parts();
        self.answer(&head).await
    }
}

fn only(head: &Parts, allowed: &[Method], shown: &'static str) -> Result<(), Rejection> {
    if allowed.contains(&head.method) { Ok(()) } else { Err(Rejection::MethodNotAllowed(shown)) }
}

/// Refuses what a page of another site makes a browser send. A link to the status page may be followed: the page of the
/// other site does not see what comes.
fn check_origin(head: &Parts) -> Result<(), Rejection> {
    let headers = &head.headers;
    let own = headers.get(HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_own =
        |origin: &HeaderValue| origin.as_bytes().strip_prefix(b"http://").is_some_and(|host| host == own);
    if !headers.get_all(ORIGIN).iter().all(is_own) {
        return Err(Rejection::CrossOrigin);
    }
    let values = |name| headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let is_link = head.method == Method::GET
        && values("sec-fetch-mode").eq([b"navigate".as_slice()])
        && values("sec-fetch-dest").eq([b"document".as_slice()]);
    let from_elsewhere = values("sec-fetch-site").any(|site| !matches!(site, b"same-origin" | b"none"));
    if from_elsewhere && !is_link { Err(Rejection::CrossOrigin) } else { Ok(()) }
}

fn wants_json(head: &Parts) -> bool {
    let by_query = head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "format=json"));
    let accepted = head.headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    by_query
        || accepted.flat_map(|list| list.split(',')).any(|one| {
            one.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
        })
}

/// A host without its port and brackets.
fn name_of(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    host.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests;
