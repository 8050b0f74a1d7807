//! A reply's body as fields with the standard's names, wherever its sender has them.
//! Never decides what a field means.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use url::form_urlencoded;

use super::meaning::Meaning;

/// How a provider's replies depart from the standard's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading<'a> {
    /// Where it has what the standard calls by these names: keys and list positions, from the outside in; none of them is the
    /// whole body. Its own fields stay beside.
    pub fields: &'a [(String, Vec<String>)],
    /// Its `expires_in` counts milliseconds.
    pub milliseconds: bool,
    /// Codes by which it says that a grant is dead, over what is known here of codes and statuses.
    pub dead_grant: &'a [String],
    /// That the app is refused.
    pub dead_app: &'a [String],
    /// That another try is worth while later.
    pub transient: &'a [String],
}

impl Reading<'_> {
    /// The fields of a body: those of JSON whatever the content type says, or of a form. A byte order mark is passed over.
    pub(super) fn read(&self, body: &[u8]) -> IndexMap<String, Json> {
        let Ok(text) = str::from_utf8(body) else { return IndexMap::new() };
        let text = text.trim_start_matches('\u{feff}').trim();
        let whole: Option<Json> = serde_json::from_str(text).ok();
        let found = self.fields.iter().filter_map(|(name, path)| {
            let value = match &whole {
                Some(whole) => path.iter().try_fold(whole, |outer, key| member(outer, key)).cloned(),
                None => path.is_empty().then(|| Json::String(text.to_owned())),
            };
            Some((name.clone(), value?))
        });
        let found: Vec<_> = found.collect();
        let mut fields = match whole {
            Some(Json::Object(_)) => serde_json::from_str(text).unwrap_or_default(),
            Some(_) => IndexMap::new(),
            None => form(text),
        };
        fields.extend(found);
        if let Some(life) = fields.get_mut("expires_in").filter(|_| self.milliseconds) {
            in_seconds(life);
        }
        fields
    }
}

impl Reading<'_> {
    /// What its sender means by a code, where the integration says it.
    pub(super) fn meaning(&self, code: &str) -> Option<Meaning> {
        let lists = [
            (self.dead_grant, Meaning::DeadGrant),
            (self.dead_app, Meaning::DeadApp),
            (self.transient, Meaning::Transient),
        ];
        lists.into_iter().find(|(codes, _)| codes.iter().any(|one| one == code)).map(|(_, meaning)| meaning)
    }
}

fn member<'v>(outer: &'v Json, key: &str) -> Option<&'v Json> {
    match outer {
        Json::Object(members) => members.get(key),
        Json::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    }
}

fn form(text: &str) -> IndexMap<String, Json> {
    if text.starts_with(['{', '[', '"', '<']) || !text.contains('=') {
        return IndexMap::new();
    }
    let pairs = form_urlencoded::parse(text.as_bytes());
    pairs.map(|(name, value)| (name.into_owned(), Json::String(value.into_owned()))).collect()
}

fn in_seconds(life: &mut Json) {
    let number = life.as_f64().or_else(|| life.as_str()?.trim().parse().ok());
    if let Some(number) = number.filter(|number| number.is_finite()) {
        *life = json!(number / 1000.0);
    }
}
