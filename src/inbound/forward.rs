//! The last step: an admitted request goes to its upstream.
//! Never decides whether it may; the permit says so, and there is no way around it:
//!
//! ```compile_fail,E0308
//! use sidegate::http::{Body, pool::Pool};
//! async fn sneak(request: http::Request<Body>, pool: &Pool) {
//!     let _ = sidegate::inbound::forward::forward(request, (), pool).await;
//! }
//! ```

use std::sync::Arc;
use std::time::Duration;

use http::header::{HOST, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};

use super::routes::{Route, Routes, Upstream, UpstreamConfig};
use super::rules::Permit;
use crate::http::pool::{Origin, Pool, SendError, Settings};
use crate::http::tls::{self, TlsError};
use crate::http::{Body, forward as through};

/// How long an upstream may pause within a response's body.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Below the five seconds after which Node's servers close: a request should not meet a closing connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// Unused connections that a worker keeps to one upstream.
const MAX_IDLE: usize = 1024;

/// One worker's connections: a pool for each upstream of the routes they were made for.
pub(super) struct Pools(Vec<Pool>);

impl Pools {
    pub(super) fn new(routes: &Routes) -> Result<Self, TlsError> {
        routes.upstreams().iter().map(pool).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn of(&self, route: &Route<'_>) -> &Pool {
        self.0.get(route.upstream.index).expect("there is a pool for each upstream of the routes")
    }
}

/// Sends the request that `permit` was made for to its upstream, streaming both ways. The permit is used up.
pub async fn forward(
    mut request: Request<Body>,
    permit: Permit<'_>,
    pool: &Pool,
) -> Result<Response<Body>, SendError> {
    let route = permit.route();
    if let Some(path) = &route.path {
        *request.uri_mut() = with_path(path, request.uri().query());
    }
    if !route.upstream.config.preserve_host {
        request.headers_mut().insert(HOST, own_host(&route.upstream.config.origin));
    }
    through::forward(pool, request).await
}

fn pool(upstream: &Upstream) -> Result<Pool, TlsError> {
    let config = &upstream.config;
    let tls = match config.origin {
        Origin::Tcp { tls: true, .. } => Some(tls::client(&config.tls)?),
        Origin::Tcp { tls: false, .. } | Origin::Unix(_) => None,
    };
    let settings = Settings {
        connect_timeout: config.connect_timeout,
        response_head_timeout: config.response_head_timeout,
        body_idle_timeout: BODY_IDLE_TIMEOUT,
        idle_timeout: IDLE_TIMEOUT,
        max_idle: MAX_IDLE,
        tls,
        server_name: config.tls.server_name.as_deref().map(Into::into),
        egress: None,
        private: private_names(config),
    };
    Ok(Pool::new(config.origin.clone(), settings))
}

/// What a trailer must not be called: it could pass for an identity, or for a token.
fn private_names(config: &UpstreamConfig) -> Arc<[HeaderName]> {
    config.identity.iter().map(|(name, _)| name).chain(&config.token_headers).cloned().collect()
}

/// The target in origin-form: the path that the rule matched, and the caller's query.
fn with_path(path: &str, query: Option<&str>) -> Uri {
    let target = match query {
        Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
        None => PathAndQuery::try_from(path),
    };
    Uri::from(target.expect("a path and query that were parsed stay valid behind another prefix"))
}

/// The upstream's own name for Host; a default port is left out.
fn own_host(origin: &Origin) -> HeaderValue {
    let text = match origin {
        Origin::Tcp { host, port: 80, tls: false } | Origin::Tcp { host, port: 443, tls: true } => {
            bracketed(host)
        }
        Origin::Tcp { host, port, .. } => format!("{}:{port}", bracketed(host)),
        Origin::Unix(_) => "localhost".into(),
    };
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("localhost"))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_stays_behind_a_changed_path() {
        assert_eq!(with_path("/b", Some("q=1&q=%20")), "/b?q=1&q=%20");
        assert_eq!(with_path("/b", None), "/b");
        assert_eq!(with_path("//b", Some("")).path(), "//b");
    }

    #[test]
    fn the_upstreams_own_host_leaves_out_a_default_port() {
        let origin = |host: &str, port, tls| Origin::Tcp { host: host.into(), port, tls };
        assert_eq!(own_host(&origin("api", 80, false)), "api");
        assert_eq!(own_host(&origin("api", 443, true)), "api");
        assert_eq!(own_host(&origin("api", 443, false)), "api:443");
        assert_eq!(own_host(&origin("::1", 3000, false)), "[::1]:3000");
    }
}
