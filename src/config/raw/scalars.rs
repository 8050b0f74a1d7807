//! The small values of the configuration: durations, text that may not be empty, secrets, one-or-a-list.
//! Knows nothing of the keys that hold them.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The `format` of a duration in our schemas; JSON Schema's own `duration` is ISO 8601.
pub(in crate::config) const DURATION_FORMAT: &str = "sidegate-duration";
/// Marks the schema of a secret.
pub(in crate::config) const SECRET_NAME: &str = "Secret";

/// A duration as people write it: `5s`, `100ms`, `1m 30s`.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Span(pub(in crate::config) Duration);

impl Span {
    pub(in crate::config) fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": DURATION_FORMAT, "examples": ["5s", "100ms", "1m"] })
    }
}

/// Text that is not empty.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(transparent)]
pub(in crate::config) struct Text(pub(in crate::config) String);

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// Where a secret is: exactly one of these.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(in crate::config) struct Secret {
    /// The secret itself; better kept in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) value: Option<Literal>,
    /// A file that holds it; one trailing newline is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) file: Option<Text>,
    /// The environment variable that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::config) env: Option<Text>,
}

/// A secret that was typed into the configuration. Prints as `[secret]`.
#[derive(Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct Literal(pub(in crate::config) String);

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[secret]")
    }
}

impl JsonSchema for Literal {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Literal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

/// One of something, or a list.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

/// A value of any shape, kept as it was written in `Places`. May hold secrets, so it never prints.
#[derive(Default, Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct Anything(serde::de::IgnoredAny);

impl fmt::Debug for Anything {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[not shown]")
    }
}

impl Serialize for Anything {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[not shown]")
    }
}

impl JsonSchema for Anything {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Anything".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({})
    }
}
