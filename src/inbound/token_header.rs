//! Where a request carries its token: the listed headers, and what they may hold.
//! Never decodes a token, and never reads a header that is not listed.

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::rejection::Rejection;
use crate::http::headers::has;

/// The one token in the listed headers. Those that are present must agree byte for byte, and none may be repeated.
///
/// `Authorization` counts only if it is a three-part Bearer (RFC 6750 section 2.1: one space, token68); anything else
/// in it is the upstream's own business.
///
/// # Errors
///
/// Headers that disagree, are repeated or are joined by a comma; text that cannot be a token.
pub(super) fn read<'h>(headers: &'h HeaderMap, listed: &[HeaderName]) -> Result<Option<&'h str>, Rejection> {
    let mut found: Option<&[u8]> = None;
    for name in listed {
        let Some(token) = token_in(headers, name)? else { continue };
        if found.is_some_and(|earlier| earlier != token) {
            return Err(Rejection::TokenHeadersDisagree);
        }
        found = Some(token);
    }
    let Some(token) = found else { return Ok(None) };
    // Not `all`: without an early end many bytes are looked at together.
    let is_word = |byte: &u8| byte.is_ascii_graphic() & (*byte != b',');
    if token.iter().fold(true, |is_one, byte| is_one & is_word(byte)) {
        return std::str::from_utf8(token).map(Some).map_err(|_| Rejection::UnreadableToken);
    }
    // A comma joins two.
    Err(if token.contains(&b',') { Rejection::TokenHeadersDisagree } else { Rejection::UnreadableToken })
}

/// Removes every listed header that held a token.
pub(super) fn remove(headers: &mut HeaderMap, listed: &[HeaderName]) {
    for name in listed {
        let holds_token =
            || *name != AUTHORIZATION || headers.get_all(name).iter().any(|value| bearer(value).is_some());
        if has(headers, name) && holds_token() {
            headers.remove(name);
        }
    }
}

/// What one header holds; an error if it came twice and at least one of them counts.
fn token_in<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h [u8]>, Rejection> {
    if !has(headers, name) {
        return Ok(None);
    }
    let mut values = headers.get_all(name).iter();
    let (Some(first), second) = (values.next(), values.next()) else { return Ok(None) };
    let holds_token = |value: &HeaderValue| *name != AUTHORIZATION || bearer(value).is_some();
    if second.is_some() && headers.get_all(name).iter().any(holds_token) {
        return Err(Rejection::TokenHeadersDisagree);
    }
    Ok(if *name == AUTHORIZATION { bearer(first) } else { Some(first.as_bytes()) })
}

/// The token of `Bearer a.b.c`: the scheme in any case, exactly one space, three parts of token68.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked("Bearer".len())?;
    let token = rest.strip_prefix(b" ")?;
    let is_bearer = scheme.eq_ignore_ascii_case(b"Bearer");
    let has_three_parts = token.iter().filter(|byte| **byte == b'.').count() == 2;
    (is_bearer && has_three_parts && is_token68(token)).then_some(token)
}

/// RFC 9110 section 11.2: letters, digits and `-._~+/`, then any number of `=`.
fn is_token68(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let letters = text.iter().take_while(|byte| is_letter(byte)).count();
    letters > 0 && text.iter().skip(letters).all(|byte| *byte == b'=')
}

#[cfg(test)]
mod tests;
