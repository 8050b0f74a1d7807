//! A request's JSON body: read within limits, its fields taken by name and type.
//! Never quotes a value in a complaint: most of them are secrets.

use std::time::Duration;

use zeroize::Zeroizing;

use super::rejection::Rejection;
use crate::formula::Value;
use crate::http::Body;
use crate::http::body::{Collected, collect_within};

/// The longest body, in bytes.
pub(super) const LIMIT: usize = 1024 * 1024;
/// How long a body may take to arrive.
const DEADLINE: Duration = Duration::from_secs(30);

/// A JSON object; wiped when dropped. Fields that nobody asks for are ignored, and `null` counts as absent.
pub(super) struct JsonBody(Zeroizing<Value>);

impl JsonBody {
    /// Reads a body, whatever its content type says: the SDKs send POST without a body as a form. No body is an empty
    /// object.
    pub(super) async fn read(body: Body) -> Result<Self, Rejection> {
        let collected = tokio::time::timeout(DEADLINE, collect_within(body, LIMIT));
        match collected.await {
            Ok(Ok(Collected::Whole(text))) => Self::parse(&text),
            Ok(Ok(Collected::TooLong(_))) => Err(Rejection::BodyTooLarge),
            Ok(Err(error)) => Err(Rejection::RequestBody(error)),
            Err(late) => Err(Rejection::RequestBody(late.into())),
        }
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, Rejection> {
        if text.trim_ascii().is_empty() {
            return Ok(Self(Zeroizing::new(Value::empty_object())));
        }
        let body = serde_json::from_slice(text)
            .map_err(|error| Rejection::MalformedJson { line: error.line(), column: error.column() })?;
        Self::of(body)
    }

    /// What is JSON already.
    pub(super) fn of(body: Value) -> Result<Self, Rejection> {
        match body {
            Value::Object(_) => Ok(Self(Zeroizing::new(body))),
            _ => Err(Rejection::NotAnObject),
        }
    }

    /// The names of the fields that are there.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let members = self.0.as_object().into_iter().flatten();
        members.filter(|(_, value)| **value != Value::Null).map(|(name, _)| name.as_str())
    }

    /// Any value.
    pub(super) fn any(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| **value != Value::Null)
    }

    /// A text.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, Rejection> {
        let Some(value) = self.any(name) else { return Ok(None) };
        value.as_str().map(Some).ok_or(Rejection::WrongField { field: name, expected: "text" })
    }

    /// Whether a value counts as true, if it is there.
    pub(super) fn truth(&self, name: &str) -> Option<bool> {
        self.any(name).map(Value::truthy)
    }

    /// An object.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<&Value>, Rejection> {
        match self.any(name) {
            None => Ok(None),
            Some(object @ Value::Object(_)) => Ok(Some(object)),
            Some(_) => Err(Rejection::WrongField { field: name, expected: "an object" }),
        }
    }

    /// A field that has several names in the vendor's generations. Under more than one it must be the same.
    pub(super) fn one_of<'b, T: PartialEq>(
        &'b self,
        names: &[&'static str],
        take: impl Fn(&'b Self, &'static str) -> Result<Option<T>, Rejection>,
    ) -> Result<Option<T>, Rejection> {
        let mut found: Option<(&'static str, T)> = None;
        for &name in names {
            match (take(self, name)?, &found) {
                (None, _) => {}
                (Some(value), None) => found = Some((name, value)),
                (Some(value), Some((_, first))) if value == *first => {}
                (Some(_), Some((first, _))) => return Err(Rejection::FieldsDisagree { first, second: name }),
            }
        }
        Ok(found.map(|(_, value)| value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<JsonBody, Rejection> {
        JsonBody::parse(text.as_bytes())
    }

    #[test]
    fn no_body_is_an_empty_object() {
        for text in ["", " \r\n", "{}"] {
            assert_eq!(parse(text).unwrap().names().count(), 0, "{text:?}");
        }
    }

    #[test]
    fn a_malformed_body_is_refused_with_its_position_and_nothing_of_its_text() {
        let rejection = parse("{\"name\": \"a\",\n  planted}").err().unwrap();
        assert!(matches!(rejection, Rejection::MalformedJson { line: 2, column: 3 }), "{rejection:?}");
        assert!(!format!("{rejection} {rejection:?}").contains("planted"));
        assert!(matches!(parse("[1]").err(), Some(Rejection::NotAnObject)));
    }

    #[test]
    fn a_field_of_a_wrong_type_is_named() {
        let body = parse(r#"{"name": 1, "credentials": "planted", "key": null}"#).unwrap();
        assert!(matches!(body.text("name"), Err(Rejection::WrongField { field: "name", .. })));
        assert!(matches!(
            body.object("credentials"),
            Err(Rejection::WrongField { field: "credentials", .. })
        ));
        assert_eq!(body.text("key").unwrap(), None);
        assert_eq!(body.names().collect::<Vec<_>>(), ["name", "credentials"]);
    }

    #[test]
    fn a_field_under_two_names_must_be_the_same() {
        let names = ["integrationKey", "integrationId"];
        let same = parse(r#"{"integrationKey": "crm", "integrationId": "crm"}"#).unwrap();
        assert_eq!(same.one_of(&names, JsonBody::text).unwrap(), Some("crm"));
        let one = parse(r#"{"integrationId": "crm"}"#).unwrap();
        assert_eq!(one.one_of(&names, JsonBody::text).unwrap(), Some("crm"));
        let two = parse(r#"{"integrationKey": "crm", "integrationId": "erp"}"#).unwrap();
        let rejection = two.one_of(&names, JsonBody::text).unwrap_err();
        assert!(matches!(
            rejection,
            Rejection::FieldsDisagree { first: "integrationKey", second: "integrationId" }
        ));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let body = |length: usize| Body::full(format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8)));
        assert!(JsonBody::read(body(LIMIT)).await.is_ok());
        assert!(matches!(JsonBody::read(body(LIMIT + 1)).await.err(), Some(Rejection::BodyTooLarge)));
    }
}
