//! A value with formulas in it: parsed once, evaluated often.
//! Never knows where its variables come from.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use super::Value;
use super::iterate::Iterate;
use super::kept::Kept;
use super::locator::Locator;
use super::logic::{Case, Comparison, Junction};
use super::objects::{self, Choice};
use super::reader::Reader;
use super::text::{self, Concat, Fill};
use crate::document::{Complaint, Node};

/// How much text the formulas of one evaluation may make, in bytes. Names that are replaced by texts that hold other
/// names multiply, so a few lines of a customer's input could ask for gigabytes.
const MAX_TEXT: usize = 1 << 20;

/// A value with formulas in it, checked when it was loaded: a formula that is unknown or not supported never gets here.
///
/// ```
/// use sidegate::formula::{Template, Value};
///
/// let node = sidegate::document::parse("a.yaml", "Authorization: {$concat: ['Bearer ', {$var: credentials.token}]}")?;
/// let template = Template::from_node("a.yaml", &node)?;
/// let variables: Value = serde_json::from_str(r#"{"credentials": {"token": "t0k"}}"#).unwrap();
/// let made = template.evaluate(&variables).unwrap().unwrap();
/// assert_eq!(made.get("Authorization").and_then(Value::as_str), Some("Bearer t0k"));
/// # Ok::<(), Vec<sidegate::document::Complaint>>(())
/// ```
#[derive(Clone)]
pub struct Template(Expression);

/// Why a formula gave no result, or could not be loaded from a value. Never holds the value of a variable.
#[derive(Debug, thiserror::Error)]
pub enum FormulaError {
    /// The evaluation asked for more text than anyone needs in a request.
    #[error("the formulas make more than {MAX_TEXT} bytes of text")]
    TooMuchText,
    /// The value holds a formula that is not supported, or not used as it must be.
    #[error("{problem}; {cure}")]
    Invalid {
        /// What is wrong, as in a [`Complaint`].
        problem: String,
        /// What to do about it.
        cure: String,
    },
}

impl Template {
    /// Reads a template from YAML.
    ///
    /// # Errors
    /// Every mistake with its place: a `$name` that is no formula, one that is not supported, one that is not the
    /// first key of its mapping. The vendor's engine takes all three for data, which in an auth mapping would be sent.
    pub fn from_node(file: &str, node: &Node) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader::new(file);
        let expression = reader.expression(node);
        reader.finish(Self(expression))
    }

    /// Reads a template from a value that came without places.
    ///
    /// # Errors
    /// The first mistake, as for [`Template::from_node`].
    pub fn from_value(value: &Value) -> Result<Self, FormulaError> {
        Reader::of_value(value).map(Self)
    }

    /// The value for these variables, an object; None is "undefined".
    ///
    /// # Errors
    /// [`FormulaError::TooMuchText`] only: as in the vendor's engine, absent variables are no errors.
    pub fn evaluate(&self, variables: &Value) -> Result<Option<Value>, FormulaError> {
        self.0.evaluate(&Evaluation { variables, text_left: &Cell::new(MAX_TEXT) })
    }

    /// The value, if it is the same whatever the variables are.
    #[must_use]
    pub fn literal(&self) -> Option<Value> {
        self.0.literal()
    }

    /// The member `key`, if this is a mapping and not a formula.
    #[must_use]
    pub fn member(&self, key: &str) -> Option<Self> {
        self.0.member(key).cloned().map(Self)
    }

    /// The paths of the variables the formulas read, as far as their names go: `["response", "data"]`.
    #[must_use]
    pub fn reads(&self) -> Vec<Vec<String>> {
        let mut paths = Vec::new();
        self.0.visit(&mut |locator| paths.push(locator.names().map(str::to_owned).collect()));
        paths
    }
}

/// Says nothing: a mapping may hold literal secrets.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Template")
    }
}

/// What evaluating gives: a value, or nothing, which is "undefined".
pub(super) type Outcome = Result<Option<Value>, FormulaError>;

/// One evaluation: the variables, and how much text it may still make.
pub(super) struct Evaluation<'v> {
    pub(super) variables: &'v Value,
    text_left: &'v Cell<usize>,
}

impl<'v> Evaluation<'v> {
    /// The same evaluation with other variables.
    pub(super) fn with(&self, variables: &'v Value) -> Self {
        Self { variables, text_left: self.text_left }
    }

    /// Takes `bytes` of text from what is left.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), FormulaError> {
        let left = self.text_left.get().checked_sub(bytes).ok_or(FormulaError::TooMuchText)?;
        self.text_left.set(left);
        Ok(())
    }
}

