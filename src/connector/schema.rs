//! A JSON Schema that what somebody sends is held against.
//! Never quotes a value in a complaint: most of them are secrets.

use std::fmt;

use crate::formula::Value;

/// A schema, ready to use.
pub struct Schema {
    validator: jsonschema::Validator,
}

/// What is wrong with a value, and where.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Flaw {
    /// A JSON Pointer into the value; empty for the value itself.
    pub path: String,
    /// What is wrong there.
    pub message: String,
}

impl Schema {
    /// Prepares a schema.
    ///
    /// # Errors
    /// What is wrong with it as a schema.
    pub fn new(text: &Value) -> Result<Self, String> {
        let text = serde_json::Value::from(text);
        match jsonschema::options().build(&text) {
            Ok(validator) => Ok(Self { validator }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Everything that is wrong with `value`.
    #[must_use]
    pub fn flaws(&self, value: &Value) -> Vec<Flaw> {
        // What cannot be said in JSON cannot have come in JSON.
        let value = serde_json::Value::from(value);
        let flaw = |error: jsonschema::ValidationError<'_>| Flaw {
            path: error.instance_path().to_string(),
            message: error.masked_with("it").to_string(),
        };
        self.validator.iter_errors(&value).map(flaw).collect()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flaws(schema: serde_json::Value, value: serde_json::Value) -> Vec<(String, String)> {
        let flaws = Schema::new(&schema.into()).unwrap().flaws(&Value::from(value));
        flaws.into_iter().map(|flaw| (flaw.path, flaw.message)).collect()
    }

    #[test]
    fn each_flaw_has_its_path_and_shows_no_value() {
        let schema = json!({
            "type": "object", "required": ["apiKey"],
            "properties": {
                "apiKey": {"type": "string"}, "port": {"type": "integer", "maximum": 65535},
                "list": {"type": "array", "items": {"type": "object", "required": ["id"]}},
                "region": {"enum": ["eu", "us"]}, "code": {"type": "string", "pattern": "^[a-z]+$"},
            },
        });
        let value =
            json!({"port": "planted", "list": [{"id": 1}, {}], "region": "planted", "code": "PLANTED1"});
        let mut found = flaws(schema, value);
        found.sort();
        let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["", "/code", "/list/1", "/port", "/region"]);
        assert!(found.iter().all(|(_, message)| !message.to_lowercase().contains("planted")), "{found:?}");
        assert!(found[0].1.contains("apiKey"), "{found:?}");
    }

    #[test]
    fn what_fits_has_no_flaws_and_what_is_no_schema_is_told() {
        assert_eq!(flaws(json!({"type": "object"}), json!({"a": 1})), []);
        assert!(Schema::new(&json!({"type": 7}).into()).is_err());
    }

    #[test]
    fn a_schema_elsewhere_is_not_fetched() {
        assert!(Schema::new(&json!({"$ref": "https://example.com/schema.json"}).into()).is_err());
        assert!(Schema::new(&json!({"$ref": "file:///etc/passwd"}).into()).is_err());
    }
}
