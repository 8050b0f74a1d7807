//! Formulas that decide: `$eval`, `$and`, `$or`, `$case`.
//! Never knows what hangs on a decision.

use super::filters::Filter;
use super::locator::Locator;
use super::reader::Reader;
use super::template::{Evaluation, Expression, Outcome};
use super::{Value, coercion};
use crate::document::{Entry, Kind, Node};

/// `$eval: value` with an operator as the second key.
#[derive(Clone)]
pub(super) struct Comparison {
    value: Expression,
    operator: Operator,
    operand: Expression,
}

#[derive(Clone, Copy)]
enum Operator {
    Is,
    IsNot,
    OneOf,
    NoneOf,
    Contains,
    DoesNotContain,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
    IsEmpty,
    IsNotEmpty,
}

impl Operator {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "is" => Self::Is,
            "isNot" => Self::IsNot,
            "oneOf" => Self::OneOf,
            "noneOf" => Self::NoneOf,
            "contains" => Self::Contains,
            "doesNotContain" => Self::DoesNotContain,
            "lt" => Self::Less,
            "lte" => Self::LessOrEqual,
            "gt" => Self::More,
            "gte" => Self::MoreOrEqual,
            "isEmpty" => Self::IsEmpty,
            "isNotEmpty" => Self::IsNotEmpty,
            _ => return None,
        })
    }

    fn holds(self, value: Option<&Value>, operand: Option<&Value>) -> bool {
        match self {
            Self::Is => coercion::loosely_equal(value, operand),
            Self::IsNot => !coercion::loosely_equal(value, operand),
            Self::OneOf => {
                operand.and_then(Value::as_array).is_some_and(|list| coercion::includes(list, value))
            }
            Self::NoneOf => !Self::OneOf.holds(value, operand),
            Self::Contains => contains(value, operand),
            Self::DoesNotContain => !contains(value, operand),
            Self::Less => coercion::parse_float(value) < coercion::parse_float(operand),
            Self::LessOrEqual => coercion::parse_float(value) <= coercion::parse_float(operand),
            Self::More => coercion::parse_float(value) > coercion::parse_float(operand),
            Self::MoreOrEqual => coercion::parse_float(value) >= coercion::parse_float(operand),
            Self::IsEmpty => is_empty(value),
            Self::IsNotEmpty => !is_empty(value),
        }
    }
}

/// Whether `name` is an operator of `$eval`.
pub(super) fn is_operator(name: &str) -> bool {
    Operator::named(name).is_some()
}

impl Comparison {
    /// Without an operator, or with an unknown one, the vendor's engine answers true.
    pub(super) fn read(value: &Node, second: Option<&Entry>, reader: &mut Reader) -> Expression {
        let value = reader.expression(value);
        let Some((operator, operand)) =
            second.and_then(|entry| Some((Operator::named(&entry.key)?, &entry.value)))
        else {
            return Expression::Literal(Value::Bool(true));
        };
        let operand = reader.expression(operand);
        Expression::Comparison(Box::new(Self { value, operator, operand }))
    }

    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let value = self.value.evaluate(evaluation)?;
        let operand = self.operand.evaluate(evaluation)?;
        Ok(Some(Value::Bool(self.operator.holds(value.as_ref(), operand.as_ref()))))
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        self.value.visit(visitor);
        self.operand.visit(visitor);
    }
}

/// Membership in a list, or a part of the text, whatever its case. A missing operand is the text "undefined".
fn contains(value: Option<&Value>, operand: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(items)) => coercion::includes(items, operand),
        Some(value) if value.truthy() => {
            let operand = operand.filter(|operand| !matches!(operand, Value::Null));
            value.text().to_lowercase().contains(&coercion::text_or_undefined(operand).to_lowercase())
        }
        _ => false,
    }
}

/// Nothing, null, the empty text, list or object. Blanks, 0 and false are not empty.
pub(super) fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

/// `$and` and `$or` over a list, without its missing and null items.
#[derive(Clone)]
pub(super) struct Junction {
    items: Expression,
    needed: Needed,
}

#[derive(Clone, Copy)]
enum Needed {
    All,
    Any,
}

impl Junction {
    pub(super) fn read_all(items: &Node, reader: &mut Reader) -> Expression {
        Expression::Junction(Box::new(Self { items: reader.expression(items), needed: Needed::All }))
    }

    pub(super) fn read_any(items: &Node, reader: &mut Reader) -> Expression {
        Expression::Junction(Box::new(Self { items: reader.expression(items), needed: Needed::Any }))
    }

    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let items = self.items.items(evaluation)?.unwrap_or_default();
        let mut known = items.iter().filter(|item| !matches!(item, Value::Null)).peekable();
        if known.peek().is_none() {
            return Ok(None);
        }
        Ok(Some(Value::Bool(match self.needed {
            Needed::All => known.all(Value::truthy),
            Needed::Any => known.any(Value::truthy),
        })))
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        self.items.visit(visitor);
    }
}

/// `$case: {cases: [{filter, value}], default}`, or the bare list of cases.
#[derive(Clone)]
pub(super) struct Case {
    cases: Vec<(Filter, Expression)>,
    default: Expression,
}

impl Case {
    pub(super) fn read(arguments: &Node, reader: &mut Reader) -> Expression {
        reader.refuse_names(arguments.entries());
        let (cases, default) = match &arguments.kind {
            Kind::Sequence(cases) => (cases, None),
            _ => match arguments.get("cases").map(|cases| &cases.kind) {
                Some(Kind::Sequence(cases)) => (cases, arguments.get("default")),
                _ => return Expression::Undefined,
            },
        };
        let cases = cases.iter().filter_map(|case| Self::read_case(case, reader)).collect();
        // A default of null is undefined.
        let default = default.filter(|default| !matches!(default.kind, Kind::Null));
        let default = reader.optional(default);
        Expression::Case(Box::new(Self { cases, default }))
    }

    /// What is no mapping is passed over, but a list counts as a case without filter and value.
    fn read_case(case: &Node, reader: &mut Reader) -> Option<(Filter, Expression)> {
        match &case.kind {
            Kind::Mapping(entries) => {
                reader.refuse_names(entries);
                let filter = Filter::read(case.get("filter"), reader);
                Some((filter, reader.optional(case.get("value"))))
            }
            Kind::Sequence(_) => Some((Filter::Always, Expression::Undefined)),
            _ => None,
        }
    }

    /// The first case that matches decides, even where its value is undefined. The default may be null by a formula,
    /// and is undefined then.
    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        for (filter, value) in &self.cases {
            if filter.matches(evaluation)? {
                return value.evaluate(evaluation);
            }
        }
        Ok(self.default.evaluate(evaluation)?.filter(|default| !matches!(default, Value::Null)))
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        for (filter, value) in &self.cases {
            filter.visit(visitor);
            value.visit(visitor);
        }
        self.default.visit(visitor);
    }
}
