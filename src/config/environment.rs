//! The process environment, and how its variables name keys of the configuration.
//! Never guesses a type: what a variable holds is text, and the schema says how to read it.

use std::collections::{BTreeMap, BTreeSet};

use figment::value::{Dict, Tag, Value};

use super::check::{Source, Walk};
use super::path::{KeyPath, Place, Places};
use super::schema::{Form, Shape};
use crate::document::{Complaint, Kind, Node, Position, did_you_mean};

const PREFIX: &str = "SIDEGATE_";

/// Names under the prefix that are not keys: the short forms of flags, and the log filter.
const OTHERS: [&str; 5] = ["LOG", "UPSTREAM", "WORKSPACE", "WORKSPACE_SECRET", "WORKSPACE_SECRET_FILE"];

/// The environment of this process, read once. A variable that is not UTF-8 is left out.
#[must_use]
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What `SIDEGATE_LOG` asks of the diagnostics: `info` unless it is set. Read before anything else, so that the reading
/// of the configuration can be logged too.
#[must_use]
pub fn log_level() -> String {
    std::env::vars_os()
        .find(|(name, _)| name == "SIDEGATE_LOG")
        .and_then(|(_, value)| value.into_string().ok())
        .unwrap_or_else(|| "info".to_owned())
}

/// What the variables set.
#[derive(Default)]
pub(super) struct Assigned {
    pub(super) values: Dict,
    /// Secrets set here: they replace those of the files whole, a `file` beneath a `value` would be two.
    pub(super) secrets: Vec<KeyPath>,
}

/// Reads every `SIDEGATE_` variable; names in `mentioned` are read by the files themselves.
pub(super) fn assign(
    environment: &BTreeMap<String, String>,
    mentioned: &BTreeSet<String>,
    places: &mut Places,
    complaints: &mut Vec<Complaint>,
) -> Assigned {
    let mut assigned = Assigned::default();
    for (name, text) in environment {
        let Some(key) = name.strip_prefix(PREFIX) else { continue };
        if OTHERS.contains(&key) || mentioned.contains(name) || is_service_link(key) {
            continue;
        }
        let place = Place::variable(name);
        match find(key, places) {
            Ok(target) => assigned.take(target, text, &place, places, complaints),
            Err(lost) => complaints.push(place.complaint(lost.problem, lost.cure)),
        }
    }
    assigned
}

/// Puts `value` into `dict` under `path`, making the mappings on the way.
pub(super) fn insert(dict: &mut Dict, path: &[String], value: Value) {
    let [key, below @ ..] = path else { return };
    if below.is_empty() {
        dict.insert(key.clone(), value);
        return;
    }
    let inner = dict.entry(key.clone()).or_insert_with(|| Value::Dict(Tag::Default, Dict::new()));
    if !matches!(inner, Value::Dict(..)) {
        *inner = Value::Dict(Tag::Default, Dict::new());
    }
    if let Value::Dict(_, inner) = inner {
        insert(inner, below, value);
    }
}

/// A text node for a value that stands in no file.
pub(super) fn text_node(text: &str) -> Node {
    Node { position: Position { line: 1, column: 1 }, kind: Kind::Text(text.to_owned()) }
}

impl Assigned {
    fn take(
        &mut self,
        target: Target,
        text: &str,
        place: &Place,
        places: &mut Places,
        complaints: &mut Vec<Complaint>,
    ) {
        let node = if target.is_list() { list_node(text) } else { text_node(text) };
        let source = Source::Outside(place);
        let Some(value) = (Walk { source, places, complaints }).value(target.shape, &node, &target.path)
        else {
            return;
        };
        if let Some(secret) = target.secret {
            places.set(secret.clone(), place.clone());
            self.secrets.push(secret);
        }
        insert(&mut self.values, target.path.keys(), value);
    }
}

/// The key that a variable names.
struct Target {
    path: KeyPath,
    shape: Shape,
    secret: Option<KeyPath>,
}

impl Target {
    fn is_list(&self) -> bool {
        self.shape.forms().iter().all(|form| matches!(form, Form::Sequence(_)))
    }
}

struct Lost {
    problem: String,
    cure: String,
}

fn find(key: &str, places: &Places) -> Result<Target, Lost> {
    let mut target = Target { path: KeyPath::default(), shape: Shape::sidegate(), secret: None };
    let segments: Vec<&str> = key.split("__").collect();
    for (depth, segment) in segments.iter().enumerate() {
        let last = depth + 1 == segments.len();
        target = step(&target, segment, last, places)?;
    }
    if target.shape.is_secret() {
        let path = target.path.key("value");
        let shape = secret_member(target.shape, "value").unwrap_or(target.shape);
        return Ok(Target { secret: Some(target.path), path, shape });
    }
    if target.shape.forms().iter().all(|form| matches!(form, Form::Mapping(_))) {
        let keys: Vec<&str> = mappings(target.shape).flat_map(Shape::keys).collect();
        let cure = format!(
            "add `__` and one of its keys: {}",
            keys.iter().map(|key| snake(key)).collect::<Vec<_>>().join(", ")
        );
        return Err(Lost { problem: format!("`{}` is a group of keys", target.path), cure });
    }
    Ok(target)
}

