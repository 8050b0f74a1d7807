//! The vendor's formulas: pure functions from variables to values, equal to the published engine case by case.
//! Never does I/O, never reads a clock, never knows what a value is used for.
//!
//! A mapping whose first key begins with `$` is a formula; everything else is data with formulas inside. The behaviour
//! is that of the synchronous evaluator in `@integration-app/sdk` 1.14.1, quirks included: `tests/vectors/formula`
//! holds what that engine answered, and the tests here give the same answers.

mod coercion;
mod condition;
mod filters;
mod iterate;
mod kept;
mod locator;
mod logic;
mod objects;
mod reader;
mod template;
mod text;
mod value;
mod variables;

pub use condition::Condition;
pub use template::{FormulaError, Template};
pub use value::Value;
pub use variables::Variables;

#[cfg(test)]
mod vectors;
