//! Formulas that choose among values or put objects together: `$map`, `$mergeObjects`, `$firstNotEmpty`.
//! Never knows what the values mean.

use indexmap::IndexMap;

use super::locator::Locator;
use super::reader::Reader;
use super::template::{Evaluation, Expression, Outcome};
use super::{Value, coercion};
use crate::document::{Kind, Node};

/// `$map: {value, mapping: [{from, to}], default}`.
#[derive(Clone)]
pub(super) struct Choice {
    value: Expression,
    pairs: Vec<(Expression, Expression)>,
    default: Expression,
}

impl Choice {
    pub(super) fn read(arguments: &Node, reader: &mut Reader) -> Expression {
        reader.refuse_names(arguments.entries());
        let value = reader.optional(arguments.get("value"));
        let mut pairs = Vec::new();
        for pair in arguments.get("mapping").map(Node::items).unwrap_or_default() {
            reader.refuse_names(pair.entries());
            if matches!(pair.kind, Kind::Null) {
                reader.complain(
                    pair.position,
                    "this pair of `$map` is empty",
                    "write it as {from: …, to: …}",
                );
            }
            pairs.push((reader.optional(pair.get("from")), reader.optional(pair.get("to"))));
        }
        let default = reader.optional(arguments.get("default"));
        Expression::Choice(Box::new(Self { value, pairs, default }))
    }

    /// The first pair whose `from` is deeply or loosely equal to the value decides.
    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let value = self.value.evaluate(evaluation)?;
        for (from, to) in &self.pairs {
            let from = from.evaluate(evaluation)?;
            if value == from || coercion::loosely_equal(value.as_ref(), from.as_ref()) {
                return to.evaluate(evaluation);
            }
        }
        self.default.evaluate(evaluation)
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        self.value.visit(visitor);
        for (from, to) in &self.pairs {
            from.visit(visitor);
            to.visit(visitor);
        }
        self.default.visit(visitor);
    }
}

/// `$mergeObjects: [..]`: later members win, lists count as objects with the keys 0, 1, …; empty is undefined.
pub(super) fn merge(list: &Expression, evaluation: &Evaluation<'_>) -> Outcome {
    let mut merged = IndexMap::new();
    for item in list.items(evaluation)?.unwrap_or_default() {
        match item {
            Value::Object(members) => merged.extend(members),
            Value::Array(items) => {
                merged.extend(items.into_iter().enumerate().map(|(index, item)| (index.to_string(), item)));
            }
            _ => {}
        }
    }
    Ok((!merged.is_empty()).then_some(Value::Object(merged)))
}

/// `$firstNotEmpty: [..]`: the first that is there and not null. An empty text and 0 do count.
pub(super) fn first_not_empty(list: &Expression, evaluation: &Evaluation<'_>) -> Outcome {
    let items = list.items(evaluation)?.unwrap_or_default();
    Ok(items.into_iter().find(|item| !matches!(item, Value::Null)))
}
