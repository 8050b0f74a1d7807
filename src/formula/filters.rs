//! The filter of a case in `$case`: a formula, or the older list of conditions.
//! Never knows what the case gives.

use super::locator::Locator;
use super::logic::is_empty;
use super::reader::Reader;
use super::template::{Evaluation, Expression, FormulaError};
use super::{Value, coercion};
use crate::document::{Kind, Node};

/// When a case applies.
#[derive(Clone)]
pub(super) enum Filter {
    Always,
    /// Truthy, undefined or null.
    Formula(Expression),
    /// All of them hold.
    Conditions(Vec<Condition>),
}

/// `{field, operator, value}`. The value is compared as it stands: the vendor's engine never evaluates it.
#[derive(Clone)]
pub(super) struct Condition {
    field: Locator,
    operator: Operator,
    value: Option<Value>,
}

#[derive(Clone, Copy)]
enum Operator {
    Is,
    IsNot,
    IsOneOf,
    IsNotOneOf,
    IsTrue,
    IsFalse,
    Contains,
    DoesNotContain,
    ArrayIncludes,
    ArrayDoesNotInclude,
    LessThan,
    LessThanOrEqual,
    MoreThan,
    MoreThanOrEqual,
    IsEmpty,
    IsNotEmpty,
}

impl Filter {
    /// A literal that is false, null, 0 or empty counts as no filter.
    pub(super) fn read(filter: Option<&Node>, reader: &mut Reader) -> Self {
        let Some(filter) = filter else { return Self::Always };
        match &filter.kind {
            Kind::Sequence(conditions) => {
                Self::Conditions(conditions.iter().filter_map(|node| Condition::read(node, reader)).collect())
            }
            Kind::Mapping(_) => Self::Formula(reader.expression(filter)),
            _ => Self::Always,
        }
    }

    pub(super) fn matches(&self, evaluation: &Evaluation<'_>) -> Result<bool, FormulaError> {
        match self {
            Self::Always => Ok(true),
            Self::Formula(formula) => Ok(match formula.evaluate(evaluation)? {
                None | Some(Value::Null) => true,
                Some(value) => value.truthy(),
            }),
            Self::Conditions(conditions) => {
                Ok(conditions.iter().all(|condition| condition.holds(evaluation.variables)))
            }
        }
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        match self {
            Self::Always => {}
            Self::Formula(formula) => formula.visit(visitor),
            Self::Conditions(conditions) => conditions.iter().for_each(|condition| visitor(&condition.field)),
        }
    }
}

impl Condition {
    /// A condition with an unknown operator is passed over, as the vendor's engine does. One that would end its
    /// evaluation with an error, for want of a valid field, is refused here.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let value = node.get("value").map(|value| reader.unevaluated(value));
        let operator = Operator::named(node.get("operator")?.text()?)?;
        let Some(field) = node.get("field").and_then(Node::text).and_then(Locator::parse_field) else {
            reader.complain(
                node.position,
                "this condition has no valid `field`",
                "name a variable, such as a.b[0]",
            );
            return None;
        };
        Some(Self { field, operator, value })
    }

    /// Where the field passes through a list, any of its items may satisfy the condition.
    fn holds(&self, variables: &Value) -> bool {
        let found = self.field.find_each(variables);
        let operand = self.value.as_ref();
        if found.is_empty() {
            return self.operator.holds(None, operand);
        }
        found.iter().any(|value| self.operator.holds(Some(value), operand))
    }
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "is" => Self::Is,
            "is_not" => Self::IsNot,
            "is_one_of" => Self::IsOneOf,
            "is_not_one_of" => Self::IsNotOneOf,
            "is_true" => Self::IsTrue,
            "is_false" => Self::IsFalse,
            "contains" => Self::Contains,
            "does_not_contain" => Self::DoesNotContain,
            "array_includes" => Self::ArrayIncludes,
            "array_does_not_include" => Self::ArrayDoesNotInclude,
            "less_than" => Self::LessThan,
            "less_than_or_equal" => Self::LessThanOrEqual,
            "more_than" => Self::MoreThan,
            "more_than_or_equal" => Self::MoreThanOrEqual,
            "is_empty" => Self::IsEmpty,
            "is_not_empty" => Self::IsNotEmpty,
            _ => return None,
        })
    }

    fn holds(self, value: Option<&Value>, operand: Option<&Value>) -> bool {
        let list_includes = |list: Option<&Value>, wanted| {
            list.and_then(Value::as_array).is_some_and(|list| coercion::includes(list, wanted))
        };
        match self {
            Self::Is => coercion::loosely_equal(value, operand),
            Self::IsNot => !coercion::loosely_equal(value, operand),
            Self::IsOneOf => list_includes(operand, value),
            Self::IsNotOneOf => !list_includes(operand, value),
            Self::IsTrue => value.is_some_and(Value::truthy),
            Self::IsFalse => matches!(value, Some(Value::Bool(false))),
            Self::Contains => contains(value, operand).unwrap_or(false),
            // Of an empty value both are false.
            Self::DoesNotContain => contains(value, operand).is_some_and(|contained| !contained),
            Self::ArrayIncludes => list_includes(value, operand),
            Self::ArrayDoesNotInclude => !list_includes(value, operand),
            Self::LessThan => coercion::parse_float(value) < coercion::parse_float(operand),
            Self::LessThanOrEqual => coercion::parse_float(value) <= coercion::parse_float(operand),
            Self::MoreThan => coercion::parse_float(value) > coercion::parse_float(operand),
            Self::MoreThanOrEqual => coercion::parse_float(value) >= coercion::parse_float(operand),
            Self::IsEmpty => is_empty(value),
            Self::IsNotEmpty => !is_empty(value),
        }
    }
}

/// A part of the text, case and all; None for a falsy value.
fn contains(value: Option<&Value>, operand: Option<&Value>) -> Option<bool> {
    let value = value.filter(|value| value.truthy())?;
    Some(value.text().contains(&coercion::text_or_undefined(operand)))
}
