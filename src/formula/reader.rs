//! From YAML to a template: which mappings are formulas, and every complaint about those that are not.
//! Never evaluates anything.

use std::sync::Arc;

use super::Value;
use super::iterate::Iterate;
use super::kept::Kept;
use super::locator::Locator;
use super::logic::{Case, Comparison, Junction};
use super::objects::Choice;
use super::template::{Expression, FormulaError};
use super::text::{Concat, Fill};
use crate::document::{Complaint, Entry, Kind, Node, Position, did_you_mean};

/// How deep a template may nest.
const MAX_DEPTH: usize = 64;

/// The formulas that can be evaluated.
const SUPPORTED: [&str; 15] = [
    "var",
    "concat",
    "tpl",
    "case",
    "eval",
    "and",
    "or",
    "firstNotEmpty",
    "map",
    "mergeObjects",
    "plain",
    "iterate",
    "domainFromEmail",
    "record",
    "formula",
];

/// The other formulas of the vendor's engine.
const NOT_SUPPORTED: [&str; 10] = [
    "copy",
    "lookup",
    "firstName",
    "lastName",
    "extractDate",
    "extractTime",
    "findExternalRecordId",
    "findAppRecordId",
    "jsonata",
    "dataSchemaRef",
];

/// Reads expressions and gathers what is wrong with them.
pub(super) struct Reader {
    file: Arc<str>,
    depth: usize,
    complaints: Vec<Complaint>,
}

