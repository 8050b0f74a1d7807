//! Locators: the paths by which a formula names a value, such as `credentials.tokens[0].id`.
//! Never changes what it walks.

use std::borrow::Cow;

use super::{Value, coercion};

/// A parsed locator: dots and brackets, an optional leading `$.`, backslash escapes; `$` alone is everything.
#[derive(Clone)]
pub(super) struct Locator(Vec<Step>);

#[derive(Clone)]
enum Step {
    Property(String),
    /// None is an index that no list has, such as 1.5.
    Index(Option<usize>),
}

impl Locator {
    /// Reads a locator; None if it is invalid: empty, `$foo`, an unclosed bracket, a negative index, junk after `]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { None } else { Self::parse_field(text) }
    }

    /// As [`Locator::parse`], but the empty text names the member with the empty name. Filters read fields so.
    pub(super) fn parse_field(text: &str) -> Option<Self> {
        let rooted = if text.starts_with('$') { text.to_owned() } else { format!("$.{text}") };
        let mut rest = rooted.strip_prefix('$').unwrap_or_default();
        let mut steps = Vec::new();
        while let Some(first) = rest.chars().next() {
            let after = rest.get(1..).filter(|_| first == '.' || first == '[')?;
            if first == '.' {
                let (name, remaining) = split_name(after);
                steps.push(Step::Property(name));
                rest = remaining;
            } else {
                let (index, remaining) = after.split_once(']')?;
                steps.push(Step::Index(parse_index(index)?));
                rest = remaining;
            }
        }
        Some(Self(steps))
    }

    /// The value at this place of `root`; None is undefined.
    ///
    /// An index steps over falsy items (0, "", false, null): they are undefined, as the vendor's engine tests for
    /// truth. The dotted form `list.1` does return them. `list.length` is the length; strings are not traversed.
    pub(super) fn find<'v>(&self, root: &'v Value) -> Option<Cow<'v, Value>> {
        let mut current = Cow::Borrowed(root);
        for step in &self.0 {
            current = match (step, current) {
                (Step::Index(index), Cow::Borrowed(Value::Array(items))) => {
                    Cow::Borrowed(items.get((*index)?).filter(|item| item.truthy())?)
                }
                (Step::Property(name), Cow::Borrowed(value)) => property(value, name)?,
                _ => return None,
            };
        }
        Some(current)
    }

    /// Every value at this place that is neither undefined nor null, where a property of a list is that property of
    /// each of its items. This is how a list filter reads its field; it does reach into strings.
    pub(super) fn find_each(&self, root: &Value) -> Vec<Value> {
        let mut found = Vec::new();
        find_each(root, &self.0, &mut found);
        found
    }

    /// The names of the steps up to the first index: `response`, `data` of `response.data[0]`.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map_while(|step| match step {
            Step::Property(name) => Some(name.as_str()),
            Step::Index(_) => None,
        })
    }
}

fn property<'v>(value: &'v Value, name: &str) -> Option<Cow<'v, Value>> {
    match value {
        Value::Object(members) => members.get(name).map(Cow::Borrowed),
        Value::Array(items) if name == "length" => Some(Cow::Owned(length(items.len()))),
        Value::Array(items) => items.get(canonical_index(name)?).map(Cow::Borrowed),
        _ => None,
    }
}

fn find_each(value: &Value, steps: &[Step], found: &mut Vec<Value>) {
    let Some((step, rest)) = steps.split_first() else {
        if !matches!(value, Value::Null) {
            found.push(value.clone());
        }
        return;
    };
    match (step, value) {
        (Step::Index(Some(index)), Value::Array(items)) => {
            if let Some(item) = items.get(*index) {
                find_each(item, rest, found);
            }
        }
        (Step::Property(_), Value::Array(items)) => {
            for item in items {
                find_each(item, steps, found);
            }
        }
        (Step::Property(name), Value::Object(members)) => {
            if let Some(member) = members.get(name) {
                find_each(member, rest, found);
            }
        }
        (Step::Property(name), Value::String(text)) => {
            if let Some(part) = text_property(text, name) {
                find_each(&part, rest, found);
            }
        }
        _ => {}
    }
}

