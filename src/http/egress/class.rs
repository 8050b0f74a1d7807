//! The kinds of addresses, after the registries of special-purpose addresses (RFC 6890 and its successors).
//! Never decides; the guard does.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What kind of address one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Anywhere on the Internet.
    Public,
    /// This machine.
    Loopback,
    /// RFC 1918 or RFC 4193.
    Private,
    /// Behind a carrier's or cloud's translator (RFC 6598).
    Shared,
    /// A cloud's metadata or credential service.
    Metadata,
    /// This link only.
    LinkLocal,
    /// The former site-local addresses (RFC 3879).
    SiteLocal,
    /// No address.
    Unspecified,
    /// A group of machines.
    Multicast,
    /// Everybody on the link.
    Broadcast,
    /// For examples in documents.
    Documentation,
    /// An IPv6 address that stands for an IPv4 address: mapped, compatible, NAT64, 6to4, Teredo.
    Embedded,
    /// Everything else that is not handed out to hosts.
    Reserved,
}

impl Class {
    /// The kind of `address`.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }

    /// Whether `egress.allowPrivate` opens it.
    #[must_use]
    pub fn opens_with_private(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::Shared)
    }

    pub(super) fn advice(self) -> &'static str {
        if self.opens_with_private() { "egress.allowPrivate would allow it" } else { "no setting allows it" }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Loopback => "a loopback address",
            Self::Private => "a private address",
            Self::Shared => "a shared (carrier-grade NAT) address",
            Self::Metadata => "a cloud's metadata service",
            Self::LinkLocal => "a link-local address",
            Self::SiteLocal => "a site-local address",
            Self::Unspecified => "an unspecified address",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Documentation => "a documentation address",
            Self::Embedded => "an IPv4 address in IPv6 clothes",
            Self::Reserved => "a reserved address",
        })
    }
}

fn of_v4(address: Ipv4Addr) -> Class {
    let found = V4.iter().find(|(net, _)| net.contains(&address));
    found.map_or(Class::Public, |(_, class)| *class)
}

fn of_v6(address: Ipv6Addr) -> Class {
    let found = V6.iter().find(|(net, _)| net.contains(&address));
    // Only 2000::/3 is handed out (RFC 3513 section 4).
    let otherwise = if address.segments()[0] & 0xe000 == 0x2000 { Class::Public } else { Class::Reserved };
    found.map_or(otherwise, |(_, class)| *class)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8, class: Class) -> (Ipv4Net, Class) {
    (Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix), class)
}

const fn v6(segments: [u16; 8], prefix: u8, class: Class) -> (Ipv6Net, Class) {
    let [a, b, c, d, e, f, g, h] = segments;
    (Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix), class)
}

/// The first match counts.
static V4: [(Ipv4Net, Class); 22] = [
    v4(169, 254, 169, 254, 32, Class::Metadata), // AWS, Google, Azure and most others
    v4(169, 254, 170, 0, 24, Class::Metadata),   // AWS containers and pods
    v4(100, 100, 100, 200, 32, Class::Metadata), // Alibaba
    v4(168, 63, 129, 16, 32, Class::Metadata),   // Azure's host
    v4(192, 0, 0, 192, 32, Class::Metadata),     // Oracle
    v4(0, 0, 0, 0, 8, Class::Unspecified),
    v4(10, 0, 0, 0, 8, Class::Private),
    v4(100, 64, 0, 0, 10, Class::Shared),
    v4(127, 0, 0, 0, 8, Class::Loopback),
    v4(169, 254, 0, 0, 16, Class::LinkLocal),
    v4(172, 16, 0, 0, 12, Class::Private),
    v4(192, 0, 0, 0, 24, Class::Reserved),
    v4(192, 0, 2, 0, 24, Class::Documentation),
    v4(192, 88, 99, 0, 24, Class::Embedded), // 6to4 relays
    v4(192, 168, 0, 0, 16, Class::Private),
    v4(198, 18, 0, 0, 15, Class::Reserved), // benchmarks
    v4(198, 51, 100, 0, 24, Class::Documentation),
    v4(203, 0, 113, 0, 24, Class::Documentation),
    v4(233, 252, 0, 0, 24, Class::Documentation),
    v4(224, 0, 0, 0, 4, Class::Multicast),
    v4(255, 255, 255, 255, 32, Class::Broadcast),
    v4(240, 0, 0, 0, 4, Class::Reserved),
];

/// The first match counts.
static V6: [(Ipv6Net, Class); 18] = [
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, Class::Unspecified),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, Class::Loopback),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 96, Class::Embedded), // compatible
    v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96, Class::Embedded), // mapped
    v6([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Class::Embedded), // translated (RFC 2765)
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96, Class::Embedded), // NAT64
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Class::Embedded), // local NAT64
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Class::Embedded), // Teredo
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Class::Documentation),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Class::Documentation),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Class::Reserved), // protocol assignments
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Class::Embedded), // 6to4
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 32, Class::Metadata), // AWS
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0], 32, Class::Metadata), // Google
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Class::Private),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Class::LinkLocal),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Class::SiteLocal),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Class::Multicast),
];
