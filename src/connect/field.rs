//! One field of a form: what its schema says of it, and what was typed into it as a value.
//! Never knows how it looks.

use crate::formula::Value;

/// Parts of names under which people keep what others must not read over their shoulder.
const SECRET_WORDS: [&str; 7] =
    ["secret", "password", "token", "apikey", "privatekey", "passphrase", "credential"];
/// How deep objects may lie in each other; deeper ones are typed in as JSON.
const DEEPEST: usize = 3;

/// One field, or several under a heading.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name in the form: where it stands in what is typed in, as a JSON Pointer.
    pub(super) name: String,
    /// The member of the object that it is in.
    key: String,
    pub(super) label: String,
    pub(super) description: Option<String>,
    pub(super) is_required: bool,
    /// What stands in it before anything is typed.
    pub(super) default: Option<String>,
    pub(super) kind: Kind,
}

/// What is typed into a field.
#[derive(Debug)]
pub(super) enum Kind {
    /// A line of text, with the `type` of its input: `text`, `email`, `url` or `password`.
    Line(&'static str),
    /// Several lines.
    Text,
    /// A number.
    Number {
        /// Whether it is a whole one.
        is_whole: bool,
    },
    /// One of several values, each with its label.
    Choice(Vec<(Value, String)>),
    /// Yes or no.
    Switch,
    /// A list of texts, one on each line.
    List,
    /// Anything else, as JSON.
    Json,
    /// Fields under a heading.
    Group(Vec<Field>),
}

impl Field {
    /// The fields of an object's schema, in the order in which they are written.
    pub(super) fn all(schema: &Value) -> Vec<Self> {
        members(schema, "", DEEPEST)
    }

    /// The innermost field that a JSON Pointer leads to, or into.
    pub(super) fn at<'f>(fields: &'f [Self], path: &str) -> Option<&'f Self> {
        let leads =
            |name: &str| path.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let found = fields.iter().find(|field| leads(&field.name))?;
        match &found.kind {
            Kind::Group(inner) => Self::at(inner, path).or(Some(found)),
            _ => Some(found),
        }
    }

    fn of(key: &str, schema: &Value, within: &str, is_required: bool, depth: usize) -> Self {
        let name = format!("{within}/{}", key.replace('~', "~0").replace('/', "~1"));
        let text = |member: &str| schema.get(member).and_then(Value::as_str).map(str::to_owned);
        let kind = Kind::of(key, schema, &name, depth);
        Self {
            key: key.to_owned(),
            label: text("title").filter(|title| !title.is_empty()).unwrap_or_else(|| spoken(key)),
            description: text("description").filter(|description| !description.is_empty()),
            is_required,
            default: schema.get("default").filter(|value| is_scalar(value)).map(Value::text),
            kind,
            name,
        }
    }

    /// Whether what is typed into it is not shown again.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Line("password"))
    }

    /// What was typed into it, or what is wrong with that.
    fn value(&self, typed: &Typed<'_>) -> Result<Option<Value>, Vec<Complaint>> {
        let wrong = |what: &str| Err(vec![Complaint { field: self.name.clone(), what: what.to_owned() }]);
        if let Kind::Group(fields) = &self.kind {
            let is_meant = self.is_required || any(fields, typed);
            return is_meant.then(|| object(fields, typed)).transpose();
        }
        if let Kind::Switch = self.kind {
            return Ok(Some(Value::Bool(typed.get(&self.name).is_some())));
        }
        let Some(text) = typed.get(&self.name).filter(|text| !text.trim().is_empty()) else {
            return if self.is_required { wrong("This is needed.") } else { Ok(None) };
        };
        match &self.kind {
            Kind::Line(_) => Ok(Some(Value::from(text.trim()))),
            Kind::Text => Ok(Some(Value::from(text.replace("\r\n", "\n")))),
            Kind::Number { is_whole } => match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() && (!is_whole || number.fract() == 0.0) => {
                    Ok(Some(Value::Number(number)))
                }
                _ if *is_whole => wrong("This must be a whole number."),
                _ => wrong("This must be a number."),
            },
            Kind::Choice(choices) => match choices.iter().find(|(value, _)| value.text() == text) {
                Some((value, _)) => Ok(Some(value.clone())),
                None => wrong("Choose one of these."),
            },
            Kind::List => {
                let items = text.lines().map(str::trim).filter(|item| !item.is_empty()).map(Value::from);
                Ok(Some(Value::Array(items.collect())))
            }
            Kind::Json => match serde_json::from_str(text) {
                Ok(value) => Ok(Some(value)),
                Err(_) => wrong("This must be JSON."),
            },
            Kind::Switch | Kind::Group(_) => Ok(None),
        }
    }
}

