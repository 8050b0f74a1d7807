//! Formulas that make text: `$concat` and `$tpl`.
//! Never knows what the text is for.

use regex::{Captures, Regex};

use super::locator::Locator;
use super::reader::Reader;
use super::template::{Evaluation, Expression, FormulaError, Outcome};
use super::{Value, coercion};
use crate::document::{Kind, Node};

/// `$concat: [..]` or `{values: [..], delimiter: d}`.
#[derive(Clone)]
pub(super) struct Concat {
    values: Expression,
    delimiter: Expression,
}

impl Concat {
    pub(super) fn read(arguments: &Node, reader: &mut Reader) -> Expression {
        let (values, delimiter) = match &arguments.kind {
            Kind::Sequence(_) => (Some(arguments), None),
            Kind::Mapping(entries) => {
                reader.refuse_names(entries);
                (arguments.get("values"), arguments.get("delimiter"))
            }
            _ => return Expression::Undefined,
        };
        let values = reader.optional(values);
        let delimiter = match delimiter {
            None | Some(Node { kind: Kind::Null, .. }) => Expression::Literal(Value::from("")),
            Some(delimiter) => reader.expression(delimiter),
        };
        Expression::Concat(Box::new(Self { values, delimiter }))
    }

    /// Null and items without text are left out. No items at all is undefined; items that are all left out are not.
    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let Some(items) = self.values.items(evaluation)?.filter(|items| !items.is_empty()) else {
            return Ok(None);
        };
        let delimiter = self.delimiter.evaluate(evaluation)?;
        let delimiter = coercion::text_or_undefined(delimiter.as_ref());
        let mut text = String::new();
        for item in items.iter().filter(|item| !matches!(item, Value::Null)) {
            let part = item.text();
            if part.is_empty() {
                continue;
            }
            let between = if text.is_empty() { "" } else { delimiter.as_str() };
            evaluation.spend(between.len() + part.len())?;
            text.extend([between, part.as_str()]);
        }
        Ok(Some(Value::String(text)))
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        self.values.visit(visitor);
        self.delimiter.visit(visitor);
    }
}

/// `$tpl: {template, values}`: each `{name}` of the template is replaced, name by name.
#[derive(Clone)]
pub(super) struct Fill {
    template: String,
    /// In order: a later value may replace what an earlier one brought.
    blanks: Vec<(Regex, Expression)>,
}

impl Fill {
    pub(super) fn read(arguments: &Node, reader: &mut Reader) -> Expression {
        reader.refuse_names(arguments.entries());
        let Some(template) = arguments.get("template") else { return Expression::Undefined };
        let Some(text) = template.text() else { return Expression::Literal(reader.unevaluated(template)) };
        let named: Vec<(String, &Node)> = match arguments.get("values") {
            None => Vec::new(),
            Some(Node { kind: Kind::Mapping(entries), .. }) => {
                reader.refuse_names(entries);
                entries.iter().map(|entry| (entry.key.clone(), &entry.value)).collect()
            }
            Some(list) => {
                list.items().iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
            }
        };
        let blanks =
            named.into_iter().filter_map(|(name, value)| Self::blank(&name, value, reader)).collect();
        Expression::Fill(Box::new(Self { template: text.to_owned(), blanks }))
    }

    /// The vendor's engine puts the name into a regular expression, so `a.b` also fills `{a-b}`.
    fn blank(name: &str, value: &Node, reader: &mut Reader) -> Option<(Regex, Expression)> {
        let expression = reader.expression(value);
        let Ok(regex) = Regex::new(&format!(r"\{{{name}\}}")) else {
            let problem = format!("the name `{name}` of `$tpl` is no regular expression, which names are");
            reader.complain(value.position, &problem, "use letters and digits");
            return None;
        };
        Some((regex, expression))
    }

    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let mut text = self.template.clone();
        for (blank, value) in &self.blanks {
            let replacement = match value.evaluate(evaluation)? {
                None | Some(Value::Null) => String::new(),
                Some(value) => value.text(),
            };
            text = replace_all(blank, &text, &replacement, evaluation)?;
        }
        Ok(Some(Value::String(text)))
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        self.blanks.iter().for_each(|(_, value)| value.visit(visitor));
    }
}

/// `$domainFromEmail`: what stands behind the one `@`.
pub(super) fn domain_from_email(address: &Expression, evaluation: &Evaluation<'_>) -> Outcome {
    let Some(Value::String(address)) = address.evaluate(evaluation)? else { return Ok(None) };
    let parts = address.split_once('@').filter(|(_, domain)| !domain.contains('@'));
    Ok(parts.map(|(_, domain)| Value::from(domain)))
}

/// `String.prototype.replace` with a global regular expression (ECMA-262 22.1.3.19).
fn replace_all(
    pattern: &Regex,
    text: &str,
    replacement: &str,
    evaluation: &Evaluation<'_>,
) -> Result<String, FormulaError> {
    let mut replaced = String::new();
    let mut end = 0;
    for captures in pattern.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        let before = replaced.len();
        replaced.push_str(text.get(end..whole.start()).unwrap_or_default());
        expand(replacement, &captures, text, &mut replaced);
        end = whole.end();
        evaluation.spend(replaced.len() - before)?;
    }
    replaced.push_str(text.get(end..).unwrap_or_default());
    Ok(replaced)
}

/// Writes `replacement`, in which `$$`, `$&`, the text before and after the match, and `$1` to `$99` stand for
/// something else (ECMA-262 22.1.3.19.1).
fn expand(replacement: &str, captures: &Captures<'_>, text: &str, out: &mut String) {
    let (start, end) = captures.get(0).map_or((0, 0), |whole| (whole.start(), whole.end()));
    let mut rest = replacement;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (piece, length) = match after.chars().next() {
            Some('$') => ("$", 1),
            Some('&') => (text.get(start..end).unwrap_or_default(), 1),
            Some('`') => (text.get(..start).unwrap_or_default(), 1),
            Some('\'') => (text.get(end..).unwrap_or_default(), 1),
            _ => group(after, captures).unwrap_or(("$", 0)),
        };
        out.push_str(piece);
        rest = after.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// The group that one or two digits name, two if there is such a group, and how many digits that took.
fn group<'t>(digits: &str, captures: &Captures<'t>) -> Option<(&'t str, usize)> {
    [2, 1].into_iter().find_map(|length| {
        let number =
            digits.get(..length).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        let number: usize = number.parse().ok()?;
        let exists = (1..captures.len()).contains(&number);
        exists.then(|| (captures.get(number).map_or("", |group| group.as_str()), length))
    })
}
