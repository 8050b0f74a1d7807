//! Percent-encoding as OAuth 1.0a wants it, and the reading of forms.
//! Never knows what a parameter means.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_decode, percent_encode};

/// All but the unreserved characters of RFC 3986 section 2.3 (RFC 5849 section 3.6).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// RFC 5849 section 3.6: of bytes, for a parameter need not be UTF-8.
pub(super) fn encoded(text: &[u8]) -> PercentEncode<'_> {
    percent_encode(text, RESERVED)
}

/// The names and values of a query or a form, decoded: `+` is a blank (RFC 5849 section 3.4.1.3.1).
pub(super) fn pairs(form: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let mut part = || decoded(parts.next().unwrap_or_default());
        (part(), part())
    })
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let text = match text.contains(&b'+') {
        true => Cow::Owned(text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect()),
        false => Cow::Borrowed(text),
    };
    percent_decode(&text).collect()
}
