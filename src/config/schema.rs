//! The JSON Schemas of the configuration files, and how to read one while walking a document.
//! Never sees a document or a value.

use std::sync::LazyLock;

use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::Value as Json;

use super::raw;

static SIDEGATE: LazyLock<Json> = LazyLock::new(schema_of::<raw::Sidegate>);
static UPSTREAM: LazyLock<Json> = LazyLock::new(schema_of::<raw::Upstream>);
static INTEGRATION: LazyLock<Json> = LazyLock::new(schema_of::<raw::Integration>);

/// Every schema with the name of the file it is committed as.
#[must_use]
pub fn schemas() -> Vec<(String, Json)> {
    [("sidegate", &SIDEGATE), ("upstream", &UPSTREAM), ("integration", &INTEGRATION)]
        .map(|(name, schema)| (format!("{name}.schema.json"), Json::clone(schema)))
        .into()
}

/// One schema: a part of a document that can say what it admits.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    document: &'static Json,
    part: &'static Json,
}

impl Shape {
    pub(super) fn sidegate() -> Self {
        Self { document: &SIDEGATE, part: &SIDEGATE }
    }

    pub(super) fn upstream() -> Self {
        Self { document: &UPSTREAM, part: &UPSTREAM }
    }

    pub(super) fn integration() -> Self {
        Self { document: &INTEGRATION, part: &INTEGRATION }
    }

    fn at(self, part: &'static Json) -> Self {
        Self { part, ..self }
    }

    /// The forms a value may take, references followed: several where the schema has `anyOf` or `oneOf`.
    pub(super) fn forms(self) -> Vec<Form> {
        if let Some(name) = self.part["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            return self.at(&self.document["$defs"][name]).forms();
        }
        for choice in ["anyOf", "oneOf"] {
            if let Some(parts) = self.part[choice].as_array() {
                return parts.iter().flat_map(|part| self.at(part).forms()).collect();
            }
        }
        vec![self.form()]
    }

    /// Whether this is where a secret is named.
    pub(super) fn is_secret(self) -> bool {
        let wanted = format!("#/$defs/{}", raw::SECRET_NAME);
        let refers = |part: &Json| part["$ref"].as_str() == Some(&wanted);
        refers(self.part) || self.part["anyOf"].as_array().is_some_and(|parts| parts.iter().any(refers))
    }

    fn form(self) -> Form {
        if let Some(words) = self.words() {
            return Form::Words(words);
        }
        let limits =
            Limits { minimum: self.part["minimum"].as_u64(), maximum: self.part["maximum"].as_u64() };
        match self.part["type"].as_str() {
            Some("object") => Form::Mapping(self),
            Some("array") => Form::Sequence(self.at(&self.part["items"])),
            Some("string") if self.part["format"] == raw::DURATION_FORMAT => Form::Duration,
            Some("string") if self.part["minLength"].as_u64() > Some(0) => Form::Text,
            Some("string") => Form::MaybeEmptyText,
            Some("integer") => Form::Integer(limits),
            Some("boolean") => Form::Boolean,
            _ => Form::Anything,
        }
    }

    fn words(self) -> Option<Vec<&'static str>> {
        if let Some(word) = self.part["const"].as_str() {
            return Some(vec![word]);
        }
        Some(self.part["enum"].as_array()?.iter().filter_map(Json::as_str).collect())
    }

    /// The schema of `key` in a mapping; `None` where the key is unknown.
    pub(super) fn member(self, key: &str) -> Option<Self> {
        if let Some(part) = self.part["properties"].get(key) {
            return Some(self.at(part));
        }
        self.any_member()
    }

    /// The schema of `key` in whichever form is a mapping that knows it.
    pub(super) fn inner(self, key: &str) -> Option<Self> {
        self.forms().into_iter().find_map(|form| match form {
            Form::Mapping(shape) => shape.member(key),
            _ => None,
        })
    }

    /// The schema of every value, where the keys are names of the operator's own.
    pub(super) fn any_member(self) -> Option<Self> {
        let part = &self.part["additionalProperties"];
        match part {
            Json::Null | Json::Bool(false) => None,
            part => Some(self.at(part)),
        }
    }

    /// The keys that the schema names.
    pub(super) fn keys(self) -> impl Iterator<Item = &'static str> {
        self.part["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str())
    }

    /// The keys that must be there.
    pub(super) fn required(self) -> impl Iterator<Item = &'static str> {
        self.part["required"].as_array().into_iter().flatten().filter_map(Json::as_str)
    }
}

/// One form that a value may take.
pub(super) enum Form {
    Mapping(Shape),
    Sequence(Shape),
    Words(Vec<&'static str>),
    Duration,
    Text,
    MaybeEmptyText,
    Integer(Limits),
    Boolean,
    Anything,
}

/// The least and the greatest number that is admitted.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) minimum: Option<u64>,
    pub(super) maximum: Option<u64>,
}

fn schema_of<T: JsonSchema>() -> Json {
    let settings =
        SchemaSettings::draft2020_12().with_transform(RecursiveTransform(without_null)).with_transform(title);
    settings.into_generator().into_root_schema_for::<T>().into()
}

/// An empty value is an error here, so that a forgotten secret is not taken for an absent one.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    object.retain(|key, value| !(key == "default" && value.is_null()));
    if let Some(Json::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".into(), only);
        }
    }
    let Some(Json::Array(parts)) = object.get_mut("anyOf") else { return };
    parts.retain(|part| part["type"] != "null");
    if let [Json::Object(only)] = parts.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        object.extend(only);
    }
}

fn title(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Sidegate configuration".into());
    }
}
