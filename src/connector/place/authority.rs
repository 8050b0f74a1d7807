//! The authority of a URL, `host` or `host:port`, in the one spelling that every parser reads alike.
//! Never normalizes but for lower case: what would need it is refused.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The host in lower case, an IPv6 address in brackets, and the port if there is one.
pub(super) fn parse(authority: &str) -> Result<(String, Option<u16>), &'static str> {
    if authority.contains('@') {
        return Err("it has user information");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(literal) => literal.split_once(']').ok_or("its host has an open bracket")?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let host = if authority.starts_with('[') { ipv6(host)? } else { name_or_ipv4(host)? };
    let port = match port {
        "" => None,
        text => Some(port_number(text)?),
    };
    Ok((host, port))
}

/// An address in brackets, in the form RFC 5952 recommends; a zone never gets past the parser.
fn ipv6(text: &str) -> Result<String, &'static str> {
    let address: Ipv6Addr = text.parse().map_err(|_| "its host is no IPv6 address")?;
    if address.to_ipv4_mapped().is_some() {
        return Err("its host is an IPv4 address written as IPv6");
    }
    Ok(format!("[{address}]"))
}

/// Labels of letters, digits, `-` and `_`. A last label that starts like a number makes it an IPv4 address, and those
/// have four decimal parts: `127.1`, `0x7f.1` and `2130706433` name hosts only to some parsers.
fn name_or_ipv4(text: &str) -> Result<String, &'static str> {
    let host = text.to_ascii_lowercase();
    if host.is_empty() || host.len() > 253 {
        return Err("its host is empty or too long");
    }
    if !host.split('.').all(is_label) {
        return Err("its host is no DNS name");
    }
    let last = host.rsplit('.').next().unwrap_or(&host);
    let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err("its host is an oddly written address");
    }
    Ok(host)
}

fn is_label(label: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(inner)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn port_number(text: &str) -> Result<u16, &'static str> {
    let digits = text.strip_prefix(':').ok_or("its host is followed by something else than a port")?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    match digits.parse() {
        Ok(port) if canonical => Ok(port),
        _ => Err("its port is no number from 1 to 65535"),
    }
}
