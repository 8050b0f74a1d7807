//! The way a request took: the client, the proxies that we trust, the scheme, the host and the request's name.
//! Never believes who is not trusted, and never decides by it where a request goes.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use crate::http::headers::Fields;
use crate::http::listener::Arrival;

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

    /// Writes what is so: what the caller says of it was erased. `host` is the one that was asked for. `traceparent`
    /// passes as it is.
    pub(super) fn write(&self, fields: &mut Fields<'_>, host: Option<&HeaderValue>) {
        let told = self.told.as_deref();
        if let Some(host) = told.and_then(|told| told.host.as_ref()).or(host) {
            fields.write(&X_FORWARDED_HOST, host.as_bytes());
        }
        self.write_hops(fields);
        let scheme = told.and_then(|told| told.proto).unwrap_or(if self.tls { "https" } else { "http" });
        fields.write(&X_FORWARDED_PROTO, scheme.as_bytes());
        if let Some(told) = told {
            told.write_more(fields, self.peer);
        }
    }

    /// The client, the proxies and the peer.
    fn write_hops(&self, fields: &mut Fields<'_>) {
        let told = self.told.as_ref().map_or(&[][..], |told| &told.hops);
        if let ([], Some(IpAddr::V4(peer))) = (told, self.peer) {
            return fields.write(&X_FORWARDED_FOR, Dotted::of(peer).as_bytes());
        }
        let hops: Vec<_> = told.iter().chain(&self.peer).map(IpAddr::to_string).collect();
        if !hops.is_empty() {
            fields.write(&X_FORWARDED_FOR, hops.join(", ").as_bytes());
        }
    }
}

impl Told {
    fn write_more(&self, fields: &mut Fields<'_>, peer: Option<IpAddr>) {
        if let Some(port) = &self.port {
            fields.write(&X_FORWARDED_PORT, port.as_bytes());
        }
        if self.elements.is_empty() {
            return;
        }
        let peer = peer.map(|peer| match peer {
            IpAddr::V4(peer) => format!("for={peer}"),
            IpAddr::V6(peer) => format!("for=\"[{peer}]\""),
        });
        let elements: Vec<&str> = self.elements.iter().chain(&peer).map(String::as_str).collect();
        fields.write(&FORWARDED, elements.join(", ").as_bytes());
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

/// An IPv4 address as its Display writes it, at a tenth of the cost.
struct Dotted {
    text: [u8; "255.255.255.255.".len()],
    length: usize,
}

impl Dotted {
    fn of(address: Ipv4Addr) -> Self {
        let mut dotted = Self { text: [b'.'; 16], length: 0 };
        for octet in address.octets() {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(octet).as_bytes();
            dotted.text[dotted.length..dotted.length + digits.len()].copy_from_slice(digits);
            dotted.length += digits.len() + 1;
        }
        dotted
    }

    fn as_bytes(&self) -> &[u8] {
        // Without the last dot.
        &self.text[..self.length - 1]
    }
}

#[cfg(test)]
mod tests;
