//! A formula that decides whether somebody is let in: stricter than the vendor's engine, which takes for true what it
//! does not know. Never holds for anything but the boolean true.

use std::fmt;
use std::sync::Arc;

use super::locator::Locator;
use super::logic::is_operator;
use super::{FormulaError, Template, Value};
use crate::document::{Complaint, Entry, Kind, Node, Position, did_you_mean};

/// Formulas that give true or false.
const TESTS: [&str; 4] = ["$eval", "$and", "$or", "$var"];
/// Formulas that give a value to compare.
const VALUES: [&str; 5] = ["$var", "$concat", "$tpl", "$firstNotEmpty", "$plain"];
/// What may stand beside `$eval`, in the order of the pages.
const OPERATORS: &str =
    "is, isNot, oneOf, noneOf, contains, doesNotContain, lt, lte, gt, gte, isEmpty, isNotEmpty";

/// A condition: read once, asked often.
#[derive(Clone)]
pub struct Condition(Test);

#[derive(Clone)]
enum Test {
    All(Vec<Self>),
    Any(Vec<Self>),
    IsTrue(Template),
}

impl Condition {
    /// Reads a condition over the named variables.
    ///
    /// # Errors
    /// Every mistake with its place: whatever the vendor's engine would pass over or take for true is one here, as is
    /// a variable that is not among `variables`.
    pub fn from_node(file: &str, node: &Node, variables: &[&str]) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader { file: file.into(), variables, complaints: Vec::new() };
        let test = reader.test(node);
        match test {
            Some(test) if reader.complaints.is_empty() => Ok(Self(test)),
            _ => Err(reader.complaints),
        }
    }

    /// Whether it holds for these variables, an object.
    ///
    /// # Errors
    /// As [`Template::evaluate`]: then it does not hold.
    pub fn holds(&self, variables: &Value) -> Result<bool, FormulaError> {
        self.0.holds(variables)
    }

    /// The names of the variables that it may read.
    #[must_use]
    pub fn reads(&self) -> Vec<String> {
        let mut names = Vec::new();
        self.0.visit(&mut |template| {
            names.extend(template.reads().into_iter().filter_map(|path| path.into_iter().next()));
        });
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Says nothing: what is compared with may be somebody's secret.
impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condition")
    }
}

impl Test {
    /// Each part must be the boolean true, not only truthy, and none is left out because it is missing.
    fn holds(&self, variables: &Value) -> Result<bool, FormulaError> {
        match self {
            Self::All(tests) => {
                for test in tests {
                    if !test.holds(variables)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(tests) => {
                for test in tests {
                    if test.holds(variables)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::IsTrue(template) => Ok(matches!(template.evaluate(variables)?, Some(Value::Bool(true)))),
        }
    }

    fn visit(&self, visitor: &mut dyn FnMut(&Template)) {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().for_each(|test| test.visit(visitor)),
            Self::IsTrue(template) => visitor(template),
        }
    }
}

/// Whether an operand can equal anything: a list equals no value, so that `isNot: [a, b]` would always be true.
fn is_single(operand: &Node) -> bool {
    match operand.get("$plain") {
        Some(literal) => !matches!(literal.kind, Kind::Sequence(_) | Kind::Mapping(_)),
        None => !matches!(operand.kind, Kind::Sequence(_)),
    }
}

/// Whether there is no text to look for: the vendor's engine finds the empty one in every text, and takes nothing for
/// the word `undefined`.
fn is_nothing(operand: &Node) -> bool {
    matches!(operand.kind, Kind::Null) || operand.text() == Some("")
}

/// Reads a condition and gathers what is wrong with it.
struct Reader<'a> {
    file: Arc<str>,
    variables: &'a [&'a str],
    complaints: Vec<Complaint>,
}

impl Reader<'_> {
    /// Reads what must give true or false; nothing after a complaint.
    fn test(&mut self, node: &Node) -> Option<Test> {
        let Some((first, others)) = node.entries().split_first() else {
            self.complain(
                node.position,
                "this is no condition",
                &format!("write one of {}", TESTS.join(", ")),
            );
            return None;
        };
        match first.key.as_str() {
            "$and" => Some(Test::All(self.tests(first, others)?)),
            "$or" => Some(Test::Any(self.tests(first, others)?)),
            "$eval" => {
                self.comparison(&first.value, others, first.position);
                self.template(node)
            }
            "$var" => {
                self.value(node);
                self.template(node)
            }
            other => {
                self.refuse_formula(other, first.position, &TESTS, "gives no true or false");
                None
            }
        }
    }

    fn tests(&mut self, junction: &Entry, others: &[Entry]) -> Option<Vec<Test>> {
        self.refuse_more(&junction.key, others);
        let items = junction.value.items();
        if items.is_empty() {
            let problem = format!("`{}` has no list of conditions", junction.key);
            self.complain(junction.value.position, &problem, "list at least one");
        }
        let tests: Vec<_> = items.iter().map(|item| self.test(item)).collect();
        tests.into_iter().collect()
    }

