//! The way a request took: the client, the proxies that we trust, the scheme, the host and the request's name.
//! Never believes who is not trusted, and never decides by it where a request goes.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::http::listener::Arrival;
use crate::http::request_id::X_REQUEST_ID;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The longest way that is told on.
const MAX_HOPS: usize = 32;

/// Whose word counts about the way a request took; by default nobody's.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    /// Peers with these addresses.
    pub networks: Vec<IpNet>,
    /// Peers that connect to a Unix socket of ours.
    pub unix: bool,
}

impl TrustedProxies {
    fn trusts(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            Some(peer) => self.networks.iter().any(|network| network.contains(&peer)),
            None => self.unix,
        }
    }
}

/// The way of one request.
pub(super) struct Way {
    peer: Option<IpAddr>,
    tls: bool,
    /// What the peer said, if it is trusted and said it.
    told: Option<Box<Told>>,
}

/// What trusted proxies vouch for.
#[derive(Default)]
struct Told {
    /// The client, then the proxies behind it up to the peer.
    hops: Vec<IpAddr>,
    /// The same as elements of Forwarded, if they came so.
    elements: Vec<String>,
    proto: Option<&'static str>,
    host: Option<HeaderValue>,
    port: Option<HeaderValue>,
}

impl Way {
    /// Reads what a trusted peer says. X-Forwarded-For goes before Forwarded: a proxy that writes the first often lets
    /// the second pass as a client sent it.
    pub(super) fn of(headers: &HeaderMap, arrival: &Arrival, trusted: &TrustedProxies) -> Self {
        let peer = arrival.peer.map(|peer| peer.ip().to_canonical());
        let told = trusted.trusts(peer).then(|| {
            let told = if headers.contains_key(&X_FORWARDED_FOR) || !headers.contains_key(FORWARDED) {
                by_x_forwarded(headers, trusted)
            } else {
                by_forwarded(headers, trusted)
            };
            Box::new(told)
        });
        Self { peer, tls: arrival.tls, told }
    }

    /// The nearest address that no trusted proxy stands behind, if it is another than the peer's.
    pub(super) fn client(&self) -> Option<IpAddr> {
        self.told.as_ref()?.hops.first().copied()
    }

