//! skeleton
use indexmap::IndexMap;
/// JSON with key order kept. "undefined" is not a value: it is the absence of one (`Option<Value>`).
#[derive(Clone, Debug, PartialEq)]
pub enum Value { Null, Bool(bool), Number(f64), String(String), Array(Vec<Value>), Object(IndexMap<String, Value>) }
// needs: serde Serialize/Deserialize (order kept, integers print without fraction), Zeroize (walks strings), From<&document::Node>, from/to serde_json::Value, get(&str), as_str(), truthy() (JS), to_text() (JS String(x)), object() constructor helpers
impl zeroize::Zeroize for Value { fn zeroize(&mut self) { unimplemented!() } }
impl Value {
    pub fn get(&self, _key: &str) -> Option<&Value> { unimplemented!() }
    pub fn as_str(&self) -> Option<&str> { unimplemented!() }
    pub fn truthy(&self) -> bool { unimplemented!() }
    pub fn text(&self) -> String { unimplemented!() }
    pub fn empty_object() -> Self { Value::Object(IndexMap::new()) }
}
impl From<&crate::document::Node> for Value { fn from(_: &crate::document::Node) -> Self { unimplemented!() } }
impl From<serde_json::Value> for Value { fn from(_: serde_json::Value) -> Self { unimplemented!() } }
impl From<&Value> for serde_json::Value { fn from(_: &Value) -> Self { unimplemented!() } }
impl serde::Serialize for Value { fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> { unimplemented!() } }
impl<'de> serde::Deserialize<'de> for Value { fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> { unimplemented!() } }
