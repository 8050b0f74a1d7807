//! The judge: for every request that reaches the API, was it one that a caller sent and a rule admits?
//! Reads what was sent with a lax parser of its own, and shares no code with what it judges.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::callers::{Customer, customer_of};
use super::mutations::{self, Case};
use super::recorder::Seen;
use crate::fuzz::shared::targets::readings;

/// What the request that ends a connection carries.
pub(super) const LAST: &str = "last";
/// The rules, as the configuration says them once more.
pub(super) const RULES: &str = "rules: [{path: /admin/*, allow: admin}, {path: /public/*, allow: public}, \
    {path: /open/*, allow: optional}, {path: /*, allow: verified}]";
pub(super) const TOKEN_HEADERS: [&str; 3] = ["x-membrane-token", "x-integration-app-token", "authorization"];
/// What names begin with under which only Sidegate may speak.
const OURS: [&str; 2] = ["x-sidegate-", "x-forwarded-"];
/// Whole names that frameworks believe.
const BELIEVED: [&str; 9] = [
    "x-forwarded",
    "forwarded",
    "x-real-ip",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

pub(crate) struct Oracle {
    seed: u64,
    is_blind: bool,
    /// Whether what tells of requests leaves out the `?` of an empty query.
    tells_no_empty_query: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    violations: Vec<String>,
    seen: BTreeMap<(u32, usize), usize>,
    by_family: BTreeMap<&'static str, usize>,
    refused: BTreeMap<String, usize>,
}

/// What a request needs to be admitted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Need {
    Nothing,
    NoBadToken,
    Token,
    Admin,
}

impl Oracle {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, is_blind: false, tells_no_empty_query: false, state: Mutex::default() }
    }

    /// One that is told of requests by a server that cannot tell `/x?` from `/x`.
    pub(crate) fn told_without_empty_queries(seed: u64) -> Self {
        Self { tells_no_empty_query: true, ..Self::new(seed) }
    }

    /// One that sees nothing of what reaches the API while it does.
    pub(crate) fn blind(seed: u64) -> Self {
        Self { is_blind: true, ..Self::new(seed) }
    }

    pub(super) fn violated(&self, what: &str) {
        self.state.lock().unwrap().violations.push(what.to_owned());
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }

    /// How many requests of each family reached the API.
    pub(crate) fn admitted(&self) -> BTreeMap<&'static str, usize> {
        self.state.lock().unwrap().by_family.clone()
    }

    /// How often each code was the answer.
    pub(super) fn refused(&self) -> BTreeMap<String, usize> {
        self.state.lock().unwrap().refused.clone()
    }

    pub(super) fn count_refusal(&self, code: &str) {
        *self.state.lock().unwrap().refused.entry(code.to_owned()).or_default() += 1;
    }

    pub(super) fn has_seen(&self, number: u32) -> bool {
        self.is_blind || self.state.lock().unwrap().seen.range((number, 0)..(number + 1, 0)).next().is_some()
    }

    /// The marker of what was seen; a request that should not have come is written down.
    pub(crate) fn judge(&self, seen: &Seen) -> String {
        if seen.target == "/public/last" {
            return LAST.into();
        }
        let Some((number, place)) = marker(seen) else {
            self.violated(&format!("a request that nobody sent: {seen}"));
            return "unknown".into();
        };
        let case = mutations::case(self.seed, number);
        let times = {
            let mut state = self.state.lock().unwrap();
            *state.by_family.entry(case.family).or_default() += 1;
            let times = state.seen.entry((number, place)).or_default();
            *times += 1;
            *times
        };
        let mut outcome = judge(seen, &case, place, times);
        if outcome.is_err() && self.tells_no_empty_query {
            let target = format!("{}?", seen.target);
            outcome = judge(&Seen { target, ..seen.clone() }, &case, place, times);
        }
        if let Err(problem) = outcome {
            let sent = case.bytes().escape_ascii().to_string();
            self.violated(&format!("{}: {problem}\n  sent: {sent}\n  seen: {seen}", case.family));
        }
        format!("{number}.{place}")
    }

    pub(super) fn judge_trailer(&self, (name, value): &(String, Vec<u8>)) {
        let folded = folded(name);
        let frames =
            ["content-length", "transfer-encoding", "host", "connection", "te", "trailer", "upgrade"];
        if is_ours(&folded) || frames.contains(&&*folded) || TOKEN_HEADERS.contains(&&*folded) {
            self.violated(&format!("a trailer {name}: {}", value.escape_ascii()));
        }
    }
}

/// `m` with the case's number and the request's place in it, in X-Marker or in the target.
fn marker(seen: &Seen) -> Option<(u32, usize)> {
    let in_header = seen.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-marker"));
    let in_header: Vec<_> = in_header.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
    let text = match &in_header[..] {
        [] => seen.target.split(['/', '?', '=']).find(|part| part.starts_with("m0"))?.to_owned(),
        [one] => one.clone(),
        _ => return None,
    };
    let (number, place) = text.strip_prefix('m')?.split_once('.')?;
    Some((number.parse().ok()?, place.get(..1)?.parse().ok()?))
}

fn judge(seen: &Seen, case: &Case, place: usize, times: usize) -> Result<(), String> {
    if times > 1 {
        return Err("it came twice".into());
    }
    let sent = case.requests.get(place).ok_or("it was hidden in another")?;
    let sent = Sent::read(sent);
    if sent.method != seen.method.as_bytes() {
        return Err(format!("the method was {}", sent.method.escape_ascii()));
    }
    if !sent.has_target(&seen.target) {
        return Err(format!("the target was {}", sent.target.escape_ascii()));
    }
    let host = seen.fields.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    let host = host.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default();
    let token = sent.token();
    let needed = need(&seen.target, &host);
    let customer = match (needed, &token) {
        (Need::Nothing, _) | (Need::NoBadToken, Token::None) => None,
        (Need::NoBadToken | Need::Token, Token::Of(customer)) => Some(*customer),
        (Need::Admin, Token::Of(customer)) if customer.is_admin => Some(*customer),
        _ => return Err(format!("it needs {needed:?} and came with {token:?}")),
    };
    judge_identity(seen, customer)
}

