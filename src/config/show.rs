//! The merged configuration as text, each value with its origin, no secret among them.
//! Never sees a secret: what was typed as one is `[secret]` before it comes here.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::path::{KeyPath, Places};
use super::{Sources, layers};
use crate::document::Complaint;

/// The merged configuration as YAML; a comment behind each value names the file, variable or flag that set it.
/// Values of integrations' parameters and inline connectors are not shown: they may hold secrets.
///
/// # Errors
/// The complaints of the walk; what only the meaning can raise does not stop a look at what was typed.
pub fn show(sources: &Sources) -> Result<String, Vec<Complaint>> {
    let layered = layers::merge(sources);
    if !layered.complaints.is_empty() {
        return Err(layered.complaints);
    }
    let mut shown = Shown { places: &layered.places, text: String::new() };
    let tree = serde_json::to_value(&layered.raw).unwrap_or_default();
    shown.below(&tree, &KeyPath::default(), 0);
    Ok(shown.text)
}

struct Shown<'a> {
    places: &'a Places,
    text: String,
}

impl Shown<'_> {
    fn below(&mut self, value: &Json, path: &KeyPath, depth: usize) {
        match value {
            Json::Object(entries) => {
                for (key, value) in entries {
                    self.entry(
                        &format!("{}:", scalar(&Json::from(key.as_str()))),
                        value,
                        &path.key(key),
                        depth,
                    );
                }
            }
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.entry("-", item, &path.index(index), depth);
                }
            }
            _ => {}
        }
    }

    fn entry(&mut self, lead: &str, value: &Json, path: &KeyPath, depth: usize) {
        let indent = "  ".repeat(depth);
        let is_group = match value {
            Json::Object(entries) => !entries.is_empty(),
            Json::Array(items) => !items.is_empty(),
            _ => false,
        };
        if is_group {
            let _ = writeln!(self.text, "{indent}{lead}");
            self.below(value, path, depth + 1);
        } else {
            let _ = writeln!(self.text, "{indent}{lead} {}  # {}", scalar(value), self.origin(path));
        }
    }

    fn origin(&self, path: &KeyPath) -> String {
        self.places.exact(path).map_or_else(|| "default".to_owned(), ToString::to_string)
    }
}

/// A scalar that YAML reads back as it is: plain where it is a plain word, else in JSON's quotes.
fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) if is_plain(text) => text.clone(),
        other => other.to_string(),
    }
}

fn is_plain(text: &str) -> bool {
    let word = |character: char| character.is_ascii_alphanumeric() || "-_./:".contains(character);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/')
        && text.chars().all(word)
        && !text.ends_with(':')
        && !["true", "false", "null"].contains(&text.to_lowercase().as_str())
}
