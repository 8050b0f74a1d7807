//! The last step: an admitted request goes to its upstream.
//! Never decides whether it may; the permit says so, and there is no way around it:
//!
//! ```compile_fail,E0308
//! use sidegate::http::{Body, pool::Pool};
//! async fn sneak(request: http::Request<Body>, pool: &Pool) {
//!     let (mut head, body) = request.into_parts();
//!     let _ = sidegate::inbound::forward::forward(&mut head, body, (), &|_| {}, pool, None).await;
//! }
//! ```

use http::Response;
use http::header::HeaderValue;
use http::request::Parts;

use super::rules::Permit;
use crate::http::forward::upgrade::{Terms, Upgrade};
use crate::http::headers::{Additions, Fields};
use crate::http::pool::{Origin, Pool, SendError};
use crate::http::{Body, forward as through};
use crate::token::Verified;

/// Sends the request that `permit` was made for to its upstream, streaming both ways, with `told` and the identity that
/// the permit proves; with an `upgrade`, asks for that protocol. The permit is used up.
pub async fn forward(
    head: &mut Parts,
    body: Body,
    permit: Permit<'_>,
    told: &Additions<'_>,
    pool: &Pool,
    upgrade: Option<(Upgrade, Terms)>,
) -> Result<Response<Body>, SendError> {
    let additions = |fields: &mut Fields<'_>| {
        told(fields);
        permit.upstream().identity.write(fields, permit.verified().map(Verified::claims));
    };
    match upgrade {
        None => through::forward_with(pool, head, body, &additions).await,
        Some((upgrade, terms)) => through::forward_upgrade(pool, head, &additions, upgrade, terms).await,
    }
}

/// The upstream's own name for Host; a default port is left out.
pub(super) fn own_host(origin: &Origin) -> HeaderValue {
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
