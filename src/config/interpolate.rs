//! `${VAR}` and `${VAR:-default}` in the strings of a file; `$${` is a plain `${`.
//! Knows nothing of keys, and never prints what a variable holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::path::Place;
use crate::document::{Complaint, Kind, Node};

/// Puts the variables into every string below `node`; complains about each that is missing.
pub(super) fn interpolate(
    file: &Arc<str>,
    node: &mut Node,
    environment: &BTreeMap<String, String>,
    complaints: &mut Vec<Complaint>,
) {
    match &mut node.kind {
        Kind::Text(text) => match expand(text, environment) {
            Ok(expanded) => *text = expanded,
            Err(Problem::Missing(name)) => complaints.push(Place::in_file(file, node.position).complaint(
                format!("the environment variable {name} is not set"),
                format!("set it, or write a default: ${{{name}:-…}}"),
            )),
            Err(Problem::Unclosed) => complaints.push(Place::in_file(file, node.position).complaint(
                "`${` is not closed, or names no variable",
                "write ${NAME}, or $${ for a plain ${",
            )),
        },
        Kind::Sequence(items) => {
            items.iter_mut().for_each(|item| interpolate(file, item, environment, complaints));
        }
        Kind::Mapping(entries) => {
            entries.iter_mut().for_each(|entry| interpolate(file, &mut entry.value, environment, complaints));
        }
        Kind::Null | Kind::Bool(_) | Kind::Number(_) => {}
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Missing(String),
    Unclosed,
}

fn expand(text: &str, environment: &BTreeMap<String, String>) -> Result<String, Problem> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Problem::Unclosed)?;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(Problem::Unclosed);
        }
        // As in a shell, `:-` also stands in for a variable that is set and empty.
        let set = environment.get(name).map(String::as_str);
        let value = if default.is_some() { set.filter(|value| !value.is_empty()).or(default) } else { set };
        expanded.push_str(value.ok_or_else(|| Problem::Missing(name.to_owned()))?);
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment() -> BTreeMap<String, String> {
        [("HOST", "example.com"), ("EMPTY", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn variables_and_defaults_are_put_in() {
        let expanded = |text| expand(text, &environment()).unwrap();
        assert_eq!(expanded("https://${HOST}:${PORT:-8443}/x"), "https://example.com:8443/x");
        assert_eq!(expanded("[${EMPTY:-filled}][${EMPTY}]"), "[filled][]");
        assert_eq!(expanded("no $variables {here}"), "no $variables {here}");
    }

    #[test]
    fn a_doubled_dollar_escapes() {
        assert_eq!(expand("$${HOST} is ${HOST}", &environment()).unwrap(), "${HOST} is example.com");
    }

    #[test]
    fn a_missing_variable_and_an_open_brace_are_refused() {
        assert_eq!(expand("${NOWHERE}", &environment()), Err(Problem::Missing("NOWHERE".into())));
        assert_eq!(expand("${HOST", &environment()), Err(Problem::Unclosed));
        assert_eq!(expand("${}", &environment()), Err(Problem::Unclosed));
    }
}
