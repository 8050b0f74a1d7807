//! The vendor's formulas: pure functions from variables to values.
//! Never does I/O, never reads a clock.

pub mod locator;
pub mod template;
pub mod value;

pub use template::{FormulaError, Template};
pub use value::Value;
