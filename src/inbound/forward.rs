//! The last step: an admitted request goes to its upstream.
//! Never decides whether it may; the permit says so, and there is no way around it:
//!
//! ```compile_fail,E0308
//! use sidegate::http::{Body, pool::Pool};
//! async fn sneak(request: http::Request<Body>, pool: &Pool) {
//!     let _ = sidegate::inbound::forward::forward(request, (), pool, None).await;
//! }
//! ```

use http::header::{HOST, HeaderValue};
use http::{Request, Response};

use super::rules::Permit;
use crate::http::forward::upgrade::{Terms, Upgrade};
use crate::http::pool::{Origin, Pool, SendError};
use crate::http::{Body, forward as through};

/// Sends the request that `permit` was made for to its upstream, streaming both ways; with an `upgrade`, asks for that
/// protocol. The permit is used up.
pub async fn forward(
    mut request: Request<Body>,
    permit: Permit<'_>,
    pool: &Pool,
    upgrade: Option<(Upgrade, Terms)>,
) -> Result<Response<Body>, SendError> {
    let config = &permit.upstream().config;
    if !config.preserve_host {
        request.headers_mut().insert(HOST, own_host(&config.origin));
    }
    match upgrade {
        None => through::forward(pool, request).await,
        Some((upgrade, terms)) => through::forward_upgrade(pool, request, upgrade, terms).await,
    }
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
    fn the_upstreams_own_host_leaves_out_a_default_port() {
        let origin = |host: &str, port, tls| Origin::Tcp { host: host.into(), port, tls };
        assert_eq!(own_host(&origin("api", 80, false)), "api");
        assert_eq!(own_host(&origin("api", 443, true)), "api");
        assert_eq!(own_host(&origin("api", 443, false)), "api:443");
        assert_eq!(own_host(&origin("::1", 3000, false)), "[::1]:3000");
    }
}