    /// Writes what is so, over nothing: what the caller says of it was erased. `traceparent` passes as it is.
    pub(super) fn write(&self, headers: &mut HeaderMap, request_id: &HeaderValue) {
        let told = self.told.as_deref();
        if let Some(host) = told.and_then(|told| told.host.as_ref()).or(headers.get(HOST)).cloned() {
            headers.insert(&X_FORWARDED_HOST, host);
        }
        if let Some(hops) = self.hops() {
            headers.insert(&X_FORWARDED_FOR, hops);
        }
        let scheme = told.and_then(|told| told.proto).unwrap_or(if self.tls { "https" } else { "http" });
        headers.insert(&X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
        if let Some(told) = told {
            told.write_more(headers, self.peer);
        }
        headers.insert(&X_REQUEST_ID, request_id.clone());
    }

    /// The client, the proxies and the peer.
    fn hops(&self) -> Option<HeaderValue> {
        let told = self.told.as_ref().map_or(&[][..], |told| &told.hops);
        if told.is_empty() {
            return address(self.peer?);
        }
        let hops: Vec<_> = told.iter().chain(&self.peer).map(IpAddr::to_string).collect();
        HeaderValue::try_from(hops.join(", ")).ok()
    }
}

impl Told {
    fn write_more(&self, headers: &mut HeaderMap, peer: Option<IpAddr>) {
        if let Some(port) = &self.port {
            headers.insert(&X_FORWARDED_PORT, port.clone());
        }
        if self.elements.is_empty() {
            return;
        }
        let peer = peer.map(|peer| match peer {
            IpAddr::V4(peer) => format!("for={peer}"),
            IpAddr::V6(peer) => format!("for=\"[{peer}]\""),
        });
        let elements: Vec<&str> = self.elements.iter().chain(&peer).map(String::as_str).collect();
        if let Ok(forwarded) = HeaderValue::try_from(elements.join(", ")) {
            headers.insert(FORWARDED, forwarded);
        }
    }
}

fn by_x_forwarded(headers: &HeaderMap, trusted: &TrustedProxies) -> Told {
    let values: Vec<&str> = texts(headers, &X_FORWARDED_FOR);
    let entries: Vec<&str> = values.iter().flat_map(|value| value.split(',')).collect();
    let hops = vouched_for(entries.iter().map(|entry| hop(entry)), trusted);
    Told {
        hops,
        elements: Vec::new(),
        proto: only(headers, &X_FORWARDED_PROTO).and_then(proto),
        host: only(headers, &X_FORWARDED_HOST).filter(|host| is_host(host)).and_then(text),
        port: only(headers, &X_FORWARDED_PORT).filter(|port| port.parse::<u16>().is_ok()).and_then(text),
    }
}

/// RFC 7239: the client's own element says how it reached the first trusted proxy.
fn by_forwarded(headers: &HeaderMap, trusted: &TrustedProxies) -> Told {
    let values = texts(headers, &FORWARDED);
    let elements: Vec<&str> = values.iter().flat_map(|value| split(value, ',')).map(str::trim).collect();
    let hops = vouched_for(elements.iter().map(|element| hop(&parameter(element, "for")?)), trusted);
    let known = elements.len().saturating_sub(hops.len());
    let elements = elements.get(known..).unwrap_or_default();
    let first = |name| elements.first().and_then(|element| parameter(element, name));
    Told {
        proto: first("proto").and_then(|told| proto(&told)),
        host: first("host").filter(|host| is_host(host)).and_then(|host| text(&host)),
        port: None,
        elements: elements.iter().map(|element| (*element).to_owned()).collect(),
        hops,
    }
}

/// From the last hop back to the first that is not trusted, which is the client; what stands before it, or before what
/// cannot be read, is a claim of nobody that we know. The client comes first.
fn vouched_for<I>(told: I, trusted: &TrustedProxies) -> Vec<IpAddr>
where
    I: DoubleEndedIterator<Item = Option<IpAddr>>,
{
    let mut hops = Vec::new();
    for hop in told.rev().take(MAX_HOPS) {
        let Some(hop) = hop else { break };
        hops.push(hop);
        if !trusted.trusts(Some(hop)) {
            break;
        }
    }
    hops.reverse();
    hops
}

/// An address, with or without a port, quotes and brackets.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    Some(address.or_else(bracketed)?.to_canonical())
}

/// The value of `name=value` in an element of Forwarded, without its quotes; none if it stands there twice.
fn parameter<'e>(element: &'e str, name: &str) -> Option<Cow<'e, str>> {
    let mut values = split(element, ';').into_iter().filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    });
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    match value.strip_prefix('"') {
        Some(quoted) => Some(quoted.strip_suffix('"')?.replace('\\', "").into()),
        None => Some(value.into()),
    }
}

/// The parts between separators that do not stand in quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|character| {
        let is_escaped = escaped;
        escaped = quoted && character == '\\' && !is_escaped;
        if character == '"' && !is_escaped {
            quoted = !quoted;
        }
        character == separator && !quoted
    })
    .collect()
}

/// All values of a header; none if one of them is no text.
fn texts<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Vec<&'h str> {
    let texts: Option<_> = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    texts.unwrap_or_default()
}

/// The one value of a header; none if there are more.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    match texts(headers, name)[..] {
        [value] => Some(value.trim()),
        _ => None,
    }
}

fn proto(told: &str) -> Option<&'static str> {
    ["https", "http"].into_iter().find(|known| told.eq_ignore_ascii_case(known))
}

/// Whether `told` can be a host with an optional port.
fn is_host(told: &str) -> bool {
    !told.is_empty()
        && told.len() <= 255
        && told.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

fn text(told: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(told).ok()
}

/// The address alone; an IPv4 address that came over an IPv6 socket is written as IPv4.
fn address(peer: IpAddr) -> Option<HeaderValue> {
    let IpAddr::V4(ip) = peer else {
        return HeaderValue::try_from(peer.to_string()).ok();
    };
    // As its Display writes it, at a fifth of the cost.
    let mut text = String::with_capacity(15);
    for octet in ip.octets() {
        text.push_str(itoa::Buffer::new().format(octet));
        text.push('.');
    }
    HeaderValue::from_str(text.trim_end_matches('.')).ok()
}

#[cfg(test)]
mod tests;