fn step(from: &Target, segment: &str, last: bool, places: &Places) -> Result<Target, Lost> {
    let secret = from.shape.is_secret().then(|| from.path.clone()).or_else(|| from.secret.clone());
    let to = |key: &str, shape| Target { path: from.path.key(key), shape, secret: secret.clone() };
    if places.below(&from.path).any(|key| key == "0") {
        let problem =
            format!("`{}` is a list in the files; a variable cannot name one of its entries", from.path);
        return Err(Lost { problem, cure: "write ${VARIABLE} in the file instead".into() });
    }
    let mut candidates = Vec::new();
    for mapping in mappings(from.shape) {
        for key in mapping.keys() {
            let Some(member) = mapping.member(key) else { continue };
            let name = snake(key);
            if name == segment {
                return Ok(to(key, member));
            }
            if last && member.is_secret() && segment.strip_suffix("_FILE") == Some(&name) {
                let path = from.path.key(key);
                let shape = secret_member(member, "file").unwrap_or(member);
                return Ok(Target { path: path.key("file"), shape, secret: Some(path) });
            }
            candidates.push(name);
        }
        let Some(member) = mapping.any_member() else { continue };
        let mut named = places.below(&from.path).filter(|name| snake(name) == segment);
        match (named.next(), named.next()) {
            (Some(name), None) => return Ok(to(name, member)),
            (Some(one), Some(other)) => {
                let problem = format!("`{segment}` may mean `{one}` or `{other}` in `{}`", from.path);
                return Err(Lost { problem, cure: "write ${VARIABLE} in the file instead".into() });
            }
            _ => candidates.extend(places.below(&from.path).map(snake)),
        }
    }
    Err(lost(segment, &from.path, &candidates))
}

fn lost(segment: &str, path: &KeyPath, candidates: &[String]) -> Lost {
    let inside = if path.keys().is_empty() { String::new() } else { format!(" in `{path}`") };
    let problem = format!("this version does not know `{segment}`{inside}");
    let near = did_you_mean(&segment.to_lowercase(), candidates.iter().map(String::as_str));
    let cure = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if candidates.is_empty() => "name it in a file first; a variable can only change it".into(),
        None => format!("known here: {}", candidates.join(", ")),
    };
    Lost { problem, cure }
}

fn mappings(shape: Shape) -> impl Iterator<Item = Shape> {
    shape.forms().into_iter().filter_map(|form| match form {
        Form::Mapping(shape) => Some(shape),
        _ => None,
    })
}

fn secret_member(secret: Shape, key: &str) -> Option<Shape> {
    mappings(secret).find_map(|mapping| mapping.member(key))
}

/// `publicKeys`, `my-workspace` and `oAuthCallbackUri` as a variable spells them: `PUBLIC_KEYS`, `MY_WORKSPACE` and, for OAuth
/// is one word, `OAUTH_CALLBACK_URI`.
fn snake(key: &str) -> String {
    let key = key.replace("oAuth", "oauth").replace("OAuth", "Oauth");
    let mut name = String::with_capacity(key.len() + 4);
    let mut before_was_lower = false;
    for character in key.chars() {
        if character.is_ascii_uppercase() && before_was_lower {
            name.push('_');
        }
        before_was_lower = character.is_ascii_lowercase() || character.is_ascii_digit();
        name.push(if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' });
    }
    name
}

fn list_node(text: &str) -> Node {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(text_node).collect();
    Node { position: Position { line: 1, column: 1 }, kind: Kind::Sequence(items) }
}

/// Whether Kubernetes made this variable for a service whose name begins with `sidegate`.
fn is_service_link(key: &str) -> bool {
    let key = format!("_{key}");
    let numbered = |rest: &str| rest.is_empty() || rest.starts_with('_');
    key.ends_with("_SERVICE_HOST")
        || key.split_once("_SERVICE_PORT").is_some_and(|(_, rest)| numbered(rest))
        || key.split_once("_PORT").is_some_and(|(_, rest)| {
            rest.is_empty() || rest.trim_start_matches('_').starts_with(|first: char| first.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_names_are_spelled_as_variables_spell_them() {
        let pairs = [
            ("publicKeys", "PUBLIC_KEYS"),
            ("my-workspace", "MY_WORKSPACE"),
            ("redb", "REDB"),
            ("oAuthCallbackUri", "OAUTH_CALLBACK_URI"),
            ("defaultOAuthApp", "DEFAULT_OAUTH_APP"),
        ];
        for (key, name) in pairs {
            assert_eq!(snake(key), name);
        }
    }

    #[test]
    fn variables_that_kubernetes_makes_for_a_service_are_not_keys() {
        for key in ["SERVICE_HOST", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP_ADDR", "API_SERVICE_HOST"] {
            assert!(is_service_link(key), "{key}");
        }
        for key in ["WORKERS", "SHUTDOWN__DELAY", "PORTS", "SERVICE"] {
            assert!(!is_service_link(key), "{key}");
        }
    }
}
