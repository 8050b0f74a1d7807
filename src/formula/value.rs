//! JSON with the order of keys kept, as formulas need it.
//! Never knows whether it holds a secret: whoever owns it wraps it in `Secret`.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::Zeroize;

use super::coercion;
use crate::document::{Kind, Node};

/// Below this size every whole number has an exact `f64`, and so prints as an integer.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// JSON as JavaScript sees it: numbers are `f64`, the order of keys is kept. "Undefined" is no value but the absence
/// of one, `Option<Value>`; it differs from null.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Text.
    String(String),
    /// A list.
    Array(Vec<Self>),
    /// A mapping in the order it was written.
    Object(IndexMap<String, Self>),
}

impl Value {
    /// An object without members.
    #[must_use]
    pub fn empty_object() -> Self {
        Self::Object(IndexMap::new())
    }

    /// The member `key` of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The members of an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// What JavaScript's `Boolean(x)` gives: null, false, 0, NaN and the empty string are false.
    #[must_use]
    pub fn truthy(&self) -> bool {
        coercion::truthy(self)
    }

    /// What JavaScript's `String(x)` gives: `1e+21`, `a,b` for a list, `[object Object]` for an object.
    #[must_use]
    pub fn text(&self) -> String {
        coercion::text(self)
    }

    /// Sets a member of an object; does nothing to any other value.
    pub(super) fn set(&mut self, key: &str, value: Self) {
        if let Self::Object(members) = self {
            members.insert(key.to_owned(), value);
        }
    }

    /// Sets each member of `over` on this object. Anything that is not an object counts as an empty one.
    pub fn overlay(&mut self, over: &Self) {
        if !matches!(self, Self::Object(_)) {
            *self = Self::empty_object();
        }
        if let (Self::Object(members), Some(over)) = (self, over.as_object()) {
            members.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
    }
}

impl<K: Into<String>, V: Into<Self>> FromIterator<(K, V)> for Value {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(members: T) -> Self {
        Self::Object(members.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<&Node> for Value {
    fn from(node: &Node) -> Self {
        match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool(value) => Self::Bool(*value),
            Kind::Number(text) => Self::Number(text.parse().unwrap_or(f64::NAN)),
            Kind::Text(text) => Self::String(text.clone()),
            Kind::Sequence(items) => Self::Array(items.iter().map(Self::from).collect()),
            Kind::Mapping(entries) => {
                entries.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect()
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            serde_json::Value::String(text) => Self::String(text),
            serde_json::Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            serde_json::Value::Object(members) => members.into_iter().collect(),
        }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => match exact_integer(*number) {
                Some(integer) => integer.into(),
                None => (*number).into(),
            },
            Value::String(text) => Self::String(text.clone()),
            Value::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
            }
        }
    }
}

/// Text is wiped; keys stay, for they are the names of fields, not their contents.
impl Zeroize for Value {
    fn zeroize(&mut self) {
        match self {
            Self::Null => {}
            Self::Bool(value) => value.zeroize(),
            Self::Number(number) => number.zeroize(),
            Self::String(text) => text.zeroize(),
            Self::Array(items) => items.iter_mut().for_each(Zeroize::zeroize),
            Self::Object(members) => members.values_mut().for_each(Zeroize::zeroize),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => match exact_integer(*number) {
                Some(integer) => serializer.serialize_i64(integer),
                None => serializer.serialize_f64(*number),
            },
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(members) => serializer.collect_map(members),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "JavaScript rounds large integers just so")]
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "JavaScript rounds large integers just so")]
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = IndexMap::new();
        while let Some((key, value)) = map.next_entry()? {
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn exact_integer(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < EXACT_INTEGERS).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_its_order_and_integers_stay_integers() {
        let text = r#"{"z":1,"a":[1.5,2,1e300,null,true],"m":{"y":"é","b":{}}}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            serde_json::to_string(&value).unwrap(),
            r#"{"z":1,"a":[1.5,2,1e+300,null,true],"m":{"y":"é","b":{}}}"#
        );
        assert_eq!(serde_json::Value::from(&value), serde_json::from_str::<serde_json::Value>(text).unwrap());
    }

    #[test]
    fn a_yaml_node_becomes_the_same_value_as_its_json() {
        let node = crate::document::parse("a.yaml", "b: [1, two, ~]\na: {c: '3'}\n").unwrap();
        let json = serde_json::from_str(r#"{"b": [1, "two", null], "a": {"c": "3"}}"#).unwrap();
        assert_eq!(Value::from(&node), json);
    }

    #[test]
    fn every_text_of_a_wiped_value_is_empty() {
        let mut value: Value = serde_json::from_str(r#"{"k": ["secret", {"deep": "secret"}]}"#).unwrap();
        value.zeroize();
        assert!(!serde_json::to_string(&value).unwrap().contains("secret"));
    }

    #[test]
    fn an_overlay_sets_members_and_keeps_the_others() {
        let mut value: Value = serde_json::from_str(r#"{"a": 1, "b": 2}"#).unwrap();
        value.overlay(&serde_json::from_str(r#"{"b": 3, "c": 4}"#).unwrap());
        assert_eq!(serde_json::to_string(&value).unwrap(), r#"{"a":1,"b":3,"c":4}"#);
    }
}