/// A node of a template.
#[derive(Clone)]
pub(super) enum Expression {
    /// What the vendor's engine calls undefined: a part that is missing, or a formula used so that it gives nothing.
    Undefined,
    Literal(Value),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
    /// None is an invalid locator, which gives null.
    Var(Option<Locator>),
    Concat(Box<Concat>),
    Fill(Box<Fill>),
    Comparison(Box<Comparison>),
    Junction(Box<Junction>),
    Case(Box<Case>),
    Choice(Box<Choice>),
    MergeObjects(Box<Self>),
    FirstNotEmpty(Box<Self>),
    Iterate(Box<Iterate>),
    DomainFromEmail(Box<Self>),
    Kept(Box<Kept>),
}

impl Expression {
    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        match self {
            Self::Undefined => Ok(None),
            Self::Literal(value) => Ok(Some(value.clone())),
            Self::List(items) => list(items, evaluation),
            Self::Object(members) => object(members, evaluation),
            Self::Var(None) => Ok(Some(Value::Null)),
            Self::Var(Some(locator)) => Ok(locator.find(evaluation.variables).map(Cow::into_owned)),
            Self::Concat(concat) => concat.evaluate(evaluation),
            Self::Fill(fill) => fill.evaluate(evaluation),
            Self::Comparison(comparison) => comparison.evaluate(evaluation),
            Self::Junction(junction) => junction.evaluate(evaluation),
            Self::Case(case) => case.evaluate(evaluation),
            Self::Choice(choice) => choice.evaluate(evaluation),
            Self::MergeObjects(list) => objects::merge(list, evaluation),
            Self::FirstNotEmpty(list) => objects::first_not_empty(list, evaluation),
            Self::Iterate(iterate) => iterate.evaluate(evaluation),
            Self::DomainFromEmail(address) => text::domain_from_email(address, evaluation),
            Self::Kept(kept) => kept.evaluate(evaluation),
        }
    }

    /// The items of the list this evaluates to, undefined ones gone; None if it is no list.
    pub(super) fn items(&self, evaluation: &Evaluation<'_>) -> Result<Option<Vec<Value>>, FormulaError> {
        Ok(match self.evaluate(evaluation)? {
            Some(Value::Array(items)) => Some(items),
            _ => None,
        })
    }

    fn literal(&self) -> Option<Value> {
        match self {
            Self::Literal(value) => Some(value.clone()),
            Self::List(items) => items.iter().map(Self::literal).collect::<Option<_>>().map(Value::Array),
            Self::Object(members) => {
                members.iter().map(|(key, member)| Some((key.clone(), member.literal()?))).collect()
            }
            _ => None,
        }
    }

    fn member(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(name, _)| name == key).map(|(_, member)| member),
            _ => None,
        }
    }

    /// Calls `visitor` with each locator that an evaluation may read.
    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        match self {
            Self::Undefined | Self::Literal(_) | Self::Var(None) => {}
            Self::Var(Some(locator)) => visitor(locator),
            Self::List(items) => items.iter().for_each(|item| item.visit(visitor)),
            Self::Object(members) => members.iter().for_each(|(_, member)| member.visit(visitor)),
            Self::Concat(concat) => concat.visit(visitor),
            Self::Fill(fill) => fill.visit(visitor),
            Self::Comparison(comparison) => comparison.visit(visitor),
            Self::Junction(junction) => junction.visit(visitor),
            Self::Case(case) => case.visit(visitor),
            Self::Choice(choice) => choice.visit(visitor),
            Self::MergeObjects(one) | Self::FirstNotEmpty(one) | Self::DomainFromEmail(one) => {
                one.visit(visitor);
            }
            Self::Iterate(iterate) => iterate.visit(visitor),
            Self::Kept(kept) => kept.visit(visitor),
        }
    }
}

/// Undefined items are dropped; a list that loses all of them is itself undefined. An empty one is a literal.
fn list(items: &[Expression], evaluation: &Evaluation<'_>) -> Outcome {
    let mut made = Vec::with_capacity(items.len());
    for item in items {
        made.extend(item.evaluate(evaluation)?);
    }
    Ok((!made.is_empty()).then_some(Value::Array(made)))
}

/// As [`list`], for members.
fn object(members: &[(String, Expression)], evaluation: &Evaluation<'_>) -> Outcome {
    let mut made = indexmap::IndexMap::with_capacity(members.len());
    for (key, member) in members {
        if let Some(value) = member.evaluate(evaluation)? {
            made.insert(key.clone(), value);
        }
    }
    Ok((!made.is_empty()).then_some(Value::Object(made)))
}

#[cfg(test)]
mod tests;
