//! `$iterate`: a list made from a list.
//! Never sees more than the item, its index, and the variables around.

use super::Value;
use super::locator::Locator;
use super::reader::Reader;
use super::template::{Evaluation, Expression, Outcome};
use crate::document::Node;

/// What an item costs of the text that an evaluation may make, so that lists within lists end, too.
const ITEM: usize = 64;

/// `$iterate: {source, item}`.
#[derive(Clone)]
pub(super) struct Iterate {
    source: Expression,
    item: Expression,
}

impl Iterate {
    pub(super) fn read(arguments: &Node, reader: &mut Reader) -> Expression {
        reader.refuse_names(arguments.entries());
        let source = reader.optional(arguments.get("source"));
        let item = reader.optional(arguments.get("item"));
        Expression::Iterate(Box::new(Self { source, item }))
    }

    /// `item` for each of the source's items, with the variables `item`, `parent` and `index`. What JavaScript takes for
    /// false is dropped.
    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let Some(source) = self.source.items(evaluation)?.filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let mut variables: Value =
            [("item", Value::Null), ("parent", evaluation.variables.clone()), ("index", Value::Null)]
                .into_iter()
                .collect();
        let mut made = Vec::with_capacity(source.len());
        for (index, item) in source.into_iter().enumerate() {
            evaluation.spend(ITEM)?;
            variables.set("item", item);
            variables.set("index", Value::Number(index as f64));
            let value = self.item.evaluate(&evaluation.with(&variables))?;
            made.extend(value.filter(Value::truthy));
        }
        Ok((!made.is_empty()).then_some(Value::Array(made)))
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        self.source.visit(visitor);
        self.item.visit(visitor);
    }
}
