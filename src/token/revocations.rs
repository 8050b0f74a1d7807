//! Tokens that are refused though their signature holds: a list by token id, key id, customer and time of issue.
//! Never knows where the list is kept or who put an entry there.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::claims;
use crate::document::{self, Complaint, Kind, Node};

/// The most entries of a list. An entry can end by itself, so that a list need not grow for ever.
const MAX_ENTRIES: usize = 50_000;

/// The keys of an entry.
const KEYS: [&str; 6] = ["jti", "kid", "customer", "issuedBefore", "workspace", "until"];

/// What one workspace does not take any more.
#[derive(Clone, Debug, Default)]
pub struct Revocations {
    by_token: HashMap<String, Vec<Entry>>,
    by_customer: HashMap<String, Vec<Entry>>,
    by_key: HashMap<String, Vec<Entry>>,
    /// Those that name a time only.
    of_all: Vec<Entry>,
    count: usize,
}

/// Revokes a token for which everything in it is so.
#[derive(Clone, Debug, Default)]
struct Entry {
    jti: Option<String>,
    kid: Option<String>,
    customer: Option<String>,
    issued_before: Option<f64>,
    /// When it ends to have an effect; in seconds since the epoch, like the time before.
    until: Option<f64>,
}

/// What is revoked or not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) claims: &'a Map<String, Value>,
    pub(super) kid: Option<&'a str>,
}

/// What the entries are compared with: a [`Subject`] as they spell it.
struct Compared<'a> {
    jti: Option<Cow<'a, str>>,
    kid: Option<&'a str>,
    customer: Option<Cow<'a, str>>,
    issued_at: f64,
    now: f64,
}

impl<'a> Compared<'a> {
    fn new(Subject { claims, kid }: Subject<'a>, now: f64) -> Self {
        // A token that does not say when it was issued may have been issued at any time.
        let issued_at = claims.get("iat").and_then(Value::as_f64).unwrap_or(f64::NEG_INFINITY);
        let (jti, customer) = (claims::token_id(claims), claims::customer_id(claims));
        Self { jti, kid, customer, issued_at, now }
    }
}

impl Entry {
    fn revokes(&self, token: &Compared<'_>) -> bool {
        let is =
            |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
        self.until.is_none_or(|until| token.now < until)
            && self.issued_before.is_none_or(|before| token.issued_at < before)
            && is(&self.jti, token.jti.as_deref())
            && is(&self.kid, token.kid)
            && is(&self.customer, token.customer.as_deref())
    }
}

impl Revocations {
    /// Reads a list: YAML (or JSON), a list of entries of which those for another workspace than `workspace` are left out.
    ///
    /// # Errors
    /// Every complaint with its place: a list with one bad entry revokes nothing, so that a slip cannot pass for a list
    /// that was emptied.
    pub fn read(file: &str, text: &str, workspace: &str) -> Result<Self, Vec<Complaint>> {
        let root = document::parse(file, text)?;
        let mut reader = Reader { file, complaints: Vec::new() };
        let mut list = Self::default();
        for item in reader.items(&root) {
            if let Some((entry, of)) = reader.entry(item)
                && of.is_none_or(|of| of == workspace)
            {
                list.add(entry);
            }
        }
        if reader.complaints.is_empty() { Ok(list) } else { Err(reader.complaints) }
    }

    fn add(&mut self, entry: Entry) {
        self.count += 1;
        let (index, key) = match (&entry.jti, &entry.customer, &entry.kid) {
            (Some(jti), ..) => (&mut self.by_token, jti.clone()),
            (None, Some(customer), _) => (&mut self.by_customer, customer.clone()),
            (None, None, Some(kid)) => (&mut self.by_key, kid.clone()),
            (None, None, None) => return self.of_all.push(entry),
        };
        index.entry(key).or_default().push(entry);
    }