/// A string's `length` and characters; JavaScript counts UTF-16 units.
fn text_property(text: &str, name: &str) -> Option<Value> {
    if name == "length" {
        return Some(length(text.encode_utf16().count()));
    }
    let unit = text.encode_utf16().nth(canonical_index(name)?)?;
    Some(Value::String(String::from_utf16_lossy(&[unit])))
}

#[expect(clippy::cast_precision_loss, reason = "no list in memory is that long")]
fn length(length: usize) -> Value {
    Value::Number(length as f64)
}

/// The index that a property name stands for: `1`, but not `01`.
fn canonical_index(name: &str) -> Option<usize> {
    name.parse().ok().filter(|index: &usize| index.to_string() == name)
}

/// What stands between brackets is read as `Number(text)`; blank is 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a small whole number"
)]
fn parse_index(text: &str) -> Option<Option<usize>> {
    let number = coercion::number_of(text);
    if number.is_nan() || number < 0.0 {
        return None;
    }
    let whole = number.fract() == 0.0 && number <= f64::from(u32::MAX);
    Some(whole.then_some(number as usize))
}

/// A property's name up to the next dot or bracket that is not escaped, and what follows it.
fn split_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' | '[' => return (name, text.get(at..).unwrap_or_default()),
            '\\' => match characters.next() {
                // A line break cannot be escaped: the backslash stays.
                Some((_, next @ ('\n' | '\r' | '\u{2028}' | '\u{2029}'))) => name.extend(['\\', next]),
                Some((_, next)) => name.push(next),
                None => name.push('\\'),
            },
            _ => name.push(character),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"a": {"b": [{"c": 1}, 0, "", null, "x"], "d.e": 2, "n": null, "s": "text"},
        "": "nameless", "back\\slash": 3, "list": [[7]], "[k]": 4}"#;

    fn find(locator: &str) -> Option<Value> {
        let data: Value = serde_json::from_str(DATA).unwrap();
        Locator::parse(locator).unwrap().find(&data).map(Cow::into_owned)
    }

    #[test]
    fn a_path_of_dots_and_brackets_is_walked() {
        for (locator, expected) in [
            ("a.b[0].c", "1"),
            ("$.a.b[0].c", "1"),
            (r"a.d\.e", "2"),
            (r"back\\slash", "3"),
            (r"\[k\]", "4"),
            ("list[0][0]", "7"),
            ("list[]", "[7]"),
            ("list[ 0x0 ]", "[7]"),
            ("a.n", "null"),
            ("$.", r#""nameless""#),
        ] {
            assert_eq!(find(locator), Some(serde_json::from_str(expected).unwrap()), "{locator}");
        }
    }

    #[test]
    fn a_dollar_alone_is_everything() {
        assert_eq!(find("$"), Some(serde_json::from_str(DATA).unwrap()));
    }

    #[test]
    fn invalid_locators_are_told_apart_from_absent_values() {
        for invalid in ["", "$foo", "a[0", "a[-1]", "a[0]b", "a[x]", "$$"] {
            assert!(Locator::parse(invalid).is_none(), "{invalid}");
        }
        for absent in ["z", "a.z.y", "a.n.x", "a.s.length", "a.s[0]", "a.b[9]", "a.b[0.5]", "a[0]", "a.b.01"]
        {
            assert_eq!(find(absent), None, "{absent}");
        }
    }

    #[test]
    fn an_index_skips_falsy_items_and_a_dotted_index_does_not() {
        for index in 1..4 {
            assert_eq!(find(&format!("a.b[{index}]")), None);
            assert!(find(&format!("a.b.{index}")).is_some());
        }
        assert_eq!(find("a.b[4]"), Some(Value::from("x")));
        assert_eq!(find("a.b.length"), Some(Value::Number(5.0)));
    }
}
