//! What a method gave, field by field, and what is wrong with it.
//! Never knows which fields a method should give.

use zeroize::Zeroizing;

use crate::formula::{FormulaError, Value};

/// Why a method gave nothing useful. Names fields, never their values: most of them are secrets.
#[derive(Debug, thiserror::Error)]
pub enum MethodError {
    /// The formulas could not be evaluated.
    #[error("the formulas of {method} failed")]
    Formula {
        /// The vendor's name of the method.
        method: &'static str,
        /// What failed.
        #[source]
        source: FormulaError,
    },
    /// The response handlers that a script gave cannot be read.
    #[error("the responseHandlers that makeApiClient gives cannot be read: {problem}; {cure}")]
    ResponseHandlers {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        cure: String,
    },
    /// A field that is needed is undefined or empty.
    #[error("{method} gives no {field}")]
    Missing {
        /// The vendor's name of the method.
        method: &'static str,
        /// The field of its result.
        field: &'static str,
    },
    /// The connection's credentials lack what each of its requests needs.
    #[error("the credentials have no {field}")]
    Credential {
        /// The field of the credentials.
        field: &'static str,
    },
    /// A field is not what it must be.
    #[error("the {field} that {method} gives is not {expected}")]
    Wrong {
        /// The vendor's name of the method.
        method: &'static str,
        /// The field of its result, such as a header's name.
        field: String,
        /// What the field must be.
        expected: &'static str,
    },
}

/// Reads the fields of a method's result, so that each error names method and field.
pub(super) struct Fields<'a> {
    pub(super) method: &'static str,
    pub(super) result: &'a Value,
}

impl<'a> Fields<'a> {
    /// The first of these fields that is there and not null.
    pub(super) fn get(&self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| self.result.get(name)).filter(|value| !matches!(value, Value::Null))
    }

    /// A text that is not empty, if it is there.
    pub(super) fn text(&self, names: &[&'static str]) -> Result<Option<String>, MethodError> {
        let Some(value) = self.get(names) else { return Ok(None) };
        let name = names.first().copied().unwrap_or_default();
        let text = scalar(value).ok_or_else(|| self.wrong(name, "text"))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A text that must be there.
    pub(super) fn required(&self, names: &[&'static str]) -> Result<String, MethodError> {
        let field = names.first().copied().unwrap_or_default();
        self.text(names)?.ok_or(MethodError::Missing { method: self.method, field })
    }

    /// The members of an object, if it is there.
    pub(super) fn members(&self, names: &[&'static str]) -> Result<Vec<(&'a str, &'a Value)>, MethodError> {
        let Some(value) = self.get(names) else { return Ok(Vec::new()) };
        let name = names.first().copied().unwrap_or_default();
        let members = value.as_object().ok_or_else(|| self.wrong(name, "an object"))?;
        Ok(members.iter().map(|(key, value)| (key.as_str(), value)).collect())
    }

    /// The members of an object as texts: null is left out, and a list gives its name once for each item.
    pub(super) fn pairs(
        &self,
        names: &[&'static str],
    ) -> Result<Vec<(&'a str, Zeroizing<String>)>, MethodError> {
        let field = names.first().copied().unwrap_or_default();
        let mut pairs = Vec::new();
        for (name, value) in self.members(names)? {
            for item in value.as_array().unwrap_or(std::slice::from_ref(value)) {
                if matches!(item, Value::Null) {
                    continue;
                }
                let wrong = || self.wrong(&format!("{field} {}", name.escape_debug()), "text");
                pairs.push((name, Zeroizing::new(scalar(item).ok_or_else(wrong)?)));
            }
        }
        Ok(pairs)
    }

    pub(super) fn truthy(&self, names: &[&str]) -> Option<bool> {
        self.get(names).map(Value::truthy)
    }

    pub(super) fn wrong(&self, field: &str, expected: &'static str) -> MethodError {
        MethodError::Wrong { method: self.method, field: field.to_owned(), expected }
    }

    /// Checks an absolute http or https URL that hides no credentials and no fragment.
    pub(super) fn web_url(&self, field: &str, text: &str) -> Result<url::Url, MethodError> {
        let wrong = || self.wrong(field, "an absolute http or https URL without user, password and fragment");
        let scheme =
            ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme)).ok_or_else(wrong)?;
        let rest = text.get(scheme.len()..).unwrap_or_default();
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        // The url crate would drop line breaks, turn backslashes around and skip further slashes.
        let strange = |c: char| c == '\\' || c == '#' || c.is_control() || c.is_whitespace();
        if authority.is_empty() || authority.contains('@') || text.contains(strange) {
            return Err(wrong());
        }
        url::Url::parse(text).ok().filter(url::Url::has_host).ok_or_else(wrong)
    }
}

/// The text of a text, a number or a boolean.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Some(value.text()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// RFC 9110 section 5.5, without the bytes beyond ASCII that it calls obsolete.
pub(super) fn is_header_text(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}
