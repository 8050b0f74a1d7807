//! skeleton
use super::Value;
use crate::document::{Complaint, Node};
/// A value with formulas in it, checked at load: an unknown or unsupported formula is an error that names it and its place.
#[derive(Clone, Debug)]
pub struct Template { /* parsed tree */ }
#[derive(Debug, thiserror::Error)]
#[error("{0}")] pub struct FormulaError(pub String);
impl Template {
    /// From a YAML node: every complaint with file:line:column.
    pub fn from_node(_file: &str, _node: &Node) -> Result<Self, Vec<Complaint>> { unimplemented!() }
    pub fn from_value(_value: &Value) -> Result<Self, FormulaError> { unimplemented!() }
    /// None is "undefined". `variables` is an object.
    pub fn evaluate(&self, _variables: &Value) -> Option<Value> { unimplemented!() }
}
