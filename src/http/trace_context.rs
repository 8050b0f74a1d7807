//! W3C trace context: what is valid passes untouched, what is not goes, and the trace's id goes into the log.
//! Never begins a trace and never sends a span anywhere.

use http::header::{HeaderMap, HeaderName, HeaderValue};

static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The most members of a tracestate (section 3.3.1.1).
const MAX_MEMBERS: usize = 32;
/// `00-` + 32 digits + `-` + 16 digits + `-` + 2 digits.
const TRACEPARENT_LENGTH: usize = 55;

/// The id of a trace: 32 lower-case hexadecimal digits, not all of them zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only digits get in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Removes a malformed `traceparent`, and a `tracestate` that is malformed or stands alone, as sections 3.2 and 3.3 of the
/// specification ask. Returns the id of the trace that the request belongs to.
pub fn settle(headers: &mut HeaderMap) -> Option<TraceId> {
    // Most requests have neither: one look at the names is cheaper than two look-ups.
    if !headers.keys().any(|name| name.as_str().starts_with("trace")) {
        return None;
    }
    let mut sent = headers.get_all(&TRACEPARENT).iter();
    let parent = match (sent.next(), sent.next()) {
        (Some(parent), None) => trace_id(parent.as_bytes()),
        _ => None,
    };
    if parent.is_none() {
        headers.remove(&TRACEPARENT);
    }
    if parent.is_none() || !is_state(headers.get_all(&TRACESTATE).iter()) {
        headers.remove(&TRACESTATE);
    }
    parent
}

/// The trace id of a valid traceparent. A version that is not known yet may say more behind another `-` (section 4).
fn trace_id(parent: &[u8]) -> Option<TraceId> {
    let (known, more) = parent.split_at_checked(TRACEPARENT_LENGTH)?;
    let parts: Vec<&[u8]> = known.split(|byte| *byte == b'-').collect();
    let &[version, trace, span, flags] = parts.as_slice() else { return None };
    let has_its_length = (version.len(), span.len(), flags.len()) == (2, 16, 2);
    let is_hex = parts.iter().all(|part| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    let is_zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
    let ends_well = more.is_empty() || (version != b"00" && more.starts_with(b"-"));
    let is_valid =
        has_its_length && is_hex && ends_well && version != b"ff" && !is_zero(trace) && !is_zero(span);
    if is_valid { trace.try_into().ok().map(TraceId) } else { None }
}

/// Whether all tracestate headers together are a list of at most 32 members with different keys.
fn is_state<'h>(headers: impl Iterator<Item = &'h HeaderValue>) -> bool {
    let mut keys: Vec<&[u8]> = Vec::new();
    for member in headers.flat_map(|header| header.as_bytes().split(|byte| *byte == b',')) {
        // An empty member is allowed and counts nothing.
        let member = member.trim_ascii();
        if member.is_empty() {
            continue;
        }
        let Some(equals) = member.iter().position(|byte| *byte == b'=') else { return false };
        let (key, value) = (&member[..equals], &member[equals + 1..]);
        if !is_key(key) || !is_value(value) || keys.contains(&key) || keys.len() == MAX_MEMBERS {
            return false;
        }
        keys.push(key);
    }
    true
}

/// `vendor`, or `tenant@vendor`.
fn is_key(key: &[u8]) -> bool {
    let is_part = |part: &[u8], most: usize| {
        let begins_well = part.first().is_some_and(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
        let is_word =
            part.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'));
        begins_well && is_word && part.len() <= most
    };
    match key.iter().position(|byte| *byte == b'@') {
        Some(at) => is_part(&key[..at], 241) && is_part(&key[at + 1..], 14),
        None => is_part(key, 256),
    }
}

fn is_value(value: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    (1..=256).contains(&value.len()) && value.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// The headers that are left, and the trace.
    fn settled(pairs: &[(&HeaderName, &str)]) -> (Vec<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let trace = settle(&mut headers).map(|trace| trace.as_str().to_owned());
        (headers.values().map(|value| value.to_str().unwrap().to_owned()).collect(), trace)
    }

    #[test]
    fn what_is_valid_passes_untouched() {
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes";
        for parent in [GOOD, later] {
            let (left, trace) = settled(&[(&TRACEPARENT, parent), (&TRACESTATE, "a=1, b@c= x y,")]);
            assert_eq!(left, [parent, "a=1, b@c= x y,"]);
            assert_eq!(trace.as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        }
        assert_eq!(settled(&[]), (Vec::new(), None));
    }

    #[test]
    fn a_malformed_parent_goes_and_takes_the_state_with_it() {
        for parent in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333g-01",
        ] {
            assert_eq!(
                settled(&[(&TRACEPARENT, parent), (&TRACESTATE, "a=1")]),
                (Vec::new(), None),
                "{parent}"
            );
        }
        let twice = [(&TRACEPARENT, GOOD), (&TRACEPARENT, GOOD), (&TRACESTATE, "a=1")];
        assert_eq!(settled(&twice), (Vec::new(), None));
        assert_eq!(settled(&[(&TRACESTATE, "a=1")]), (Vec::new(), None), "a state needs a parent");
    }

    #[test]
    fn a_malformed_state_goes_alone() {
        let many: Vec<_> = (0..=MAX_MEMBERS).map(|member| format!("k{member}=1")).collect();
        for state in
            ["a", "=1", "a=", "A=1", "a=1=2", "a=1,a=2", "a@=1", "@b=1", "_a=1", "a=\u{7f}", &many.join(",")]
        {
            let mut headers = HeaderMap::new();
            headers.insert(&TRACEPARENT, HeaderValue::from_static(GOOD));
            headers.insert(
                &TRACESTATE,
                HeaderValue::from_bytes(state.as_bytes()).unwrap_or(HeaderValue::from_static("a")),
            );
            assert!(settle(&mut headers).is_some());
            assert!(headers.contains_key(&TRACEPARENT) && !headers.contains_key(&TRACESTATE), "{state}");
        }
        let two = [(&TRACEPARENT, GOOD), (&TRACESTATE, "a=1"), (&TRACESTATE, "a=2")];
        assert_eq!(settled(&two).0, [GOOD], "lines are one list");
        assert_eq!(settled(&[(&TRACEPARENT, GOOD), (&TRACESTATE, &many[1..].join(","))]).0.len(), 2);
    }
}
