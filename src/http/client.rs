//! Calls to third parties: pools by origin, and the small HTTP client for calls of our own.
//! Never follows a redirect, never uses a proxy, never dials what the egress guard has not checked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::Body;
use super::egress::{Egress, EgressError, Names};
use super::forward::upgrade::{Terms, Upgrade};
use super::forward::{forward, forward_upgrade};
use super::pool::{Guard, Origin, Pool, Protocol, SendError, Settings};

/// How many origins keep connections at a time.
const MAX_POOLS: usize = 512;
/// How many unused connections an origin keeps.
const MAX_IDLE: usize = 32;
/// How long a third party may pause within a body.
const BODY_IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an unused connection is kept; many servers close after a minute, some after five seconds.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// Pools by origin and egress policy, bounded; for calls to third parties. One per worker, or one shared.
pub struct Client {
    tls: Arc<rustls::ClientConfig>,
    names: Names,
    connect_timeout: Duration,
    response_head_timeout: Duration,
    pools: Mutex<Pools>,
}

#[derive(Default)]
struct Pools {
    by_key: HashMap<Key, Used>,
    /// Counts look-ups, so that the pool used longest ago can be told.
    clock: u64,
    /// The last of them: most calls of a worker go where the one before went.
    newest: Option<(Key, Arc<Pool>)>,
}

type Key = (Origin, Egress);

struct Used {
    pool: Arc<Pool>,
    last: u64,
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new(
        tls: Arc<rustls::ClientConfig>,
        names: Names,
        connect_timeout: Duration,
        response_head_timeout: Duration,
    ) -> Self {
        Self { tls, names, connect_timeout, response_head_timeout, pools: Mutex::default() }
    }

    /// Sends as [`forward`] does, through the guard. The request's target must be origin-form or name the origin, Host
    /// set. A 3xx answer is an answer.
    pub async fn send(
        &self,
        origin: &Origin,
        egress: Egress,
        request: Request<Body>,
    ) -> Result<Response<Body>, SendError> {
        let pool = self.pool(origin, egress);
        forward(&pool, request).await
    }

    /// As [`Client::send`], asking the third party for the protocol that the caller wishes: a 101 comes with the tunnel
    /// that follows it, any other answer is an answer. The request has no body.
    pub async fn switch(
        &self,
        origin: &Origin,
        egress: Egress,
        request: Request<Body>,
        upgrade: Upgrade,
        terms: Terms,
    ) -> Result<Response<Body>, SendError> {
        let pool = self.pool(origin, egress);
        let mut head = request.into_parts().0;
        forward_upgrade(&pool, &mut head, &|_| {}, upgrade, terms).await
    }

    fn pool(&self, origin: &Origin, egress: Egress) -> Arc<Pool> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.newest(origin, egress) {
            return pool;
        }
        pools.clock += 1;
        let now = pools.clock;
        let key = (origin.clone(), egress);
        let pool = match pools.by_key.get_mut(&key) {
            Some(used) => {
                used.last = now;
                Arc::clone(&used.pool)
            }
            None => {
                if pools.by_key.len() >= MAX_POOLS {
                    pools.forget_oldest();
                }
                let pool = Arc::new(Pool::new(key.0.clone(), self.settings(egress)));
                pools.by_key.insert(key.clone(), Used { pool: Arc::clone(&pool), last: now });
                pool
            }
        };
        pools.newest = Some((key, Arc::clone(&pool)));
        pool
    }

    fn settings(&self, egress: Egress) -> Settings {
        Settings {
            protocol: Protocol::Either,
            connect_timeout: self.connect_timeout,
            response_head_timeout: self.response_head_timeout,
            body_idle_timeout: BODY_IDLE_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            max_idle: MAX_IDLE,
            tls: Some(Arc::clone(&self.tls)),
            server_name: None,
            egress: Some(Guard { egress, names: self.names.clone() }),
            private: Arc::default(),
        }
    }
}

impl Pools {
    fn newest(&self, origin: &Origin, egress: Egress) -> Option<Arc<Pool>> {
        let (key, pool) = self.newest.as_ref()?;
        (key.1 == egress && key.0 == *origin).then(|| Arc::clone(pool))
    }

    fn forget_oldest(&mut self) {
        let oldest = self.by_key.iter().min_by_key(|(_, used)| used.last).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.by_key.remove(&key);
        }
    }
}

/// Whether a call of our own to `url` may be made, as far as the URL tells. To be asked before each call with
/// [`own_calls`]' client: the guard stands in its resolver, and an address literal never visits a resolver.
pub fn guarded(url: &url::Url, egress: Egress) -> Result<(), EgressError> {
    let refused = || EgressError::NotAHost { host: url.host_str().unwrap_or_default().to_owned() };
    let https = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return Err(refused()),
    };
    egress.check_scheme(https)?;
    egress.check_host(url.host_str().ok_or_else(refused)?).map(|_| ())
}

/// The client for small calls of our own (token endpoints, key sets): no redirects, no proxy, no retries, a fresh connection
/// for each call, names resolved through the egress guard. `timeout` covers the call with its body; the reader of the
/// response caps its length. Ask [`guarded`] before each call. Fails if TLS cannot be set up.
pub fn own_calls(
    egress: Egress,
    names: Names,
    timeout: Duration,
    tls: Arc<rustls::ClientConfig>,
) -> Result<reqwest::Client, reqwest::Error> {
    #[expect(clippy::disallowed_methods, reason = "the one place where reqwest is set up")]
    reqwest::Client::builder()
        .tls_backend_preconfigured(Arc::unwrap_or_clone(tls))
        .https_only(!egress.allow_plain)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .retry(reqwest::retry::never())
        .referer(false)
        .pool_max_idle_per_host(0)
        .timeout(timeout)
        .dns_resolver(Guard { egress, names })
        .build()
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { egress, names } = self.clone();
        Box::pin(async move {
            // Port 0 stands for the URL's own.
            let addresses = egress.resolve(&names, name.as_str(), 0).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