impl Reader {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.into(), depth: 0, complaints: Vec::new() }
    }

    /// Reads a value that came without places.
    pub(super) fn of_value(value: &Value) -> Result<Expression, FormulaError> {
        let mut reader = Self::new("");
        let expression = reader.expression(&Node::from(value));
        reader.finish(expression).map_err(|complaints| {
            let first = complaints.into_iter().next();
            let (problem, cure) = first.map(|first| (first.problem, first.cure)).unwrap_or_default();
            FormulaError::Invalid { problem, cure }
        })
    }

    /// What was read, if nothing is wrong with it.
    pub(super) fn finish<T>(self, read: T) -> Result<T, Vec<Complaint>> {
        if self.complaints.is_empty() { Ok(read) } else { Err(self.complaints) }
    }

    /// Reads any value.
    pub(super) fn expression(&mut self, node: &Node) -> Expression {
        if self.depth == MAX_DEPTH {
            self.complain(node.position, "the formulas nest too deeply", "flatten them to at most 64 levels");
            return Expression::Undefined;
        }
        self.depth += 1;
        let expression = match &node.kind {
            Kind::Mapping(entries) => self.mapping(entries),
            Kind::Sequence(items) if !items.is_empty() => {
                Expression::List(items.iter().map(|item| self.expression(item)).collect())
            }
            _ => Expression::Literal(Value::from(node)),
        };
        self.depth -= 1;
        expression
    }

    /// Reads a value that may be missing.
    pub(super) fn optional(&mut self, node: Option<&Node>) -> Expression {
        node.map_or(Expression::Undefined, |node| self.expression(node))
    }

    /// Reads a place that the vendor's engine never evaluates. A formula there would be sent as it stands, so it is
    /// refused.
    pub(super) fn unevaluated(&mut self, node: &Node) -> Value {
        for entry in node.entries() {
            if entry.key.starts_with('$') {
                let problem = format!("`{}` stands where nothing is evaluated", entry.key);
                self.complain(entry.position, &problem, "write a plain value");
            }
            self.unevaluated(&entry.value);
        }
        for item in node.items() {
            self.unevaluated(item);
        }
        Value::from(node)
    }

    pub(super) fn complain(&mut self, position: Position, problem: &str, cure: &str) {
        self.complaints.push(Complaint {
            file: Arc::clone(&self.file),
            position: Some(position),
            problem: problem.to_owned(),
            cure: cure.to_owned(),
        });
    }

    /// A mapping is a formula if its first key begins with `$`, and data otherwise.
    fn mapping(&mut self, entries: &[Entry]) -> Expression {
        let Some((first, others)) = entries.split_first() else {
            return Expression::Literal(Value::empty_object());
        };
        let Some(name) = first.key.strip_prefix('$') else {
            self.refuse_names(others);
            let members = entries.iter().map(|entry| (entry.key.clone(), self.expression(&entry.value)));
            return Expression::Object(members.collect());
        };
        self.refuse_names(others);
        self.formula(name, first, others)
    }

    /// Keys beside a formula do nothing in the vendor's engine, but for the operator of `$eval`.
    fn formula(&mut self, name: &str, first: &Entry, others: &[Entry]) -> Expression {
        let arguments = &first.value;
        match name {
            "var" => Expression::Var(arguments.text().and_then(Locator::parse)),
            "concat" => Concat::read(arguments, self),
            "tpl" => Fill::read(arguments, self),
            "eval" => Comparison::read(arguments, others.first(), self),
            "and" => Junction::read_all(arguments, self),
            "or" => Junction::read_any(arguments, self),
            "case" => Case::read(arguments, self),
            "map" => Choice::read(arguments, self),
            "mergeObjects" => Expression::MergeObjects(Box::new(self.expression(arguments))),
            "firstNotEmpty" => Expression::FirstNotEmpty(Box::new(self.expression(arguments))),
            "iterate" => Iterate::read(arguments, self),
            "domainFromEmail" => Expression::DomainFromEmail(Box::new(self.expression(arguments))),
            "record" => match arguments.get("id") {
                Some(id) => Expression::Literal(self.unevaluated(id)),
                None => Expression::Undefined,
            },
            "formula" => Kept::read(arguments, self),
            "plain" => Expression::Literal(Value::from(arguments)),
            _ => {
                self.refuse_formula(name, first.position);
                Expression::Undefined
            }
        }
    }

    fn refuse_formula(&mut self, name: &str, position: Position) {
        if NOT_SUPPORTED.contains(&name) {
            let problem = format!("the formula `${name}` is not supported");
            let cure = format!("write it with one of ${}", SUPPORTED.join(", $"));
            self.complain(position, &problem, &cure);
            return;
        }
        let problem = format!("the key `${name}` begins with `$` but is no formula");
        let cure = match near_name(name) {
            Some(near) => format!("did you mean `${near}`? use `$plain` to mean data"),
            None => "use `$plain` to mean data".into(),
        };
        self.complain(position, &problem, &cure);
    }

    /// A `$name` after the first key, or among the arguments of a formula, is data to the vendor's engine, or nothing.
    pub(super) fn refuse_names(&mut self, entries: &[Entry]) {
        for entry in entries.iter().filter(|entry| entry.key.starts_with('$')) {
            let problem = format!("`{}` is no formula in this place", entry.key);
            self.complain(
                entry.position,
                &problem,
                "make it the first key of a value, or use `$plain` to mean data",
            );
        }
    }
}

/// The formula that `name` most likely meant.
fn near_name(name: &str) -> Option<&'static str> {
    match name {
        "template" => Some("tpl"),
        "if" => Some("case"),
        _ => did_you_mean(name, SUPPORTED.into_iter().chain(NOT_SUPPORTED)),
    }
}

/// A value as a node without a place.
impl From<&Value> for Node {
    fn from(value: &Value) -> Self {
        let position = Position { line: 1, column: 1 };
        let kind = match value {
            Value::Null => Kind::Null,
            Value::Bool(value) => Kind::Bool(*value),
            Value::Number(number) => Kind::Number(number.to_string()),
            Value::String(text) => Kind::Text(text.clone()),
            Value::Array(items) => Kind::Sequence(items.iter().map(Self::from).collect()),
            Value::Object(members) => Kind::Mapping(
                members
                    .iter()
                    .map(|(key, value)| Entry { key: key.clone(), position, value: Self::from(value) })
                    .collect(),
            ),
        };
        Self { position, kind }
    }
}
