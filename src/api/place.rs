//! What a path asks for: a collection, one thing in it, and what is to be done with that.
//! Never knows which of them there are.

use http::Uri;
use percent_encoding::percent_decode_str;

use super::query::Query;

/// The vendor's names for one thing by query (`/customer?id=x`), and for the collection it is in.
const SINGULAR: [(&str, &str); 3] =
    [("connection", "connections"), ("customer", "customers"), ("integration", "integrations")];

/// A path, taken apart.
pub(super) struct Place<'p> {
    /// The first segment; of a singular form, the plural.
    pub(super) collection: &'p str,
    /// Which one; none is the collection itself.
    pub(super) selector: Option<Selector>,
    /// What follows behind it.
    pub(super) operation: &'p str,
}

/// What selects one thing of a collection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Selector {
    /// A segment of the path, decoded: whatever it is called by.
    Name(String),
    /// Keys of the query; all that are there must fit.
    Query(Wanted),
}

/// What a query selects by.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) id: Option<String>,
    pub(super) key: Option<String>,
    pub(super) integration: Option<String>,
}

impl<'p> Place<'p> {
    /// None for a path that has more segments than any of the API.
    pub(super) fn of(uri: &'p Uri, query: &Query) -> Option<Self> {
        let (first, rest) = cut(uri.path().strip_prefix('/')?);
        if let Some((_, collection)) = SINGULAR.iter().find(|(singular, _)| *singular == first) {
            let operation = rest.unwrap_or_default();
            let selector = Some(Selector::Query(Wanted::of(query)));
            return (!operation.contains('/')).then_some(Self { collection, selector, operation });
        }
        let (name, rest) = rest.map_or((None, None), |rest| {
            let (name, rest) = cut(rest);
            (Some(name), rest)
        });
        let operation = rest.unwrap_or_default();
        let is_odd = operation.contains('/') || name == Some("") || rest == Some("");
        let selector =
            name.map(|name| Selector::Name(percent_decode_str(name).decode_utf8_lossy().into_owned()));
        (!is_odd).then_some(Self { collection: first, selector, operation })
    }
}

impl Wanted {
    fn of(query: &Query) -> Self {
        let text = |name| query.text(name).map(str::to_owned);
        Self {
            id: text("id"),
            key: text("key"),
            integration: query.either("integrationKey", "integrationId").map(str::to_owned),
        }
    }

    /// The first of them; none if there is none.
    pub(super) fn first(&self) -> Option<&str> {
        self.id.as_deref().or(self.key.as_deref()).or(self.integration.as_deref())
    }
}

fn cut(path: &str) -> (&str, Option<&str>) {
    match path.split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a path, the selector in its debug form.
    fn parts(text: &str) -> Option<(String, String, String)> {
        let uri: Uri = text.parse().unwrap();
        let place = Place::of(&uri, &Query::of(&uri))?;
        let selector = match place.selector {
            None => String::new(),
            Some(Selector::Name(name)) => name,
            Some(Selector::Query(wanted)) => format!("?{}", wanted.first().unwrap_or_default()),
        };
        Some((place.collection.to_owned(), selector, place.operation.to_owned()))
    }

    #[test]
    fn a_path_is_a_collection_a_name_and_an_operation() {
        for (path, collection, selector, operation) in [
            ("/self", "self", "", ""),
            ("/connections", "connections", "", ""),
            ("/connections/my%2Fkey", "connections", "my/key", ""),
            ("/connections/a/test", "connections", "a", "test"),
            ("/connection?id=a&key=b", "connections", "?a", ""),
            ("/connection/test?integrationId=crm", "connections", "?crm", "test"),
            ("/customer?id=a%20b", "customers", "?a b", ""),
            ("/integration", "integrations", "?", ""),
        ] {
            let expected = (collection.to_owned(), selector.to_owned(), operation.to_owned());
            assert_eq!(parts(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn what_has_too_many_or_empty_segments_is_no_place() {
        for path in
            ["/connections/a/data/b", "/connections/", "/connections//test", "/connections/a/", "/self/"]
        {
            assert_eq!(parts(path), None, "{path}");
        }
    }
}
