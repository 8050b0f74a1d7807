//! What concerns requests to all upstreams: the proxies that are believed, and how much may be on its way at once.
//! Knows nothing of requests.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::config::path::KeyPath;
use crate::config::raw;
use crate::config::resolve::Resolver;
use crate::inbound::{GateConfig, LimitsConfig, Overload, PerCustomer, TrustedProxies};

/// The word for peers on a Unix socket.
const UNIX: &str = "unix";

impl Resolver<'_> {
    pub(super) fn gate(&mut self, raw: &raw::Sidegate) -> GateConfig {
        let raw::Overload { max_requests, retry_after } = raw.overload;
        let overload = Overload { max_requests, retry_after: retry_after.0 };
        GateConfig { trusted_proxies: self.trusted_proxies(&raw.trusted_proxies), overload }
    }

    fn trusted_proxies(&mut self, typed: &[String]) -> TrustedProxies {
        let mut trusted = TrustedProxies::default();
        for (path, typed) in self.places.items(&KeyPath::of(&["trustedProxies"]), typed) {
            match network(typed) {
                _ if typed == UNIX => trusted.unix = true,
                Some(network) if network.prefix_len() == 0 => {
                    let cure = "name the networks of your own proxies";
                    self.error(&path, format!("`{typed}` would believe everybody"), cure);
                }
                Some(network) => trusted.networks.push(network),
                None => {
                    let cure = "write an address, a network like 10.0.0.0/8, or `unix`";
                    self.error(&path, format!("`{typed}` is no address and no network"), cure);
                }
            }
        }
        trusted
    }

    pub(super) fn limits(&mut self, typed: &raw::UpstreamLimits, path: &KeyPath) -> LimitsConfig {
        let per_customer = typed.per_customer.as_ref().and_then(|customer| {
            if customer.rate.is_none() && customer.concurrency.is_none() {
                let path = path.key("perCustomer");
                self.error(&path, format!("`{path}` limits nothing"), "set `rate`, `concurrency` or both");
                return None;
            }
            let burst = customer.burst.or(customer.rate).unwrap_or(1);
            Some(PerCustomer { rate: customer.rate, burst, concurrency: customer.concurrency })
        });
        LimitsConfig {
            max_requests: Some(typed.max_requests),
            max_body_bytes: typed.max_body_bytes,
            per_customer,
        }
    }
}

/// A network, or an address alone.
fn network(typed: &str) -> Option<IpNet> {
    let alone = || typed.parse::<IpAddr>().ok().map(IpNet::from);
    typed.parse().ok().or_else(alone)
}
