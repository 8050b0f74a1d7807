//! The walk of a document along its schema: every complaint at once, every value at its place.
//! Knows nothing of what the keys mean, and never prints a value that may be secret.

use std::sync::Arc;

use figment::value::{Dict, Empty, Num, Tag, Value};

use super::path::{KeyPath, Place, Places};
use super::schema::{Form, Limits, Shape};
use crate::document::{Complaint, Kind, Node, did_you_mean};

/// Where the values being walked come from.
pub(super) enum Source<'a> {
    /// A file; each node has its position in it.
    File(&'a Arc<str>),
    /// An environment variable or a flag.
    Outside(&'a Place),
}

/// Collects complaints and places; the walk itself returns what figment merges.
pub(super) struct Walk<'a> {
    pub(super) source: Source<'a>,
    pub(super) places: &'a mut Places,
    pub(super) complaints: &'a mut Vec<Complaint>,
}

impl Walk<'_> {
    /// Reads `node` as `shape` wants it: `"4"` where a number is wanted is 4, and 012 where text is wanted is `012`.
    /// `None` after a complaint.
    pub(super) fn value(&mut self, shape: Shape, node: &Node, path: &KeyPath) -> Option<Value> {
        let before = self.complaints.len();
        self.places.set(path.clone(), self.place(node));
        let value = self.formed(shape, node, path);
        // Half a secret would only lead to a second complaint about the first mistake.
        value.filter(|_| !shape.is_secret() || self.complaints.len() == before)
    }

    fn formed(&mut self, shape: Shape, node: &Node, path: &KeyPath) -> Option<Value> {
        let forms = shape.forms();
        match &node.kind {
            _ if forms.iter().any(|form| matches!(form, Form::Anything)) => {
                self.places.keep(path.clone(), node.clone());
                Some(as_written(node))
            }
            Kind::Null => {
                self.complain(node, format!("`{path}` has no value"), "write a value, or remove the key");
                None
            }
            Kind::Mapping(_) => match forms.iter().find_map(as_mapping) {
                Some(shape) => self.mapping(shape, node, path),
                None => self.wrong_kind(&forms, node, path),
            },
            Kind::Sequence(items) => match forms.iter().find_map(as_sequence) {
                Some(shape) => self.sequence(shape, items, path),
                None => self.wrong_kind(&forms, node, path),
            },
            Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => self.scalar(&forms, node, path),
        }
    }

    /// Leaves out what is wrong, so that what is right is still checked further; without a required key, all of it.
    fn mapping(&mut self, shape: Shape, node: &Node, path: &KeyPath) -> Option<Value> {
        let mut dict = Dict::new();
        let mut meant = Vec::new();
        for entry in node.entries() {
            let Some(member) = shape.member(&entry.key) else {
                let place = match self.source {
                    Source::File(file) => Place::in_file(file, entry.position),
                    Source::Outside(place) => place.clone(),
                };
                let near = did_you_mean(&entry.key, shape.keys());
                meant.extend(near);
                self.complaints.push(unknown_key(&place, &entry.key, near, shape, path));
                continue;
            };
            let value = self.value(member, &entry.value, &path.key(&entry.key));
            dict.extend(value.map(|value| (entry.key.clone(), value)));
        }
        for key in shape.required().filter(|key| node.get(key).is_none() && !meant.contains(key)) {
            let problem = format!("`{}` is missing", path.key(key));
            self.complain(node, problem, format!("add `{key}:` with a value"));
        }
        let complete = shape.required().all(|key| dict.contains_key(key));
        complete.then_some(Value::Dict(Tag::Default, dict))
    }

    /// Leaves out the bad items, so that the good ones are still checked further; without a good one, all of it.
    fn sequence(&mut self, shape: Shape, items: &[Node], path: &KeyPath) -> Option<Value> {
        let read = |(index, item)| Some((index, self.value(shape, item, &path.index(index))?));
        let (typed, values): (Vec<usize>, Vec<Value>) = items.iter().enumerate().filter_map(read).unzip();
        if values.is_empty() && !items.is_empty() {
            return None;
        }
        self.places.keep_indices(path.clone(), typed);
        Some(Value::Array(Tag::Default, values))
    }

    fn scalar(&mut self, forms: &[Form], node: &Node, path: &KeyPath) -> Option<Value> {
        let text = match &node.kind {
            Kind::Bool(flag) => flag.to_string(),
            Kind::Number(text) | Kind::Text(text) => text.clone(),
            _ => return self.wrong_kind(forms, node, path),
        };
        let words: Vec<&str> = forms.iter().filter_map(as_words).flatten().copied().collect();
        let others = forms.iter().filter(|form| as_words(form).is_none());
        if words.contains(&text.as_str()) {
            return Some(Value::from(text));
        }
        if let Some(value) = others.filter_map(|form| read_scalar(form, &text)).next() {
            return Some(value);
        }
        if words.is_empty() {
            return self.wrong_kind(forms, node, path);
        }
        let cure = match did_you_mean(&text, words.iter().copied()) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write one of {}", listed(words)),
        };
        self.complain(node, format!("`{path}` is not a word that is known here"), cure);
        None
    }

    fn wrong_kind(&mut self, forms: &[Form], node: &Node, path: &KeyPath) -> Option<Value> {
        let wanted: Vec<String> = forms.iter().map(wanted).collect();
        let found = match &node.kind {
            Kind::Mapping(_) => " is a mapping",
            Kind::Sequence(_) => " is a list",
            Kind::Text(text) if text.is_empty() => " is empty",
            _ => " cannot be read",
        };
        self.complain(node, format!("`{path}`{found}"), format!("write {}", wanted.join(", or ")));
        None
    }

    fn place(&self, node: &Node) -> Place {
        match self.source {
            Source::File(file) => Place::in_file(file, node.position),
            Source::Outside(place) => place.clone(),
        }
    }

    fn complain(&mut self, node: &Node, problem: impl Into<String>, cure: impl Into<String>) {
        self.complaints.push(self.place(node).complaint(problem, cure));
    }
}