impl Kind {
    fn of(key: &str, schema: &Value, name: &str, depth: usize) -> Self {
        if let Some(choices) = choices(schema) {
            return Self::Choice(choices);
        }
        let text = |member: &str| schema.get(member).and_then(Value::as_str).unwrap_or_default();
        let is_set = |member: &str| schema.get(member).is_some_and(Value::truthy);
        match kind_of(schema) {
            "boolean" => Self::Switch,
            "number" => Self::Number { is_whole: false },
            "integer" => Self::Number { is_whole: true },
            "object" if depth > 0 && schema.get("properties").is_some() => {
                Self::Group(members(schema, name, depth - 1))
            }
            "array" if schema.get("items").is_some_and(|items| kind_of(items) == "string") => Self::List,
            "object" | "array" => Self::Json,
            _ if is_set("isSensitive")
                || is_set("writeOnly")
                || text("format") == "password"
                || is_secret(key) =>
            {
                Self::Line("password")
            }
            _ if is_set("isRichText") || matches!(text("format"), "textarea" | "multiline") => Self::Text,
            _ => Self::Line(match text("format") {
                "email" => "email",
                "uri" | "url" => "url",
                _ => "text",
            }),
        }
    }
}

/// What was typed, name by name.
pub(super) struct Typed<'t>(pub(super) &'t [(String, String)]);

impl Typed<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(typed, _)| typed == name).map(|(_, value)| value.as_str())
    }
}

/// What is wrong with one field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Its name in the form; the empty one is the form as a whole.
    pub(super) field: String,
    pub(super) what: String,
}

/// What was typed into all of `fields`, as one object, or everything that is wrong with it.
pub(super) fn object(fields: &[Field], typed: &Typed<'_>) -> Result<Value, Vec<Complaint>> {
    let (mut members, mut complaints) = (Vec::new(), Vec::new());
    for field in fields {
        match field.value(typed) {
            Ok(value) => members.extend(value.map(|value| (field.key.clone(), value))),
            Err(wrong) => complaints.extend(wrong),
        }
    }
    if complaints.is_empty() { Ok(Value::from_iter(members)) } else { Err(complaints) }
}

/// Whether anything was typed into any of them.
fn any(fields: &[Field], typed: &Typed<'_>) -> bool {
    fields.iter().any(|field| match &field.kind {
        Kind::Group(fields) => any(fields, typed),
        _ => typed.get(&field.name).is_some_and(|text| !text.trim().is_empty()),
    })
}

fn members(schema: &Value, within: &str, depth: usize) -> Vec<Field> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let shown = properties.filter(|(_, schema)| !schema.get("readOnly").is_some_and(Value::truthy));
    shown
        .map(|(key, schema)| Field::of(key, schema, within, required.contains(&key.as_str()), depth))
        .collect()
}

/// The word under `type`; of several the first that is not null.
fn kind_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("string")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    }
}

/// The values that are offered, with their labels: an `enum`, constants with titles, or the vendor's reference records.
fn choices(schema: &Value) -> Option<Vec<(Value, String)>> {
    let list = |member: &str| schema.get(member).and_then(Value::as_array);
    let labelled = |item: &Value, value: &str, label: &str| {
        let value = item.get(value).filter(|value| is_scalar(value))?;
        Some((
            value.clone(),
            item.get(label).and_then(Value::as_str).map_or_else(|| value.text(), str::to_owned),
        ))
    };
    let found: Vec<_> = if let Some(values) = list("enum") {
        values.iter().filter(|value| is_scalar(value)).map(|value| (value.clone(), value.text())).collect()
    } else if let Some(constants) = list("oneOf") {
        constants.iter().map(|item| labelled(item, "const", "title")).collect::<Option<_>>()?
    } else if schema.get("allowCustom").is_some_and(Value::truthy) {
        return None;
    } else {
        list("referenceRecords")?.iter().map(|item| labelled(item, "id", "name")).collect::<Option<_>>()?
    };
    (!found.is_empty()).then_some(found)
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

fn is_secret(key: &str) -> bool {
    let folded: String = key.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    SECRET_WORDS.iter().any(|word| folded.contains(word))
}

/// A name as people say it: `apiKey` and `api_key` are `Api key`.
fn spoken(key: &str) -> String {
    let mut words = String::with_capacity(key.len() + 4);
    let mut before = ' ';
    for letter in key.chars() {
        if letter.is_uppercase() && before.is_lowercase() || matches!(letter, '_' | '-') {
            words.push(' ');
        }
        match letter {
            '_' | '-' => {}
            _ if words.is_empty() => words.extend(letter.to_uppercase()),
            _ if before.is_lowercase() => words.extend(letter.to_lowercase()),
            _ => words.push(letter),
        }
        before = letter;
    }
    words
}
