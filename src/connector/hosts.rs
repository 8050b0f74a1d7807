//! Where the credentials of an integration may go.
//! Never resolves a name; addresses are the egress guard's.

use std::net::IpAddr;

/// Scheme, host and port of a URL. The host is as the `url` crate gives it: lower case, IPv6 in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site<'a> {
    /// `https` or `http`.
    pub scheme: &'a str,
    /// The host.
    pub host: &'a str,
    /// The port, the scheme's own if the URL names none.
    pub port: u16,
}

impl<'a> Site<'a> {
    /// The site of a URL that has one.
    #[must_use]
    pub fn of(url: &'a url::Url) -> Option<Self> {
        Some(Self { scheme: url.scheme(), host: url.host_str()?, port: url.port_or_known_default()? })
    }

    fn on_default_port(&self) -> bool {
        matches!((self.scheme, self.port), ("https", 443) | ("http", 80))
    }
}

/// Where credentials may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// The site of the base URI, which must be a literal ([`super::AuthOption::literal_base_host`]).
    OfBaseUri,
    /// Any host that fits one of these.
    Listed(Vec<HostPattern>),
    /// The origin that was entered at connect time and pinned on the connection.
    Connection,
}

impl Hosts {
    /// Whether a request with credentials may go to `target`. `base` is the site of the API client's base URI, `pinned`
    /// the origin kept on the connection. Where `base` is https, plain http is never admitted.
    #[must_use]
    pub fn admits(&self, target: &Site<'_>, base: &Site<'_>, pinned: Option<&str>) -> bool {
        if base.scheme == "https" && target.scheme != "https" {
            return false;
        }
        match self {
            Self::OfBaseUri => target == base,
            Self::Listed(_) => self.lists(target),
            Self::Connection => {
                let pinned = pinned.and_then(|origin| url::Url::parse(origin).ok());
                pinned.as_ref().and_then(Site::of).is_some_and(|pinned| pinned == *target)
            }
        }
    }

    /// Whether the operator listed the site.
    pub(super) fn lists(&self, target: &Site<'_>) -> bool {
        let Self::Listed(patterns) = self else { return false };
        patterns.iter().any(|pattern| pattern.matches(target))
    }
}

/// `api.example.com`, `api.example.com:8443`, `*.example.com` (any subdomain, not the domain itself, and none that is
/// written in Punycode: what it looks like is not what it is), `192.0.2.1`, `[2001:db8::1]:8443`. Without a port, the
/// scheme's own port is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    name: Name,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Exact(String),
    /// With the dot in front.
    Suffix(String),
}

impl HostPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let (host, port) = split_port(&lower)?;
        if host.ends_with('.') {
            return Err("the host ends with a dot; leave it out".into());
        }
        let (wildcard, domain) = match host.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, host),
        };
        let parsed = url::Host::parse(domain).ok().filter(|_| !domain.contains('*'));
        let parsed = parsed.ok_or("this is no host; write host, host:port or *.domain")?;
        if parsed.to_string() != domain {
            return Err(format!("write the host as it stands in requests: {parsed}"));
        }
        let is_name = matches!(&parsed, url::Host::Domain(name) if name.parse::<IpAddr>().is_err());
        match (wildcard, is_name) {
            (true, false) => Err("an address has no subdomains; write it without `*.`".into()),
            (true, true) if !domain.contains('.') => {
                Err("`*` before a top-level domain admits anyone".into())
            }
            (true, true) => Ok(Self { name: Name::Suffix(format!(".{domain}")), port }),
            (false, _) => Ok(Self { name: Name::Exact(domain.to_owned()), port }),
        }
    }

    /// Whether the site's host and port fit.
    #[must_use]
    pub fn matches(&self, site: &Site<'_>) -> bool {
        let host = site.host.to_ascii_lowercase();
        let fits = match &self.name {
            Name::Exact(name) => host == *name,
            Name::Suffix(suffix) => host.strip_suffix(suffix.as_str()).is_some_and(|labels| {
                !labels.is_empty() && !labels.split('.').any(|label| label.starts_with("xn--"))
            }),
        };
        fits && self.port.map_or_else(|| site.on_default_port(), |expected| expected == site.port)
    }
}