fn unknown_key(place: &Place, key: &str, near: Option<&str>, shape: Shape, path: &KeyPath) -> Complaint {
    let inside = if path.keys().is_empty() { "here".to_owned() } else { format!("in `{path}`") };
    let cure = match near {
        Some(known) => format!("did you mean `{known}`?"),
        None => match listed(shape.keys()) {
            known if known.is_empty() => "remove it".to_owned(),
            known => format!("remove it; known here: {known}"),
        },
    };
    place.complaint(format!("this version does not know `{key}` {inside}"), cure)
}

fn read_scalar(form: &Form, text: &str) -> Option<Value> {
    match form {
        Form::Text => (!text.is_empty()).then(|| Value::from(text)),
        Form::MaybeEmptyText => Some(Value::from(text)),
        Form::Duration => humantime::parse_duration(text).ok().map(|_| Value::from(text)),
        Form::Boolean => text.parse::<bool>().ok().map(Value::from),
        Form::Integer(limits) => {
            text.parse::<u64>().ok().filter(|&number| admits(*limits, number)).map(Value::from)
        }
        Form::Words(_) | Form::Mapping(_) | Form::Sequence(_) | Form::Anything => None,
    }
}

fn admits(limits: Limits, number: u64) -> bool {
    limits.minimum.is_none_or(|least| number >= least) && limits.maximum.is_none_or(|most| number <= most)
}

fn wanted(form: &Form) -> String {
    match form {
        Form::Mapping(shape) => match listed(shape.keys()) {
            known if known.is_empty() => "a mapping".to_owned(),
            known => format!("a mapping with {known}"),
        },
        Form::Sequence(_) => "a list".to_owned(),
        Form::Words(words) => format!("one of {}", listed(words.iter().copied())),
        Form::Duration => "a duration with its unit, like 5s, 100ms or 1m".to_owned(),
        Form::Text | Form::MaybeEmptyText | Form::Anything => "text".to_owned(),
        Form::Boolean => "true or false".to_owned(),
        Form::Integer(Limits { minimum: Some(least), maximum: Some(most) }) => {
            format!("a whole number from {least} to {most}")
        }
        Form::Integer(_) => "a whole number, zero or more".to_owned(),
    }
}

/// A value of any shape, for serde; the order of its keys survives only in [`Places::written`].
fn as_written(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Empty(Tag::Default, Empty::Unit),
        Kind::Bool(flag) => Value::from(*flag),
        Kind::Text(text) => Value::from(text.as_str()),
        Kind::Number(text) => Value::Num(Tag::Default, number(text)),
        Kind::Sequence(items) => Value::Array(Tag::Default, items.iter().map(as_written).collect()),
        Kind::Mapping(entries) => {
            let dict = entries.iter().map(|entry| (entry.key.clone(), as_written(&entry.value))).collect();
            Value::Dict(Tag::Default, dict)
        }
    }
}

fn number(text: &str) -> Num {
    if let Ok(number) = text.parse::<u64>() {
        return Num::U64(number);
    }
    match text.parse::<i64>() {
        Ok(number) => Num::I64(number),
        Err(_) => Num::F64(text.parse().unwrap_or(f64::NAN)),
    }
}

fn as_mapping(form: &Form) -> Option<Shape> {
    match form {
        Form::Mapping(shape) => Some(*shape),
        _ => None,
    }
}

fn as_sequence(form: &Form) -> Option<Shape> {
    match form {
        Form::Sequence(shape) => Some(*shape),
        _ => None,
    }
}

fn as_words(form: &Form) -> Option<&Vec<&'static str>> {
    match form {
        Form::Words(words) => Some(words),
        _ => None,
    }
}

fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
