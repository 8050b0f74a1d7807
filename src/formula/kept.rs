//! `$formula`: a value whose formulas stay, but for its variables.
//! Never evaluates what it keeps.

use super::Value;
use super::locator::Locator;
use super::reader::Reader;
use super::template::{Evaluation, Expression, Outcome};
use crate::document::Node;

/// `$formula: x`.
#[derive(Clone)]
pub(super) struct Kept {
    value: Value,
    /// Where its variables stand, in the vendor's order.
    places: Vec<Vec<Step>>,
    /// The same value as it would be evaluated: it says what is read.
    read: Expression,
}

#[derive(Clone)]
enum Step {
    Member(String),
    Item(usize),
}

impl Kept {
    pub(super) fn read(arguments: &Node, reader: &mut Reader) -> Expression {
        let read = reader.expression(arguments);
        let value = Value::from(arguments);
        let mut places = Vec::new();
        find(&value, &[], &mut places);
        Expression::Kept(Box::new(Self { value, places, read }))
    }

    /// One place after the other, as the vendor's engine goes: a variable that is missing is cut out of its list, and the
    /// places behind it mean what has moved there.
    pub(super) fn evaluate(&self, evaluation: &Evaluation<'_>) -> Outcome {
        let mut kept = self.value.clone();
        // A variable that is the whole value stays.
        for place in self.places.iter().filter(|place| !place.is_empty()) {
            let built = match at(&kept, place) {
                Some(value) => Reader::of_value(value)?.evaluate(evaluation)?,
                None => None,
            };
            put(&mut kept, place, built);
        }
        Ok(Some(kept))
    }

    pub(super) fn visit(&self, visitor: &mut dyn FnMut(&Locator)) {
        self.read.visit(visitor);
    }
}

fn at<'v>(value: &'v Value, place: &[Step]) -> Option<&'v Value> {
    place.iter().try_fold(value, |value, step| match (step, value) {
        (Step::Member(name), Value::Object(members)) => members.get(name),
        (Step::Item(index), Value::Array(items)) => items.get(*index),
        _ => None,
    })
}

/// Sets what stands at a place, or removes it. Lists and objects on the way there are made where they are missing.
fn put(value: &mut Value, place: &[Step], new: Option<Value>) {
    let Some((step, below)) = place.split_first() else { return };
    match step {
        Step::Member(name) => {
            if !matches!(value, Value::Object(_) | Value::Array(_)) {
                *value = Value::empty_object();
            }
            let Value::Object(members) = value else { return };
            match new {
                _ if !below.is_empty() => put(members.entry(name.clone()).or_insert(Value::Null), below, new),
                Some(new) => drop(members.insert(name.clone(), new)),
                None => drop(members.shift_remove(name)),
            }
        }
        Step::Item(index) => {
            if !matches!(value, Value::Array(_)) {
                *value = Value::Array(Vec::new());
            }
            let Value::Array(items) = value else { return };
            if items.len() <= *index && (new.is_some() || !below.is_empty()) {
                items.resize(*index + 1, Value::Null);
            }
            match (items.get_mut(*index), new) {
                (Some(item), new) if !below.is_empty() => put(item, below, new),
                (Some(item), Some(new)) => *item = new,
                (Some(_), None) => drop(items.remove(*index)),
                (None, _) => {}
            }
        }
    }
}

/// Of `$iterate` the engine looks into its source only: its item has variables of its own. Of `$eval`, not at the operand.
fn find(value: &Value, place: &[Step], places: &mut Vec<Vec<Step>>) {
    let mut below = |step: Step, value: &Value| find(value, &[place, &[step]].concat(), places);
    let member = |name: &str| Step::Member(name.to_owned());
    match value {
        Value::Object(members) => match members.first() {
            Some((name, _)) if name == "$var" => places.push(place.to_vec()),
            Some((name, arguments)) if name == "$iterate" => {
                let source = arguments.get("source").unwrap_or(&Value::Null);
                find(source, &[place, &[member(name), member("source")]].concat(), places);
            }
            Some((name, arguments)) if name.starts_with('$') => below(member(name), arguments),
            _ => members.iter().for_each(|(name, value)| below(member(name), value)),
        },
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| below(Step::Item(index), value));
        }
        _ => {}
    }
}