/// Splits `host:port`; the colons of an IPv6 address stand in brackets.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let after_bracket = text.rfind(']').map_or(0, |at| at + 1);
    let (_, rest) = text.split_at(after_bracket);
    let Some(colon) = rest.find(':') else { return Ok((text, None)) };
    let (host, port) = text.split_at(after_bracket + colon);
    let port = port.trim_start_matches(':').parse().ok().filter(|port| *port > 0);
    port.map(|port| (host, Some(port))).ok_or_else(|| "the port is no number between 1 and 65535".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, host: &str, port: u16) -> bool {
        HostPattern::parse(pattern).unwrap().matches(&Site { scheme: "https", host, port })
    }

    #[test]
    fn an_exact_host_matches_itself_in_any_case_on_the_default_port() {
        assert!(fits("API.example.com", "api.Example.com", 443));
        assert!(!fits("api.example.com", "api.example.com", 8443));
        assert!(!fits("api.example.com", "api.example.com.evil.test", 443));
        assert!(fits("api.example.com:8443", "api.example.com", 8443));
        assert!(!fits("api.example.com:8443", "api.example.com", 443));
    }

    #[test]
    fn a_wildcard_matches_subdomains_and_nothing_else() {
        assert!(fits("*.example.com", "a.example.com", 443));
        assert!(fits("*.example.com", "a.b.example.com", 443));
        for other in [
            "example.com",
            "evilexample.com",
            ".example.com",
            "a.example.com.",
            "a.example.com.evil.test",
            "xn--e1awd7f.example.com",
            "a.XN--e1awd7f.example.com",
        ] {
            assert!(!fits("*.example.com", other, 443), "{other}");
        }
    }

    #[test]
    fn addresses_match_exactly() {
        assert!(fits("192.0.2.1", "192.0.2.1", 443));
        assert!(fits("[2001:db8::1]:8443", "[2001:db8::1]", 8443));
        assert!(!fits("192.0.2.1", "192.0.2.10", 443));
    }

    #[test]
    fn patterns_that_say_less_than_they_seem_to_are_refused() {
        for pattern in [
            "",
            "a.com.",
            "*",
            "*.com",
            "*.192.0.2.1",
            "a.com:0",
            "a.com:x",
            "https://a.com",
            "a.com/x",
            "a@b.com",
            "0x7f.1",
            "a*.com",
            "2001:db8::1",
        ] {
            assert!(HostPattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn credentials_go_to_the_base_to_listed_hosts_or_to_the_pinned_origin() {
        let site = |host| Site { scheme: "https", host, port: 443 };
        let (base, other) = (site("api.example.com"), site("files.example.com"));
        assert!(Hosts::OfBaseUri.admits(&base, &base, None));
        assert!(!Hosts::OfBaseUri.admits(&other, &base, None));
        let listed = Hosts::Listed(vec![HostPattern::parse("*.example.com").unwrap()]);
        assert!(listed.admits(&other, &base, None));
        assert!(!listed.admits(&site("example.org"), &base, None));
        assert!(Hosts::Connection.admits(&other, &base, Some("https://files.example.com")));
        assert!(!Hosts::Connection.admits(&base, &base, Some("https://files.example.com")));
        assert!(!Hosts::Connection.admits(&base, &base, None));
    }

    #[test]
    fn an_https_base_never_admits_plain_http() {
        let base = Site { scheme: "https", host: "api.example.com", port: 443 };
        let plain = Site { scheme: "http", host: "api.example.com", port: 80 };
        let listed = Hosts::Listed(vec![HostPattern::parse("api.example.com").unwrap()]);
        assert!(!listed.admits(&plain, &base, None));
        assert!(!Hosts::Connection.admits(&plain, &base, Some("http://api.example.com")));
        assert!(listed.admits(&plain, &plain, None));
    }
}