/// Every managed name has one value of ours or none, however a lax server reads names.
fn judge_identity(seen: &Seen, customer: Option<&Customer>) -> Result<(), String> {
    for (name, value) in &seen.fields {
        let folded = folded(name);
        if is_ours(&folded) && value.windows(6).any(|part| part.eq_ignore_ascii_case(b"forged")) {
            return Err(format!("the caller speaks as {name}"));
        }
        if TOKEN_HEADERS.contains(&&*folded) && (folded != "authorization" || is_three_part_bearer(value)) {
            return Err(format!("the token went on in {name}"));
        }
    }
    for (name, expected) in [
        ("x-sidegate-customer", customer.map(|customer| customer.id)),
        ("x-sidegate-workspace", customer.map(|customer| customer.workspace)),
        ("x-sidegate-admin", customer.map(|customer| if customer.is_admin { "true" } else { "false" })),
    ] {
        let values = seen.fields.iter().filter(|(field, _)| folded(field) == name);
        let values: Vec<_> = values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect();
        if values != expected.into_iter().collect::<Vec<_>>() {
            return Err(format!("{name} is {values:?} instead of {expected:?}"));
        }
    }
    Ok(())
}

fn is_ours(folded: &str) -> bool {
    OURS.iter().any(|ours| folded.starts_with(ours)) || BELIEVED.contains(&folded)
}

/// A name as CGI servers read it.
pub(super) fn folded(name: &str) -> String {
    name.chars()
        .map(|sign| if sign.is_ascii_alphanumeric() { sign.to_ascii_lowercase() } else { '-' })
        .collect()
}

/// What the strictest rule demands that any server's reading of the target could meet.
fn need(target: &str, host: &str) -> Need {
    let path = target.split(['?', '#']).next().unwrap();
    let name = host.to_ascii_lowercase();
    let name = name.rsplit_once(':').map_or(&*name, |(name, _)| name).trim_end_matches('.');
    if name == "guarded.test" {
        return Need::Admin;
    }
    let readings: Vec<Need> = readings(path).iter().map(|path| first_rule(path)).collect();
    if readings.contains(&Need::Admin) {
        return Need::Admin;
    }
    // A path that is open under one reading only is not open.
    let first = readings[0];
    if readings.iter().all(|need| *need == first) { first } else { Need::Token }
}

fn first_rule(path: &str) -> Need {
    match path.trim_start_matches('/').split('/').next().unwrap() {
        "admin" => Need::Admin,
        "public" => Need::Nothing,
        "open" => Need::NoBadToken,
        _ => Need::Token,
    }
}

/// The token that a lax parser finds in what was sent.
#[derive(Debug, PartialEq)]
enum Token {
    None,
    Of(&'static Customer),
    /// Something that is no valid token, or more than one.
    Bad,
}

/// A sent request, read as laxly as any server does.
struct Sent<'b> {
    method: &'b [u8],
    target: &'b [u8],
    fields: Vec<(String, &'b [u8])>,
}

impl<'b> Sent<'b> {
    fn read(bytes: &'b [u8]) -> Self {
        let mut lines =
            bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.by_ref().find(|line| !line.is_empty()).unwrap_or_default();
        let mut words = first.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let head = lines.take_while(|line| !line.is_empty());
        let fields = head.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = String::from_utf8_lossy(line[..colon].trim_ascii()).to_ascii_lowercase();
            Some((name, line[colon + 1..].trim_ascii()))
        });
        Self { method, target, fields: fields.collect() }
    }

    /// Byte for byte, but for the scheme and host of the absolute form and what follows `#`.
    fn has_target(&self, seen: &str) -> bool {
        let whole = self.target.split(|byte| *byte == b'#').next().unwrap();
        let sent = String::from_utf8_lossy(whole);
        let after_scheme = sent.split_once("://").map(|(_, rest)| rest);
        let of_url = after_scheme.map(|rest| match rest.find(['/', '?']) {
            Some(at) if rest[at..].starts_with('/') => rest[at..].to_owned(),
            Some(at) => format!("/{}", &rest[at..]),
            None => "/".into(),
        });
        sent == seen || of_url.is_some_and(|path| path == seen)
    }

    fn token(&self) -> Token {
        let listed = self.fields.iter().filter(|(name, value)| {
            TOKEN_HEADERS.contains(&&**name) && (name != "authorization" || is_three_part_bearer(value))
        });
        let mut values: Vec<&[u8]> =
            listed.map(|(name, value)| if name == "authorization" { &value[7..] } else { value }).collect();
        values.dedup();
        match values[..] {
            [] => Token::None,
            [one] => customer_of(one).map_or(Token::Bad, Token::Of),
            _ => Token::Bad,
        }
    }
}

/// The scheme in any case, one space, and a token68 of three parts: anything else in Authorization is the API's own.
fn is_three_part_bearer(value: &[u8]) -> bool {
    let Some((scheme, token)) = value.split_at_checked(7) else { return false };
    let letters = token.trim_ascii_end().split(|byte| *byte == b'=').next().unwrap();
    let padding = &token[letters.len()..];
    scheme.eq_ignore_ascii_case(b"bearer ")
        && !letters.is_empty()
        && letters.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
        && padding.iter().all(|byte| *byte == b'=')
        && token.iter().filter(|byte| **byte == b'.').count() == 2
}