    /// How many entries there are for the workspace.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether an entry revokes the token.
    pub(super) fn revoke(&self, subject: Subject<'_>, now: f64) -> bool {
        if self.is_empty() {
            return false;
        }
        let token = Compared::new(subject, now);
        let found = [
            token.jti.as_deref().and_then(|jti| self.by_token.get(jti)),
            token.customer.as_deref().and_then(|customer| self.by_customer.get(customer)),
            token.kid.and_then(|kid| self.by_key.get(kid)),
            Some(&self.of_all),
        ];
        found.into_iter().flatten().flatten().any(|entry| entry.revokes(&token))
    }
}

struct Reader<'a> {
    file: &'a str,
    complaints: Vec<Complaint>,
}

impl Reader<'_> {
    fn items<'n>(&mut self, root: &'n Node) -> &'n [Node] {
        match &root.kind {
            Kind::Sequence(items) if items.len() > MAX_ENTRIES => {
                self.complain(
                    root,
                    format!("there are more than {MAX_ENTRIES} entries"),
                    "remove those that ended",
                );
                &[]
            }
            Kind::Sequence(items) => items,
            Kind::Mapping(entries) if entries.is_empty() => &[],
            _ => {
                self.complain(root, "this is not a list of entries", "write one: - {jti: …}");
                &[]
            }
        }
    }

    /// One entry and the workspace it is for; `None` after a complaint.
    fn entry<'n>(&mut self, item: &'n Node) -> Option<(Entry, Option<&'n str>)> {
        let before = self.complaints.len();
        let mut entry = Entry::default();
        let mut workspace = None;
        for member in item.entries() {
            let value = &member.value;
            match member.key.as_str() {
                "jti" => entry.jti = self.text(value).map(str::to_owned),
                "kid" => entry.kid = self.text(value).map(str::to_owned),
                "customer" => entry.customer = self.text(value).map(str::to_owned),
                "workspace" => workspace = self.text(value),
                "issuedBefore" => entry.issued_before = self.time(value),
                "until" => entry.until = self.time(value),
                other => {
                    let near = document::did_you_mean(other, KEYS);
                    let cure = near.map_or_else(
                        || format!("known are {}", KEYS.join(", ")),
                        |near| format!("did you mean `{near}`?"),
                    );
                    self.complain(value, format!("an entry has no `{other}`"), cure);
                }
            }
        }
        if self.complaints.len() > before {
            return None;
        }
        let is_bare = entry.jti.is_none() && entry.kid.is_none() && entry.customer.is_none();
        if is_bare && entry.issued_before.is_none() {
            self.complain(
                item,
                "the entry does not say what it revokes",
                "give it a jti, kid, customer or issuedBefore",
            );
            return None;
        }
        Some((entry, workspace))
    }

    fn text<'n>(&mut self, node: &'n Node) -> Option<&'n str> {
        let text = match &node.kind {
            Kind::Text(text) | Kind::Number(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        };
        if text.is_none() {
            self.complain(node, "this is not text", "write the value as it stands in the token");
        }
        text
    }

    /// Seconds since the epoch as tokens have them, or a date and time with its zone.
    fn time(&mut self, node: &Node) -> Option<f64> {
        let time = match &node.kind {
            Kind::Number(text) => text.parse::<f64>().ok().filter(|seconds| seconds.is_finite()),
            Kind::Text(text) => humantime::parse_rfc3339(text)
                .ok()
                .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
                .map(|since| since.as_secs_f64()),
            _ => None,
        };
        if time.is_none() {
            self.complain(node, "this is not a time", "write 2027-01-31T12:00:00Z, or seconds since 1970");
        }
        time
    }

    fn complain(&mut self, node: &Node, problem: impl Into<String>, cure: impl Into<String>) {
        let (file, position) = (self.file.into(), Some(node.position));
        self.complaints.push(Complaint { file, position, problem: problem.into(), cure: cure.into() });
    }
}

#[cfg(test)]
mod tests;