    /// `$eval` with exactly one operator beside it.
    fn comparison(&mut self, value: &Node, others: &[Entry], at: Position) {
        self.value(value);
        let Some((operator, more)) = others.split_first() else {
            let cure = format!("write one beside it: {OPERATORS}");
            return self.complain(at, "`$eval` has no operator, and would always be true", &cure);
        };
        self.refuse_more("$eval", more);
        if !is_operator(&operator.key) {
            let cure = match did_you_mean(&operator.key, OPERATORS.split(", ")) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of {OPERATORS}"),
            };
            let problem = format!("`{}` is no operator, and would always be true", operator.key);
            return self.complain(operator.position, &problem, &cure);
        }
        self.operand(operator);
    }

    /// Operands that an operator would not look at, or that would decide the wrong way without a word.
    fn operand(&mut self, operator: &Entry) {
        let (name, operand) = (operator.key.as_str(), &operator.value);
        let is_list = matches!(&operand.kind, Kind::Sequence(items) if !items.is_empty());
        let cure = match name {
            "isEmpty" | "isNotEmpty" if !matches!(operand.kind, Kind::Bool(true)) => {
                "write true, or the other of isEmpty and isNotEmpty"
            }
            "oneOf" if !is_list && operand.get("$var").is_none() => "write a list of values, or a $var",
            "noneOf" if !is_list => "write a list of values",
            "oneOf" | "noneOf" if !operand.items().iter().all(is_single) => "write a list of single values",
            "oneOf" | "noneOf" | "isEmpty" | "isNotEmpty" => return self.value(operand),
            _ if !is_single(operand) => "write one value, or compare with oneOf or noneOf",
            "contains" | "doesNotContain" if is_nothing(operand) => "write the text that is looked for",
            _ => return self.value(operand),
        };
        self.complain(operand.position, &format!("`{name}` cannot decide by this"), cure);
    }

    /// Checks a value to compare: plain, or a formula that gives one.
    fn value(&mut self, node: &Node) {
        match &node.kind {
            Kind::Sequence(items) => items.iter().for_each(|item| self.value(item)),
            Kind::Mapping(entries) => match entries.split_first() {
                Some((first, others)) => self.value_formula(first, others),
                None => self.complain(node.position, "an empty mapping is no value", "write a plain value"),
            },
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => {}
        }
    }

    fn value_formula(&mut self, formula: &Entry, others: &[Entry]) {
        let arguments = &formula.value;
        self.refuse_more(&formula.key, others);
        match formula.key.as_str() {
            "$var" => self.variable(arguments),
            "$concat" if !arguments.items().is_empty() => self.value(arguments),
            "$concat" => self.members(arguments, "$concat", &["values", "delimiter"]),
            "$tpl" => self.members(arguments, "$tpl", &["template", "values"]),
            "$firstNotEmpty" if !arguments.items().is_empty() => self.value(arguments),
            "$firstNotEmpty" => {
                self.complain(
                    arguments.position,
                    "`$firstNotEmpty` has no list",
                    "list the values to choose from",
                );
            }
            "$plain" => {}
            other => self.refuse_formula(other, formula.position, &VALUES, "gives no value to compare"),
        }
    }

    /// The arguments of a formula that takes a mapping of these, all but the last required.
    fn members(&mut self, arguments: &Node, formula: &str, known: &[&str]) {
        let listed = known.join(" and ");
        for entry in arguments.entries().iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let problem = format!("`{formula}` has no `{}`", entry.key);
            self.complain(entry.position, &problem, &format!("write {listed}"));
        }
        let Some(first) = known.first().and_then(|first| arguments.get(first)) else {
            let problem = format!("`{formula}` has not what it needs");
            return self.complain(arguments.position, &problem, &format!("write {listed}"));
        };
        self.value(first);
        for value in known.iter().skip(1).filter_map(|name| arguments.get(name)) {
            match (formula, &value.kind) {
                // The values of `$tpl` are a mapping by name.
                ("$tpl", Kind::Mapping(named)) => named.iter().for_each(|entry| self.value(&entry.value)),
                _ => self.value(value),
            }
        }
    }

    fn variable(&mut self, arguments: &Node) {
        let known = self.variables.join(", ");
        let Some(locator) = arguments.text().and_then(Locator::parse) else {
            return self.complain(
                arguments.position,
                "`$var` names no variable",
                &format!("begin with one of {known}"),
            );
        };
        let name = locator.names().next().unwrap_or_default();
        if !self.variables.contains(&name) {
            let cure = match did_you_mean(name, self.variables.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("begin with one of {known}"),
            };
            self.complain(arguments.position, &format!("there is no variable `{name}` here"), &cure);
        }
    }

    fn refuse_more(&mut self, formula: &str, others: &[Entry]) {
        for entry in others {
            let problem = format!("`{}` does nothing beside `{formula}`", entry.key);
            self.complain(entry.position, &problem, "remove it, or combine conditions with $and");
        }
    }

    fn refuse_formula(&mut self, name: &str, at: Position, wanted: &[&str], why: &str) {
        let cure = match did_you_mean(name, wanted.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("write one of {}", wanted.join(", ")),
        };
        self.complain(at, &format!("`{name}` {why}"), &cure);
    }

    /// The template of a node that was checked.
    fn template(&mut self, node: &Node) -> Option<Test> {
        match Template::from_node(&self.file, node) {
            Ok(template) => Some(Test::IsTrue(template)),
            Err(complaints) => {
                self.complaints.extend(complaints);
                None
            }
        }
    }

    fn complain(&mut self, position: Position, problem: &str, cure: &str) {
        self.complaints.push(Complaint {
            file: Arc::clone(&self.file),
            position: Some(position),
            problem: problem.to_owned(),
            cure: cure.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests;
